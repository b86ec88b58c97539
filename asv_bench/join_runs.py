"""Joins files of `report.py --json` of one machine: `python join_runs.py OUT FILE...`; missing ones are left out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def join_runs(paths: list[Path]) -> dict[str, Any]:
    """Return the first run with the results of all of them.

    Raises
    ------
    ValueError
        If none of the files is there, or they are of different machines.
    """
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
    machines = {(run["machine"], str(run["gpu"] and run["gpu"]["name"])) for run in runs}
    if len(machines) != 1:
        raise ValueError(f"The files must be of one machine. Received: {sorted(machines)}.")
    return runs[0] | {"results": [result for run in runs for result in run["results"]]}


def main() -> None:
    """Join the files that the command line names."""
    out, *paths = map(Path, sys.argv[1:])
    joined = join_runs([path for path in paths if path != out])
    out.write_text(json.dumps(joined, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
