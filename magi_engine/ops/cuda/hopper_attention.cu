// Quantised attention for Hopper's warpgroup matrix units (sm_90a); 128 features a head.
//
// One block: 128 queries of a head. A producer thread copies tiles of 128 keys and of 128 values
// into shared memory, STAGES ahead; two warpgroups compute 64 queries each. In its turn a warpgroup
// gives the matrix units the scores of the next tile together with the sums of the last one, and it
// takes the softmax while those sums and the other warpgroup's products run.
//
// Tiles come from quantise.cu, swizzled as the matrix units want them: each is one flat copy.
//
// Layouts are those of PTX, "wgmma": in the result a thread holds rows g and g + 8 of its warp's
// 16, of each 8 columns two, 2 t and 2 t + 1, with g = lane / 4 and t = lane % 4. In the left
// factor it holds, of 32 columns, 4 t .. 4 t + 3 and 16 more.

constexpr int QUERIES = 128;
constexpr int STAGES = 2;
constexpr int WARPGROUP = 128;
constexpr float WEIGHT_BITS = 8.0f;

struct Barriers {
    u64 keys_there[STAGES], keys_read[STAGES], values_there[STAGES], values_read[STAGES];
};

// ---- what the hardware offers

__device__ __forceinline__ void init(u64* barrier, int arrivals) {
    asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(address(barrier)), "r"(arrivals));
}

__device__ __forceinline__ void arrive(u64* barrier) {
    asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(address(barrier)) : "memory");
}

// Waits until the barrier has completed its phase of this parity.
__device__ __forceinline__ void wait(u64* barrier, unsigned parity) {
    asm volatile(
        "{\n.reg .pred done;\nagain:\n"
        "mbarrier.try_wait.parity.shared.b64 done, [%0], %1;\n"
        "@!done bra again;\n}\n" ::"r"(address(barrier)), "r"(parity) : "memory");
}

__device__ __forceinline__ void copy_tile(void* to, const void* from, u64* barrier) {
    asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(address(barrier)),
                 "r"(TILE_BYTES) : "memory");
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];"
        ::"r"(address(to)), "l"(from), "r"(TILE_BYTES), "r"(address(barrier)) : "memory");
}

// A tile for the matrix units: rows of 128 bytes, swizzled, eight of them 1024 bytes.
__device__ __forceinline__ u64 descriptor(const void* tile) {
    return ((address(tile) & 0x3FFFF) >> 4) | (1ull << 16) | (64ull << 32) | (1ull << 62);
}

// d (64 x 128) = or += a (64 x 32) times the tile b points into (128 x 32, transposed).
__device__ __forceinline__ void multiply(
    float (&d)[64], const unsigned (&a)[4], u64 b, int accumulate) {
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %69, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
        "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
        "}, {%64, %65, %66, %67}, %68, p, 1, 1;\n}\n"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
          "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
          "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),
          "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]),
          "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]),
          "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]),
          "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]),
          "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate));
}

template <int LEFT>
__device__ __forceinline__ void wait_for_products() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(LEFT) : "memory");
}

// The two warpgroups take turns at giving the matrix units work, so that one has them while the
// other takes its softmax.
__device__ __forceinline__ void wait_for_turn(int warpgroup) {
    asm volatile("bar.sync %0, 256;" ::"r"(1 + warpgroup) : "memory");
}

__device__ __forceinline__ void give_turn(int warpgroup) {
    asm volatile("bar.arrive %0, 256;" ::"r"(1 + warpgroup) : "memory");
}

// What is computed from x from here on is computed after what stands before.
__device__ __forceinline__ void hold(float (&x)[64]) {
#pragma unroll
    for (int i = 0; i < 64; i++) asm volatile("" : "+f"(x[i])::"memory");
}

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

// ---- the steps of attention

__device__ __forceinline__ void start_product(
    float (&out)[64], const unsigned (&left)[4][4], const unsigned char* tile, bool adds) {
    u64 right = descriptor(tile);
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
    for (int i = 0; i < 4; i++) multiply(out, left[i], right + 2 * i, adds || i > 0);
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

// Two rows of queries as e4m3; returns what makes their scores powers of two.
__device__ __forceinline__ void read_queries(
    unsigned (&q8)[4][4], float (&factor)[2], const number* q, long long step, int first,
    int length, float key_scale) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int row = first + 8 * h;
        const number* source = q + (row < length ? row : 0) * step;
        float x[8][4], top = 0;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            uint2 four = *(const uint2*)(source + 16 * i);
            x[i][0] = low_number(four.x), x[i][1] = high_number(four.x);
            x[i][2] = low_number(four.y), x[i][3] = high_number(four.y);
#pragma unroll
            for (int e = 0; e < 4; e++) top = fmaxf(top, fabsf(x[i][e]));
        }
        top = fmaxf(row_max(top), SMALLEST);
        factor[h] = top / E4M3_MAX * key_scale * SCALE;
        float inverse = E4M3_MAX / top;
#pragma unroll
        for (int i = 0; i < 8; i++)
            q8[i / 2][2 * (i % 2) + h] = four_e4m3(
                x[i][0] * inverse, x[i][1] * inverse, x[i][2] * inverse, x[i][3] * inverse);
    }
}

// Scores to weights, in place. before: what earlier sums are to be multiplied by.
template <bool LAST>
__device__ __forceinline__ void soften(
    float (&s)[64], const float (&factor)[2], float (&most)[2], float (&total)[2],
    float (&before)[2], int keys_left) {
    if (LAST) {
        int column = 2 * (threadIdx.x & 3);
#pragma unroll
        for (int i = 0; i < 64; i++)
            if (i / 4 * 8 + column + i % 2 >= keys_left) s[i] = FAR_BELOW;
    }
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float tops[4];
#pragma unroll
        for (int j = 0; j < 16; j++) {
            float most_of_two = fmaxf(s[4 * j + 2 * h], s[4 * j + 2 * h + 1]);
            tops[j % 4] = j < 4 ? most_of_two : fmaxf(tops[j % 4], most_of_two);
        }
        float top = fmaxf(fmaxf(tops[0], tops[1]), fmaxf(tops[2], tops[3]));
        float now = fmaxf(most[h], row_max(top) * factor[h]);
        before[h] = power_of_two(most[h] - now);
        most[h] = now;
        float shift = WEIGHT_BITS - now, sum = 0;
#pragma unroll
        for (int j = 0; j < 16; j++)
#pragma unroll
            for (int e = 0; e < 2; e++) {
                float& weight = s[4 * j + 2 * h + e];
                weight = power_of_two(fmaf(weight, factor[h], shift));
                sum += weight;
            }
        total[h] = total[h] * before[h] + sum;
    }
}

// Weights as the left factor of the next product. The columns 4 t .. 4 t + 3 that a thread is to
// hold are filled with those it has: 2 t, 2 t + 1, 8 + 2 t and 9 + 2 t of each 16.
__device__ __forceinline__ void pack(unsigned (&weights)[4][4], const float (&s)[64]) {
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int half = 0; half < 2; half++)
#pragma unroll
            for (int h = 0; h < 2; h++) {
                int j = 4 * (4 * i + 2 * half) + 2 * h;
                weights[i][2 * half + h] = four_e4m3(s[j], s[j + 1], s[j + 4], s[j + 5]);
            }
}

// One tile: its scores, and the sums of the tile before it.
template <bool LAST>
__device__ __forceinline__ void look(
    int tile, const unsigned char* keys, const unsigned char* values, Barriers* barriers,
    const unsigned (&q8)[4][4], unsigned (&weights)[4][4], float (&s)[64], float (&out)[64],
    const float (&factor)[2], float (&most)[2], float (&total)[2], int keys_left) {
    int stage = tile % STAGES, before = (tile - 1) % STAGES, own = threadIdx.x / WARPGROUP;
    bool speaks = threadIdx.x % WARPGROUP == 0;
    float shrink[2];
    wait(&barriers->keys_there[stage], tile / STAGES & 1);
    wait_for_turn(own);
    start_product(s, q8, keys + stage * TILE_BYTES, false);
    wait(&barriers->values_there[before], (tile - 1) / STAGES & 1);
    start_product(out, weights, values + before * TILE_BYTES, true);
    give_turn(1 - own);
    wait_for_products<1>();
    hold(s);
    if (speaks) arrive(&barriers->keys_read[stage]);
    soften<LAST>(s, factor, most, total, shrink, keys_left);
    // That the weights are there, and a branch: else the assembler would wait for the sums first.
    hold(s);
    if (!LAST) wait(&barriers->keys_there[(tile + 1) % STAGES], (tile + 1) / STAGES & 1);
    wait_for_products<0>();
    hold(out);
    if (speaks) arrive(&barriers->values_read[before]);
    pack(weights, s);
#pragma unroll
    for (int i = 0; i < 64; i++) out[i] *= shrink[i / 2 % 2];
}

// q: (length, heads, WIDTH), q_step numbers from row to row; out: the same, dense.
// keys, values: tiles_there of each group, of which the first count keys are seen. key_scale: (groups); value_scale, value_mean: (groups, WIDTH).
extern "C" __global__ void __launch_bounds__(3 * WARPGROUP, 1) attend(
    const number* q, const unsigned char* key_tiles, const unsigned char* value_tiles,
    const float* key_scale, const float* value_scale, const float* value_mean,
    number* out, long long q_step, long long heads, long long repeats,
    long long length, long long count, long long tiles_there) {
    extern __shared__ unsigned char memory[];
    unsigned char* keys = (unsigned char*)(((u64)memory + 1023) & ~1023ull);
    unsigned char* values = keys + STAGES * TILE_BYTES;
    Barriers* barriers = (Barriers*)(values + STAGES * TILE_BYTES);
    int head = blockIdx.y, group = head / (int)repeats;
    int tiles = ((int)count + KEYS - 1) / KEYS;
    int warpgroup = threadIdx.x / WARPGROUP;
    if (threadIdx.x == 0) {
        for (int i = 0; i < STAGES; i++) {
            init(&barriers->keys_there[i], 1), init(&barriers->values_there[i], 1);
            init(&barriers->keys_read[i], 2), init(&barriers->values_read[i], 2);
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    __syncthreads();
    if (warpgroup == 2) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
        if (threadIdx.x == 2 * WARPGROUP) {
            const unsigned char* key_tile = key_tiles + (u64)group * tiles_there * TILE_BYTES;
            const unsigned char* value_tile = value_tiles + (u64)group * tiles_there * TILE_BYTES;
            for (int tile = 0; tile < tiles; tile++) {
                int stage = tile % STAGES, parity = tile / STAGES & 1;
                u64 at = (u64)tile * TILE_BYTES;
                wait(&barriers->keys_read[stage], parity ^ 1);
                copy_tile(keys + stage * TILE_BYTES, key_tile + at, &barriers->keys_there[stage]);
                wait(&barriers->values_read[stage], parity ^ 1);
                copy_tile(
                    values + stage * TILE_BYTES, value_tile + at, &barriers->values_there[stage]);
            }
        }
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
        int lane = threadIdx.x % 32, warp = threadIdx.x % WARPGROUP / 32;
        int first = blockIdx.x * QUERIES + warpgroup * 64 + warp * 16 + lane / 4;
        unsigned q8[4][4], weights[4][4];
        float s[64], sums[64], factor[2], unused[2];
        float most[2] = {FAR_BELOW, FAR_BELOW}, total[2] = {0, 0};
        read_queries(
            q8, factor, q + head * WIDTH + 4 * (lane % 4), q_step, first, (int)length,
            key_scale[group]);
#pragma unroll
        for (int i = 0; i < 64; i++) sums[i] = 0;
        if (warpgroup == 1) give_turn(0);
        wait(&barriers->keys_there[0], 0);
        start_product(s, q8, keys, false);
        wait_for_products<0>();
        hold(s);
        if (threadIdx.x % WARPGROUP == 0) arrive(&barriers->keys_read[0]);
        soften<true>(s, factor, most, total, unused, (int)count);
        pack(weights, s);
        int tile = 1;
        for (; tile < tiles - 1; tile++)
            look<false>(
                tile, keys, values, barriers, q8, weights, s, sums, factor, most, total, KEYS);
        if (tile < tiles)
            look<true>(
                tile, keys, values, barriers, q8, weights, s, sums, factor, most, total,
                (int)count - tile * KEYS);
        int last = tiles - 1;
        wait(&barriers->values_there[last % STAGES], last / STAGES & 1);
        start_product(sums, weights, values + last % STAGES * TILE_BYTES, true);
        wait_for_products<0>();
        hold(sums);
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int row = first + 8 * h;
            float share = 1.0f / row_sum(total[h]);
            unsigned* target = (unsigned*)(out + ((u64)row * heads + head) * WIDTH);
            if (row < length) {
#pragma unroll
                for (int j = 0; j < 16; j++) {
                    int column = 8 * j + 2 * (lane % 4);
                    float2 scale = *(const float2*)(value_scale + group * WIDTH + column);
                    float2 mean = *(const float2*)(value_mean + group * WIDTH + column);
                    target[column / 2] = two_numbers(
                        fmaf(sums[4 * j + 2 * h] * share, scale.x, mean.x),
                        fmaf(sums[4 * j + 2 * h + 1] * share, scale.y, mean.y));
                }
            }
        }
    }
}
