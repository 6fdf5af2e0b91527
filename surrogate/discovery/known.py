"""What the runs say, as metamodels take it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from surrogate.boxes.reds import Reds
from surrogate.conditions import Condition
from surrogate.emulators.gp.gaussian_process import GaussianProcess
from surrogate.runs.records import Runs
from surrogate.space import Space

__all__ = ["LEAST_RUNS", "Known", "learnt_output"]

BoolArray = NDArray[np.bool_]

# Fewest runs that a metamodel can be fitted to.
LEAST_RUNS = 4


@dataclass(frozen=True, eq=False)
class Known:
    """Runs as the metamodels take them."""

    conditions: tuple[Condition, ...]
    space: Space
    ended: pd.DataFrame  # inputs, of failed runs too
    inputs: pd.DataFrame
    outputs: pd.DataFrame
    labels: BoolArray

    @classmethod
    def of(cls, runs: Runs, conditions: tuple[Condition, ...], first: int | None = None) -> Known:
        """Of the first runs, or all."""
        some = replace(runs, table=runs.table.iloc[:first], scalars=runs.scalars.iloc[:first])
        labels = np.logical_and.reduce([c.holds(some.outputs[c.name]) for c in conditions])
        return cls(conditions, runs.space, some.table[list(runs.space)], some.inputs, some.outputs, np.asarray(labels))

    @property
    def threshold(self) -> Condition | None:
        """The condition, if it is one threshold on one output: the output then says more than the labels.

        As ``Condition.between`` the values of the runs.
        """
        only = self.conditions[0]
        if len(self.conditions) > 1 or only.operator not in ("<", "<=", ">", ">="):
            return None
        return only.between(self.outputs[only.name])

    @property
    def failures_told(self) -> str:
        failed = len(self.ended) - len(self.inputs)
        return f"; {failed} of {len(self.ended)} runs failed and are left out" if failed else ""

    def nothing_to_tell(self) -> str:
        """Why there is no box."""
        finished = len(self.inputs)
        if finished < LEAST_RUNS:
            return f"only {finished} of {len(self.ended)} runs finished, too few to look for a box"
        interest = " and ".join(map(str, self.conditions))
        ranges = "; ".join(
            f"{name} lies in [{self.outputs[name].min():g}, {self.outputs[name].max():g}]"
            for name in dict.fromkeys(c.name for c in self.conditions)
        )
        which = "no run meets" if not self.labels.any() else "every run meets"
        return f"{which} {interest}, so there is nothing to tell apart; {ranges} over {finished} runs"

    def fit(self, template: Reds) -> Reds | None:
        """Metamodel and boxes, if there are runs of both kinds."""
        if len(self.inputs) < LEAST_RUNS or self.labels.all() or not self.labels.any():
            return None
        learner: Reds = clone(template)
        if self.threshold is None:
            return learner.fit(self.inputs, self.labels, space=self.space)
        output = self.outputs[self.threshold.name].to_numpy()
        return learner.fit(self.inputs, output, of_interest=self.threshold, space=self.space)


def learnt_output(model: Any) -> bool:
    return getattr(model, "method_", "") == "continuous output" and isinstance(model.emulator_, GaussianProcess)
