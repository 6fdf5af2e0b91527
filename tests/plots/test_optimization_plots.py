"""Pictures of optimisations hold what was found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import surrogate as sg
from surrogate.optimize.goals import Goals, Objective
from surrogate.optimize.result import Optimum
from surrogate.plots.optimization import plot_front, plot_optimization

SPACE = sg.Space(x=sg.Real(0, 1))


def optimum(outputs, feasible, objectives, front=None):
    n = len(feasible)
    history = pd.DataFrame(
        {"x": np.linspace(0, 1, n), **outputs, "step": "design", "status": "done", "feasible": feasible}
    )
    first = objectives[0]
    allowed = first.sign * history[first.output].where(history["feasible"])
    history["best"], history["hypervolume"] = allowed.cummin().ffill(), 0.0
    return Optimum(
        SPACE, Goals(objectives), None, None, {}, n, True, False, "", np.nan, history,
        front=None if front is None else history.loc[front],
    )  # fmt: skip


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_best_allowed_run_is_in_the_picture_however_good_others_are(sign):
    y = sign * np.array([-1000.0, -999.0, -998.0, 5.0, 3.0, 4.0, 9.0])
    ax = plot_optimization(
        optimum({"y": y}, [False] * 3 + [True] * 4, (Objective("y", sign),)), ax=Figure().add_subplot()
    )
    low, high = ax.get_ylim()
    assert low < sign * 3.0 < high
    assert high - low < 20


def test_good_runs_that_are_all_equal_leave_the_others_in_the_picture():
    y = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 2.0])
    ax = plot_optimization(optimum({"y": y}, [True] * 6, (Objective("y"),)), ax=Figure().add_subplot())
    low, high = ax.get_ylim()
    assert low < 0.0
    assert high > 2.0


def test_the_front_is_in_the_picture_however_good_runs_are_that_are_not_allowed():
    outputs = {"a": [0.0, 1.0, 2.0, -500.0], "b": [2.0, 1.0, 0.0, -700.0]}
    objectives = (Objective("a"), Objective("b"))
    ax = plot_front(optimum(outputs, [True] * 3 + [False], objectives, [0, 1, 2]), ax=Figure().add_subplot())
    for low, high in (ax.get_xlim(), ax.get_ylim()):
        assert low < 0.0
        assert 2.0 < high < 10.0
