// Runs kernels on the CPU: one std::thread for each CUDA thread of a block, which walks over the blocks of the grid,
// and a std::barrier for the lanes that exchange numbers. One launch at a time.
#include <atomic>
#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

struct Extent {
    unsigned x, y;
};

thread_local Extent threadIdx, blockIdx;
Extent blockDim, gridDim;

namespace {

constexpr unsigned WARP = 32;

// The lanes of one row of threads.
struct Lanes {
    explicit Lanes(unsigned count) : barrier(count) {}
    std::barrier<> barrier;
    unsigned long long boxes[WARP] = {};
};

std::vector<std::unique_ptr<Lanes>> rows;
std::mutex one_at_a_time;

[[noreturn]] void fail(const char *reason)
{
    std::fprintf(stderr, "emulator: %s\n", reason);
    std::abort();
}

}  // namespace

extern "C" unsigned long long emulator_exchange(unsigned mask, unsigned long long own, unsigned source, unsigned width)
{
    unsigned place = (threadIdx.x + threadIdx.y * blockDim.x) % WARP;
    unsigned all = width == WARP ? ~0u : (1u << width) - 1;
    if (width != blockDim.x || mask != all << (place - threadIdx.x))
        fail("a shuffle whose mask is not that of the lanes of its row");
    if (source >= width)
        fail("a shuffle that reads a lane of another row");
    Lanes &lanes = *rows[threadIdx.y];
    lanes.boxes[threadIdx.x] = own;
    lanes.barrier.arrive_and_wait();
    unsigned long long result = lanes.boxes[source];
    lanes.barrier.arrive_and_wait();
    return result;
}

extern "C" unsigned long long emulator_atomic_min(unsigned long long *place, unsigned long long value)
{
    std::atomic_ref<unsigned long long> box(*place);
    unsigned long long old = box.load();
    while (value < old && !box.compare_exchange_weak(old, value)) {
    }
    return old;
}

extern "C" unsigned long long emulator_atomic_add(unsigned long long *place, unsigned long long value)
{
    return std::atomic_ref<unsigned long long>(*place).fetch_add(value);
}

extern "C" unsigned long long emulator_atomic_exchange(unsigned long long *place, unsigned long long value)
{
    return std::atomic_ref<unsigned long long>(*place).exchange(value);
}

extern "C" void emulator_launch(void (*run)(void **), void **arguments, unsigned blocks, unsigned lanes, unsigned count)
{
    std::lock_guard<std::mutex> guard(one_at_a_time);
    if (lanes == 0 || lanes > WARP || (lanes & (lanes - 1)) != 0)
        fail("the lanes of a row must be a power of two up to 32");
    gridDim = {blocks, 1};
    blockDim = {lanes, count};
    rows.clear();
    for (unsigned row = 0; row < count; ++row)
        rows.push_back(std::make_unique<Lanes>(lanes));
    std::vector<std::thread> threads;
    for (unsigned y = 0; y < count; ++y)
        for (unsigned x = 0; x < lanes; ++x)
            threads.emplace_back([=] {
                threadIdx = {x, y};
                for (unsigned block = 0; block < blocks; ++block) {
                    blockIdx = {block, 0};
                    run(arguments);
                }
            });
    for (std::thread &thread : threads)
        thread.join();
}
