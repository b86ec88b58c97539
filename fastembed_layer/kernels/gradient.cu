// A row gradient as kernels see it: sorted keys (id in the upper half, position in the lower), and what positions
// refer to. Arrays that are left out are null.

struct Gradient {
    const unsigned long long *keys;
    long long count;
    const Value *values;
    const long long *sources;
    const Value *scales;
    const int *argmax;
    const int *bag_positions;
    long long columns;
};

__device__ long long key_id(unsigned long long key)
{
    return (long long)(key >> 32);
}

__device__ long long key_position(unsigned long long key)
{
    return (long long)(key & 0xffffffffull);
}

__device__ long long source_of(const Gradient &gradient, long long position)
{
    return gradient.sources ? gradient.sources[position] : position;
}

// Whether a position receives a column of its vector: all do, unless another row of the bag has won it.
__device__ bool has_won(const Gradient &gradient, long long position, long long element)
{
    return !gradient.argmax || gradient.argmax[element] == gradient.bag_positions[position];
}

// One element of the gradient that belongs to a position. What a scale of 0 leaves out counts for nothing, even where
// it is NaN.
__device__ Value part_of(const Gradient &gradient, long long position, long long column)
{
    long long element = source_of(gradient, position) * gradient.columns + column;
    if (!has_won(gradient, position, element))
        return 0;
    if (!gradient.scales)
        return gradient.values[element];
    Value scale = gradient.scales[position];
    return scale == 0 && !gradient.argmax ? (Value)0 : scale * gradient.values[element];
}

// The keys of one id, or of a piece of it. The pieces of a long segment have been summed beforehand.
struct Segment {
    const Gradient *gradient;
    long long begin, end;
    const Value *pieces;
    long long piece;

    // One element of the sum, in the order of the positions.
    __device__ Value at(long long column) const
    {
        if (pieces)
            return sum_pieces_at(column);
        Value total = 0;
        for (long long index = begin; index < end; ++index)
            total += part_of(*gradient, key_position(gradient->keys[index]), column);
        return total;
    }

    __device__ Value sum_pieces_at(long long column) const
    {
        Value total = 0;
        for (long long index = begin; index < end; index += piece)
            total += pieces[(index / piece * 2 + (index == begin)) * gradient->columns + column];
        return total;
    }
};

// One vector, for weights that are not looked up.
struct Vector {
    const Value *values;

    __device__ Value at(long long column) const
    {
        return values[column];
    }
};

// Whether two positions hold keys of one id.
__device__ bool is_alike(const Gradient &gradient, long long index, long long other)
{
    return index >= 0 && other < gradient.count && key_id(gradient.keys[index]) == key_id(gradient.keys[other]);
}

// Where the keys of the id at `index` end: by doubling steps, and then by halving.
__device__ long long end_segment(const Gradient &gradient, long long index)
{
    long long reach = 1;
    while (is_alike(gradient, index, index + reach))
        reach *= 2;
    long long inside = index + reach / 2, outside = index + reach;
    while (outside - inside > 1) {
        long long middle = inside + (outside - inside) / 2;
        if (is_alike(gradient, index, middle))
            inside = middle;
        else
            outside = middle;
    }
    return outside;
}

// Where the keys of the id at `index` begin.
__device__ long long begin_segment(const Gradient &gradient, long long index)
{
    long long outside = -1, inside = index;
    while (inside - outside > 1) {
        long long middle = outside + (inside - outside) / 2;
        if (is_alike(gradient, middle, index))
            inside = middle;
        else
            outside = middle;
    }
    return inside;
}
