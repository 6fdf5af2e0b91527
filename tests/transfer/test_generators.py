"""What every generator must do, on every type of column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from numpy.testing import assert_allclose

import surrogate as sg

GENERATORS = {
    "uniform": sg.Uniform(),
    "bootstrap": sg.Bootstrap(),
    "noise": sg.Noise(),
    "munge": sg.Munge(),
    "kde": sg.KernelDensity(),
    "kde_full": sg.KernelDensity(kernel="full", inside=True),
    "gmm": sg.GaussianMixture(max_components=4),
    "smote": sg.Smote(),
    "forest": sg.ForestDensity(n_trees=10),
    "copula": sg.Copula(),
    "mixed": sg.Mixed([sg.KernelDensity(), sg.Munge(), sg.Bootstrap()]),
    "auto": sg.AutoGenerator([sg.KernelDensity(), sg.Bootstrap()]),
}
SPACE = sg.Space(
    real=sg.Real(0, 1),
    rate=sg.Real(1e-3, 10, log=True),
    whole=sg.Integer(0, 9),
    level=sg.Ordinal(["low", "mid", "high"]),
    kind=sg.Categorical(["u", "v", "w"]),
    flag=sg.Categorical([True, False]),
)


def mixed(n=120, seed=0):
    return SPACE.from_unit(np.random.default_rng(seed).random((n, SPACE.d)))


@pytest.fixture(params=GENERATORS, name="generator")
def _generator(request):
    from sklearn.base import clone

    return clone(GENERATORS[request.param])


def test_draws_of_a_space_belong_to_it(generator):
    new = generator.fit(mixed(), space=SPACE).draw(257, rng=0)
    checked = SPACE.validate(new)  # bounds, whole numbers, categories
    assert len(new) == 257
    pd.testing.assert_frame_equal(new, checked)


def test_types_of_a_frame_are_kept_without_a_space(generator):
    frame = mixed().astype({"real": "float32", "whole": "int8", "kind": "category", "flag": bool, "level": "string"})
    new = generator.fit(frame).draw(50, rng=1)
    assert list(new.columns) == list(frame.columns)
    assert new.dtypes.to_dict() == frame.dtypes.to_dict()
    for name in ("level", "kind", "flag"):
        assert set(new[name]) <= set(frame[name])


def test_nullable_types_of_pandas_are_kept(generator):
    types = {"real": "Float64", "rate": "Float32", "whole": "Int16", "flag": "boolean"}
    frame = mixed()[list(types)].astype(types)
    new = generator.fit(frame).draw(50, rng=1)
    assert new.dtypes.to_dict() == frame.dtypes.to_dict()
    assert not new.isna().any(axis=None)
    assert set(new["flag"]) <= {True, False}


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8", "bool", "object"])
def test_arrays_stay_arrays(generator, dtype):
    array = (np.random.default_rng(0).random((60, 3)) * 200).astype(dtype)
    new = generator.fit(array).draw(20, rng=0)
    assert isinstance(new, np.ndarray)
    assert new.dtype == array.dtype
    assert new.shape == (20, 3)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "UInt16"])
def test_whole_numbers_stay_within_their_type(dtype):
    info = np.iinfo(dtype.lower())
    frame = pd.DataFrame({"n": pd.array([info.min, info.max] * 30, dtype=dtype)})
    new = sg.Noise(scale=2.0).fit(frame).draw(300, rng=0)["n"]
    assert new.dtype == frame["n"].dtype
    # What would lie beyond an end, about half, is at one: wrapped round it could be anywhere.
    assert (new == info.min).mean() > 0.2
    assert (new == info.max).mean() > 0.2


def test_same_seed_same_points_and_the_data_stay_as_they_were(generator):
    frame = mixed()
    before = frame.copy(deep=True)
    generator.fit(frame)
    first, second = generator.draw(30, rng=7), generator.draw(30, rng=7)
    pd.testing.assert_frame_equal(first, second)
    assert not generator.draw(30, rng=8).equals(first)
    pd.testing.assert_frame_equal(frame, before)


def test_one_generator_goes_on(generator):
    rng = np.random.default_rng(0)
    generator.fit(mixed())
    assert not generator.draw(30, rng).equals(generator.draw(30, rng))


@pytest.mark.parametrize("n", [1, 119, 120, 121, 1000])
def test_any_number_may_be_drawn(generator, n):
    assert len(generator.fit(mixed()).draw(n, rng=0)) == n


@pytest.mark.parametrize("n", [0, -3, 2.5, "many", True])
def test_numbers_that_are_none_are_refused(generator, n):
    with pytest.raises((ValueError, TypeError), match="n must be"):
        generator.fit(mixed()).draw(n)


def test_a_frame_of_categories_only(generator):
    frame = mixed()[["level", "kind", "flag"]]
    new = generator.fit(frame).draw(200, rng=0)
    assert set(new["kind"]) == {"u", "v", "w"}


def test_a_constant_column_stays_constant(generator):
    x = np.random.default_rng(0).normal(size=(50, 3))
    x[:, 1] = 4.25
    assert_allclose(generator.fit(x).draw(100, rng=0)[:, 1], 4.25, rtol=1e-12)


def test_equal_rows_are_no_obstacle(generator):
    new = generator.fit(np.ones((20, 2))).draw(10, rng=0)
    assert_allclose(new, 1.0)


def test_a_real_parameter_is_drawn_between_whole_numbers():
    x = np.array([[0, 3], [1, 1], [0, 2], [1, 3]])
    space = sg.Space(a=sg.Real(0, 1), n=sg.Categorical([1, 2, 3]))
    new = sg.Uniform(space).fit(x).draw(1000, rng=0)
    assert_allclose(new[:, 0].mean(), 0.5, atol=0.05)
    assert set(new[:, 1]) == {1, 2, 3}
    whole = sg.Uniform(sg.Space(a=sg.Integer(0, 1), n=sg.Categorical([1, 2, 3]))).fit(x).draw(10, rng=0)
    assert whole.dtype == x.dtype


def test_few_labels_that_are_not_whole_are_numbers_to_a_forest():
    x = np.random.default_rng(0).random((40, 2))
    assert len(sg.ForestDensity(5).fit(x, x[:, 0] * 2.3).draw(10, rng=0)) == 10
    # Classes named by whole floats are still classes: the same forest as of whole numbers.
    y = (x[:, 0] > 0.5).astype(int)
    draws = [sg.ForestDensity(5).fit(x, labels).draw(10, rng=0) for labels in (y, y.astype(float))]
    assert_allclose(*draws)


def test_two_rows_are_enough(generator):
    new = generator.fit(np.array([[0.0, 1.0], [2.0, 5.0]])).draw(50, rng=0)
    assert np.isfinite(new).all()


def test_draws_lie_where_the_data_lie(generator):
    """Location and spread, within what smoothing may change: catches mixed-up columns and wrong scales."""
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(1000, 1, 400), rng.normal(0, 0.01, 400), rng.uniform(-50, 50, 400)])
    new = generator.fit(x).draw(4000, rng=1)
    assert (np.abs(new.mean(axis=0) - x.mean(axis=0)) < 0.8 * x.std(axis=0)).all()
    ratio = new.std(axis=0) / x.std(axis=0)
    # An even spread over the range of 400 normal values is about twice as wide.
    assert ((ratio > 0.6) & (ratio < 2.2)).all()


def test_shares_of_categories_are_kept(generator):
    if isinstance(generator, sg.Uniform):
        pytest.skip("Uniform makes all categories equally likely by definition")
    frame = pd.DataFrame({"kind": ["a"] * 140 + ["b"] * 50 + ["c"] * 10, "x": np.linspace(0, 1, 200)})
    share = generator.fit(frame).draw(5000, rng=0)["kind"].value_counts(normalize=True)
    assert_allclose([share["a"], share["b"], share.get("c", 0)], [0.7, 0.25, 0.05], atol=0.08)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (np.array([[1.0, 2.0], [np.nan, 3.0], [1.0, 1.0]]), ValueError, "row 1, 'x0' is nan"),
        (np.array([[1.0, np.inf], [2.0, 3.0]]), ValueError, "row 0, 'x1' is inf"),
        (pd.DataFrame({"kind": ["a", None, "b"]}), ValueError, "row 1, 'kind' is"),
        (scipy.sparse.csr_array(np.eye(4)), TypeError, "toarray"),
        (np.zeros((0, 2)), ValueError, "no rows"),
        (np.zeros(4), ValueError, r"shape \(n, d\)"),
        (pd.DataFrame({"when": pd.date_range("2020", periods=3)}), TypeError, "'when' has dtype datetime"),
        (pd.DataFrame({"what": [[1], [2], [3]]}), TypeError, r"'what' holds \[1\]"),
    ],
)
def test_bad_data_are_named(generator, data, error, message):
    with pytest.raises(error, match=message):
        generator.fit(data)


def test_too_few_rows_are_named():
    for generator in GENERATORS.values():
        if getattr(generator, "min_rows", 2) > 1:
            with pytest.raises(ValueError, match="at least 2 rows, got n_samples = 1"):
                generator.fit(np.zeros((1, 2)))


def test_arrays_with_a_space_are_drawn_from_it():
    space = sg.Space(a=sg.Real(0, 3), n=sg.Integer(0, 9), size=sg.Ordinal([10, 20, 40]))
    rng = np.random.default_rng(0)
    whole = np.column_stack([rng.integers(0, 4, 200), rng.integers(0, 10, 200), rng.choice([10, 20, 40], 200)])
    for table in (whole, whole.astype(float)):
        drawn = sg.KernelDensity().fit(table, space=space).draw(500, 0)
        assert drawn.dtype == np.float64
        assert len(np.unique(drawn[:, 0])) > 100
        assert ((drawn[:, 0] >= 0) & (drawn[:, 0] <= 3)).all()
        assert set(drawn[:, 1]) <= set(range(10))
        assert set(drawn[:, 2]) == {10, 20, 40}
