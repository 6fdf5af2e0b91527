"""Bryant and Lempert's renewable energy study: where would a target of 25% cost much? Draws the README's picture.

Give the data's file, or set SURROGATE_DATA to the folder that holds bryant2010_tgl.csv; by default that is shared/data
beside the checkout.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

import surrogate as sg
from surrogate.plots.boxes import plot_box_limits, plot_runs, plot_trajectory

HERE = Path(__file__).parent
DATA = Path(os.environ.get("SURROGATE_DATA", HERE.parents[2] / "shared" / "data")) / "bryant2010_tgl.csv"

# Ranges of the study's latin hypercube, as far as its runs tell.
SPACE = sg.Space(
    {
        "Cellulosic cost": sg.Real(67, 134),
        "Total biomass": sg.Real(450, 1000),
        "Feedstock distribution": sg.Real(0, 1),
        "Cellulosic yield": sg.Real(80, 100),
        "Oil elasticity": sg.Real(0.2, 0.6),
        "Demand elasticity": sg.Real(-0.8, -0.2),
        "Electricity coproduction": sg.Real(0, 2),
        "oil supply shift": sg.Real(-0.1, 0.1),
        "Biomass backstop price": sg.Real(90, 200),
    }
)

# The scenario of the article as others quote it, rounded and without the limit of the demand elasticity, which is here
# the workbench's; and the box 21 of EMA workbench's documentation, "Performing Scenario Discovery in Python".
PUBLISHED = {
    "Bryant and Lempert": sg.Box(
        {
            "Cellulosic cost": (72.65, math.inf),
            "Total biomass": (-math.inf, 769),
            "Demand elasticity": (-0.422, math.inf),
            "Biomass backstop price": (148, math.inf),
        }
    ),
    "EMA workbench": sg.Box(
        {
            "Cellulosic cost": (72.650002, math.inf),
            "Total biomass": (-math.inf, 755.799988),
            "Demand elasticity": (-0.422, math.inf),
            "Biomass backstop price": (150.049995, math.inf),
        }
    ),
}


def load(file: Path) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """The nine inputs, and which runs are among the tenth with the highest cost."""
    table = pd.read_csv(file)
    # Stored in single precision, some values lie a millionth outside their range.
    return table[list(SPACE)].round(5), table["Greater than 90%"].to_numpy() == 1


def compare(inputs: pd.DataFrame, costly: NDArray[np.bool_], boxes: dict[str, sg.Box]) -> pd.DataFrame:
    """Coverage and density of each box on the runs."""
    rows = {}
    for name, box in boxes.items():
        inside = box.contains(inputs)
        rows[name] = {
            "coverage": costly[inside].sum() / costly.sum(),
            "density": costly[inside].mean(),
            "n_inside": inside.sum(),
            "rule": box.rule(digits=3),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def main(file: Path, out: Path) -> None:
    """Print the comparison and draw the picture."""
    inputs, costly = load(file)
    # The tenth of the rows that the article's software peels in one step.
    prim = sg.Prim(alpha=0.1).fit(inputs, costly, space=SPACE)
    reds = sg.Reds(n_new=20_000).fit(inputs, costly, space=SPACE)
    # The reported boxes trade density for coverage; the article's trade-off is met where coverage falls below 80%.
    like = {
        "Prim": prim.boxes_[int((prim.trajectory_["coverage"] < 0.8).to_numpy().argmax())],
        "Reds": reds.boxes_[int((reds.run_trajectory_["coverage"] < 0.8).to_numpy().argmax())],
    }
    boxes = PUBLISHED | {
        "Prim, same trade-off": like["Prim"],
        "Reds, same trade-off": like["Reds"],
        "Prim, reported": prim.best_,
        "Reds, reported": reds.best_,
    }
    print(compare(inputs, costly, boxes).to_string(float_format="{:.3f}".format))
    print(f"Reds: {reds.method_}, as {reds.reason_}")

    figure, axes = plt.subplots(2, 2, figsize=(12, 9), layout="constrained")
    plot_trajectory(prim.trajectory_, None, axes[0, 0])
    found = reds.run_trajectory_
    axes[0, 0].plot(
        found["coverage"], found["density"], color="#CC3311", linewidth=1, label="Reds, counted on the runs"
    )
    for (name, box), marker in zip(PUBLISHED.items(), "sD"):
        row = compare(inputs, costly, {name: box}).iloc[0]
        axes[0, 0].plot(
            row["coverage"], row["density"], marker, color="black", fillstyle="none", markersize=9, label=name
        )
    axes[0, 0].legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 0.12))
    axes[0, 0].set_title("Prim's boxes (dots) and the published ones", fontsize=10)
    compared = [PUBLISHED["Bryant and Lempert"], like["Prim"], like["Reds"]]
    plot_box_limits(compared, SPACE, axes[0, 1])
    handles, _ = axes[0, 1].get_legend_handles_labels()
    words = [f"{i} {name}" for i, name in enumerate(("Bryant and Lempert", "Prim", "Reds"), 1)]
    axes[0, 1].legend(handles, words, frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=3)
    for ax, (x, y) in zip(
        axes[1], [("Demand elasticity", "Biomass backstop price"), ("Total biomass", "Demand elasticity")]
    ):
        plot_runs(inputs, costly, x, y, compared, ax=ax)
    figure.savefig(out, dpi=100)


if __name__ == "__main__":
    asked = [Path(word) for word in sys.argv[1:]]
    main(asked[0] if asked else DATA, asked[1] if len(asked) > 1 else HERE / "renewable_energy.png")
