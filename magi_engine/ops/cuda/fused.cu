// The steps of magi_engine.ops.kernels.Kernels, each as one pass over memory.
//
// Everything is computed in float32 and rounded where the plain form rounds. Every thread has eight
// neighbouring columns at a time. Where there is a divisor, results are e4m3, divided by it.

constexpr int WARP = 32;
constexpr int MOST_THREADS = 256;
constexpr int ROWS_AT_ONCE = 4;  // of a thread: what they share is read once
constexpr int ROWS_OF_BLOCK = 2;  // in norms: likewise
constexpr float STD_EPS = 1e-5f;

#define EACH _Pragma("unroll") for (int e = 0; e < 8; e++)
#define EACH_ROW _Pragma("unroll") for (int r = 0; r < ROWS_OF_BLOCK; r++)
#define COLUMNS                                                                                    \
    _Pragma("unroll") for (int i = 0; i < PASSES; i++)                                             \
        if (int column = 8 * (i * (int)blockDim.x + (int)threadIdx.x); column < (int)size)

// What numbers are divided by on the way to e4m3, as factors. There may be none.
__device__ __forceinline__ void load_factors(const float* divisor, int column, float (&factor)[8]) {
    if (divisor == nullptr) return;
    load(divisor + column, factor);
#pragma unroll
    for (int e = 0; e < 8; e++) factor[e] = __fdividef(1.0f, factor[e]);
}

// Results of a row of out, whose type the presence of a divisor tells.
__device__ __forceinline__ void put(
    void* out, u64 at, float (&x)[8], const float* divisor, const float (&factor)[8]) {
    if (divisor == nullptr) {
        store((number*)out + at, x);
        return;
    }
    round_numbers(x);
#pragma unroll
    for (int e = 0; e < 8; e++) x[e] *= factor[e];
    *(uint2*)((unsigned char*)out + at) = eight_e4m3(x);
}

// Eight numbers that are float32, or of the type of everything else.
__device__ __forceinline__ void load_either(
    const void* from, long long float32, u64 at, float (&x)[8]) {
    if (float32) load((const float*)from + at, x);
    else load((const number*)from + at, x);
}

// Sums over a block, of each of its rows.
__device__ __forceinline__ void block_sums(
    float (&x)[ROWS_OF_BLOCK], float (*room)[ROWS_OF_BLOCK]) {
#pragma unroll
    for (int i = WARP / 2; i; i /= 2)
        EACH_ROW x[r] += __shfl_xor_sync(WHOLE_WARP, x[r], i);
    __syncthreads();  // others may still read the last sums
    if (threadIdx.x % WARP == 0) EACH_ROW room[threadIdx.x / WARP][r] = x[r];
    __syncthreads();
    EACH_ROW x[r] = 0;
    for (int i = 0; i < (int)blockDim.x / WARP; i++) EACH_ROW x[r] += room[i][r];
}

// Takes the means off rows; factor is what makes their variances one. Columns from size on count
// for nothing.
template <int PASSES>
__device__ __forceinline__ void centre(
    float (&x)[ROWS_OF_BLOCK][PASSES][8], float (&factor)[ROWS_OF_BLOCK], long long size,
    float eps, float (*room)[ROWS_OF_BLOCK]) {
    float sum[ROWS_OF_BLOCK], squares[ROWS_OF_BLOCK];
    EACH_ROW sum[r] = squares[r] = 0;
    COLUMNS EACH_ROW EACH sum[r] += x[r][i][e];
    block_sums(sum, room);
    COLUMNS EACH_ROW {
        float mean = sum[r] / (int)size;
        EACH x[r][i][e] -= mean, squares[r] += x[r][i][e] * x[r][i][e];
    }
    block_sums(squares, room);
    EACH_ROW factor[r] = rsqrtf(squares[r] / (int)size + eps);
}

// Where the rows of a block begin; after the last one comes the last one again.
__device__ __forceinline__ void find_rows(
    u64 (&row)[ROWS_OF_BLOCK], long long rows) {
    EACH_ROW row[r] = min((u64)blockIdx.x * ROWS_OF_BLOCK + r, (u64)rows - 1);
}

template <int PASSES>
__device__ __forceinline__ void layer_norm(
    const number* x, void* out, const void* weight, const void* bias, long long float32,
    const float* divisor, long long rows, long long size, double eps) {
    __shared__ float room[MOST_THREADS / WARP][ROWS_OF_BLOCK];
    u64 row[ROWS_OF_BLOCK];
    find_rows(row, rows);
    float all[ROWS_OF_BLOCK][PASSES][8], factor[ROWS_OF_BLOCK], w[8], b[8], d[8];
    COLUMNS EACH_ROW load(x + row[r] * size + column, all[r][i]);
    centre(all, factor, size, (float)eps, room);
    COLUMNS {
        load_either(weight, float32, column, w);
        load_either(bias, float32, column, b);
        load_factors(divisor, column, d);
        EACH_ROW {
            EACH all[r][i][e] = all[r][i][e] * factor[r] * w[e] + b[e];
            put(out, row[r] * size + column, all[r][i], divisor, d);
        }
    }
}

// x + norm(update * gate), and a layer norm of that where there is one.
template <int PASSES>
__device__ __forceinline__ void add_gated(
    const number* x, const void* update, long long update_float32, const float* gate,
    const void* weight, const void* bias, long long float32, number* out, const void* then_weight, const void* then_bias,
    long long then_float32, const float* divisor, void* then_out, long long rows, long long part_rows,
    long long gate_step, long long size, double eps, double then_eps) {
    __shared__ float room[MOST_THREADS / WARP][ROWS_OF_BLOCK];
    u64 row[ROWS_OF_BLOCK];
    find_rows(row, rows);
    const float* gates[ROWS_OF_BLOCK];
    EACH_ROW gates[r] = gate + (unsigned)row[r] / (unsigned)part_rows * gate_step;
    float all[ROWS_OF_BLOCK][PASSES][8], before[ROWS_OF_BLOCK][PASSES][8];
    float factor[ROWS_OF_BLOCK], w[8], b[8], d[8];
    COLUMNS EACH_ROW {
        u64 at = row[r] * size + column;
        load_either(update, update_float32, at, all[r][i]);
        load(x + at, before[r][i]);
        if (r == 0 || gates[r] != gates[0]) load(gates[r] + column, w);
        EACH all[r][i][e] *= w[e];
    }
    centre(all, factor, size, (float)eps, room);
    COLUMNS {
        load_either(weight, float32, column, w);
        load_either(bias, float32, column, b);
        EACH_ROW {
            EACH all[r][i][e] =
                before[r][i][e] + (all[r][i][e] * factor[r] * (w[e] + 1.0f) + b[e]);
            round_numbers(all[r][i]);
            store(out + row[r] * size + column, all[r][i]);
        }
    }
    if (then_out == nullptr) return;
    centre(all, factor, size, (float)then_eps, room);
    COLUMNS {
        load_either(then_weight, then_float32, column, w);
        load_either(then_bias, then_float32, column, b);
        load_factors(divisor, column, d);
        EACH_ROW {
            EACH all[r][i][e] = all[r][i][e] * factor[r] * w[e] + b[e];
            put(then_out, row[r] * size + column, all[r][i], divisor, d);
        }
    }
}

// Both for rows of at most 8 * MOST_THREADS * passes columns.
#define FOR_ROWS(passes)                                                                           \
    extern "C" __global__ void __launch_bounds__(MOST_THREADS) layer_norm_##passes(                \
        const number* x, void* out, const void* weight, const void* bias, long long float32,       \
        const float* divisor, long long rows, long long size, double eps) {                        \
        layer_norm<passes>(x, out, weight, bias, float32, divisor, rows, size, eps);               \
    }                                                                                              \
    extern "C" __global__ void __launch_bounds__(MOST_THREADS) add_gated_##passes(                 \
        const number* x, const void* update, long long update_float32, const float* gate,          \
        const void* weight, const void* bias, long long float32, number* out,                      \
        const void* then_weight, const void* then_bias, long long then_float32,                    \
        const float* divisor, void* then_out, long long rows, long long part_rows,                 \
        long long gate_step, long long size, double eps, double then_eps) {                        \
        add_gated<passes>(                                                                         \
            x, update, update_float32, gate, weight, bias, float32, out, then_weight, then_bias,   \
            then_float32, divisor, then_out, rows, part_rows, gate_step, size, eps, then_eps);     \
    }
FOR_ROWS(1)
FOR_ROWS(2)
FOR_ROWS(4)

// Of the lanes that share a head or another short row.
__device__ __forceinline__ float lanes_sum(float x, int lanes) {
    for (int i = lanes / 2; i; i /= 2) x += __shfl_xor_sync(WHOLE_WARP, x, i);
    return x;
}

// Norm of every head, then rotation of its first 2 * half features: feature j with j + half.
// lanes: of a warp that share a head, 8 features each.
extern "C" __global__ void __launch_bounds__(MOST_THREADS) head_norm(
    const number* x, number* out, const void* weight, const void* bias, long long float32,
    const float* cosines, const float* sines, const float* scale, long long rows, long long heads,
    long long length, long long token_step, long long lanes, long long half, double eps) {
    unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
    int row = index / (unsigned)lanes, lane = index % (unsigned)lanes, width = 8 * (int)lanes;
    bool there = row < rows;  // the others go along: their lanes are asked for
    int token = there ? row / (int)heads : 0, head = there ? row % (int)heads : 0;
    float all[8], w[8], b[8];
    load(x + token * token_step + head * width + 8 * lane, all);
    if (scale != nullptr)
#pragma unroll
        for (int e = 0; e < 8; e++) all[e] *= *scale;
    float sum = 0, squares = 0;
#pragma unroll
    for (int e = 0; e < 8; e++) sum += all[e];
    float mean = lanes_sum(sum, (int)lanes) / width;
#pragma unroll
    for (int e = 0; e < 8; e++) all[e] -= mean, squares += all[e] * all[e];
    float factor = rsqrtf(lanes_sum(squares, (int)lanes) / width + (float)eps);
    load_either(weight, float32, 8 * lane, w);
    load_either(bias, float32, 8 * lane, b);
#pragma unroll
    for (int e = 0; e < 8; e++) w[e] += 1.0f;
    if (!float32) round_numbers(w);
#pragma unroll
    for (int e = 0; e < 8; e++) all[e] = all[e] * factor * w[e] + b[e];
    if (!float32) round_numbers(all);
    if (half) {
        int pairs = (int)half / 8, own = threadIdx.x % WARP;
        int partner = lane < pairs ? own + pairs : lane < 2 * pairs ? own - pairs : own;
        float y[8], c[8], s[8], sign = lane < pairs ? -1.0f : 1.0f;
#pragma unroll
        for (int e = 0; e < 8; e++) y[e] = __shfl_sync(WHOLE_WARP, all[e], partner);
        if (lane < 2 * pairs) {
            long long at = token % (int)length * half + 8 * (lane < pairs ? lane : lane - pairs);
            load(cosines + at, c);
            load(sines + at, s);
#pragma unroll
            for (int e = 0; e < 8; e++) all[e] = all[e] * c[e] + sign * y[e] * s[e];
        }
    }
    if (there) store(out + (u64)row * width + 8 * lane, all);
}

// Norm of every head, rotation and factors of all that attention looks with and at, as one product
// leaves it: rows of queries, keys, values and queries for captions. Heads of 128, in eights of a kind.
//
// A warp has eight heads of a token, two at a time; what they share stays in its registers.
extern "C" __global__ void __launch_bounds__(MOST_THREADS, 3) all_heads(
    const number* x, number* q, number* k, number* v, number* qx, const void* q_weight,
    const void* q_bias, const void* k_weight, const void* k_bias, long long float32,
    const void* qx_weight, const void* qx_bias, long long qx_float32, const float* cosines,
    const float* sines, const float* q_scale, const float* k_scale, const float* v_scale,
    const float* qx_scale, long long tokens, long long heads, long long groups, long long length,
    long long half, double eps, double qx_eps) {
    constexpr int LANES = 16, HEADS = 8, HEAD = 8 * LANES;
    int token = blockIdx.x * (MOST_THREADS / WARP) + threadIdx.x / WARP;
    if (token >= tokens) return;
    int first = blockIdx.y * HEADS, own = threadIdx.x % WARP, lane = own % LANES;
    bool query = first < heads, key = !query && first < heads + groups;
    bool value = !query && !key && first < heads + 2 * groups;
    const number* from = x + ((u64)token * 2 * (heads + groups) + first) * HEAD + 8 * own;
    Eight raw[HEADS / 2];
#pragma unroll
    for (int i = 0; i < HEADS / 2; i++) raw[i] = *(const Eight*)(from + 2 * i * HEAD);
    const float* scale = query ? q_scale : key ? k_scale : value ? v_scale : qx_scale;
    float factor = scale == nullptr ? 1.0f : *scale;
    number* to = query ? q : key ? k : value ? v : qx;
    int before = query ? 0 : (int)heads + (key ? 0 : (int)groups) + (key || value ? 0 : (int)groups);
    to += ((u64)token * (key || value ? groups : heads) + first - before) * HEAD + 8 * own;
    float all[8];
    if (value) {
#pragma unroll
        for (int i = 0; i < HEADS / 2; i++) {
            unpack(raw[i], all);
            EACH all[e] *= factor;
            store(to + 2 * i * HEAD, all);
        }
        return;
    }
    long long exact = query || key ? float32 : qx_float32;
    float small = query || key ? (float)eps : (float)qx_eps;
    float w[8], b[8], c[8], s[8];
    load_either(query ? q_weight : key ? k_weight : qx_weight, exact, 8 * lane, w);
    load_either(query ? q_bias : key ? k_bias : qx_bias, exact, 8 * lane, b);
    EACH w[e] += 1.0f;
    if (!exact) round_numbers(w);
    int pairs = query || key ? (int)half / 8 : 0;
    int partner = lane < pairs ? own + pairs : lane < 2 * pairs ? own - pairs : own;
    if (lane < 2 * pairs) {
        u64 at = (u64)(token % (int)length) * half + 8 * (lane < pairs ? lane : lane - pairs);
        load(cosines + at, c);
        load(sines + at, s);
        if (lane < pairs) EACH s[e] = -s[e];
    }
#pragma unroll
    for (int i = 0; i < HEADS / 2; i++) {
        unpack(raw[i], all);
        float sum = 0, squares = 0;
        EACH all[e] *= factor, sum += all[e];
#pragma unroll
        for (int n = LANES / 2; n; n /= 2) sum += __shfl_xor_sync(WHOLE_WARP, sum, n);
        float mean = sum / HEAD;
        EACH all[e] -= mean, squares += all[e] * all[e];
#pragma unroll
        for (int n = LANES / 2; n; n /= 2) squares += __shfl_xor_sync(WHOLE_WARP, squares, n);
        float spread = rsqrtf(squares / HEAD + small);
        EACH all[e] = all[e] * spread * w[e] + b[e];
        if (!exact) round_numbers(all);
        if (pairs) {
            float y[8];
            EACH y[e] = __shfl_sync(WHOLE_WARP, all[e], partner);
            if (lane < 2 * pairs) EACH all[e] = all[e] * c[e] + y[e] * s[e];
        }
        store(to + 2 * i * HEAD, all);
    }
}

// Rows that lie row_step numbers apart, times a factor, close together.
extern "C" __global__ void __launch_bounds__(MOST_THREADS) scaled(
    const number* x, number* out, const float* scale, long long rows, long long row_step,
    long long size) {
    unsigned index = blockIdx.x * blockDim.x + threadIdx.x, eights = (unsigned)size / 8;
    u64 row = index / eights, column = 8 * (index % eights);
    if (row >= rows) return;
    float all[8], factor = *scale;
    load(x + row * row_step + column, all);
#pragma unroll
    for (int e = 0; e < 8; e++) all[e] *= factor;
    store(out + row * size + column, all);
}

// Two rows of eight parts each, whose parts take turns in the result.
extern "C" __global__ void __launch_bounds__(MOST_THREADS) join(
    const number* own, const number* caption, void* out, const float* divisor, long long rows,
    long long part) {
    int column = 8 * (blockIdx.y * blockDim.x + threadIdx.x), size = 16 * (int)part;
    if (column >= size) return;
    int which = column / (int)part, within = which / 2 * (int)part + column % (int)part;
    u64 first = (u64)blockIdx.x * ROWS_AT_ONCE;
    const number* from = (which % 2 ? caption : own) + first * 8 * part + within;
    float x[8], d[8];
    load_factors(divisor, column, d);
#pragma unroll
    for (int i = 0; i < ROWS_AT_ONCE; i++) {
        if (first + i >= rows) break;
        load(from + i * 8 * part, x);
        put(out, (first + i) * size + column, x, divisor, d);
    }
}

// Coefficients: see magi_engine.ops.gelu. Bound by arithmetic, hence no error function, and one
// division per column.
extern "C" __global__ void __launch_bounds__(MOST_THREADS) gelu(
    const number* x, void* out, const float* divisor, long long rows, long long size) {
    int column = 8 * (blockIdx.y * blockDim.x + threadIdx.x);
    if (column >= size) return;
    float factor[8], all[8];
    load_factors(divisor, column, factor);
#pragma unroll
    for (int i = 0; i < ROWS_AT_ONCE; i++) {
        long long row = (long long)blockIdx.x * ROWS_AT_ONCE + i;
        if (row >= rows) break;
        u64 at = (u64)row * size + column;
        load(x + at, all);
#pragma unroll
        for (int e = 0; e < 8; e++) {
            float a = fminf(fabsf(all[e]), TAIL_END);
            float power = fmaf(C7, a, C6);
            power = fmaf(power, a, C5), power = fmaf(power, a, C4), power = fmaf(power, a, C3);
            power = fmaf(power, a, C2), power = fmaf(power, a, C1), power = fmaf(power, a, C0);
            float two;
            asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(two) : "f"(power));
            float tail = all[e] * two;
            all[e] = all[e] > 0 ? all[e] - tail : tail;
        }
        put(out, at, all, divisor, factor);
    }
}

// SiLU of the first half of a row times its second half.
extern "C" __global__ void __launch_bounds__(MOST_THREADS) silu_gate(
    const number* x, void* out, const float* divisor, long long rows, long long size) {
    int column = 8 * (blockIdx.y * blockDim.x + threadIdx.x);
    if (column >= size) return;
    u64 row = blockIdx.x;
    float gate[8], value[8], d[8];
    load_factors(divisor, column, d);
    load(x + row * 2 * size + column, gate);
    load(x + row * 2 * size + size + column, value);
#pragma unroll
    for (int e = 0; e < 8; e++) gate[e] = __fdividef(gate[e], 1.0f + __expf(-gate[e]));
    round_numbers(gate);
#pragma unroll
    for (int e = 0; e < 8; e++) gate[e] *= value[e];
    put(out, row * size + column, gate, divisor, d);
}

// (x - mean) / (std + eps) of rows of 8 * lanes.
extern "C" __global__ void __launch_bounds__(MOST_THREADS) standardise(
    const number* x, number* out, long long rows, long long lanes) {
    unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
    bool there = index / (unsigned)lanes < rows;
    u64 at = there ? (u64)index * 8 : 0;
    float all[8], sum = 0, squares = 0;
    load(x + at, all);
#pragma unroll
    for (int e = 0; e < 8; e++) sum += all[e];
    float mean = lanes_sum(sum, (int)lanes) / (8 * lanes);
#pragma unroll
    for (int e = 0; e < 8; e++) all[e] -= mean, squares += all[e] * all[e];
    float factor = 1.0f / (sqrtf(lanes_sum(squares, (int)lanes) / (8 * lanes)) + STD_EPS);
#pragma unroll
    for (int e = 0; e < 8; e++) all[e] *= factor;
    if (there) store(out + at, all);
}
