// Sums of gradient vectors.

// The lanes of a row sum the vectors of one id, in the order of their positions; `starts` are the first positions of
// the segments and, last, the number of keys.
extern "C" __global__ void sum_duplicates(
    const unsigned long long *keys, long long count, const Value *values, const long long *sources,
    const Value *scales, const int *argmax, const int *bag_positions, long long columns, const long long *starts,
    long long segments, Value *sums)
{
    Gradient gradient = {keys, count, values, sources, scales, argmax, bag_positions, columns};
    ROW_LOOP(row, segments) {
        Segment segment = {&gradient, starts[row], starts[row + 1], 0, 0};
        COLUMN_LOOP(column, columns)
            sums[row * columns + column] = segment.at(column);
    }
}

// Sums the pieces of ids that have more than `piece` keys, so that no row of lanes has to sum many by itself. The keys
// are seen as windows of `piece` positions. Of each window slot 2 w is for a later piece that begins in it, slot 2 w + 1
// for the first piece of a long segment: there can be one of each, since long segments are longer than a window.
extern "C" __global__ void sum_pieces(
    const unsigned long long *keys, long long count, const Value *values, const long long *sources,
    const Value *scales, const int *argmax, const int *bag_positions, long long columns, long long piece, Value *pieces)
{
    Gradient gradient = {keys, count, values, sources, scales, argmax, bag_positions, columns};
    ROW_LOOP(slot, 2 * ((count + piece - 1) / piece)) {
        long long window = slot / 2 * piece, next = window + piece;
        long long begin;
        if (slot % 2) {
            if (next >= count)
                continue;
            begin = begin_segment(gradient, next);
            if (begin < window || begin == next || !is_alike(gradient, begin, begin + piece))
                continue;
        } else {
            long long start = begin_segment(gradient, window);
            begin = start + (window - start + piece - 1) / piece * piece;
            if (begin == start || !is_alike(gradient, start, begin))
                continue;
        }
        bool is_whole = is_alike(gradient, begin, begin + piece - 1);
        long long end = is_whole ? begin + piece : end_segment(gradient, begin);
        Segment segment = {&gradient, begin, end, 0, 0};
        COLUMN_LOOP(column, columns)
            pieces[slot * columns + column] = segment.at(column);
    }
}
