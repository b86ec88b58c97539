// Rows combined by bag, and dot products of rows: functions of a bag or a position, over rows found in any way. The
// lanes of a row of threads own the columns of a bag, and take several columns each in one walk over its positions. All
// of them find each row, also those that have no column left: a rule may need all lanes to move a row.

#define SIDE_BY_SIDE 4  // columns of a lane whose sums grow together

#define SUM 0
#define MEAN 1

struct Bags {
    const Index *ids;
    long long input_dim;
    const long long *offsets;
    const Value *scales;
    long long columns;
    unsigned long long *bad;

    // Whether an id is a row; one that is not is flagged.
    __device__ bool is_row(long long position) const
    {
        long long row = ids[position];
        if (row >= 0 && row < input_dim)
            return true;
        flag_position(bad, position);
        return false;
    }

    __device__ Value scale(long long position) const
    {
        return scales ? scales[position] : (Value)1;
    }
};

// What the sum of a bag is divided by; infinity for a bag without weight, whose result is zero.
__device__ double measure_bag(const Bags &bags, long long bag, int divide_by)
{
    if (divide_by == SUM)
        return 1;
    double size = 0;
    for (long long position = bags.offsets[bag]; position < bags.offsets[bag + 1]; ++position) {
        Value scale = bags.scale(position);
        size += divide_by == MEAN ? (double)scale : (double)(scale * scale);
    }
    if (size == 0)
        return 1 / size;
    return divide_by == MEAN ? size : sqrt(size);
}

template <class Rows>
__device__ void sum_bag(const Rows &rows, const Bags &bags, long long bag, int divide_by, Value *out, Value *divisors)
{
    Value divisor = (Value)measure_bag(bags, bag, divide_by);
    if (divisors && threadIdx.x == 0)
        divisors[bag] = divisor;
    for (long long start = 0; start < bags.columns; start += SIDE_BY_SIDE * blockDim.x) {
        long long first = start + threadIdx.x;
        Value totals[SIDE_BY_SIDE] = {};
        for (long long position = bags.offsets[bag]; position < bags.offsets[bag + 1]; ++position) {
            Value scale = bags.scale(position);
            if (!bags.is_row(position) || scale == 0)  // what is left out counts for nothing, even where it is NaN
                continue;
            const Value *row = rows.find(bags.ids[position]);
            for (int part = 0; part < SIDE_BY_SIDE; ++part)
                if (first + part * blockDim.x < bags.columns)
                    totals[part] += scale * row[first + part * blockDim.x];
        }
        for (int part = 0; part < SIDE_BY_SIDE; ++part)
            if (first + part * blockDim.x < bags.columns)
                out[bag * bags.columns + first + part * blockDim.x] = totals[part] / divisor;
    }
}

// The largest (sign 1) or smallest (sign -1) scaled values; the first of equals wins, and what is not a number does.
template <class Rows>
__device__ void find_max(const Rows &rows, const Bags &bags, long long bag, Value sign, Value *out, int *argmax)
{
    long long begin = bags.offsets[bag], end = bags.offsets[bag + 1];
    for (long long start = 0; start < bags.columns; start += SIDE_BY_SIDE * blockDim.x) {
        long long first = start + threadIdx.x;
        Value best[SIDE_BY_SIDE] = {};
        int won[SIDE_BY_SIDE] = {-1, -1, -1, -1};
        for (long long position = begin; position < end; ++position) {
            if (!bags.is_row(position))
                continue;
            const Value *row = rows.find(bags.ids[position]);
            Value scale = bags.scale(position);
            for (int part = 0; part < SIDE_BY_SIDE; ++part)
                if (first + part * blockDim.x < bags.columns) {
                    Value value = scale * row[first + part * blockDim.x];
                    if (won[part] < 0 || sign * value > sign * best[part] || value != value) {
                        best[part] = value;
                        won[part] = (int)(position - begin);
                    }
                }
        }
        for (int part = 0; part < SIDE_BY_SIDE; ++part)
            if (first + part * blockDim.x < bags.columns) {
                long long element = bag * bags.columns + first + part * blockDim.x;
                out[element] = best[part];
                if (argmax)
                    argmax[element] = won[part];
            }
    }
}

// The product of the row of a position with its gradient vector, scales left out.
template <class Rows>
__device__ void dot_row(const Rows &rows, const Index *ids, long long input_dim, const Gradient &gradient,
                        long long position, Value *out, unsigned long long *bad)
{
    long long row = ids[position];
    if (row < 0 || row >= input_dim) {
        flag_position(bad, position);
        return;
    }
    const Value *found = rows.find(row);
    Value total = 0;
    COLUMN_LOOP(column, gradient.columns)
        total += found[column] * part_of(gradient, position, column);
    total = sum_lanes(total);
    if (threadIdx.x == 0)
        out[position] = total;
}
