// Random numbers that depend on (seed, row, column) and on nothing else; the formulas are those of random.py, and so
// are the bits: where the other compiler fuses a multiplication with an addition it is written out here, and this file
// is compiled without any further fusing.

#define UNIFORM 0
#define NORMAL 1
#define LANES 4  // words of one block of the generator, and so columns of one block

// Coefficients of algorithm AS 241, highest power first.
__constant__ double CENTER_TOP[8] = {
    2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
    1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0};
__constant__ double CENTER_BOTTOM[8] = {
    5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
    5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0};
__constant__ double TAIL_TOP[8] = {
    7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
    3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0};
__constant__ double TAIL_BOTTOM[8] = {
    1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
    6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0};
__constant__ double FAR_TOP[8] = {
    2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
    2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0};
__constant__ double FAR_BOTTOM[8] = {
    2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
    1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0};

#define LOG_TWO 0.6931471805599453
#define ROOT_HALF 0.7071067811865476
#define LOG_TERMS 11

// The inverses of 23, 21, ..., 3.
__constant__ double ODD_INVERSES[LOG_TERMS] = {
    1.0 / 23, 1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3};

struct Words {
    unsigned part[LANES];
};

// Philox4x32-10.
__device__ Words philox4x32(unsigned long long seed, unsigned long long row, unsigned block, unsigned turn)
{
    unsigned c0 = block, c1 = turn, c2 = (unsigned)row, c3 = (unsigned)(row >> 32);
    unsigned k0 = (unsigned)seed, k1 = (unsigned)(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        unsigned long long left = 0xD2511F53ull * c0, right = 0xCD9E8D57ull * c2;
        c0 = (unsigned)(right >> 32) ^ c1 ^ k0;
        c2 = (unsigned)(left >> 32) ^ c3 ^ k1;
        c1 = (unsigned)right;
        c3 = (unsigned)left;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

// 64 bits for each column of a block; float32 leaves the lower half at its middle.
struct Block {
    Words upper, lower;

    __device__ Block(unsigned long long seed, unsigned long long row, unsigned block, unsigned attempt)
    {
        upper = philox4x32(seed, row, block, 2 * attempt);
        lower = {{0x80000000u, 0x80000000u, 0x80000000u, 0x80000000u}};
        if (sizeof(Value) == 8)
            lower = philox4x32(seed, row, block, 2 * attempt + 1);
    }

    __device__ unsigned long long bits(int lane) const
    {
        return (unsigned long long)upper.part[lane] << 32 | lower.part[lane];
    }
};

__device__ double unit_from_bits(unsigned long long bits)
{
    return sizeof(Value) == 8 ? (double)(bits >> 11) * 0x1p-53 : (double)(bits >> 40) * 0x1p-24;
}

__device__ double evaluate_ratio(const double *top, const double *bottom, double x)
{
    double numerator = top[0], denominator = bottom[0];
    for (int power = 1; power < 8; ++power) {
        numerator = fma(numerator, x, top[power]);
        denominator = fma(denominator, x, bottom[power]);
    }
    return numerator / denominator;
}

// The logarithm of a positive number; the libraries' differ in their last bits.
__device__ double natural_log(double x)
{
    int exponent;
    double mantissa = frexp(x, &exponent);
    if (mantissa < ROOT_HALF) {
        mantissa += mantissa;
        exponent -= 1;
    }
    double ratio = (mantissa - 1.0) / (mantissa + 1.0);
    double square = ratio * ratio, twice = ratio + ratio, tail = ODD_INVERSES[0];
    for (int term = 1; term < LOG_TERMS; ++term)
        tail = fma(tail, square, ODD_INVERSES[term]);
    return fma((double)exponent, LOG_TWO, fma(twice, square * tail, twice));
}

__device__ double upper_quantile(double tail)
{
    double center = 0.5 - tail;
    if (center <= 0.425)
        return center * evaluate_ratio(CENTER_TOP, CENTER_BOTTOM, fma(-center, center, 0.180625));
    double root = sqrt(-natural_log(tail));
    if (root <= 5.0)
        return evaluate_ratio(TAIL_TOP, TAIL_BOTTOM, root - 1.6);
    return evaluate_ratio(FAR_TOP, FAR_BOTTOM, root - 5.0);
}

__device__ double normal_from_bits(unsigned long long bits)
{
    bool is_upper = bits >> 63;
    double quantile = upper_quantile(((double)(is_upper ? ~bits : bits) + 0.5) * 0x1p-64);
    return is_upper ? quantile : -quantile;
}

// One element; a truncated normal number is drawn again, at a new attempt, beyond two deviations.
__device__ double draw_number(unsigned long long bits, int distribution, double first, double second,
                              unsigned long long seed, unsigned long long row, long long column)
{
    if (distribution == UNIFORM)
        return fma(unit_from_bits(bits), second - first, first);
    double normal = normal_from_bits(bits);
    for (unsigned attempt = 1; distribution != NORMAL && (normal > 2 || normal < -2); ++attempt)
        normal = normal_from_bits(Block(seed, row, (unsigned)(column / LANES), attempt).bits(column % LANES));
    return fma(second, normal, first);
}

// A lane owns blocks of four neighbouring columns of a row.
extern "C" __global__ void fill_random(
    Value *out, long long count, long long columns, unsigned long long seed, int distribution, double first,
    double second, long long first_row)
{
    ROW_LOOP(index, count)
        COLUMN_LOOP(number, (columns + LANES - 1) / LANES) {
            unsigned long long row = (unsigned long long)(first_row + index);
            Block block(seed, row, (unsigned)number, 0);
            for (int lane = 0; lane < LANES; ++lane) {
                long long column = LANES * number + lane;
                if (column < columns)
                    out[index * columns + column] =
                        (Value)draw_number(block.bits(lane), distribution, first, second, seed, row, column);
            }
        }
}
