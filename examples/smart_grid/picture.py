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
    """Trade-off of the boxes; the runs over two inputs of a box in which two thirds should be unstable."""
    with sg.RunStore(HERE / "runs.db") as store:
        runs = store.runs()
    reds = sg.Reds().fit(runs.inputs, runs.outputs["growth_rate"], of_interest="> 0", space=runs.space)
    unstable = reds.of_interest_
    chosen = int((reds.trajectory_["density"] >= 2 / 3).argmax())
    box = reds.boxes_[chosen]
    x, y = box.restricted[:2]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    plot_trajectory(reds.trajectory_, chosen, left)
    plot_runs(runs.inputs, unstable, x, y, box, ax=right, space=runs.space)
    figure.suptitle("\n".join(textwrap.wrap(f"Two thirds unstable where {box.rule(digits=2)}", 110)), fontsize=10)
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "smart_grid.png")
