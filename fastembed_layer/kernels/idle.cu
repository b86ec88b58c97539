// One row with its slots, and what rules share; the numbers of idle steps are described in idle.py.

#define MOST_SLOTS 3

struct State {
    Value *weights;
    Value *slots[MOST_SLOTS];
    long long widths[MOST_SLOTS];  // columns of the slots: 1 where a slot has one number per row
    long long columns;
    Value decay_factor;    // what weight decay leaves of a weight
    Value factor;  // share of the way to its new value that a weight goes

    // A weight as the rule sees it.
    __device__ Value weight(long long column) const
    {
        return decay_factor * weights[column];
    }

    __device__ void set_weight(long long column, Value value) const
    {
        Value start = weights[column];
        weights[column] = factor == 1 ? value : start + factor * (value - start);
    }
};

struct Gap {
    long long idle;   // steps
    long long entry;  // of the row's last step in the series
    double shrink;    // of the present step
    double share;     // of the row that weight decay has left
};

struct Series {
    const double *sums;
    long long columns;

    __device__ double at(long long entry, long long column) const
    {
        return sums[entry * columns + column];
    }

    // The last column holds the shrink of a step.
    __device__ double shrink(long long entry) const
    {
        return at(entry, columns - 1);
    }
};

__device__ Value power_of(double log_base, long long idle)
{
    return (Value)exp(log_base * (double)idle);
}

__device__ Value sign_of(Value value)
{
    return value > 0 ? (Value)1 : value < 0 ? (Value)-1 : value;
}

// Mean of the squares of a gradient, the same for every lane.
template <class Source>
__device__ Value mean_square(const Source &gradient, long long columns)
{
    Value total = 0;
    COLUMN_LOOP(column, columns) {
        Value part = gradient.at(column);
        total += part * part;
    }
    return sum_lanes(total) / (Value)columns;
}

__device__ void combine_rows(const Value *row, double kept, const Value *change, double multiple, Value *target,
                             long long columns)
{
    Value share = (Value)kept, factor = (Value)multiple;
    COLUMN_LOOP(column, columns)
        target[column] = share * row[column] + factor * change[column];
}

__device__ void take_share(const State &state, Value *target)
{
    if (state.factor != 1)
        COLUMN_LOOP(column, state.columns) {
            Value start = state.weights[column];
            target[column] = start + state.factor * (target[column] - start);
        }
}

__device__ void shrink_idle(const State &state, Value *target, const Gap &gap, const Series &series,
                            const double *constants)
{
    Value share = (Value)gap.share;
    COLUMN_LOOP(column, state.columns)
        target[column] = share * state.weights[column];
}

__device__ void keep_slots(const State &state, const Gap &gap, const Series &series, const double *constants)
{
}

__device__ void fade_slot(const State &state, int slot, double log_decay, const Gap &gap)
{
    Value left = power_of(log_decay, gap.idle);
    COLUMN_LOOP(column, state.widths[slot])
        state.slots[slot][column] *= left;
}

__device__ void decay_first_slot(const State &state, const Gap &gap, const Series &series, const double *constants)
{
    fade_slot(state, 0, constants[0], gap);
}

__device__ void decay_two_slots(const State &state, const Gap &gap, const Series &series, const double *constants)
{
    fade_slot(state, 0, constants[0], gap);
    fade_slot(state, 1, constants[1], gap);
}

// A polynomial with six coefficients, from the sums of an entry.
struct Terms {
    Value terms[6];

    __device__ Terms(const Series &series, const Gap &gap, long long first)
    {
        for (int term = 0; term < 6; ++term)
            terms[term] = (Value)(gap.shrink * series.at(gap.entry, first + term));
    }

    __device__ Value at(Value point) const
    {
        Value upper = terms[2] + point * (terms[3] + point * (terms[4] + point * terms[5]));
        return terms[0] + point * (terms[1] + point * upper);
    }
};

// One idle step that is recorded instead of summed; the factor of epsilon is 0 for others.
struct Record {
    double rate, fade, epsilon_factor;

    __device__ Record(const Gap &gap, long long step, const Series &series, const double *constants)
    {
        long long record = gap.entry + step - 1, last = series.columns - 1;
        rate = gap.shrink * series.at(record, last - 2) * exp(constants[0] * (double)step);
        fade = exp(constants[3] * constants[1] * (double)step);
        epsilon_factor = series.at(record, last - 1) * series.shrink(record + 1);
    }
};

__device__ void walk_idle_steps(const State &state, Value *target, const Gap &gap, const Series &series,
                                const double *constants)
{
    const Value *mean = state.slots[0], *moment = state.slots[1];
    shrink_idle(state, target, gap, series, constants);
    long long last = gap.idle < (long long)constants[4] ? gap.idle : (long long)constants[4];
    for (long long step = 1; step <= last; ++step) {
        Record record(gap, step, series, constants);
        if (record.epsilon_factor == 0)
            break;
        Value rate = (Value)record.rate, fade = (Value)record.fade;
        Value epsilon = (Value)(constants[2] * record.epsilon_factor);
        bool is_norm = constants[3] == 1;
        COLUMN_LOOP(column, state.columns) {
            Value size = is_norm ? moment[column] : sqrt(moment[column]);
            target[column] -= rate * mean[column] / (fade * size + epsilon);
        }
    }
}
