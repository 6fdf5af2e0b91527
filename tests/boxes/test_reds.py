"""REDS: the metamodel is chosen by left-out runs, thresholds are found, boxes are better than those of few runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

import surrogate as sg
from surrogate.boxes.metamodels import _likeliest_weights

SPACE = sg.Space({f"x{j}": sg.Real(0, 1) for j in range(1, 6)})


def output(X: pd.DataFrame) -> np.ndarray:
    """Small in the corner of the first two inputs; the others do nothing."""
    return (X["x1"] ** 2 + X["x2"] ** 2).to_numpy()


@pytest.fixture(scope="module")
def runs():
    X = sg.sobol(SPACE, 128, rng=0)
    return X, output(X)


@pytest.fixture(scope="module")
def fresh():
    X = SPACE.from_unit(np.random.default_rng(1).random((20_000, 5)))
    return X, output(X) < 0.3


def test_learning_the_output_beats_prim_on_the_runs(runs, fresh):
    X, y = runs
    reds = sg.Reds(n_new=50_000).fit(X, y, of_interest="< 0.3", space=SPACE)
    assert reds.method_ == "Gaussian process on the output"
    assert reds.best_.restricted == ("x1", "x2")
    plain = sg.Prim(objective="original").fit(X, y < 0.3, space=SPACE)
    better, worse = (sg.trajectory_quality(finder.boxes_, *fresh) for finder in (reds, plain))
    assert better > worse + 0.02
    # What the metamodel expects of the box is what new runs show.
    inside = reds.best_.contains(fresh[0])
    expected = reds.trajectory_.loc[reds.best_index_]
    assert fresh[1][inside].mean() == pytest.approx(expected["density"], abs=0.03)
    assert fresh[1][inside].sum() / fresh[1].sum() == pytest.approx(expected["coverage"], abs=0.03)


def test_the_same_whether_told_by_text_condition_or_function(runs):
    X, y = runs
    ways = ["< 0.3", sg.Condition("anything", "<", 0.3), lambda v: v < 0.3, lambda v: v < 0.3]
    found = [sg.Reds(n_new=5000).fit(X, y, of_interest=way, space=SPACE) for way in ways]
    for other in found[1:]:
        assert other.method_ == found[0].method_
        pd.testing.assert_frame_equal(other.trajectory_, found[0].trajectory_)


def test_a_function_with_two_thresholds_is_learnt_from_labels(runs):
    X, y = runs
    reds = sg.Reds(n_new=5000).fit(X, y, of_interest=lambda v: (v > 0.2) & (v < 0.8), space=SPACE)
    assert "on the labels" in reds.method_
    np.testing.assert_array_equal(reds.of_interest_, (y > 0.2) & (y < 0.8))


def test_the_mean_of_models_of_the_labels_finds_a_step_of_booleans():
    space = sg.Space({f"b{j}": sg.Categorical([False, True]) for j in range(8)} | {"x": sg.Real(0, 1)})
    X = sg.latin_hypercube(space, 300, rng=0)
    of_interest = (X["b0"] & X["b1"] & (X["x"] > 0.37)).to_numpy(dtype=bool)
    reds = sg.Reds(n_new=20_000).fit(X, of_interest, space=space)
    assert reds.method_ == "weighted mean on the labels"
    assert len(reds.log_losses_) == 5
    assert set(reds.best_.restricted) == {"b0", "b1", "x"}


def test_the_mean_weighs_models_by_what_they_know_of_left_out_labels():
    knows, guesses = np.full(100, 0.9), np.full(100, 0.5)
    weights = _likeliest_weights(np.array([knows, guesses]))
    # Without the equal share all weight would be the first's; with it, by hand, w = 0.9 * 5 w / (9 - 4 w) + 0.05.
    w = weights[1]
    assert w == pytest.approx(0.9 * 5 * w / (9 - 4 * w) + 0.05)
    assert 0.05 < w < 0.12
    # Two that know different halves share equally, and so do two of a kind.
    halves = np.where(np.arange(100) < 50, 0.9, 0.1)
    np.testing.assert_allclose(_likeliest_weights(np.array([halves, 1 - halves])), 0.5)


def test_the_mean_of_metamodels_is_what_its_members_say(runs):
    X, _ = runs
    # A step, which trees know, and a slope, which a Gaussian process knows.
    labels = (X["x1"] > 0.4) & (X["x2"] + X["x3"] < 1.2)
    reds = sg.Reds(n_new=5000).fit(X, labels, space=SPACE)
    assert reds.method_ == "weighted mean on the labels"
    assert reds.weights_.sum() == pytest.approx(1)
    members = reds.metamodel_.estimators_
    assert len(members) == len(reds.weights_) >= 2
    expected = sum(share * member.predict_proba(X)[:, 1] for share, member in zip(reds.weights_, members, strict=True))
    np.testing.assert_allclose(reds.metamodel_.predict_proba(X)[:, 1], expected)
    assert all(f"{share:.0%} {name}" in reds.reason_ for name, share in reds.weights_.items())


def test_without_skill_the_runs_themselves_are_used(runs):
    X, _ = runs
    noise = np.random.default_rng(0).random(128) < 0.3
    reds = sg.Reds().fit(X, noise, space=SPACE)
    if reds.metamodel_ is None:
        assert reds.method_ == "none: the runs themselves"
        assert reds.chain_ is None
    assert reds.log_losses_.loc["share of interest"] < 0.64


def test_a_metamodel_can_be_given(runs):
    X, y = runs
    forest = RandomForestClassifier(50, random_state=0)
    soft = sg.Reds(forest, n_new=5000).fit(X, y < 0.3, space=SPACE)
    hard = sg.Reds(forest, n_new=5000, labels="class").fit(X, y < 0.3, space=SPACE)
    assert soft.method_ == "RandomForestClassifier"
    assert set(np.unique(hard.chain_.transfer_set_.y)) <= {False, True}
    assert not soft.trajectory_.equals(hard.trajectory_)
    boxes = sg.Reds(forest, finder=sg.BestInterval(), n_new=5000).fit(X, y < 0.3, space=SPACE)
    assert isinstance(boxes.finder_, sg.BestInterval)


def test_a_given_metamodel_learns_what_this_call_says_is_of_interest(runs):
    X, y = runs
    model = sg.ProbabilityEmulator("< 0", emulator=sg.GaussianProcess())
    options = {"space": SPACE}
    told = [
        sg.Reds(model, n_new=5000).fit(X, y, of_interest="< 0.3", **options),
        sg.Reds(model, n_new=5000).fit(X, y < 0.3, **options),
        sg.Reds(model, n_new=5000).fit(X, y, of_interest=lambda v: (v > 0.2) & (v < 0.8), **options),
    ]
    assert [reds.metamodel_.method_ for reds in told] == ["continuous output", "emulator", "emulator"]
    for reds in told:
        # The whole space's density is the share that the metamodel expects, of the runs' condition and not its own.
        assert reds.trajectory_["density"].iloc[0] == pytest.approx(reds.of_interest_.mean(), abs=0.05)


def test_counts_on_the_runs_are_counted(runs):
    X, y = runs
    reds = sg.Reds(n_new=5000).fit(X, y, of_interest="< 0.3", space=SPACE)
    inside = reds.boxes_[-1].contains(X)
    last = reds.run_trajectory_.iloc[-1]
    assert last["n_inside"] == inside.sum()
    assert last["coverage"] == pytest.approx((y < 0.3)[inside].sum() / (y < 0.3).sum())
    assert len(reds.cover(2)) >= 1


def test_text_without_a_space_is_refused():
    X = pd.DataFrame({"a": np.linspace(0, 1, 40), "kind": [*"uv"] * 20})
    with pytest.raises(ValueError, match=r"'kind' holds text, e\.g\. 'u', and metamodels take numbers; pass space="):
        sg.Reds().fit(X, X["a"] > 0.5)


def test_a_missing_value_is_to_be_left_out(runs):
    X, y = runs
    reds = sg.Reds(finder=sg.Prim(missing="outside"))
    with pytest.raises(ValueError, match=r"leave out or fill rows with missing values$"):
        reds.fit(X.mask(X < 0.01), y < 0.3)


@pytest.mark.parametrize(
    ("options", "arguments", "message"),
    [
        ({"labels": "soft"}, {}, "labels must be 'probability' or 'class', got 'soft'"),
        ({"metamodel": "best"}, {}, "metamodel must be 'auto' or an estimator"),
        ({}, {"of_interest": "< -1"}, "no run is of interest"),
        ({}, {"of_interest": "< 9"}, "every run is of interest"),
        ({}, {}, "say what is of interest of it"),
        ({}, {"of_interest": lambda v: True}, "must return one boolean a value"),
    ],
)
def test_what_cannot_be_done_is_said(runs, options, arguments, message):
    with pytest.raises(ValueError, match=message):
        sg.Reds(**options).fit(*runs, space=SPACE, **arguments)


@pytest.mark.parametrize("of_interest", ["> 4", "> 4.5", ">= 5", lambda v: v > 4])
def test_of_whole_numbers_it_does_not_matter_how_a_condition_is_written(of_interest):
    space = sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1))
    X = sg.sobol(space, 128, rng=1)
    count = np.floor(4 * (X["a"] + X["b"])).to_numpy()
    fitted = sg.Reds(n_new=5000).fit(X, count, of_interest=of_interest, space=space)
    assert fitted.method_ == "Gaussian process on the output"
    # The area of a + b >= 1.25 in the unit square.
    assert abs(fitted.trajectory_["density"].iloc[0] - 0.75**2 / 2) < 0.03
    told = sg.ProbabilityEmulator("> 4").fit(X, count, space)
    assert told.predict(pd.DataFrame({"a": [0.55, 0.7], "b": [0.55, 0.7]})).tolist() == [False, True]


def test_few_runs_without_a_metamodel_are_enough_for_a_box():
    rng = np.random.default_rng(0)
    for n in (4, 12):
        X = rng.random((n, 3))
        fitted = sg.Reds(n_new=1000).fit(X, np.arange(n) == 0)
        assert fitted.best_.contains(X).sum() >= n // 2


def test_cover_begins_with_the_chosen_box():
    space = sg.Space({name: sg.Real(0, 1) for name in "abcdefgh"})
    X = sg.sobol(space, 48, rng=0)
    noisy = X["a"] + X["b"] + 0.5 * X["c"] + 0.5 * np.random.default_rng(0).normal(size=48)
    fitted = sg.Reds(n_new=5000).fit(X, noisy, of_interest="< 0.8", space=space)
    assert fitted.cover(1).boxes == (fitted.best_,)
    assert fitted.cover(2).boxes[0] == fitted.best_
