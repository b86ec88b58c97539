"""Train one model by Keras on TensorFlow and by this package, on the same batches: same losses, and how much faster?

    python asv_bench/compare_keras.py                    # 4 million rows; takes some 16 GB and five minutes
    python asv_bench/compare_keras.py --columns 16       # a quarter of the memory and of the time
    python asv_bench/compare_keras.py --bags 128         # small batches: Keras's step costs what the table costs
    python asv_bench/compare_keras.py --quick            # does it run?
    python asv_bench/compare_keras.py --json keras.json  # numbers only, where there is no matplotlib
    python asv_bench/compare_keras.py --draw keras.json  # the picture only, where there is no Keras

The model averages 50 rows and puts a `Dense(1)` behind them; its targets are averages of hidden numbers of the ids.
No batch names a row twice: Keras on TensorFlow squares the gradients of repeated ids before it sums them, which is not
what its own dense gradients give, see `docs/exact_or_lazy.md`. All sides take turns, step by step.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from benchmarks.common import use_threads
from benchmarks.rivals import get_system
from benchmarks.timing import PAUSE
from report import describe_machine, find_versions

from fastembed_layer import Dense, Embedding, EmbeddingBag, GlobalAveragePooling1D, Sequential
from fastembed_layer.optimizers import Adam

Array = np.ndarray[Any, Any]
Run = dict[str, Any]

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "keras_adam.png"
LENGTH = 50  # ids in a bag
FREQUENT = 4  # the higher, the more often the first rows are drawn
RATE = 0.003
UNTIMED = 3  # first steps, in which things are compiled and slots are made
KERAS, EXACT, BAG, LAZY = "Keras", "exact", "exact, EmbeddingBag", "lazy"
COLORS = {KERAS: "#b9c4cc", EXACT: "#00798c", BAG: "#edae49", LAZY: "#d1495b"}


class Task(NamedTuple):
    """What is trained."""

    rows: int
    columns: int
    bags: int
    steps: int

    def draw_start(self) -> tuple[Array, Array]:
        """Return the first values of the table and of the kernel behind it."""
        generator = np.random.default_rng(0)
        table = generator.random((self.rows, self.columns), np.float32)
        table -= 0.5
        table *= 0.1
        return table, generator.normal(scale=0.2, size=(self.columns, 1)).astype(np.float32)

    def draw_batches(self) -> Iterator[tuple[Array, Array]]:
        """Yield ids, each row at most once in a batch and the first rows in most of them, and targets."""
        generator = np.random.default_rng(1)
        hidden = generator.normal(size=self.rows).astype(np.float32)
        size = self.bags * LENGTH
        for _ in range(self.steps):
            drawn = np.unique((self.rows * generator.random(3 * size) ** FREQUENT).astype(np.int32))
            ids = generator.permutation(drawn)[:size].reshape(self.bags, LENGTH)
            yield ids, np.sqrt(np.float32(LENGTH)) * hidden[ids].mean(axis=1, keepdims=True)


FULL = Task(rows=4_000_000, columns=64, bags=4096, steps=200)
QUICK = Task(rows=100_000, columns=16, bags=100, steps=20)


def make_ours(task: Task, update: str, bag: bool = False) -> Any:
    """Return the model of this package, as written for Keras or with an `EmbeddingBag` that averages while it reads."""
    table, kernel = task.draw_start()
    size = (task.rows, task.columns)
    averaged = [EmbeddingBag(*size)] if bag else [Embedding(*size), GlobalAveragePooling1D()]
    model = Sequential([*averaged, Dense(1)])
    model.build((None, LENGTH))
    model.layers[0].embeddings.assign(table)
    model.layers[-1].set_weights([kernel, np.zeros(1)])
    model.compile(Adam(RATE, update=update), "mse")
    return model


def make_keras(task: Task) -> Any:
    """Return the same model of Keras, which trains in a compiled graph as in `fit`."""
    keras = get_system("keras").keras
    table, kernel = task.draw_start()
    layers = keras.layers
    model = keras.Sequential(
        [layers.Embedding(task.rows, task.columns), layers.GlobalAveragePooling1D(), layers.Dense(1)]
    )
    model.build((None, LENGTH))
    model.layers[0].embeddings.assign(table)
    model.layers[2].set_weights([kernel, np.zeros(1)])
    model.compile(keras.optimizers.Adam(RATE), "mse")
    return model


def train_on(model: Any, ids: Array, targets: Array) -> float:
    """Make one training step, and return its loss."""
    if isinstance(model, Sequential):
        return model.train_on_batch(ids, targets)
    model.reset_metrics()  # Keras would return the mean loss of all batches so far
    return float(model.train_on_batch(ids, targets))


def measure(task: Task) -> Run:
    """Train all models, in turns, and return losses and times."""
    use_threads()
    models = {
        KERAS: make_keras(task),
        EXACT: make_ours(task, "exact"),
        BAG: make_ours(task, "exact", bag=True),
        LAZY: make_ours(task, "lazy"),
    }
    losses: dict[str, list[float]] = {name: [] for name in models}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for step, (ids, targets) in enumerate(task.draw_batches()):
        for name, model in models.items():
            time.sleep(PAUSE)
            start = time.perf_counter()
            losses[name].append(train_on(model, ids, targets))
            seconds[name].append(time.perf_counter() - start)
        print(step, *(f"{name} {losses[name][-1]:.6f} {1e3 * seconds[name][-1]:.1f} ms" for name in models), flush=True)
    timed = {name: float(np.median(samples[UNTIMED:])) for name, samples in seconds.items()}
    described = {"date": time.strftime("%Y-%m-%d"), "machine": describe_machine(), "versions": find_versions()}
    return {**described, "task": task._asdict(), "losses": losses, "seconds": timed}


def relative_differences(run: Run, name: str) -> Array:
    """Return the differences from Keras's losses, relative to them."""
    reference = np.array(run["losses"][KERAS])
    return np.abs(np.array(run["losses"][name]) - reference) / reference


def describe_run(run: Run) -> str:
    """Put the result into words."""
    seconds, losses, task = run["seconds"], run["losses"], Task(**run["task"])
    lines = [
        f"{run['date']}, {run['machine']}, {run['versions']}",
        f"{task.rows:,} rows x {task.columns}, {task.bags * LENGTH:,} ids in a batch, {task.steps} steps of Adam",
    ]
    lines += [
        f"{name:20}: {1e3 * seconds[name]:9.2f} ms a step; loss {losses[name][0]:.6f} to {losses[name][-1]:.6f}, "
        f"at most {relative_differences(run, name).max():.1e} from Keras's; "
        f"{seconds[KERAS] / seconds[name]:.1f} times as fast"
        for name in losses
    ]
    return "\n".join(lines)


def draw_picture(run: Run, path: Path) -> None:
    """Draw the losses above and their differences below."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (above, below) = pyplot.subplots(
        2, 1, figsize=(8, 6), sharex=True, height_ratios=(3, 2), layout="constrained", dpi=110
    )
    labels = {
        KERAS: f"Keras {run['versions']['keras']}, Adam",
        EXACT: 'update="exact"',
        BAG: 'update="exact", EmbeddingBag',
        LAZY: 'update="lazy"',
    }
    for name, losses in run["losses"].items():
        steps = np.arange(1, len(losses) + 1)
        width, style = (6, "-") if name == KERAS else (1.5, {EXACT: "--", BAG: ":"}.get(name, "-"))
        label = f"{labels[name]}: {1e3 * run['seconds'][name]:,.0f} ms a step"
        above.plot(steps, losses, style, color=COLORS[name], linewidth=width, label=label)
        if name != KERAS:
            below.plot(steps, relative_differences(run, name), color=COLORS[name])
    task = Task(**run["task"])
    above.set_title(f"{task.rows:,} rows of {task.columns}, {task.bags * LENGTH:,} ids in a batch", fontsize="medium")
    above.set_ylabel("loss of the batch")
    above.legend(loc="best")
    below.set_yscale("log")
    below.set_ylabel("difference from Keras, relative")
    below.set_xlabel("step")
    for axes in (above, below):
        axes.grid(color="#e4e4e4")
        axes.set_axisbelow(True)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    pyplot.close(figure)
    print(f"wrote {path}")


def main(arguments: list[str] | None = None) -> None:
    """Measure, draw or both, as the command line says."""
    options = _parse(arguments)
    if options.draw is not None:
        run = json.loads(Path(options.draw).read_text(encoding="utf-8"))
    else:
        run = measure(_choose_task(options))
    print(describe_run(run))
    if options.json is not None:
        Path(options.json).write_text(json.dumps(run), encoding="utf-8")
    elif not options.quick:
        draw_picture(run, PICTURE)


def _choose_task(options: argparse.Namespace) -> Task:
    chosen = {name: getattr(options, name) for name in Task._fields if getattr(options, name) is not None}
    return (QUICK if options.quick else FULL)._replace(**chosen)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in FULL._asdict().items():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"{value:,} by default")
    parser.add_argument("--quick", action="store_true", help="a tiny table and few steps, without a picture")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there, and draw nothing")
    parser.add_argument("--draw", metavar="FILE", help="draw the picture from such a file")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
