"""Forests and conformal intervals: against scikit-learn and brute force, and where outputs jump."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor
from sklearn.linear_model import LinearRegression

import surrogate as sg
from surrogate.emulators.tables import conformal_quantile


def step(x):
    return np.where(x[:, 0] > 0.5, 2.0, 0.0) + np.where(x[:, 1] > 0.3, 1.0, 0.0) * x[:, 2]


def noisy(n, seed):
    rng = np.random.default_rng(seed)
    x = rng.random((n, 4))
    return x, step(x) + (0.1 + 0.5 * x[:, 3]) * rng.standard_normal(n)


def test_predictions_are_those_of_scikit_learns_trees():
    x, y = noisy(80, 0)
    ours = sg.ForestEmulator(n_trees=20, rng=7).fit(x, y)
    seed = int(np.random.default_rng(7).integers(2**31))
    theirs = ExtraTreesRegressor(20, bootstrap=True, max_features=1.0, random_state=seed)
    # Inputs by their range, outputs in steps of about a trillionth.
    low, high = x.min(axis=0), x.max(axis=0)
    theirs.fit(((x - low) / (high - low)).astype(np.float32), np.rint(ours._scaled.forward(y) * 2**40) / 2**40)
    new = np.random.default_rng(1).random((50, 4))
    expected = ours._scaled.backward(theirs.predict(((new - low) / (high - low)).astype(np.float32)))
    assert_allclose(ours.predict(new), expected, rtol=1e-12)


def test_left_out_predictions_are_of_trees_that_did_not_see_the_run():
    # Trees of single-run leaves know their own runs by heart: out of bag, pure noise is not predicted.
    rng = np.random.default_rng(0)
    x, y = rng.random((100, 3)), rng.standard_normal(100)
    model = sg.ForestEmulator().fit(x, y)
    assert np.corrcoef(model.predict(x), y)[0, 1] > 0.7
    assert np.corrcoef(model.leave_one_out()[0], y)[0, 1] < 0.3
    assert model.oob_error_ > 0.9


@pytest.mark.parametrize("kind", ["extra_trees", "random_forest"])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_intervals_hold_their_share_of_new_outputs(kind, level):
    model = sg.ForestEmulator(kind=kind, n_trees=100).fit(*noisy(400, 1))
    x, y = noisy(3000, 2)
    low, high = model.predict_interval(x, level)
    # Trees at new points average more of each other's errors away than those out of the bag: a little too many.
    assert level - 0.04 < ((y >= low) & (y <= high)).mean() < level + 0.1
    std = model.predict(x, return_std=True)[1]
    if level == 0.95:
        assert_allclose(high - low, 2 * 1.959964 * std, rtol=1e-6)
        # Wide where there is more noise.
        assert std[x[:, 3] > 0.8].mean() > 1.3 * std[x[:, 3] < 0.2].mean()


def test_a_jump_of_categories_is_nothing_for_a_gaussian_process_but_for_a_forest():
    rng = np.random.default_rng(0)
    space = sg.Space({f"b{j}": sg.Categorical([False, True]) for j in range(4)} | {"x": sg.Real(0, 1)})
    X, new = (space.from_unit(rng.random((n, 5))) for n in (150, 500))

    def f(X):
        return np.where(X["b0"] & X["b1"] & (X["x"] > 0.35), 1.0, 0.0)

    forest = sg.ForestEmulator().fit(X, f(X), space)
    assert np.mean((forest.predict(new) - f(new)) ** 2) < 0.02


def test_quantile_of_scores_by_hand():
    scores = np.array([1.0, 2.0, 3.0, 4.0])
    assert conformal_quantile(scores, 0.6) == 3.0  # rank ceil(0.6 * 5)
    assert conformal_quantile(scores, 0.8) == 4.0
    # Four scores cannot speak for 95%: the largest, which speaks for 80%, stretched by 1.96 / 1.2816.
    assert_allclose(conformal_quantile(scores, 0.95), 4 * 1.959964 / 1.281552, rtol=1e-5)


def test_cv_plus_written_out():
    # Barber et al. (2021), eq. 3.2, for folds.
    x, y = noisy(40, 3)
    model = sg.ConformalEmulator(LinearRegression(), folds=8).fit(x, y)
    new = np.random.default_rng(4).random((5, 4))
    ends = []
    for i in range(40):
        rest = model._fold != model._fold[i]
        own = LinearRegression().fit(x[rest], y[rest])
        residual = abs(y[i] - own.predict(x[[i]])[0])
        ends.append((own.predict(new) - residual, own.predict(new) + residual))
    lows, highs = (np.sort(np.array(part), axis=0) for part in zip(*ends))
    low, high = model.predict_interval(new, 0.9)
    assert_allclose(low, lows[int(np.floor(0.1 * 41)) - 1], atol=1e-9)
    assert_allclose(high, highs[int(np.ceil(0.9 * 41)) - 1], atol=1e-9)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_intervals_of_boosted_trees_hold_their_share(level):
    trees = GradientBoostingRegressor(n_estimators=60, random_state=0)
    model = sg.ConformalEmulator(trees, folds=5).fit(*noisy(200, 1))
    x, y = noisy(2000, 2)
    low, high = model.predict_interval(x, level)
    assert level - 0.05 < ((y >= low) & (y <= high)).mean() < min(level + 0.12, 0.995)


def test_narrow_conformal_intervals_do_not_end_before_they_begin():
    x, y = noisy(60, 0)
    low, high = sg.ConformalEmulator(folds=5).fit(x, y).predict_interval(x, level=0.05)
    assert (low <= high).all()


def test_bad_arguments_are_named():
    x, y = noisy(20, 0)
    with pytest.raises(ValueError, match="kind must be one of"):
        sg.ForestEmulator(kind="boosted").fit(x, y)
    with pytest.raises(ValueError, match="n_trees must be at least 10"):
        sg.ForestEmulator(n_trees=3).fit(x, y)
    with pytest.raises(ValueError, match="level must lie in"):
        sg.ForestEmulator().fit(x, y).predict_interval(x, 1.0)
    with pytest.raises(ValueError, match="folds must be at least 2"):
        sg.ConformalEmulator(folds=1).fit(x, y)


@pytest.mark.parametrize(("scale", "shift"), [(1e-9, 0.0), (1.0, 1e8), (1e30, 0.0)])
def test_units_of_the_inputs_do_not_matter(scale, shift):
    # Single precision, in which trees compare, tells none of these from a constant, or overflows.
    x, y = noisy(200, 0)
    new, _ = noisy(50, 1)
    plain, moved = sg.ForestEmulator().fit(x, y), sg.ForestEmulator().fit(x * scale + shift, y)
    assert_allclose(moved.predict(new * scale + shift), plain.predict(new), atol=0.1 * y.std())
    assert_allclose(moved.oob_error_, plain.oob_error_, rtol=0.1)
