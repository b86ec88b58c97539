// Ids of many vocabularies as rows of the one table that holds them all.

// The lanes of a row own a sample; `columns` are those to take.
extern "C" __global__ void offset_ids(
    const Index *ids, long long id_columns, const long long *columns, const long long *row_offsets,
    const long long *input_dims, long long width, long long *out, long long count, unsigned long long *bad)
{
    ROW_LOOP(sample, count)
        COLUMN_LOOP(index, width) {
            long long position = sample * id_columns + columns[index], row = ids[position];
            if (row < 0 || row >= input_dims[index])
                atomicMin(bad, (unsigned long long)position);
            else
                out[sample * width + index] = row + row_offsets[index];
        }
}

// The lanes of a row own a bag: feature by feature in, sample by sample out.
extern "C" __global__ void offset_bags(
    const Index *values, const long long *offsets, const long long *row_offsets, const long long *input_dims,
    const long long *bag_offsets, long long *out, long long samples, long long features, unsigned long long *bad)
{
    ROW_LOOP(bag, samples * features) {
        long long sample = bag / features, feature = bag % features;
        const long long *bounds = offsets + feature * (samples + 1) + sample;
        COLUMN_LOOP(index, bounds[1] - bounds[0]) {
            long long position = bounds[0] + index, row = values[position];
            if (row < 0 || row >= input_dims[feature])
                atomicMin(bad, (unsigned long long)position);
            else
                out[bag_offsets[bag] + index] = row + row_offsets[feature];
        }
    }
}
