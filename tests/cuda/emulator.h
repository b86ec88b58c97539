// What a kernel needs of CUDA, for g++: the words of the language, and calls into emulator.cpp, which runs one
// std::thread for each CUDA thread. No standard header is included, so that a kernel compiles in a moment.
#pragma once

#define __global__
#define __device__
#define __constant__ static const
#define __shared__ error_shared_memory_is_not_emulated

struct Extent {
    unsigned x, y;
};

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};

extern thread_local Extent threadIdx, blockIdx;
extern Extent blockDim, gridDim;

// Waits for all lanes of a mask, exchanges 8 bytes with them, and returns those of the lane `source`.
extern "C" unsigned long long emulator_exchange(unsigned mask, unsigned long long own, unsigned source, unsigned width);
extern "C" unsigned long long emulator_atomic_min(unsigned long long *place, unsigned long long value);
extern "C" unsigned long long emulator_atomic_add(unsigned long long *place, unsigned long long value);
extern "C" unsigned long long emulator_atomic_exchange(unsigned long long *place, unsigned long long value);

template <class Number>
static inline Number exchange(unsigned mask, Number own, unsigned source, unsigned width)
{
    union {
        Number number;
        unsigned long long bits;
    } box = {};
    static_assert(sizeof(Number) <= 8, "a shuffle moves 8 bytes at most");
    box.number = own;
    box.bits = emulator_exchange(mask, box.bits, source, width);
    return box.number;
}

template <class Number>
static inline Number __shfl_sync(unsigned mask, Number own, unsigned source, unsigned width)
{
    return exchange(mask, own, source, width);
}

template <class Number>
static inline Number __shfl_xor_sync(unsigned mask, Number own, unsigned distance, unsigned width)
{
    return exchange(mask, own, threadIdx.x ^ distance, width);
}

static inline unsigned long long atomicMin(unsigned long long *place, unsigned long long value)
{
    return emulator_atomic_min(place, value);
}

static inline unsigned long long atomicAdd(unsigned long long *place, unsigned long long value)
{
    return emulator_atomic_add(place, value);
}

static inline unsigned long long atomicExch(unsigned long long *place, unsigned long long value)
{
    return emulator_atomic_exchange(place, value);
}

static inline float sqrt(float x) { return __builtin_sqrtf(x); }
static inline double sqrt(double x) { return __builtin_sqrt(x); }
static inline float pow(float x, float y) { return __builtin_powf(x, y); }
static inline double pow(double x, double y) { return __builtin_pow(x, y); }
static inline double exp(double x) { return __builtin_exp(x); }
static inline double frexp(double x, int *exponent) { return __builtin_frexp(x, exponent); }
static inline double fma(double x, double y, double z) { return __builtin_fma(x, y, z); }

// How the kernels of a file are called with an array of pointers to their arguments, and what these have to be: a
// letter for each, lower case for numbers and upper case for pointers.
template <class Kind>
struct Letter;
template <> struct Letter<int> { static const char value = 'i'; };
template <> struct Letter<long long> { static const char value = 'l'; };
template <> struct Letter<unsigned long long> { static const char value = 'u'; };
template <> struct Letter<float> { static const char value = 'f'; };
template <> struct Letter<double> { static const char value = 'd'; };
template <> struct Letter<uint4> { static const char value = 'c'; };
template <class Kind> struct Letter<const Kind> : Letter<Kind> {};
template <class Kind> struct Letter<Kind *> { static const char value = Letter<Kind>::value - 'a' + 'A'; };
template <class Kind> struct Letter<Kind *__restrict__> : Letter<Kind *> {};

template <int... Places> struct Row {};

template <class... Kinds, int... Places>
static inline void call_at(void (*kernel)(Kinds...), void **arguments, Row<Places...>)
{
    kernel(*(Kinds *)arguments[Places]...);
}

template <class... Kinds>
static inline void call(void (*kernel)(Kinds...), void **arguments)
{
    call_at(kernel, arguments, Row<__integer_pack(sizeof...(Kinds))...>());
}

template <class... Kinds>
static inline const char *describe(void (*)(Kinds...))
{
    static const char letters[] = {Letter<Kinds>::value..., 0};
    return letters;
}
