"""Draws the picture of the README from the study's store: run `surrogate run study.toml` first."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt

import surrogate as sg
from surrogate.plots.boxes import plot_runs, plot_trajectory

HERE = Path(__file__).parent


def main(out: Path) -> None:
    """Trade-off of the boxes, and the runs over the two delays whose limits matter most."""
    with sg.RunStore(HERE / "runs.db") as store:
        runs = store.runs()
    unstable = sg.of_interest(runs.outputs, "growth_rate > 0")
    prim = sg.Prim().fit(runs.inputs, unstable, space=runs.space)
    x, y = prim.best_.restricted[:2]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    plot_trajectory(prim.trajectory_, prim.best_index_, left)
    labels = {name: runs.space.label(name) for name in runs.space}
    plot_runs(runs.inputs, unstable, x, y, prim.best_, labels, right)
    figure.suptitle("\n".join(textwrap.wrap(f"Unstable where {prim.best_.rule(digits=2)}", 110)), fontsize=10)
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "smart_grid.png")
