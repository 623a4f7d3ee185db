// Quantised attention in int8 (magi_engine.ops.quantised_attention) for cards whose matrix units are
// reached through mma.sync: Turing, Ampere, Ada and Blackwell; 128 features a head.
//
// One block: 64 queries of a head, 16 a warp; two blocks share a multiprocessor, so that one softens
// while the other multiplies. Tiles of 128 keys and of 128 values, made by quantise.cu, come into
// shared memory: keys while the values before them are used, and values while the keys are. A warp
// multiplies its queries with a tile of keys, makes bytes of the weights without leaving its
// registers, and multiplies these with the values; sums of a tile are integers, those of all tiles
// float32.
//
// int8 rather than e4m3: all these cards multiply it at their full rate (Ada and Blackwell e4m3 only
// with sums in float16), and it is the more accurate of the two here.
//
// Layouts are those of PTX, "mma.m16n8k32": in the result a thread holds rows g and g + 8, of each 8
// columns two, 2 t and 2 t + 1, with g = lane / 4 and t = lane % 4. In the left factor it holds, of
// 32 columns, 4 t .. 4 t + 3 and 16 more; in the right factor the same rows of column g.

constexpr int WARPS = 4, QUERIES = 16 * WARPS, THREADS = 32 * WARPS;
constexpr float INT8_MOST = 127.0f;
constexpr float LOG2_STEPS = 7.99435344f;   // log2(255): weights as unsigned bytes

// An integer below 2^22 added to these bits of a float32 makes the bits of MAGIC plus that integer,
// which saves conversions: no sum of 128 products of bytes is as large.
constexpr int MAGIC_BITS = 0x4B400000;
constexpr float MAGIC = 12582912.0f;
// Added to a number below 2^22, leaves it rounded in the lowest bits.
constexpr float ROUNDING = 8388608.0f;

// Four 8 x 16 byte pieces of a tile as right factors; each thread says where one row begins.
__device__ __forceinline__ void read_pieces(unsigned (&b)[4], unsigned row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(b[0]), "=r"(b[1]), "=r"(b[2]), "=r"(b[3]) : "r"(row));
}

// Sums of the products, on top of those in c.
#if __CUDA_ARCH__ >= 800
#define PRODUCT(name, kind)                                                                        \
    __device__ __forceinline__ void name(                                                          \
        int (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, const int* c) {             \
        asm volatile("mma.sync.aligned.m16n8k32.row.col.s32." kind ".s8.s32 "                               \
            "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"                  \
            : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])                                       \
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "r"(c[0]), "r"(c[1]),  \
              "r"(c[2]), "r"(c[3]));                                                               \
    }
#else  // Turing multiplies eight rows and sixteen columns at a time
#define PRODUCT(name, kind)                                                                        \
    __device__ __forceinline__ void name(                                                          \
        int (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, const int* c) {             \
        for (int i = 0; i < 4; i++) d[i] = c[i];                                                   \
        for (int half = 0; half < 2; half++)                                                       \
            for (int h = 0; h < 2; h++)                                                            \
                asm volatile("mma.sync.aligned.m8n8k16.row.col.s32." kind ".s8.s32 "                        \
                    "{%0, %1}, {%2}, {%3}, {%0, %1};"                                              \
                    : "+r"(d[2 * h]), "+r"(d[2 * h + 1])                                           \
                    : "r"(a[2 * half + h]), "r"(half ? b1 : b0));                                  \
    }
#endif
PRODUCT(multiply_scores, "s8")
PRODUCT(multiply_values, "u8")

__device__ __forceinline__ float power_of_two(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// Of the four threads that share a row.
__device__ __forceinline__ float row_max(float x) {
    x = fmaxf(x, __shfl_xor_sync(WHOLE_WARP, x, 1));
    return fmaxf(x, __shfl_xor_sync(WHOLE_WARP, x, 2));
}

__device__ __forceinline__ float row_sum(float x) {
    x += __shfl_xor_sync(WHOLE_WARP, x, 1);
    return x + __shfl_xor_sync(WHOLE_WARP, x, 2);
}

__device__ __forceinline__ void copy_tile(unsigned to, const unsigned char* from) {
#pragma unroll
    for (int i = 0; i < TILE_BYTES / 16 / THREADS; i++) {
        int at = 16 * (i * THREADS + threadIdx.x);
#if __CUDA_ARCH__ >= 800
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to + at), "l"(from + at)
                     : "memory");
#else
        uint4 x = *(const uint4*)(from + at);
        asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(to + at), "r"(x.x), "r"(x.y),
                     "r"(x.z), "r"(x.w) : "memory");
#endif
    }
}

__device__ __forceinline__ void end_copies() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

__device__ __forceinline__ void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group 0;" ::: "memory");
#endif
}

// Of the two rows of queries this thread knows of, eight apart. Computed anew where it is needed: no
// register is to hold it meanwhile.
__device__ __forceinline__ int first_query() {
    unsigned thread;
    asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
    return blockIdx.x * QUERIES + thread / 32 * 16 + thread % 32 / 4;
}

// Two rows of queries as int8, as left factors; factor makes their scores powers of two, but for the
// keys' scale.
__device__ __forceinline__ void read_queries(
    uint4* q8, float (&factor)[2], const number* q, long long step, int first, int length) {
    q += 4 * (threadIdx.x % 4);
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int row = first + 8 * h;
        const number* source = q + (row < length ? row : 0) * step;
        float x[8][4], top = SMALLEST;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            uint2 four = *(const uint2*)(source + 16 * i);
            x[i][0] = low_number(four.x), x[i][1] = high_number(four.x);
            x[i][2] = low_number(four.y), x[i][3] = high_number(four.y);
#pragma unroll
            for (int e = 0; e < 4; e++) top = fmaxf(top, fabsf(x[i][e]));
        }
        top = row_max(top);
        factor[h] = top / INT8_MOST * SCALE;
        float inverse = INT8_MOST / top;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            unsigned packed = 0;
#pragma unroll
            for (int e = 0; e < 4; e++)
                packed |= (__float2int_rn(x[i][e] * inverse) & 255) << 8 * e;
            ((unsigned*)&q8[i / 2 * THREADS])[2 * (i % 2) + h] = packed;
        }
    }
}

// What a warp knows of its queries; of the present tile, its weights and what it counts beside others.
struct Seen {
    float sums[WIDTH / 8][4], most[2], total[2], factor[2], share[2];
    unsigned weights[KEYS / 32][4];
};

// Of the first sixteen rows of a tile, where this thread's piece of the first 32 bytes is.
__device__ __forceinline__ unsigned own_piece(unsigned tile) {
    int lane = threadIdx.x % 32;
    return tile + (lane / 16 * 8 + lane % 8) * 128 + ((lane / 8 % 2) ^ lane % 8) * 16;
}

// Scores of a tile of keys, as the bits of MAGIC plus them. queries: this thread's, in shared memory.
__device__ __forceinline__ void score(
    int (&s)[KEYS / 8][4], const uint4* queries, const int (&magic)[4], unsigned keys) {
    unsigned at = own_piece(keys);
#pragma unroll
    for (int i = 0; i < WIDTH / 32; i++) {
        uint4 four = queries[i * THREADS];
        unsigned q8[4] = {four.x, four.y, four.z, four.w}, b[4];
#pragma unroll
        for (int j = 0; j < KEYS / 8; j += 2) {
            read_pieces(b, (at ^ 32 * i) + j * 1024);
            multiply_scores(s[j], q8, b[0], b[1], i ? s[j] : magic);
            multiply_scores(s[j + 1], q8, b[2], b[3], i ? s[j + 1] : magic);
        }
    }
}

// Scores of a tile to weights, and earlier sums to the scale of the new ones.
__device__ __forceinline__ void soften(
    Seen& seen, const int (&scores)[KEYS / 8][4], float key_scale, int keys_left) {
    float s[KEYS / 8][4], shrink[2];
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) s[j][e] = __int_as_float(scores[j][e]);
    if (keys_left < KEYS) {
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                if (8 * j + 2 * ((int)threadIdx.x % 4) + e % 2 >= keys_left) s[j][e] = FAR_BELOW;
    }
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float top = FAR_BELOW, scale = seen.factor[h] * key_scale;
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++) top = fmaxf(top, fmaxf(s[j][2 * h], s[j][2 * h + 1]));
        top = row_max(top);
        float here = (top - MAGIC) * scale, now = fmaxf(seen.most[h], here);
        shrink[h] = power_of_two(seen.most[h] - now);
        seen.share[h] = power_of_two(here - now);
        seen.most[h] = now;
        float shift = fmaf(-top, scale, LOG2_STEPS);
        unsigned sum = 0;
#pragma unroll
        for (int i = 0; i < KEYS / 16; i++) {
            unsigned x[4];
#pragma unroll
            for (int e = 0; e < 4; e++)
                x[e] = __float_as_uint(
                    power_of_two(fmaf(s[2 * i + e / 2][2 * h + e % 2], scale, shift)) + ROUNDING);
            // Columns 4 t .. 4 t + 3 of the left factor are filled with those the thread has: 2 t,
            // 2 t + 1, 8 + 2 t and 9 + 2 t of each 16, in which order the values' keys are too.
            unsigned four = __byte_perm(
                __byte_perm(x[0], x[1], 0x0040), __byte_perm(x[2], x[3], 0x0040), 0x5410);
            sum = __dp4a(four, 0x01010101u, sum);
            seen.weights[i / 2][2 * (i % 2) + h] = four;
        }
        seen.total[h] = seen.total[h] * shrink[h] + seen.share[h] * (float)sum;
    }
    if (__any_sync(WHOLE_WARP, shrink[0] != 1.0f || shrink[1] != 1.0f)) {
#pragma unroll
        for (int j = 0; j < WIDTH / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) seen.sums[j][e] *= shrink[e / 2];
    }
}

// Adds weights times a tile of values. Eight sums at a time: a product takes long, and those that do
// not wait for it go on meanwhile.
__device__ __forceinline__ void add(
    Seen& seen, const int (&magic)[4], unsigned values) {
    unsigned at = own_piece(values);
#pragma unroll
    for (int j = 0; j < WIDTH / 8; j += 8) {
        int sums[8][4];
#pragma unroll
        for (int i = 0; i < KEYS / 32; i++) {
            unsigned b[4][4];
#pragma unroll
            for (int g = 0; g < 4; g++)
                read_pieces(b[g], (at ^ 32 * i) + (j + 2 * g) * 1024);
#pragma unroll
            for (int g = 0; g < 8; g++)
                multiply_values(
                    sums[g], seen.weights[i], b[g / 2][2 * (g % 2)], b[g / 2][2 * (g % 2) + 1],
                    i ? sums[g] : magic);
        }
#pragma unroll
        for (int g = 0; g < 8; g++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                seen.sums[j + g][e] =
                    fmaf(__int_as_float(sums[g][e]) - MAGIC, seen.share[e / 2], seen.sums[j + g][e]);
    }
}

// q: (length, heads, WIDTH), q_step numbers from row to row; out: the same, dense. Tiles and scales
// as quantise.cu makes them.
extern "C" __global__ void __launch_bounds__(THREADS, 2) attend(
    const number* q, const unsigned char* key_tiles, const unsigned char* value_tiles,
    const float* key_scales, const float* value_scale, const float* value_mean, number* out,
    long long q_step, long long heads, long long repeats, long long length, long long count,
    long long tiles_there) {
    extern __shared__ __align__(128) unsigned char memory[];
    unsigned keys = address(memory), values = keys + TILE_BYTES;
    uint4* queries = (uint4*)(memory + 2 * TILE_BYTES) + threadIdx.x;
    int group = blockIdx.y / (int)repeats;
    key_tiles += (u64)group * tiles_there * TILE_BYTES;
    value_tiles += (u64)group * tiles_there * TILE_BYTES;
    key_scales += group * tiles_there;
    copy_tile(keys, key_tiles);
    end_copies();
    Seen seen;
    read_queries(queries, seen.factor, q + blockIdx.y * WIDTH, q_step, first_query(), (int)length);
#pragma unroll
    for (int h = 0; h < 2; h++) seen.most[h] = FAR_BELOW, seen.total[h] = 0;
#pragma unroll
    for (int j = 0; j < WIDTH / 8; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) seen.sums[j][e] = 0;
    // From the compiler's sight, so that it does not make them anew for every product.
    int magic[4];
#pragma unroll
    for (int e = 0; e < 4; e++) asm volatile("mov.b32 %0, %1;" : "=r"(magic[e]) : "n"(MAGIC_BITS));

    for (int tile = 0, left = (int)count; left > 0; tile++, left -= KEYS) {
        wait_for_copies();
        __syncthreads();  // the keys are there for all, and all are done with the values before
        copy_tile(values, value_tiles + tile * TILE_BYTES);
        end_copies();
        int s[KEYS / 8][4];
        float key_scale = key_scales[tile];
        score(s, queries, magic, keys);
        soften(seen, s, key_scale, left);
        wait_for_copies();
        __syncthreads();  // the values are there for all, and all are done with the keys
        if (left > KEYS) copy_tile(keys, key_tiles + (tile + 1) * TILE_BYTES);
        end_copies();
        add(seen, magic, values);
    }
    group = blockIdx.y / (int)repeats;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int row = first_query() + 8 * h, lane = threadIdx.x % 32;
        float part = 1.0f / row_sum(seen.total[h]);
        if (row >= length) continue;
        unsigned* target = (unsigned*)(out + ((u64)row * heads + blockIdx.y) * WIDTH);
#pragma unroll
        for (int j = 0; j < WIDTH / 8; j++) {
            int column = 8 * j + 2 * (lane % 4);
            float2 scale = *(const float2*)(value_scale + group * WIDTH + column);
            float2 mean = *(const float2*)(value_mean + group * WIDTH + column);
            target[column / 2] = two_numbers(
                fmaf(seen.sums[j][2 * h] * part, scale.x, mean.x),
                fmaf(seen.sums[j][2 * h + 1] * part, scale.y, mean.y));
        }
    }
}
