// The loops of exact mode, around MOVE_IDLE and DECAY_SLOTS of a rule: rows that may have been idle for some steps.

// What the clock of a table knows, and the step that each row is up to date with: negative for one that stays.
struct Idle {
    int *last_steps;
    Series series;
    long long base, now;
    double shrink;
    double constants[6];

    __device__ Gap gap(int last) const
    {
        long long entry = last - base;
        return {now - last, entry, shrink, shrink / series.shrink(entry)};
    }
};

// Writes to `moved` what idle steps have made of a row.
__device__ void move_row(const State &state, const Idle &idle, const Gap &gap, Value *moved)
{
    MOVE_IDLE(state, moved, gap, idle.series, idle.constants);
    take_share(state, moved);
}

// Brings a row and its slots up to date; the row comes last, since slots may depend on it.
__device__ void catch_up(const State &state, const Idle &idle, int last, Value *moved)
{
    Gap gap = idle.gap(last);
    move_row(state, idle, gap, moved);
    DECAY_SLOTS(state, gap, idle.series, idle.constants);
    COLUMN_LOOP(column, state.columns)
        state.weights[column] = moved[column];
}

// The last step of a row: the first lane reads it for all, since it is also the one that changes it.
__device__ int shared_last_step(const Idle &idle, long long row)
{
    return share_first(threadIdx.x == 0 ? idle.last_steps[row] : 0);
}
