// Ids of many vocabularies as rows of the one table that holds them all.

// The lanes of a row own a sample; `places` are the columns to take.
extern "C" __global__ void offset_ids(
    const Index *ids, long long id_columns, const long long *places, const long long *row_offsets,
    const long long *input_dims, long long width, long long *out, long long count, unsigned long long *bad)
{
    ROW_LOOP(sample, count)
        COLUMN_LOOP(place, width) {
            long long position = sample * id_columns + places[place], row = ids[position];
            if (row < 0 || row >= input_dims[place])
                atomicMin(bad, (unsigned long long)position);
            else
                out[sample * width + place] = row + row_offsets[place];
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
        COLUMN_LOOP(place, bounds[1] - bounds[0]) {
            long long position = bounds[0] + place, row = values[position];
            if (row < 0 || row >= input_dims[feature])
                atomicMin(bad, (unsigned long long)position);
            else
                out[bag_offsets[bag] + place] = row + row_offsets[feature];
        }
    }
}
