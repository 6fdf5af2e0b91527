"""PRIM: against a slow transcription of the rules, on known regions, with every type of input."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import surrogate as sg


def slow_peel(x, y, alpha, least, objective):
    """Friedman and Fisher's peeling of real inputs for 0 and 1, by sorts, loops and fractions.

    Returns the row sets of the trajectory. Ties: fewer limits, then inputs in order, upper side first.
    """
    inside = np.ones(len(y), dtype=bool)
    closed = set()
    path, densities = [inside], []
    while True:
        n = int(inside.sum())
        mean = Fraction(int(y[inside].sum()), n)
        densities.append(mean)
        best = None
        for j in range(x.shape[1]):
            values = np.sort(x[inside, j])
            for side in ("upper", "lower"):
                if side == "lower":
                    keep = x[:, j] > values[math.floor((n - 1) * alpha)]
                else:
                    keep = x[:, j] < values[math.ceil((n - 1) * (1 - alpha))]
                kept = inside & keep
                m = int(kept.sum())
                if mean == 1 or m < least or m == n:
                    continue
                after = Fraction(int(y[kept].sum()), m)
                score = {
                    "original": after,
                    "lenient1": (after - mean) / (n - m),
                    "lenient2": m * (after - mean) / (n - m),
                }[objective]
                if score <= 0:
                    continue
                key = (score, -len(closed | {j}))
                if best is None or key > best[0]:
                    best = (key, kept, j)
        if best is None:
            break
        _, inside, j = best
        closed.add(j)
        path.append(inside)
    if objective == "original":  # which goes on where the density falls; the densest box is its end
        path = path[: densities.index(max(densities)) + 1]
    return path


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(30, 150),
    d=st.integers(1, 4),
    alpha=st.sampled_from([0.03, 0.05, 0.1, 0.2]),
    objective=st.sampled_from(["original", "lenient1", "lenient2"]),
    rounded=st.booleans(),
)
# Outer groups of one, two and three rows of no interest: scores that are equal but for rounding.
@example(seed=15, n=30, d=2, alpha=0.03, objective="lenient2", rounded=True)
def test_trajectory_is_the_slow_one(seed, n, d, alpha, objective, rounded):
    rng = np.random.default_rng(seed)
    x = rng.random((n, d))
    if rounded:
        x = x.round(1)  # ties everywhere
    y = (x[:, 0] > 0.5) ^ (rng.random(n) < 0.15)
    if y.all() or not y.any():
        return
    prim = sg.Prim(alpha=alpha, objective=objective, min_support=10, paste=False).fit(x, y)
    expected = slow_peel(x, y, alpha, 10, objective)
    assert len(prim.boxes_) == len(expected)
    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(d)])
    for box, rows in zip(prim.boxes_, expected, strict=True):
        np.testing.assert_array_equal(box.contains(frame), rows)


def mixed(n=1500, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "real": rng.random(n),
            "whole": rng.integers(0, 10, n),
            "level": rng.choice(["low", "mid", "high", "top"], n),
            "kind": rng.choice(["u", "v", "w"], n),
            "other": rng.random(n),
        }
    )


SPACE = sg.Space(
    real=sg.Real(0, 1, unit="m"),
    whole=sg.Integer(0, 9),
    level=sg.Ordinal(["low", "mid", "high", "top"]),
    kind=sg.Categorical(["u", "v", "w"]),
    other=sg.Real(0, 1),
)


@pytest.mark.parametrize("objective", ["lenient1", "lenient2", "original"])
@pytest.mark.parametrize("paste", [True, False])
def test_statistics_are_those_of_the_boxes(objective, paste):
    x = mixed()
    y = (x["real"] > 0.4) & (x["kind"] != "v") & (np.random.default_rng(1).random(len(x)) < 0.9)
    prim = sg.Prim(objective=objective, paste=paste).fit(x, y, space=SPACE)
    for box, row in zip(prim.boxes_, prim.trajectory_.itertuples(), strict=True):
        inside = box.contains(x)
        assert inside.sum() == row.n_inside
        assert_allclose(row.coverage, (y & inside).sum() / y.sum())
        assert_allclose(row.density, y[inside].mean())
        assert_allclose(row.mass, inside.mean())
        assert row.n_restricted == len(box.limits)


def test_known_region_of_every_type_of_input_is_found():
    x = mixed(3000)
    y = (x["real"] < 0.6) & (x["whole"] >= 4) & x["level"].isin(["mid", "high"]) & (x["kind"] != "w")
    box = sg.Prim().fit(x, y, space=SPACE).best_
    assert box.limits["whole"] == (4.0, math.inf)
    assert box.limits["level"] == {"mid", "high"}
    assert box.limits["kind"] == {"u", "v"}
    low, high = box.limits["real"]
    assert low == -math.inf
    assert_allclose(high, 0.6, atol=0.03)  # one peel more or less
    assert "other" not in box.limits


def test_unrestricted_sides_are_open_to_new_points_beyond_the_data():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.2, 0.8, (400, 2))
    box = sg.Prim().fit(x, x[:, 0] > 0.5).best_
    assert box.contains({"x0": [5.0], "x1": [-7.0]}).all()


def test_density_rises_along_the_trajectory_and_support_is_kept():
    x = mixed()
    y = (x["real"] + x["other"] > 1.2).to_numpy()
    prim = sg.Prim(min_support=0.1).fit(x, y, space=SPACE)
    assert (np.diff(prim.trajectory_["density"]) > 0).all()
    assert (prim.trajectory_["n_inside"] >= 150).all()
    assert prim.trajectory_.iloc[0][["coverage", "mass", "n_restricted"]].tolist() == [1.0, 1.0, 0.0]


def test_pasting_gives_back_what_a_greedy_peel_took_too_much():
    rng = np.random.default_rng(3)
    gained = 0
    for _ in range(10):
        x = rng.random((400, 3))
        y = (x[:, 0] > 0.55) & (x[:, 1] < 0.6) & (rng.random(400) < 0.85)
        peeled = sg.Prim(paste=False).fit(x, y).trajectory_
        pasted = sg.Prim().fit(x, y).trajectory_
        assert len(pasted) >= len(peeled)
        pd.testing.assert_frame_equal(pasted.iloc[: len(peeled)], peeled)
        extra = pasted.iloc[len(peeled) - 1 :]
        assert (np.diff(extra["mass"]) > 0).all()
        assert (np.diff(extra["density"]) > 0).all()
        gained += len(extra) - 1
    assert gained > 0


def test_best_has_the_largest_weighted_relative_accuracy():
    x = mixed()
    y = (x["real"] > 0.7).to_numpy() | (np.random.default_rng(2).random(len(x)) < 0.1)
    prim = sg.Prim().fit(x, y, space=SPACE)
    # Counted from the box itself: sum over the runs inside of (y - mean), by the number of runs.
    accuracy = [(y - y.mean())[box.contains(x)].sum() / len(y) for box in prim.boxes_]
    assert_allclose(accuracy[prim.best_index_], max(accuracy))
    assert prim.best_ == prim.boxes_[prim.best_index_]


def test_neighbouring_floats_are_told_apart():
    below = 1.0
    above = np.nextafter(below, 2.0)
    x = np.repeat([below, above], 50)[:, None]
    for y in (x[:, 0] == above, x[:, 0] == below):
        prim = sg.Prim(paste=False).fit(x, y)
        np.testing.assert_array_equal(prim.boxes_[-1].contains({"x0": x[:, 0]}), y)


def test_a_column_without_types_is_categorical_if_it_holds_text_or_booleans():
    x = pd.DataFrame({"flag": [True, False] * 50, "text": ["p", "q"] * 50})
    assert sg.Prim(min_support=5).fit(x[["flag"]], x["flag"]).best_.limits == {"flag": {True}}
    assert sg.Prim(min_support=5).fit(x[["text"]], x["text"] == "q").best_.limits == {"text": {"q"}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"of_interest": np.zeros(50)}, "none of the 50 runs is of interest"),
        ({"of_interest": np.ones(50)}, "all 50 runs are of interest"),
        ({"of_interest": np.full(50, 0.5)}, "must be true or false, got .*0.5"),
        ({"of_interest": np.zeros(49)}, r"shape \(50,\) .* got \(49,\)"),
        ({"X": np.array([[np.nan]] * 50)}, "'x0' is nan"),
        ({"X": np.empty((0, 1)), "of_interest": np.zeros(0)}, "no rows"),
        ({"X": np.zeros(50)}, r"shape \(n, d\), got \(50,\)"),
        ({"alpha": 1.5}, "alpha must lie between 0 and 1, got 1.5"),
        ({"min_support": 0}, "min_support must be positive"),
        ({"objective": "best"}, "objective must be one of original, lenient1, lenient2"),
    ],
)
def test_bad_input_is_named(change, message):
    x = np.arange(50.0)[:, None]
    data = {"X": x, "of_interest": x[:, 0] > 25}
    data |= {key: value for key, value in change.items() if key in data}
    options = {key: value for key, value in change.items() if key not in data}
    with pytest.raises(ValueError, match=message):
        sg.Prim(**options).fit(**data)
