// A row gradient as kernels see it: sorted keys (id in the upper half, position in the lower), and what positions
// refer to. Arrays that are left out are null.

struct Gradient {
    const unsigned long long *keys;
    long long count;
    const Value *values;
    const long long *sources;
    const Value *scales;
    const int *winners;
    const int *places;
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
__device__ bool has_won(const Gradient &gradient, long long position, long long place)
{
    return !gradient.winners || gradient.winners[place] == gradient.places[position];
}

// One element of the gradient that belongs to a position. What a scale of 0 leaves out counts for nothing, even where
// it is NaN.
__device__ Value part_of(const Gradient &gradient, long long position, long long column)
{
    long long place = source_of(gradient, position) * gradient.columns + column;
    if (!has_won(gradient, position, place))
        return 0;
    if (!gradient.scales)
        return gradient.values[place];
    Value scale = gradient.scales[position];
    return scale == 0 && !gradient.winners ? (Value)0 : scale * gradient.values[place];
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
        for (long long place = begin; place < end; ++place)
            total += part_of(*gradient, key_position(gradient->keys[place]), column);
        return total;
    }

    __device__ Value sum_pieces_at(long long column) const
    {
        Value total = 0;
        for (long long place = begin; place < end; place += piece)
            total += pieces[(place / piece * 2 + (place == begin)) * gradient->columns + column];
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

// Whether two places hold keys of one id.
__device__ bool is_alike(const Gradient &gradient, long long place, long long other)
{
    return place >= 0 && other < gradient.count && key_id(gradient.keys[place]) == key_id(gradient.keys[other]);
}

// Where the keys of the id at `place` end: by doubling steps, and then by halving.
__device__ long long end_segment(const Gradient &gradient, long long place)
{
    long long reach = 1;
    while (is_alike(gradient, place, place + reach))
        reach *= 2;
    long long inside = place + reach / 2, outside = place + reach;
    while (outside - inside > 1) {
        long long middle = inside + (outside - inside) / 2;
        if (is_alike(gradient, place, middle))
            inside = middle;
        else
            outside = middle;
    }
    return outside;
}

// Where the keys of the id at `place` begin.
__device__ long long begin_segment(const Gradient &gradient, long long place)
{
    long long outside = -1, inside = place;
    while (inside - outside > 1) {
        long long middle = outside + (inside - outside) / 2;
        if (is_alike(gradient, middle, place))
            inside = middle;
        else
            outside = middle;
    }
    return inside;
}
