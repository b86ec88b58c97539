"""What `fit`, `evaluate` and `predict` show: a bar, a line, or nothing."""

from __future__ import annotations

from typing import Any

Logs = dict[str, Any]


class Progress:
    """A tqdm bar (verbose 1), one line at the end (2) or nothing (0)."""

    def __init__(self, title: str, steps: int | None, verbose: Any):
        check_verbose(verbose)
        self._title = title
        self._verbose = 1 if verbose == "auto" else int(verbose)
        self._bar: Any = None
        self._steps = steps

    def __enter__(self) -> Progress:
        if self._verbose == 1:
            from tqdm.auto import tqdm  # a tenth of a second that importing the package need not cost

            self._bar = tqdm(total=self._steps, desc=self._title, unit="step", mininterval=0.2)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, logs: Logs) -> None:
        """Count one step."""
        if self._bar is not None:
            self._bar.update()
            if logs:
                self._bar.set_postfix(_rounded(logs), refresh=False)

    def close_with(self, logs: Logs) -> None:
        """Show the final numbers."""
        if self._bar is not None:
            self._bar.set_postfix(_rounded(logs), refresh=True)
        elif self._verbose == 2:
            print(f"{self._title}: " + ", ".join(f"{name} {value}" for name, value in _rounded(logs).items()))


def check_verbose(verbose: Any) -> None:
    """Raise unless `verbose` is one of its values."""
    if not isinstance(verbose, bool) and verbose not in ("auto", 0, 1, 2):
        raise ValueError(f"`verbose` must be 'auto', 0, 1 or 2. Received: {verbose!r}.")


def _rounded(logs: Logs) -> dict[str, str]:
    return {name: f"{value:.4f}" if isinstance(value, float) else str(value) for name, value in logs.items()}
