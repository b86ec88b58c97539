// Who does what. A block has (lanes, rows) threads: the lanes of one row are neighbours in a warp, their number is a
// power of two up to 32, and lane l owns the columns l, l + lanes, ... of its row in every loop. So what a lane reads
// of a row it has written itself, and lanes need one another only where numbers of a whole row are added up.

#define ROW_LOOP(row, count) \
    for (long long row = (long long)blockIdx.x * blockDim.y + threadIdx.y; row < (count); \
         row += (long long)gridDim.x * blockDim.y)
#define COLUMN_LOOP(column, columns) \
    for (long long column = threadIdx.x; column < (columns); column += blockDim.x)

// The row of work space that the lanes of this row of threads own: there is one for each, over the whole grid.
__device__ long long own_index()
{
    return (long long)blockIdx.x * blockDim.y + threadIdx.y;
}

// The lanes of one row within their warp; lanes of other rows may be elsewhere in the code.
__device__ unsigned lane_mask()
{
    unsigned lane = (threadIdx.x + threadIdx.y * blockDim.x) & 31u;
    unsigned all = blockDim.x == 32 ? 0xffffffffu : (1u << blockDim.x) - 1u;
    return all << (lane - threadIdx.x);
}

// The sum over the lanes of a row; each lane gets the same bits, since a + b is b + a.
template <class Number>
__device__ Number sum_lanes(Number part)
{
    for (unsigned distance = blockDim.x / 2; distance > 0; distance /= 2)
        part += __shfl_xor_sync(lane_mask(), part, distance, blockDim.x);
    return part;
}

// What the first lane knows.
template <class Number>
__device__ Number share_first(Number own)
{
    return __shfl_sync(lane_mask(), own, 0, blockDim.x);
}

// The first position that is wrong, whatever the order in which threads come to it.
__device__ void flag_position(unsigned long long *bad, long long position)
{
    if (threadIdx.x == 0)
        atomicMin(bad, (unsigned long long)position);
}
