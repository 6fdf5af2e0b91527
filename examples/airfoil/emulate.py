"""Emulates lift and pressure distribution of a section, judges both on new sections, and draws a picture.

python examples/airfoil/emulate.py [picture.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

import surrogate as sg
from simulators.airfoil import STATIONS
from surrogate.plots.emulator import plot_interval_coverage, plot_series

HERE = Path(__file__).parent
N_RUNS, N_NEW = 80, 300


def main(out: Path) -> None:
    """Run, emulate, judge, draw."""
    simulator = sg.load_simulator("airfoil")
    space = simulator.space
    runs = sg.run(simulator, sg.latin_hypercube(space, N_RUNS, rng=0), n_jobs=0)
    new = sg.run(simulator, sg.latin_hypercube(space, N_NEW, rng=1), n_jobs=0)

    lift = sg.AutoEmulator().fit(runs.inputs, runs.outputs["lift"], space)
    pressure = sg.FunctionalEmulator().fit(runs.inputs, runs.series("pressure"), space)

    predicted, std = lift.predict(new.inputs, return_std=True)
    actual = new.outputs["lift"].to_numpy()
    curves, curve_std = pressure.predict(new.inputs, return_std=True)
    simulated = new.series("pressure").to_numpy()

    judged = {
        "lift": sg.diagnose(actual, predicted, std),
        "pressure": sg.diagnose(simulated.ravel(), curves.ravel(), curve_std.ravel()),
    }
    print(f"{N_RUNS} runs, judged on {N_NEW} new sections")
    print(pd.DataFrame({name: vars(found) for name, found in judged.items()}).T.round(4).to_string())
    print(f"lift: {lift.reason_}")
    print(f"pressure: {pressure.n_components_} components of {simulated.shape[1]} values")

    error = np.sqrt(((curves - simulated) ** 2).mean(axis=1))
    by_error = np.argsort(error)
    figure, axes = plt.subplots(2, 2, figsize=(11, 8.4), layout="constrained")
    draw_polars(lift, simulator, axes[0, 0])
    for share, name, ax in ((0.5, "median", axes[0, 1]), (0.95, "large (95% are smaller)", axes[1, 0])):
        row = int(by_error[int(share * N_NEW)])
        plot_series(STATIONS, curves[row], curve_std[row], simulated[row], label="emulated", ax=ax)
        finish_section(new.inputs.iloc[row], name, ax)
    # Not all 81 pressures of a section: neighbours go together, and the band is for independent values.
    rng = np.random.default_rng(0)
    one = np.arange(N_NEW), rng.integers(simulated.shape[1], size=N_NEW)
    plot_interval_coverage(sg.interval_coverage_curve(simulated[one], curves[one], curve_std[one]), axes[1, 1])
    axes[1, 1].set_title(f"Pressure at one place of each of {N_NEW} new sections", fontsize=10)
    figure.savefig(out, dpi=110)


def draw_polars(lift: sg.AutoEmulator, simulator: sg.Simulator, ax: Axes) -> None:
    """Lift over the angle of attack for a flat and a cambered section: predicted with band, simulated as dots."""
    angles, few = np.linspace(-6, 12, 73), np.linspace(-6, 12, 10)
    for camber, colour in ((0.0, "#0077BB"), (0.04, "#EE7733")):
        section = {"camber": camber, "camber_position": 0.4, "thickness": 0.12}
        mean, std = lift.predict(pd.DataFrame({**section, "alpha": angles}), return_std=True)
        ax.fill_between(angles, mean - 1.96 * std, mean + 1.96 * std, color=colour, alpha=0.25, linewidth=0)
        ax.plot(angles, mean, color=colour, linewidth=1.2, label=f"camber {camber:.0%}, emulated")
        truth = [simulator(**section, alpha=float(angle))["lift"] for angle in few]
        ax.plot(few, truth, "o", color=colour, markersize=4, label=f"camber {camber:.0%}, simulated")
    ax.spines[["top", "right"]].set_visible(False)
    ax.set(xlabel="angle of attack [deg]", ylabel="lift coefficient")
    ax.set_title("Lift of 12% thick sections, largest camber at 40% chord", fontsize=10)
    ax.legend(frameon=False, fontsize="small")


def finish_section(section: pd.Series, error: str, ax: Axes) -> None:
    """Label a pressure distribution."""
    ax.invert_yaxis()  # suction up, as aerodynamicists draw it
    ticks = [0, np.pi / 2, np.pi, 3 * np.pi / 2, 2 * np.pi]
    ax.set_xticks(ticks, ["trailing\nedge", "lower\nsurface", "leading\nedge", "upper\nsurface", "trailing\nedge"])
    ax.set_ylabel("pressure coefficient")
    told = f"camber {section['camber']:.1%} at {section['camber_position']:.0%}, thickness {section['thickness']:.1%}"
    ax.set_title(f"New section of {error} error\n{told}, {section['alpha']:.1f} deg", fontsize=10)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "airfoil.png")
