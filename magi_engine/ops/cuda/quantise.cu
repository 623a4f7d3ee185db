// Keys and values in 8 bits, as magi_engine.ops.quantised_attention has it; 128 features a head.
//
// INT8: in int8, with a scale for each tile of keys; else in e4m3, with one for each group. Scales
// in e4m3 are powers of two times ROOT: a larger one rounds everything alike but what is below normal.
//
// A tile is 128 rows of 128 bytes, in which pieces of 16 bytes change places with the row: that is
// the swizzle that Hopper's matrix units expect, and elsewhere no two threads that read a column of
// pieces meet in a bank. Rows of keys are keys; rows of values are features, whose keys are in the
// order in which a thread holds its scores (see pack in the attentions), so that weights go from
// one product into the next without leaving their registers.

constexpr int LANES = WIDTH / 8, ROWS = 16, THREADS = LANES * ROWS;
constexpr float LOTS = 3e38f;
#if INT8
constexpr float MOST = 127.0f;
#else
constexpr float MOST = E4M3_MAX, ROOT = 1.41421356f;
#endif

__device__ __forceinline__ unsigned four_bytes(float a, float b, float c, float d) {
#if INT8
    int x = __float2int_rn(a), y = __float2int_rn(b), z = __float2int_rn(c), w = __float2int_rn(d);
    return (x & 255) | (y & 255) << 8 | (z & 255) << 16 | (unsigned)w << 24;
#else
    return four_e4m3(a, b, c, d);
#endif
}

__device__ __forceinline__ float scale_of(float reach) {
    float scale = fmaxf(reach, SMALLEST) / MOST;
#if INT8
    return scale;
#else
    unsigned power = (__float_as_uint(scale / ROOT) + 0x7FFFFF) & 0xFF800000u;
    return __uint_as_float(power) * ROOT;
#endif
}

// Where a byte of a tile lies.
__device__ __forceinline__ int place(int row, int column) {
    return row * 128 + ((column / 16 ^ row % 8) * 16 | column % 16);
}

// Sum, least and most of 128 keys and values, by channel: six rows of (groups, 6, blocks, WIDTH).
extern "C" __global__ void __launch_bounds__(THREADS) survey(
    const number* keys, const number* values, float* out, long long count, long long key_step,
    long long value_step) {
    __shared__ float found[3][ROWS][WIDTH];
    int blocks = gridDim.x, group = blockIdx.y;
    int lane = threadIdx.x % LANES, slot = threadIdx.x / LANES, first = blockIdx.x * KEYS;
    for (int which = 0; which < 2; which++) {
        const number* from = (which ? values : keys) + group * WIDTH + 8 * lane;
        long long step = which ? value_step : key_step;
        float sum[8], least[8], most[8], x[8];
#pragma unroll
        for (int e = 0; e < 8; e++) sum[e] = 0, least[e] = LOTS, most[e] = -LOTS;
#pragma unroll
        for (int i = 0; i < KEYS / ROWS; i++) {
            int row = first + i * ROWS + slot;
            if (row < count) {
                load(from + row * step, x);
#pragma unroll
                for (int e = 0; e < 8; e++) {
                    sum[e] += x[e];
                    least[e] = fminf(least[e], x[e]), most[e] = fmaxf(most[e], x[e]);
                }
            }
        }
        __syncthreads();
        store(&found[0][slot][8 * lane], sum);
        store(&found[1][slot][8 * lane], least);
        store(&found[2][slot][8 * lane], most);
        __syncthreads();
        if (threadIdx.x < WIDTH) {
            int column = threadIdx.x;
            float all = 0, low = LOTS, high = -LOTS;
            for (int i = 0; i < ROWS; i++) {
                all += found[0][i][column];
                low = fminf(low, found[1][i][column]), high = fmaxf(high, found[2][i][column]);
            }
            float* target = out + ((group * 6 + which * 3) * blocks + blockIdx.x) * WIDTH + column;
            target[0] = all;
            target[blocks * WIDTH] = low;
            target[2 * blocks * WIDTH] = high;
        }
    }
}

// Means and scales of a group, from its surveys. key_mean, value_mean, value_scale: (groups, WIDTH).
// key_scale: (groups), unless each tile has its own. Means are those of the first mean_count keys,
// which fill the first mean_blocks.
extern "C" __global__ void __launch_bounds__(8 * WIDTH) scales(
    const float* surveys, float* key_mean, float* key_scale, float* value_mean, float* value_scale,
    long long mean_count, long long mean_blocks, long long blocks) {
    __shared__ float found[3][8][WIDTH];
    int group = blockIdx.x, column = threadIdx.x % WIDTH, slot = threadIdx.x / WIDTH;
    for (int which = 0; which < 2; which++) {
        const float* from = surveys + (group * 6 + which * 3) * blocks * WIDTH + column;
        float sum = 0, least = LOTS, most = -LOTS;
        for (long long i = slot; i < blocks; i += 8) {
            if (i < mean_blocks) sum += from[i * WIDTH];
            least = fminf(least, from[(blocks + i) * WIDTH]);
            most = fmaxf(most, from[(2 * blocks + i) * WIDTH]);
        }
        __syncthreads();
        found[0][slot][column] = sum, found[1][slot][column] = least, found[2][slot][column] = most;
        __syncthreads();
        if (slot > 0) continue;
        for (int i = 1; i < 8; i++) {
            sum += found[0][i][column];
            least = fminf(least, found[1][i][column]), most = fmaxf(most, found[2][i][column]);
        }
        float mean = sum / mean_count, reach = fmaxf(most - mean, mean - least);
        int at = group * WIDTH + column;
        if (which) {
            value_mean[at] = mean;
            value_scale[at] = scale_of(reach);
        } else {
            key_mean[at] = mean;
            found[0][0][column] = reach;
        }
#if !INT8
        if (!which) {
            asm volatile("bar.sync 1, 128;" ::: "memory");
            for (int i = 0; i < WIDTH; i++) reach = fmaxf(reach, found[0][0][i]);
            if (column == 0) key_scale[group] = scale_of(reach);
        }
#endif
    }
}

// One tile of keys and of values. key_scale: (groups, tiles) in int8, where it is made here.
extern "C" __global__ void __launch_bounds__(THREADS) quantise(
    const number* keys, const number* values, unsigned char* key_tiles, unsigned char* value_tiles,
    const float* key_mean, float* key_scale, const float* value_mean, const float* value_scale,
    long long count, long long key_step, long long value_step) {
    __shared__ __align__(16) unsigned char tile[KEYS * WIDTH];
    __shared__ float tops[THREADS / 32];
    int tiles = gridDim.x, group = blockIdx.y, first = blockIdx.x * KEYS;
    int lane = threadIdx.x % LANES, slot = threadIdx.x / LANES;
    u64 target = ((u64)group * tiles + blockIdx.x) * KEYS * WIDTH;
    float mean[8], x[KEYS / ROWS][8];

    load(key_mean + group * WIDTH + 8 * lane, mean);
    float top = SMALLEST;
#pragma unroll
    for (int i = 0; i < KEYS / ROWS; i++) {
        int row = first + i * ROWS + slot;
        bool there = row < count;
        if (there) load(keys + row * key_step + group * WIDTH + 8 * lane, x[i]);
#pragma unroll
        for (int e = 0; e < 8; e++) {
            x[i][e] = there ? x[i][e] - mean[e] : 0.0f;
            top = fmaxf(top, fabsf(x[i][e]));
        }
    }
#if INT8
#pragma unroll
    for (int i = 16; i; i /= 2) top = fmaxf(top, __shfl_xor_sync(WHOLE_WARP, top, i));
    if (threadIdx.x % 32 == 0) tops[threadIdx.x / 32] = top;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < THREADS / 32; i++) top = fmaxf(top, tops[i]);
    float inverse = MOST / top;
    if (threadIdx.x == 0) key_scale[group * tiles + blockIdx.x] = top / MOST;
#else
    float inverse = 1.0f / key_scale[group];
#endif
#pragma unroll
    for (int i = 0; i < KEYS / ROWS; i++) {
#pragma unroll
        for (int e = 0; e < 8; e++) x[i][e] = clamped(x[i][e] * inverse, MOST);
        *(uint2*)(key_tiles + target + place(i * ROWS + slot, 8 * lane)) = make_uint2(
            four_bytes(x[i][0], x[i][1], x[i][2], x[i][3]),
            four_bytes(x[i][4], x[i][5], x[i][6], x[i][7]));
    }

    float scale[8];
    load(value_mean + group * WIDTH + 8 * lane, mean);
    load(value_scale + group * WIDTH + 8 * lane, scale);
#pragma unroll
    for (int e = 0; e < 8; e++) scale[e] = 1.0f / scale[e];
#pragma unroll
    for (int i = 0; i < KEYS / 4 / ROWS; i++) {
        int four = i * ROWS + slot;  // keys 2 t, 2 t + 1, 8 + 2 t and 9 + 2 t of some 16
#pragma unroll
        for (int n = 0; n < 4; n++) {
            int row = first + four / 4 * 16 + 2 * (four % 4) + n % 2 + n / 2 * 8;
            bool there = row < count;
            if (there) load(values + row * value_step + group * WIDTH + 8 * lane, x[n]);
#pragma unroll
            for (int e = 0; e < 8; e++)
                x[n][e] = there ? clamped((x[n][e] - mean[e]) * scale[e], MOST) : 0.0f;
        }
#pragma unroll
        for (int e = 0; e < 8; e++)
            *(unsigned*)(tile + place(8 * lane + e, 4 * four)) =
                four_bytes(x[0][e], x[1][e], x[2][e], x[3][e]);
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < KEYS * WIDTH / 16 / THREADS; i++)
        ((uint4*)(value_tiles + target))[i * THREADS + threadIdx.x] =
            ((uint4*)tile)[i * THREADS + threadIdx.x];
}
