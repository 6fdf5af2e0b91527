"""Optima of published problems are found in few runs."""

from __future__ import annotations

import numpy as np
import pytest

import surrogate as sg
from surrogate.optimize.steps import Steps

BRANIN = 0.39788735772973816
SQUARE = sg.Space(a=sg.Real(-5, 10), b=sg.Real(0, 15))
UNIT = sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1))


def branin(a, b):
    return (b - 5.1 / (4 * np.pi**2) * a**2 + 5 / np.pi * a - 6) ** 2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10


def solve(optimizer, function, n):
    for _ in range(n):
        (trial,) = optimizer.ask()
        answer = function(**trial.x)
        if answer is None:
            optimizer.fail(trial)
        else:
            optimizer.tell(trial, answer)
    return optimizer


@pytest.mark.parametrize("rng", [0, 1, 2])
def test_branin(rng):
    found = solve(sg.Optimizer(SQUARE, "y", rng=rng), lambda a, b: {"y": branin(a, b)}, 40)
    assert found.best.outputs["y"] - BRANIN < 1e-4


def test_maximising_is_minimising_the_negative():
    up = solve(sg.Optimizer(SQUARE, "-y", rng=0), lambda a, b: {"y": -branin(a, b)}, 30)
    down = solve(sg.Optimizer(SQUARE, "y", rng=0), lambda a, b: {"y": branin(a, b)}, 30)
    assert [t.x for t in up.trials] == [t.x for t in down.trials]
    assert up.best.outputs["y"] == -down.best.outputs["y"]


def gramacy(a, b):  # R. B. Gramacy et al., Technometrics 58(1), 2016, section 1; the optimum by SLSQP from 500 starts
    return {
        "f": a + b,
        "c1": 1.5 - a - 2 * b - 0.5 * np.sin(2 * np.pi * (a**2 - 2 * b)),
        "c2": a**2 + b**2 - 1.5,
    }


def test_gramacy_to_many_digits():
    optimizer = sg.Optimizer(UNIT, "f", ["c1 <= 0", "c2 <= 0"], rng=0)
    found = solve(optimizer, gramacy, 50)
    assert found.is_feasible
    assert -1e-9 < found.best.outputs["f"] - 0.5997880520 < 1e-7
    frame = found.to_frame()
    assert (frame["feasible"] == ((frame["c1"] <= 0) & (frame["c2"] <= 0))).all()


def test_a_third_of_the_space_crashes():
    def crashing(a, b):
        # A disk and a strip, which hold two of the three optima.
        return None if (a + 3.1) ** 2 + (b - 12.3) ** 2 < 22 or a > 6.6 else {"y": branin(a, b)}

    grid = np.stack(np.meshgrid(np.linspace(-5, 10, 200), np.linspace(0, 15, 200)), axis=-1).reshape(-1, 2)
    assert 0.33 < np.mean([crashing(*point) is None for point in grid[::7]]) < 0.45
    found = solve(sg.Optimizer(SQUARE, "y", rng=1), crashing, 45)
    assert found.best.outputs["y"] - BRANIN < 1e-4


def test_nothing_is_feasible_at_first():
    # A disk of 1% of the square, which no point of the design hits.
    optimizer = sg.Optimizer(UNIT, "f", ["away <= 0.003"], rng=0)

    def function(a, b):
        return {"f": a, "away": (a - 0.83) ** 2 + (b - 0.22) ** 2}

    solve(optimizer, function, 6)
    assert not optimizer.is_feasible
    assert optimizer.regret_bound() == np.inf
    assert optimizer.best.outputs["away"] == min(t.outputs["away"] for t in optimizer.trials)
    solve(optimizer, function, 19)
    assert optimizer.is_feasible
    assert optimizer.best.outputs["f"] - (0.83 - np.sqrt(0.003)) < 1e-3


def test_nothing_is_feasible_at_all():
    optimizer = solve(sg.Optimizer(UNIT, "f", ["g <= -1"], rng=0), lambda a, b: {"f": a, "g": a**2 + b}, 15)
    assert not optimizer.is_feasible
    assert optimizer.best.outputs["g"] < 1e-3  # as near as it gets


def test_equality():
    space = sg.Space(a=sg.Real(-2, 2), b=sg.Real(-2, 2))
    optimizer = sg.Optimizer(space, "f", ["g == 1"], rng=0, equality_tolerance=1e-3)
    found = solve(optimizer, lambda a, b: {"f": a + b, "g": a * a + b * b}, 30)
    assert found.is_feasible
    assert abs(found.best.outputs["g"] - 1) <= 1e-3
    assert found.best.outputs["f"] < -np.sqrt(2) + 1e-3


def test_mixed_variables():
    space = sg.Space(
        a=sg.Real(-2, 2), n=sg.Integer(1, 9), kind=sg.Categorical(["u", "v", "w"]), rate=sg.Real(1e-4, 1, log=True)
    )

    def function(a, n, kind, rate):
        penalty = {"u": 1.0, "v": 0.0, "w": 2.0}[kind]
        return {"f": (a - 0.7) ** 2 + 0.3 * (n - 4) ** 2 + penalty + (np.log10(rate) + 2) ** 2}

    best = solve(sg.Optimizer(space, "f", rng=0), function, 45).best
    assert (best.x["n"], best.x["kind"]) == (4, "v")
    assert best.outputs["f"] < 1e-4


def zdt1(**x):
    first, *rest = x.values()
    g = 1 + 9 * np.mean(rest)
    return {"f": first, "g": g * (1 - np.sqrt(first / g))}


def test_two_objectives():
    space = sg.Space({f"x{i}": sg.Real(0, 1) for i in range(4)})
    found = solve(sg.Optimizer(space, ["f", "g"], rng=0, reference=(11, 11)), zdt1, 35)
    trace = found.hypervolumes()
    assert (np.diff(trace) >= 0).all()
    # The true front's is 121 - 1/3; of 35 random points 110 at best.
    assert 120.5 < trace[-1] < 121 - 1 / 3
    front = [(t.outputs["f"], t.outputs["g"]) for t in found.front]
    assert len(front) >= 8
    assert front == sorted(front)
    assert [b for _, b in front] == sorted((b for _, b in front), reverse=True)
    assert found.best in found.front


def test_levels_spend_less():
    # A. I. J. Forrester, A. Sobester, A. J. Keane, Proc. R. Soc. A 463, 2007: minimum -6.020740 at 0.757249.
    def function(x, level):
        true = (6 * x - 2) ** 2 * np.sin(12 * x - 4)
        return true if level == 0 else 0.5 * true + 10 * (x - 0.5) - 5

    optimizer = sg.Optimizer(sg.Space(x=sg.Real(0, 1)), "y", rng=0, levels={0: 10, 1: 1})
    spent = 0.0
    while spent < 12:
        (trial,) = optimizer.ask()
        optimizer.tell(trial, {"y": function(trial.x["x"], trial.level)})
        spent += optimizer.cost(trial.level)
    levels = [t.level for t in optimizer.trials]
    assert levels.count(1) >= 3
    assert optimizer.best.level == 0
    assert optimizer.best.outputs["y"] < -6.0207


def test_noise_is_seen_through():
    rng = np.random.default_rng(0)
    space = sg.Space(a=sg.Real(-2, 2), b=sg.Real(-2, 2))
    optimizer = sg.Optimizer(space, "f", rng=0, noise=True)
    found = solve(optimizer, lambda a, b: {"f": (a - 1) ** 2 + (b + 0.5) ** 2 + 0.3 * rng.standard_normal()}, 40)
    best = found.best.x
    assert (best["a"] - 1) ** 2 + (best["b"] + 0.5) ** 2 < 0.1
    # The luckiest run is another one.
    assert found.best.outputs["f"] > min(t.outputs["f"] for t in found.trials)


def test_a_bound_on_the_regret_holds_and_shrinks():
    # One model of few runs may be too sure by chance, so that its bound grows with the next choice of a warp.
    bounds, regrets = np.empty((5, 3)), np.empty((5, 3))
    for rng in range(5):
        optimizer = sg.Optimizer(SQUARE, "y", rng=rng)
        for i, n in enumerate((24, 12, 24)):
            solve(optimizer, lambda a, b: {"y": branin(a, b)}, n)
            bounds[rng, i] = optimizer.regret_bound()
            regrets[rng, i] = optimizer.best.outputs["y"] - BRANIN
    assert (bounds >= regrets).all()
    first, _, last = np.median(bounds, axis=0)
    assert last < first / 10
    assert optimizer.regret_bound(0.5) <= optimizer.regret_bound(0.99)
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1, got 95"):
        optimizer.regret_bound(95)


def test_the_bound_holds_where_length_scales_are_hardly_known():
    # A curved valley: with the likeliest length scales alone the bound fails in three of these seeds.
    space = sg.Space({name: sg.Real(-5, 10) for name in "abcd"})

    def rosenbrock(**x):
        v = np.array(list(x.values()))
        return {"y": float((100 * (v[1:] - v[:-1] ** 2) ** 2 + (1 - v[:-1]) ** 2).sum())}

    for rng in range(6):
        optimizer = solve(sg.Optimizer(space, "y", rng=rng), rosenbrock, 40)
        assert optimizer.best.outputs["y"] <= optimizer.regret_bound()  # its smallest value is 0


def believed(outputs, answer, at, is_true=True, **options):
    """The front before and after a run at `at` is taken to come out as predicted, in the units of the models."""
    space = sg.Space(x=sg.Real(0, 1))
    opt = sg.Optimizer(space, outputs, rng=0, **options)
    for x in (0.0, 0.2, 0.35, 0.65, 0.8, 1.0):
        opt.tell({"x": x}, answer(x))
    beliefs = opt._beliefs(opt.trials)
    return beliefs, beliefs.believing(np.array([[at]]), np.array([is_true]))


def test_what_runs_and_is_believed_to_be_better_counts_as_the_best():
    before, after = believed("y", lambda x: {"y": (x - 0.5) ** 2}, 0.5)
    assert before.objectives[0].warp.backward(before.front) == pytest.approx(0.0225)
    assert before.objectives[0].warp.backward(after.front) == pytest.approx(0.0, abs=2e-3)
    # Not if it is believed to break a constraint, nor if it is worse.
    bound = {"constraints": ["g <= 0"]}
    before, after = believed("y", lambda x: {"y": (x - 0.5) ** 2, "g": 0.4 - abs(x - 0.5) * 2}, 0.5, **bound)
    np.testing.assert_array_equal(after.front, before.front)
    before, after = believed("y", lambda x: {"y": (x - 0.5) ** 2}, 0.9)
    np.testing.assert_array_equal(after.front, before.front)
    # Nor what a cheaper level answers, which the truth need not reach.
    before, after = believed("y", lambda x: {"y": (x - 0.5) ** 2}, 0.5, is_true=False)
    np.testing.assert_array_equal(after.front, before.front)
    # Of several objectives it joins the front.
    before, after = believed(["y", "z"], lambda x: {"y": x**2, "z": (x - 1) ** 2}, 0.5)
    assert len(after.front) == len(before.front) + 1


def test_in_many_dimensions_the_neighbourhood_of_the_best_is_searched():
    history = [("refine", False)] * 10
    assert {Steps.after(history[:i], 20).kind for i in range(11)} == {"refine", "exploit"}
    assert "explore" in {Steps.after(history[:i], 6).kind for i in range(11)}
