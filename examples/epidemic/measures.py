"""Which measures keep the peak of an epidemic under the hospitals' capacity? Whatever the disease turns out to be like.

python examples/epidemic/measures.py [picture.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

import surrogate as sg
from surrogate.plots.sensitivity import plot_indices

HERE = Path(__file__).parent
CAPACITY = 100  # beds per 100,000 inhabitants that can be spared
N_RUNS, N_ASKED, N_NEW = 512, 40_000, 300
SURE = (0.7, 0.8, 0.9)  # shares of futures in which the measures shall be enough


def main(out: Path) -> None:
    """Run, emulate, ask what matters, find the measures, check them on new runs, draw."""
    epidemic = sg.load_simulator("simulators.epidemic:seir")
    # What can be done here: vaccine for 40%, and a measure that starts within three months and lasts one to six.
    space = sg.Space(
        dict(epidemic.space)
        | {
            "vaccinated": sg.Real(0, 0.4, role="lever"),
            "start_day": sg.Real(0, 90, role="lever", unit="day"),
            "duration_days": sg.Real(30, 180, role="lever", unit="day"),
        }
    )
    levers = [name for name in space if space[name].role == "lever"]

    # Data 1 -> Model A -> Data 2. The square root of the beds, so that neither the few largest epidemics nor the many
    # that never take off decide what is learned.
    runs = sg.run(epidemic, sg.sobol(space, N_RUNS, rng=1), n_jobs=0)
    emulator = sg.GaussianProcess().fit(runs.inputs, np.sqrt(runs.outputs["peak_beds"]), space)
    new = sg.run(epidemic, sg.latin_hypercube(space, N_NEW, rng=2), n_jobs=0)
    right = (emulator.predict(new.inputs) < np.sqrt(CAPACITY)) == (new.outputs["peak_beds"] < CAPACITY)
    print(
        f"{N_RUNS} runs; of {N_NEW} new ones the emulator puts {right.mean():.0%} on the right side of the capacity\n"
    )
    indices = sg.sobol_indices({"beds needed (square root)": emulator}, space, n=512)
    print(indices[["first", "total"]].sort_values("total", ascending=False).round(2).to_string())

    # Model B: a box of levers alone. What is uncertain varies freely, so that a density is a share of futures.
    asked = sg.latin_hypercube(space, N_ASKED, rng=3)
    enough = emulator.predict(asked) < np.sqrt(CAPACITY)
    prim = sg.Prim(alpha=0.02).fit(asked[levers], enough, space=sg.Space({name: space[name] for name in levers}))
    print(f"\nany measures: enough in {enough.mean():.0%} of the futures")
    for share in SURE:
        box = widest(prim, share)
        print(f"to be enough in {share:.0%}: {box.rule(2)}")

    inside = asked[box.contains(asked[levers])].head(N_NEW)
    checked = sg.run(epidemic, inside, n_jobs=0)
    kept = (checked.outputs["peak_beds"] < CAPACITY).mean()
    print(f"simulated in {len(inside)} futures with measures of the last kind: enough in {kept:.0%}")

    figure, axes = plt.subplots(1, 3, figsize=(14, 4.3), layout="constrained")
    plot_indices(indices, ax=axes[0])
    axes[0].set_title("What the beds needed depend on", fontsize=10)
    draw_shares(asked, enough, box, space, axes[1])
    draw_courses(new.series("beds"), checked.series("beds"), axes[2])
    figure.savefig(out, dpi=110)


def widest(prim: sg.Prim, share: float) -> sg.Box:
    """The box that leaves most choice of those where the measures are enough in that share of futures."""
    sure = prim.trajectory_["density"] >= share
    if not sure.any():
        raise SystemExit(
            f"no measures are enough in {share:.0%} of the futures; most: {prim.trajectory_['density'].max():.0%}"
        )
    return prim.boxes_[int(prim.trajectory_["mass"].where(sure).idxmax())]


def draw_shares(asked: pd.DataFrame, enough: NDArray[np.bool_], box: sg.Box, space: sg.Space, ax: Axes) -> None:
    """Share of futures with enough beds, over the two levers that matter most, with the box."""
    x, y = "vaccinated", "contact_reduction"
    bins = [np.linspace(space[name].low, space[name].high, 13) for name in (x, y)]
    shares = [np.histogram2d(asked[x], asked[y], bins, weights=w)[0] for w in (enough.astype(float), None)]
    mesh = ax.pcolormesh(*bins, (shares[0] / shares[1]).T, cmap="viridis", vmin=0, vmax=1)
    ax.figure.colorbar(mesh, ax=ax, label="share of futures with enough beds")
    (left, right), (low, high) = (
        (max(limits[0], space[name].low), min(limits[1], space[name].high))
        for name, limits in ((name, box.limits.get(name, (-np.inf, np.inf))) for name in (x, y))
    )
    ax.add_patch(plt.Rectangle((left, low), right - left, high - low, fill=False, edgecolor="#EE7733", linewidth=2.5))
    ax.set(xlabel="share vaccinated", ylabel="share of contacts avoided")
    ax.set_title("Measures that are enough, and the box", fontsize=10)


def draw_courses(free: pd.DataFrame, measured: pd.DataFrame, ax: Axes) -> None:
    """Beds over the year: any measures, and those of the box."""
    for courses, colour, label in ((free, "0.7", "any measures"), (measured, "#0077BB", "in the box")):
        ax.plot(courses.columns, courses.iloc[:60].T, color=colour, linewidth=0.6, alpha=0.7)
        ax.plot([], [], color=colour, label=label)
    ax.axhline(CAPACITY, color="#CC3311", linewidth=1.5)
    ax.text(360, CAPACITY, "capacity", color="#CC3311", va="bottom", ha="right", fontsize="small")
    ax.spines[["top", "right"]].set_visible(False)
    ax.set(xlabel="day", ylabel="beds needed per 100,000", xlim=(0, 365), ylim=(0, 5 * CAPACITY))
    ax.set_title("Sixty futures each", fontsize=10)
    ax.legend(frameon=False, fontsize="small")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "epidemic.png")
