"""What every box finder must do; a new finder is tested by adding it to FINDERS."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

import surrogate as sg
from surrogate.boxes.choice import supported_accuracy

FINDERS = {
    "Prim": sg.Prim(),
    "Prim, original": sg.Prim(objective="original", paste=False),
    "Prim, lenient2, cv": sg.Prim(objective="lenient2", alpha="cv"),
    "BestInterval": sg.BestInterval(),
    "BestInterval, all": sg.BestInterval(depth="all", beam=5),
    "BumpedPrim": sg.BumpedPrim(n_repeats=8),
    "BumpedPrim, cv": sg.BumpedPrim(n_repeats=4, n_inputs="cv", paste=True),
    "CartBoxes": sg.CartBoxes(),
}
EVERY = pytest.mark.parametrize("finder", FINDERS.values(), ids=FINDERS)
WITH_MISSING = pytest.mark.parametrize(
    "finder", [f for f in FINDERS.values() if "missing" in f.get_params()], ids=lambda f: type(f).__name__
)
SPACE = sg.Space(
    real=sg.Real(0, 1, unit="m"),
    whole=sg.Integer(0, 9),
    level=sg.Ordinal(["low", "mid", "high", "top"]),
    kind=sg.Categorical(["u", "v", "w"]),
    other=sg.Real(0, 1),
)


def mixed(n=600, seed=0):
    return SPACE.from_unit(np.random.default_rng(seed).random((n, SPACE.d)))


def interest(x, noise=0.1, seed=1):
    y = (x["real"] > 0.4) & (x["kind"] != "v") & x["level"].isin(["mid", "high", "top"])
    return (y ^ (np.random.default_rng(seed).random(len(x)) < noise)).to_numpy()


@pytest.fixture(scope="module")
def fitted():
    x = mixed()
    return {name: clone(finder).fit(x, interest(x), space=SPACE) for name, finder in FINDERS.items()}


@pytest.mark.parametrize("name", FINDERS)
def test_the_trajectory_tells_what_the_boxes_hold(fitted, name):
    finder, x, y = fitted[name], mixed(), interest(mixed())
    assert len(finder.boxes_) == len(finder.trajectory_)
    assert finder.boxes_[0].limits == {}
    for box, row in zip(finder.boxes_, finder.trajectory_.itertuples(), strict=True):
        inside = box.contains(x)
        assert inside.sum() == row.n_inside
        assert_allclose(
            [row.coverage, row.density, row.mass], [y[inside].sum() / y.sum(), y[inside].mean(), inside.mean()]
        )
        assert row.n_restricted == len(box.limits)
        assert row.n_inside >= 20
        assert box.units == {"real": "m"}
    assert finder.best_ == finder.boxes_[finder.best_index_]
    np.testing.assert_array_equal(finder.of_interest_, y)
    np.testing.assert_array_equal(finder.predict(x), finder.best_.contains(x))
    assert list(finder.feature_names_in_) == list(SPACE)


@pytest.mark.parametrize("name", FINDERS)
def test_a_known_region_is_found(fitted, name):
    if name == "Prim, original":
        pytest.skip("favours the removal of whole categories, which is why Friedman and Fisher give the lenient ones")
    x = mixed(4000, seed=5)
    truth = interest(x, noise=0)
    for box in (fitted[name].best_, fitted[name].simplified()):
        inside = box.contains(x)
        assert (truth & inside).sum() / truth.sum() > 0.9
        assert truth[inside].mean() > 0.9
        assert box.limits["kind"] == {"u", "w"}
    assert set(box.limits) == {"real", "level", "kind"}


@EVERY
def test_parameters_survive_and_the_fit_repeats(finder):
    x = mixed(300)
    one, other = clone(finder).fit(x, interest(x), space=SPACE), clone(finder).fit(x, interest(x), space=SPACE)
    assert one.get_params() == finder.get_params()
    assert one.boxes_ == other.boxes_
    again = pickle.loads(pickle.dumps(one))
    assert again.boxes_ == one.boxes_


@EVERY
def test_a_row_of_weight_zero_is_left_out_and_of_weight_two_counts_twice(finder):
    x = mixed(400)
    y = interest(x).copy()
    rng = np.random.default_rng(3)
    weight = np.where(np.arange(400) < 300, 1.0, 0.0)
    x.loc[300:, "real"] = rng.random(100)
    y[300:] = rng.random(100) < 0.5
    one = clone(finder).fit(x, y, space=SPACE, sample_weight=weight)
    row = one.trajectory_.iloc[one.best_index_]
    inside = one.best_.contains(x) & (weight > 0)
    assert inside.sum() == row["n_inside"]
    assert_allclose(row["density"], y[inside].mean())
    if not isinstance(finder, sg.BumpedPrim):  # whose draws are others when there are fewer rows to draw from
        plain = clone(finder).fit(x[:300], y[:300], space=SPACE)
        assert [box.limits for box in plain.boxes_] == [box.limits for box in one.boxes_] or "cv" in str(finder)
    heavy = clone(finder).fit(x, y, space=SPACE, sample_weight=np.where(y, 2.0, 1.0))
    row, inside = heavy.trajectory_.iloc[heavy.best_index_], heavy.best_.contains(x)
    assert_allclose(row["density"], 2 * y[inside].sum() / (inside.sum() + y[inside].sum()))
    assert_allclose(row["mass"], (inside.sum() + y[inside].sum()) / (400 + y.sum()))


@EVERY
def test_probabilities_are_labels_too(finder):
    x = mixed(500)
    p = np.where(interest(x, noise=0), 0.9, 0.1) * 1.0
    one = clone(finder).fit(x, p, space=SPACE)
    for box, row in zip(one.boxes_, one.trajectory_.itertuples(), strict=True):
        inside = box.contains(x)
        assert_allclose(row.density, p[inside].mean(), rtol=1e-9)
        assert_allclose(row.coverage, p[inside].sum() / p.sum(), rtol=1e-9)
    assert one.best_.limits["kind"] == {"u", "w"}
    np.testing.assert_array_equal(one.of_interest_, p >= 0.5)
    # The same as a weight on either label: a probability is that much of a run.
    twice = pd.concat([x, x], ignore_index=True)
    labels = np.repeat([1.0, 0.0], len(x))
    weighted = clone(finder).fit(twice, labels, space=SPACE, sample_weight=np.concatenate([p, 1 - p]))
    if not isinstance(finder, sg.BumpedPrim) and "cv" not in str(finder) and getattr(finder, "depth", 1) is not None:
        assert_allclose(weighted.trajectory_["density"].iloc[-1], one.trajectory_["density"].iloc[-1], atol=0.02)


def numbers(n=400):
    """Inputs of a space as an array, and as the frame that it means."""
    space = sg.Space(a=sg.Real(0, 1), n=sg.Integer(0, 9), b=sg.Real(0, 1))
    x = space.from_unit(np.random.default_rng(2).random((n, 3)))
    return space, x.to_numpy(), x, ((x["a"] > 0.4) & (x["n"] < 6)).to_numpy()


@EVERY
def test_an_array_is_read_in_the_order_of_the_space(finder):
    space, array, x, y = numbers()
    one = clone(finder).fit(array, y, space=space)
    assert one.boxes_ == clone(finder).fit(x, y, space=space).boxes_
    assert one.best_.limits
    np.testing.assert_array_equal(one.predict(array), one.best_.contains(x))
    tables = [sg.held_out_quality(finder, given, y, space=space) for given in (array, x)]
    pd.testing.assert_frame_equal(*tables)


@WITH_MISSING
def test_an_array_with_a_space_may_have_missing_values(finder):
    space, array, x, y = numbers()
    gaps = np.random.default_rng(4).random(x.shape) < 0.05
    one = clone(finder).set_params(missing="outside").fit(np.where(gaps, np.nan, array), y, space=space)
    assert one.boxes_ == clone(one).fit(x.mask(gaps), y, space=space).boxes_
    assert one.trajectory_["n_inside"].iloc[0] == 400


@EVERY
def test_labels_of_a_frame_need_not_be_text(finder):
    _, array, _, y = numbers()
    frame = pd.DataFrame(array)
    one = clone(finder).fit(frame, y)
    assert one.feature_names_in_.tolist() == ["0", "1", "2"]
    np.testing.assert_array_equal(one.predict(frame), clone(finder).fit(array, y).predict(array))
    frame.loc[7, 1] = np.nan
    with pytest.raises(ValueError, match="row 7, '1' is nan"):
        clone(finder).fit(frame, y)


@EVERY
def test_only_what_can_be_said_is_offered_for_missing_values(finder):
    x = pd.DataFrame({"a": [0.5, np.nan] * 20})
    with pytest.raises(ValueError, match=r"'a' is nan; leave out or fill rows with missing values") as told:
        clone(finder).fit(x, np.arange(40) < 20)
    assert ("missing='outside'" in str(told.value)) == ("missing" in finder.get_params())


@EVERY
def test_numbers_kept_as_objects_are_numbers(finder):
    _, _, x, y = numbers()
    x = x.astype({"n": float})
    assert clone(finder).fit(x.astype(object), y).boxes_ == clone(finder).fit(x, y).boxes_


@WITH_MISSING
def test_a_missing_value_satisfies_no_limit(finder):
    x = mixed(500)
    y = interest(x)
    gaps = np.random.default_rng(4).random(x.shape) < 0.05
    holes = x.astype(object).mask(gaps)
    with pytest.raises(ValueError, match=r"is NaN|is nan"):
        clone(finder).fit(holes, y, space=SPACE)
    one = clone(finder).set_params(missing="outside").fit(holes, y, space=SPACE)
    for box, row in zip(one.boxes_, one.trajectory_.itertuples(), strict=True):
        inside = box.contains(holes)
        assert inside.sum() == row.n_inside
        assert not holes.loc[inside, list(box.limits)].isna().any(axis=None)
    assert "kind" in one.best_.limits
    assert one.trajectory_["n_inside"].iloc[0] == 500
    with pytest.raises(ValueError, match="missing must be 'raise' or 'outside'"):
        clone(finder).set_params(missing="drop").fit(x, y, space=SPACE)


@EVERY
def test_successive_boxes_find_two_regions(finder):
    rng = np.random.default_rng(7)
    x = pd.DataFrame(rng.random((1200, 2)), columns=["a", "b"])
    y = ((x["a"] < 0.2) & (x["b"] < 0.25)) | ((x["a"] > 0.5) & (x["b"] > 0.6))
    one = clone(finder).fit(x, y)
    union = one.cover(2)
    assert isinstance(union, sg.BoxUnion)
    assert len(union) == 2
    alone, both = (sg.box_quality(found, x, y) for found in (one.best_, union))
    if not isinstance(finder, sg.CartBoxes):
        assert union[0] == one.best_
        assert both["coverage"] > alone["coverage"]
    assert both["coverage"] > 0.7
    assert both["density"] > 0.7
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        one.cover(0)


@EVERY
def test_successive_boxes_end_when_too_little_is_left(finder):
    x = np.linspace(0, 1, 100)[:, None]
    y = x[:, 0] < 0.85
    y[90] = True
    one = clone(finder).fit(x, y)
    assert one.best_.contains(x).sum() >= 80
    assert len(one.cover(3)) == 1


@EVERY
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(50), "none of the 50 runs is of interest"),
        (np.ones(50), "all 50 runs are of interest"),
        (np.full(50, 0.3), "got 0.3 for each of the 50 runs"),
        (np.arange(50.0), r"in \[0, 1\], got .*compare the output with a number"),
        (np.full(50, np.nan), "got .*nan"),
        (["yes"] * 50, "got dtype"),
    ],
)
def test_labels_that_tell_nothing_apart_are_refused(finder, labels, message):
    with pytest.raises(ValueError, match=message):
        clone(finder).fit(np.random.default_rng(0).random((50, 2)), labels)


@EVERY
def test_weights_and_support_are_checked(finder):
    x = np.random.default_rng(0).random((50, 2))
    y = x[:, 0] > 0.5
    for weight, message in [
        (np.ones(49), r"shape \(50,\)"),
        (np.full(50, -1.0), "not negative"),
        (np.zeros(50), "zero for every row"),
        (np.full(50, 0.1), "min_support=20 is more than all runs together, 5"),
    ]:
        with pytest.raises(ValueError, match=message):
            clone(finder).fit(x, y, sample_weight=weight)
    with pytest.raises(ValueError, match="min_support must be positive"):
        clone(finder).set_params(min_support=-1).fit(x, y)


@EVERY
def test_pure_noise_and_constant_inputs_are_no_error(finder):
    rng = np.random.default_rng(11)
    x = np.column_stack([rng.random(100), np.ones(100)])
    one = clone(finder).fit(x, rng.random(100) < 0.3)
    assert "x1" not in one.best_.limits
    constant = clone(finder).fit(np.ones((60, 2)), np.arange(60) < 30)
    assert constant.best_.limits == {}
    assert constant.trajectory_["coverage"].tolist() == [1.0]


@EVERY
def test_unrestricted_sides_are_open(finder):
    rng = np.random.default_rng(0)
    x = rng.uniform(0.2, 0.8, (400, 2))
    one = clone(finder).fit(x, x[:, 0] > 0.5)
    assert one.best_.contains({"x0": [5.0], "x1": [-7.0]}).all()


@EVERY
def test_boxes_live_without_their_finder(finder):
    x = mixed(300)
    boxes = clone(finder).fit(x, interest(x), space=SPACE).boxes_
    told = json.loads(json.dumps([box.to_dict() for box in boxes]))
    for box, text in zip(boxes, told, strict=True):
        assert sg.Box.from_dict(text) == box


def test_the_chosen_box_has_the_largest_supported_accuracy(fitted):
    for name in ("Prim", "Prim, original", "BumpedPrim"):
        score = supported_accuracy(fitted[name].trajectory_, 600)
        assert_allclose(score.iloc[fitted[name].best_index_], score.max())
