"""Maximises the lift of a wing section whose flow must stay attached, on two workers, and writes a report.

python examples/airfoil_design/design.py [--quick] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import surrogate as sg
from simulators.airfoil import STATIONS, airfoil, naca4
from surrogate.plots.optimization import plot_optimization, plot_parallel

HERE = Path(__file__).parent

# Without viscosity there is no drag. What makes it is pressure that must be recovered behind a suction peak: the flow
# separates if that is too much. Here a peak of so many dynamic pressures, and a nose-down moment that a tail must trim.
LIMITS = ["suction <= 2.5", "moment >= -0.06"]


@sg.simulator(
    space=airfoil.space,
    outputs=[
        sg.Output("lift", description="lift coefficient"),
        sg.Output("moment", description="pitching moment about the quarter chord, nose up"),
        sg.Output("suction", description="largest suction, in dynamic pressures"),
    ],
    version="1",
)
def section(camber: float, camber_position: float, thickness: float, alpha: float) -> dict[str, Any]:
    """What the panel code says of a section, without its pressure distribution."""
    found = airfoil(camber, camber_position, thickness, alpha)
    return {
        "lift": found["lift"],
        "moment": found["moment"],
        "suction": float(-np.min(found["pressure"])),
    }


def main() -> None:
    """Optimise, report, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--folder", type=Path, default=HERE, help="where store, report and picture are written")
    arguments = parser.parse_args()
    store = arguments.folder / "runs.db"
    optimum = sg.minimize(
        section,
        "-lift",
        constraints=LIMITS,
        budget=24 if arguments.quick else 60,
        batch=2,
        asynchronous=False,  # runs take equally long, and so the points follow from the seed alone
        n_jobs=2,
        store=store,
        rng=0,
    )
    print(optimum)
    with sg.RunStore(store) as runs:
        sg.report(
            arguments.folder / "report.html",
            runs=runs.runs(),
            optimum=optimum,
            title="A section of much lift",
            question="Which NACA 4-digit section at which angle lifts most, if its flow is to stay attached?",
        )
    draw(optimum, arguments.folder / "airfoil_design.png")


def draw(optimum: sg.Optimum, out: Path) -> None:
    """How it went, where the runs were, the section and its pressures."""
    figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    plot_optimization(optimum, axes[0, 0])
    plot_parallel(optimum, axes[0, 1])
    best = optimum.x or {}
    x, y = naca4(np.linspace(0, 2 * np.pi, 400), best["camber"], best["camber_position"], best["thickness"]).T
    axes[1, 0].fill(x, y, color="#0077BB33", edgecolor="#0077BB")
    axes[1, 0].set(aspect="equal", xlabel="x/c", ylabel="y/c")
    told = f"camber {best['camber']:.1%} at {best['camber_position']:.0%}, thickness {best['thickness']:.1%}"
    axes[1, 0].set_title(f"{told}, {best['alpha']:.1f} deg: lift {optimum.outputs['lift']:.2f}", fontsize=10)
    stations = (1 + np.cos(STATIONS)) / 2
    axes[1, 1].plot(stations, airfoil(**best)["pressure"], color="#0077BB")
    axes[1, 1].axhline(-2.5, color="#CC3311", linewidth=1, linestyle="--", label="limit of the suction")
    axes[1, 1].invert_yaxis()  # suction up, as aerodynamicists draw it
    axes[1, 1].set(xlabel="x/c", ylabel="pressure coefficient")
    axes[1, 1].legend(frameon=False, fontsize="small")
    for ax in axes[1]:
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(out, dpi=100)


if __name__ == "__main__":
    main()
