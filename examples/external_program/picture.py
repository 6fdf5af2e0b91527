"""Draws the picture of the README from the study's store: run `surrogate run study.toml` first."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.collections import LineCollection

import surrogate as sg
from surrogate.plots.boxes import plot_runs

HERE = Path(__file__).parent


def main(out: Path) -> None:
    """The filter's answers to the step, and the components of those that overshoot."""
    with sg.RunStore(HERE / "runs.db") as store:
        runs = store.runs()
    over = sg.of_interest(runs.outputs, "peak > 1.4")
    prim = sg.Prim().fit(runs.inputs, over, space=runs.space)
    voltage = runs.series("voltage")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    for chosen, colour, label in [(~over, "0.6", "at most 1.4 V"), (over, "C3", "more than 1.4 V")]:
        curves = [list(zip(voltage.columns * 1e3, row)) for row in voltage.to_numpy()[chosen][::4]]
        left.add_collection(LineCollection(curves, colors=colour, linewidths=0.8, label=label))
    left.autoscale()
    left.axhline(1.4, color="black", linewidth=0.8, linestyle="--")
    left.set(xlabel="time [ms]", ylabel="voltage [V]", title="Every fourth answer to a step of 1 V")
    left.legend(loc="lower right")
    x, y = prim.best_.restricted[:2]
    plot_runs(runs.inputs, over, x, y, prim.best_, ax=right, space=runs.space)
    figure.suptitle("\n".join(textwrap.wrap(f"Exceeds 1.4 V where {prim.best_.rule(digits=2)}", 110)), fontsize=10)
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "filter.png")
