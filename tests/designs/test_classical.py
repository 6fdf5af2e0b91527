"""Classical designs: their textbook properties."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

import surrogate as sg
from surrogate.designs.optimal import model_matrix


def cube(d):
    return sg.Space({f"x{k}": sg.Real(-1, 1) for k in range(d)})


def test_factorial_has_every_combination_once():
    space = sg.Space(x=sg.Real(0.01, 1, log=True), n=sg.Integer(1, 2), kind=sg.Categorical(["a", "b", "c"]))
    design = sg.factorial(space, {"x": 3})
    assert len(design) == len(design.drop_duplicates()) == 18
    assert sorted(design["x"].unique()) == pytest.approx([0.01, 0.1, 1])
    assert design.attrs == {"sampler": "factorial", "seed": None, "n": 18}
    assert len(sg.factorial(space, {"x": 3}, where="x < 0.5 and kind != 'b'")) == 8


@pytest.mark.parametrize(
    ("parameter", "levels", "expected"),
    [
        (sg.Integer(1, 10, log=True), 10, range(1, 11)),
        (sg.Integer(1, 10, log=True), 7, [1, 2, 3, 4, 5, 7, 10]),
        (sg.Integer(1, 1000, log=True), 4, [1, 10, 100, 1000]),
        (sg.Integer(1, 9), 5, [1, 3, 5, 7, 9]),
        (sg.Integer(1, 10, log=True), 1, [3]),
    ],
)
def test_levels_of_whole_numbers_are_distinct(parameter, levels, expected):
    assert sg.factorial(sg.Space(n=parameter), levels)["n"].tolist() == list(expected)


@pytest.mark.parametrize("make", [sg.plackett_burman, sg.fractional_factorial])
@pytest.mark.parametrize("d", [3, 7, 11])
def test_two_level_designs_are_balanced_and_orthogonal(make, d):
    x = make(cube(d)).to_numpy()
    assert set(np.unique(x)) == {-1.0, 1.0}
    np.testing.assert_allclose(x.T @ x, len(x) * np.eye(d), atol=1e-12)
    np.testing.assert_allclose(x.sum(axis=0), 0, atol=1e-12)


def test_plackett_burman_of_any_number_of_parameters_is_orthogonal():
    for d in range(1, 100):
        x = sg.plackett_burman(cube(d)).to_numpy()
        # The next multiple of four; of the orders up to 100, 92 has no matrix of Paley's kind.
        assert len(x) == (4 * (d // 4 + 1) if not 88 <= d < 92 else 96)
        np.testing.assert_array_equal(np.abs(x), 1.0)
        np.testing.assert_array_equal(x.T @ x, len(x) * np.eye(d))
        np.testing.assert_array_equal(x.sum(axis=0), 0)


def test_sizes_of_textbook_designs():
    assert len(sg.plackett_burman(cube(11))) == 12
    assert len(sg.fractional_factorial(cube(7), 3)) == 8  # 2^(7-4)
    assert len(sg.fractional_factorial(cube(5), 5)) == 16  # 2^(5-1)
    assert len(sg.box_behnken(cube(3), centre=3)) == 15
    assert len(sg.central_composite(cube(3), centre=6)) == 20
    assert len(sg.gsd(cube(3), 3, levels=3)) == 9


def test_resolution_4_does_not_mix_main_effects_with_interactions():
    x = sg.fractional_factorial(cube(6), 4).to_numpy()
    products = np.column_stack([x[:, i] * x[:, j] for i in range(6) for j in range(i)])
    np.testing.assert_allclose(x.T @ products, 0, atol=1e-12)


def test_given_generators_are_used():
    x = sg.fractional_factorial(cube(3), generators="a b ab").to_numpy()
    np.testing.assert_array_equal(x[:, 2], x[:, 0] * x[:, 1])


def test_central_composite_is_rotatable():
    # The star of a rotatable design of 3 parameters is 8^(1/4) times as far out as the factorial's levels.
    x = sg.central_composite(cube(3)).to_numpy()
    assert np.abs(x).max() == 1.0
    factorial = np.abs(x[(x != 0).all(axis=1)])
    np.testing.assert_allclose(factorial, 8**-0.25)


@pytest.mark.parametrize("d", [2, 3, 4, 5])
@pytest.mark.parametrize("centre", [0, 1, 4])
def test_orthogonal_central_composite_has_uncorrelated_squares(d, centre):
    x = sg.central_composite(cube(d), alpha="orthogonal", centre=centre).to_numpy()
    assert len(x) == 2**d + 2 * d + centre
    assert np.abs(x).max() == 1.0
    np.testing.assert_allclose(np.corrcoef(x.T**2), np.eye(d), atol=1e-12)


def test_box_behnken_has_no_corners():
    x = sg.box_behnken(cube(4)).to_numpy()
    assert (np.abs(x).sum(axis=1) <= 2).all()


@pytest.mark.parametrize(("d", "runs"), [(3, 12), (4, 24), (5, 40), (6, 48), (7, 56), (8, 112)])
def test_box_behnken_has_the_published_runs(d, runs):
    # Box and Behnken (1960), table 1, without the runs in the middle; of 8 they have none.
    x = sg.box_behnken(cube(d)).to_numpy()
    assert len(np.unique(x, axis=0)) == len(x) == runs + 1
    np.testing.assert_array_equal(x.T @ x, (x**2).sum(axis=0)[0] * np.eye(d))
    assert set(np.count_nonzero(x, axis=1)) == {0, 3 if d in (6, 7) else 2}


@pytest.mark.parametrize("d", [4, 7])
def test_box_behnken_is_rotatable(d):
    squares = sg.box_behnken(cube(d)).to_numpy() ** 2
    moments = squares.T @ squares
    np.testing.assert_array_equal(moments, moments[0, 1] * (1 + 2 * np.eye(d)))


def test_levels_of_other_types():
    space = sg.Space(
        g=sg.Real.distributed(scipy.stats.norm(10, 1)), n=sg.Integer(1, 9), size=sg.Ordinal(["s", "m", "l"])
    )
    design = sg.box_behnken(space)
    assert sorted(design["n"].unique()) == [1, 5, 9]
    assert set(design["size"]) == {"s", "m", "l"}
    np.testing.assert_allclose(sorted(design["g"].unique()), scipy.stats.norm(10, 1).ppf([0.05, 0.5, 0.95]))


def test_designs_that_do_not_fit_the_space_are_refused():
    three = sg.Space(x=sg.Real(0, 1), y=sg.Real(0, 1), kind=sg.Categorical(["a", "b", "c"]))
    for make in (sg.plackett_burman, sg.fractional_factorial, sg.central_composite, sg.box_behnken):
        with pytest.raises(ValueError, match="'kind'"):
            make(three)
    for switch in (sg.Integer(0, 1), sg.Ordinal(["low", "high"])):
        for make in (sg.central_composite, sg.box_behnken):
            with pytest.raises(ValueError, match="needs a middle level, but 'k' has two values"):
                make(sg.Space(x=sg.Real(0, 1), y=sg.Real(0, 1), k=switch))
    with pytest.raises(ValueError, match="at least 3 parameters"):
        sg.box_behnken(cube(2))
    with pytest.raises(ValueError, match="too many"):
        sg.factorial(cube(30))
    with pytest.raises(ValueError, match="has only 3 values"):
        sg.factorial(three, {"kind": 4})


@pytest.mark.parametrize("make", [sg.factorial, sg.plackett_burman, sg.fractional_factorial])
def test_one_parameter(make):
    assert set(make(cube(1))["x0"]) == {-1.0, 1.0}


def test_d_optimal_for_two_factor_quadratic_in_6_runs_reaches_the_known_determinant():
    # Box and Draper (1971), "Factorial designs, the |X'X| criterion, and some related matters", Technometrics 13:
    # the best 6 runs for a full quadratic in two factors have |X'X| = 5.74e-3 n^6 (points off the three-level grid);
    # the best on the grid of three levels is 256.
    space = cube(2)
    design = sg.optimal(space, 6, rng=0)
    f = model_matrix(space, design, "quadratic")
    assert np.linalg.det(f.T @ f) == pytest.approx(256, rel=1e-6)


def test_d_optimal_linear_design_is_a_hadamard_matrix():
    space = cube(3)
    f = model_matrix(space, sg.optimal(space, 4, model="linear", rng=0), "linear")
    assert abs(np.linalg.det(f.T @ f)) == pytest.approx(4**4)  # Hadamard's bound


def test_i_optimal_predicts_better_and_d_optimal_estimates_better():
    space = cube(2)
    region = model_matrix(space, sg.sobol(space, 1024, rng=1), "quadratic")
    moments = region.T @ region / len(region)
    found = {}
    for criterion in ("D", "I"):
        f = model_matrix(space, sg.optimal(space, 8, criterion=criterion, rng=0), "quadratic")
        information = f.T @ f
        found[criterion] = np.linalg.det(information), np.trace(np.linalg.solve(information, moments))
    assert found["D"][0] > found["I"][0]
    assert found["I"][1] < found["D"][1]


def test_optimal_with_categories_and_a_condition():
    space = sg.Space(x=sg.Real(0, 1), y=sg.Real(0, 1), kind=sg.Categorical(["a", "b", "c"]))
    design = sg.optimal(space, 12, model="interaction", rng=0, where="x + y <= 1.2")
    assert (design["x"] + design["y"] <= 1.2).all()
    f = model_matrix(space, design, "interaction")
    assert f.shape[1] == 1 + 2 + 2 + 1 + 4
    assert np.linalg.matrix_rank(f) == f.shape[1]
    with pytest.raises(ValueError, match="n must be at least 10"):
        sg.optimal(space, 9, model="interaction")
    with pytest.raises(ValueError, match="no choice of runs"):
        sg.optimal(space, 12, model="interaction", where="x == 0.5")
