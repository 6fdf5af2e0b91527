"""Designs that grow, and designs inside designs."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import surrogate as sg
from surrogate.designs.lattice import generating_vector
from surrogate.designs.optimal import model_matrix
from surrogate.designs.quality import minimum_distance


def cube(d):
    return sg.Space({f"x{k}": sg.Real(0, 1) for k in range(d)})


def slices(design, n):
    return np.sort(np.floor(design.to_numpy() * n).astype(int), axis=0)


@pytest.mark.parametrize("sampler", [sg.sobol, sg.halton])
@pytest.mark.parametrize("options", [{}, {"where": "x0 > x1"}, {"correlation": {("x0", "x1"): 0.5}}])
def test_sequences_go_on(sampler, options):
    space = cube(2)
    short = sampler(space, 10, rng=4, **options)
    longer = sg.augment(short, 7)
    pd.testing.assert_frame_equal(longer, sampler(space, 17, rng=4, **options))
    assert longer.attrs["n"] == 17
    pd.testing.assert_frame_equal(sg.augment(longer, 3), sampler(space, 20, rng=4, **options))


@pytest.mark.parametrize("sampler", [sg.latin_hypercube, sg.maximin, sg.maxpro])
@pytest.mark.parametrize("times", [2, 3])
def test_a_multiple_of_a_latin_hypercube_is_one(sampler, times):
    space = cube(3)
    small = sampler(space, 8, rng=0)
    large = sg.augment(small, 8 * (times - 1), rng=1)
    pd.testing.assert_frame_equal(large.head(8), small, check_names=False)
    np.testing.assert_array_equal(slices(large, 8 * times), np.tile(np.arange(8 * times)[:, None], 3))
    assert large.attrs["sampler"] == small.attrs["sampler"]
    assert large.attrs["augmented"] == 8


def test_any_number_of_points_fills_empty_slices_only():
    space = cube(3)
    small = sg.latin_hypercube(space, 8, rng=0)
    large = sg.augment(small, 5, rng=1)
    for k in range(3):
        old = set(np.floor(small.iloc[:, k] * 13).astype(int))
        new = list(np.floor(large.iloc[8:, k] * 13).astype(int))
        assert len(set(new)) == 5
        assert not old & set(new)


def test_new_points_keep_their_distance():
    space = cube(2)
    small = sg.maximin(space, 10, rng=0)
    grown = minimum_distance(sg.augment(small, 10, rng=0), space)
    blind = np.mean(
        [minimum_distance(pd.concat([small, sg.latin_hypercube(space, 10, rng=s)]), space) for s in range(20)]
    )
    assert grown > 2 * blind


def test_points_from_elsewhere_and_other_designs():
    space = sg.Space(x=sg.Real(0, 1), kind=sg.Categorical(["a", "b"]))
    mine = pd.DataFrame({"x": [0.1, 0.2], "kind": ["a", "a"]}, index=[5, 9])
    grown = sg.augment(mine, 4, space=space, rng=0)
    assert grown.index.tolist() == [5, 9, 10, 11, 12, 13]
    pd.testing.assert_frame_equal(grown.head(2), mine)
    assert (grown["kind"].iloc[2:] == "b").sum() >= 2
    corners = sg.augment(sg.factorial(cube(2)), 1, rng=0)
    assert (corners.iloc[4] - 0.5).abs().max() < 0.2  # the empty middle


def test_optimal_designs_grow_optimally():
    space = sg.Space(x=sg.Real(-1, 1), y=sg.Real(-1, 1))
    grown = sg.augment(sg.optimal(space, 6, rng=0), 6, rng=0)
    random = sg.augment(sg.optimal(space, 6, rng=0), 6, rng=1)
    determinants = [
        np.linalg.det(f.T @ f) for f in (model_matrix(space, design, "quadratic") for design in (grown, random))
    ]
    fresh = model_matrix(space, sg.optimal(space, 12, rng=0), "quadratic")
    assert min(determinants) > 0.9 * np.linalg.det(fresh.T @ fresh)


def test_a_conditioned_design_grows_under_its_condition():
    design = sg.latin_hypercube(cube(2), 10, rng=0, where="x0 + x1 < 1")
    grown = sg.augment(design, 10, rng=0)
    assert (grown["x0"] + grown["x1"] < 1).all()


@pytest.mark.parametrize("sampler", [sg.latin_hypercube, sg.lattice])
def test_a_correlated_design_grows_correlated(sampler):
    small = sampler(cube(3), 41, rng=0, correlation={("x0", "x1"): 0.9})
    large = sg.augment(small, 82, rng=0)
    assert large.attrs["correlation"] == [["x0", "x1", 0.9]]
    found = large.iloc[41:].corr(method="spearman")
    assert found.loc["x0", "x1"] == pytest.approx(6 / np.pi * np.arcsin(0.45), abs=0.06)
    assert abs(found.loc["x0", "x2"]) < 0.1
    if sampler is sg.latin_hypercube:
        np.testing.assert_array_equal(slices(large, 123), np.tile(np.arange(123)[:, None], 3))


def test_many_points_are_added_to_a_design_without_a_criterion_only():
    small = sg.latin_hypercube(cube(2), 2100, rng=0)
    large = sg.augment(small, 2100, rng=0)
    np.testing.assert_array_equal(slices(large, 4200), np.tile(np.arange(4200)[:, None], 2))
    small.attrs["criterion"] = "maximin"  # which takes a while to be made
    with pytest.raises(ValueError, match="n must be at most 4000"):
        sg.augment(small, 2100, rng=0)


def test_what_cannot_be_augmented_says_why():
    design = sg.sobol(cube(2), 8, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="made with a Generator"):
        sg.augment(design, 8)
    with pytest.raises(ValueError, match="pass space="):
        sg.augment(sg.sobol(cube(2), 8, rng=0).copy(), 8)
    changed = sg.sobol(cube(2), 8, rng=0)
    changed.iloc[0, 0] = 0.123
    with pytest.raises(ValueError, match="not the first of the sobol sequence"):
        sg.augment(changed, 8)


def test_sliced_latin_hypercube_is_latin_in_every_slice_and_as_a_whole():
    for criterion in ("maximin", "centred", None):
        design = sg.sliced_latin_hypercube(cube(3), 4, 5, rng=0, criterion=criterion)
        np.testing.assert_array_equal(slices(design, 20), np.tile(np.arange(20)[:, None], 3))
        for part in range(4):
            np.testing.assert_array_equal(slices(design.loc[part], 5), np.tile(np.arange(5)[:, None], 3))
    assert set(sg.sliced_latin_hypercube(cube(1), 2, 2, criterion="centred")["x0"]) == {0.125, 0.375, 0.625, 0.875}
    with pytest.raises(ValueError, match="unknown criterion 'center'; did you mean 'centred'"):
        sg.sliced_latin_hypercube(cube(2), 2, 3, criterion="center")


def test_nested_designs_lie_in_each_other():
    designs = sg.nested(cube(2), [6, 12, 36], rng=0)
    for small, large in itertools.pairwise(designs):
        pd.testing.assert_frame_equal(large.head(len(small)), small)
    for design in designs:
        np.testing.assert_array_equal(slices(design, len(design)), np.tile(np.arange(len(design))[:, None], 2))
    assert [design.attrs["level"] for design in designs] == [0, 1, 2]
    with pytest.raises(ValueError, match="must not fall"):
        sg.nested(cube(2), [10, 5])


def test_nested_designs_are_latin_hypercubes_in_a_parameter_without_ends():
    space = sg.Space(g=sg.Real.distributed(scipy.stats.norm(0, 1)), y=sg.Real(0, 1))
    for seed in range(10):
        for design in sg.nested(space, [5, 10, 30], rng=seed, effort=0.1):
            n = len(design)
            found = np.sort(np.floor(space.to_unit(design) * n).astype(int), axis=0)
            np.testing.assert_array_equal(found, np.tile(np.arange(n)[:, None], 2))


def test_lattice_is_one():
    n = 21
    x = sg.lattice(cube(3), n, rng=0).to_numpy()
    # The differences of a lattice's points to its first are closed under addition modulo 1.
    steps = {tuple(np.round((row - x[0]) % 1 * n).astype(int) % n) for row in x}
    assert len(steps) == n
    assert all(tuple((np.array(a) + b) % n) in steps for a in steps for b in list(steps)[:5])
    np.testing.assert_array_equal(slices(sg.lattice(cube(3), n, rng=0), n), np.tile(np.arange(n)[:, None], 3))


@pytest.mark.parametrize(("n", "d"), [(100, 10), (101, 20), (64, 16), (1301, 550), (1, 1), (2, 1)])
def test_no_parameter_of_a_lattice_copies_another(n, d):
    found = generating_vector(n, d)
    assert len(set(np.minimum(found, n - found))) == d
    assert (np.gcd(found, n) == 1).all()


def test_a_lattice_of_too_few_generators_is_refused():
    with pytest.raises(ValueError, match="n=64 has only 16 different generators for 20 parameters"):
        sg.lattice(cube(20), 64)


def test_lattice_integrates_smooth_periodic_functions_best():
    space = cube(3)

    def integral(sampler, seed):
        x = sampler(space, 127, rng=seed).to_numpy()
        return np.prod(1 + np.sin(2 * np.pi * x), axis=1).mean() - 1

    errors = {
        s: np.sqrt(np.mean([integral(s, seed) ** 2 for seed in range(10)])) for s in (sg.lattice, sg.latin_hypercube)
    }
    assert errors[sg.lattice] < 0.1 * errors[sg.latin_hypercube]
    assert len(set(generating_vector(127, 3))) == 3


def test_the_chooser_says_why():
    space = cube(2)
    assert sg.design(space, 20, rng=0).attrs["sampler"] == "latin_hypercube"
    assert "far apart" in sg.design(space, 20, rng=0).attrs["why"]
    assert "powers of two, e.g. 1024" in sg.design(space, 1000, rng=0).attrs["why"]
    assert "powers" not in sg.design(space, 1024, rng=0).attrs["why"]
    few = sg.Space(a=sg.Categorical(["x", "y"]), n=sg.Integer(1, 3))
    assert len(sg.design(few, 10)) == 6
    assert "only 6 combinations" in sg.design(few, 10).attrs["why"]
    assert len(sg.design(few, 5, rng=0)) == 5
    limited = sg.design(space, 30, rng=0, where="x0 < x1")
    assert (limited["x0"] < limited["x1"]).all()
    assert sg.design(space, 30, rng=0, correlation={("x0", "x1"): 0.9}).corr().iloc[0, 1] > 0.7
    # A chosen design can be augmented like any other.
    assert len(sg.augment(sg.design(space, 1024, rng=0), 1024)) == 2048


def test_new_points_under_a_condition_do_not_take_categories_for_an_order():
    space = sg.Space(c=sg.Categorical(list("abcdef")), x=sg.Real(0, 1))
    for seed in range(5):
        start = sg.latin_hypercube(space, 6, rng=seed, where="x < 0.9")
        grown = sg.augment(start, 12, rng=seed)
        # Eighteen points of six categories that are all equally far apart.
        counts = grown["c"].value_counts().reindex(list("abcdef"), fill_value=0)
        assert counts.min() >= 2
        assert counts.max() <= 4
