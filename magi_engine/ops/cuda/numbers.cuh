// Numbers as the kernels read and write them; stands in front of every other file.
//
// NUMBER says what tensors hold: 0 float32, 1 float16, 2 bfloat16. All arithmetic is in float32.
// A kernel's integers are 64 bits wide and its other numbers double, as Python's are.

typedef unsigned short u16;
typedef unsigned long long u64;

constexpr float E4M3_MAX = 448.0f;
constexpr unsigned WHOLE_WARP = ~0u;

// Of attention in 8 bits: features of a head, and keys or values that come together.
constexpr int WIDTH = 128, KEYS = 128, TILE_BYTES = KEYS * WIDTH;
constexpr float SCALE = 0.12751743f;  // log2(e) / sqrt(WIDTH): scores as powers of two
constexpr float SMALLEST = 1e-6f;
constexpr float FAR_BELOW = -1e30f;

// Where something is in shared memory.
__device__ __forceinline__ unsigned address(const void* p) {
    return (unsigned)__cvta_generic_to_shared(p);
}

__device__ __forceinline__ float of_float16(u16 bits) {
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
    return x;
}

__device__ __forceinline__ unsigned two_float16(float a, float b) {
#if __CUDA_ARCH__ >= 800
    unsigned packed;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(b), "f"(a));
    return packed;
#else
    u16 low, high;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(low) : "f"(a));
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(high) : "f"(b));
    return low | (unsigned)high << 16;
#endif
}

__device__ __forceinline__ unsigned two_bfloat16(float a, float b) {
#if __CUDA_ARCH__ >= 800
    unsigned packed;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(b), "f"(a));
    return packed;
#else
    unsigned x = __float_as_uint(a), y = __float_as_uint(b);
    x = a != a ? 0x7FFF : (x + 0x7FFF + (x >> 16 & 1)) >> 16;
    y = b != b ? 0x7FFF : (y + 0x7FFF + (y >> 16 & 1)) >> 16;
    return x | y << 16;
#endif
}

__device__ __forceinline__ float low_bfloat16(unsigned two) { return __uint_as_float(two << 16); }
__device__ __forceinline__ float high_bfloat16(unsigned two) {
    return __uint_as_float(two & 0xFFFF0000u);
}

#if NUMBER == 0
typedef float number;
#else
typedef u16 number;
#endif

#if NUMBER == 1
__device__ __forceinline__ unsigned two_numbers(float a, float b) { return two_float16(a, b); }
__device__ __forceinline__ float low_number(unsigned two) { return of_float16(two & 0xFFFF); }
__device__ __forceinline__ float high_number(unsigned two) { return of_float16(two >> 16); }
#elif NUMBER == 2
__device__ __forceinline__ unsigned two_numbers(float a, float b) { return two_bfloat16(a, b); }
__device__ __forceinline__ float low_number(unsigned two) { return low_bfloat16(two); }
__device__ __forceinline__ float high_number(unsigned two) { return high_bfloat16(two); }
#endif

// Eight numbers that lie next to each other, 16 bytes aligned.
__device__ __forceinline__ void load(const float* from, float (&x)[8]) {
    float4 a = *(const float4*)from, b = *(const float4*)(from + 4);
    x[0] = a.x, x[1] = a.y, x[2] = a.z, x[3] = a.w;
    x[4] = b.x, x[5] = b.y, x[6] = b.z, x[7] = b.w;
}

__device__ __forceinline__ void store(float* to, const float (&x)[8]) {
    *(float4*)to = make_float4(x[0], x[1], x[2], x[3]);
    *(float4*)(to + 4) = make_float4(x[4], x[5], x[6], x[7]);
}

#if NUMBER == 0
struct Eight {
    float4 low, high;
};
#else
typedef uint4 Eight;
#endif

// Eight numbers as they lie in memory, 16 bytes aligned.
__device__ __forceinline__ void unpack(const Eight& all, float (&x)[8]) {
#if NUMBER == 0
    load((const float*)&all, x);
#else
    unsigned twos[4] = {all.x, all.y, all.z, all.w};
#pragma unroll
    for (int i = 0; i < 4; i++) x[2 * i] = low_number(twos[i]), x[2 * i + 1] = high_number(twos[i]);
#endif
}

#if NUMBER != 0
__device__ __forceinline__ void load(const number* from, float (&x)[8]) {
    unpack(*(const Eight*)from, x);
}

__device__ __forceinline__ void store(number* to, const float (&x)[8]) {
    *(uint4*)to = make_uint4(two_numbers(x[0], x[1]), two_numbers(x[2], x[3]),
                             two_numbers(x[4], x[5]), two_numbers(x[6], x[7]));
}
#endif

// What is left of float32 numbers when they are written and read again.
__device__ __forceinline__ void round_numbers(float (&x)[8]) {
#if NUMBER != 0
#pragma unroll
    for (int i = 0; i < 4; i++) {
        unsigned two = two_numbers(x[2 * i], x[2 * i + 1]);
        x[2 * i] = low_number(two), x[2 * i + 1] = high_number(two);
    }
#endif
}

// Not fminf and fmaxf, which would make a number of what is none.
__device__ __forceinline__ float clamped(float x, float most) {
    return x > most ? most : x < -most ? -most : x;
}

// Of two numbers, clamped to e4m3's range and rounded to the nearest, ties to even.
__device__ __forceinline__ unsigned two_e4m3(float a, float b) {
#if __CUDA_ARCH__ >= 890
    u16 packed;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(packed) : "f"(b), "f"(a));
    return packed;
#else
    unsigned packed = 0;
    float both[2] = {clamped(a, E4M3_MAX), clamped(b, E4M3_MAX)};
#pragma unroll
    for (int i = 0; i < 2; i++) {
        unsigned bits = __float_as_uint(both[i]), size = bits & 0x7FFFFFFF, code;
        float x = __uint_as_float(size);
        if (x != x) code = 0x7F;
        else if (x < 0.015625f) code = (unsigned)__float2int_rn(x * 512.0f);  // below normal
        else code = ((size + 0x7FFFF + (size >> 20 & 1)) >> 20) - (120 << 3);
        packed |= (code | bits >> 24 & 0x80) << 8 * i;
    }
    return packed;
#endif
}

__device__ __forceinline__ unsigned four_e4m3(float a, float b, float c, float d) {
    return two_e4m3(a, b) | two_e4m3(c, d) << 16;
}

// The same of eight that are rounded to bfloat16 first.
__device__ __forceinline__ uint2 eight_e4m3(const float (&x)[8]) {
    float y[8];
#pragma unroll
    for (int i = 0; i < 4; i++) {
        unsigned two = two_bfloat16(x[2 * i], x[2 * i + 1]);
        y[2 * i] = low_bfloat16(two), y[2 * i + 1] = high_bfloat16(two);
    }
    return make_uint2(four_e4m3(y[0], y[1], y[2], y[3]), four_e4m3(y[4], y[5], y[6], y[7]));
}
