"""What every emulator must offer: scikit-learn's checks, honest left-out predictions, saving."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose
from sklearn.linear_model import LinearRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

import surrogate as sg
from surrogate.emulators.saving import SAVED

# Quick to fit, since each is fitted some hundred times.
QUICK = sg.RadialBasis(kernel="cubic")
EMULATORS = [
    sg.PolynomialChaos(q=1.0, selection="lars"),
    sg.PolynomialKriging(polynomial=sg.PolynomialChaos(q=1.0, selection="stepwise"), n_starts=1),
    sg.RadialBasis(),
    sg.ForestEmulator(n_trees=10),
    sg.ConformalEmulator(LinearRegression(), folds=3),
    sg.AutoEmulator([("quick", QUICK), ("linear", sg.RadialBasis(kernel="linear"))]),
    sg.MultiFidelity(kernel="matern52", n_starts=1),
    sg.GradientEnhanced(n_starts=1),
    sg.FunctionalEmulator(QUICK),
    sg.MultiOutput(QUICK),
    sg.ProbabilityEmulator(emulator=sg.ForestEmulator(n_trees=10)),
]


@pytest.fixture(autouse=True)
def _few_iterations(monkeypatch):
    # Of a likelihood on 200 runs of 10 inputs, which none of the checks is about.
    monkeypatch.setattr("surrogate.emulators.gradient_enhanced.ITERATIONS", 2)


@parametrize_with_checks(EMULATORS)
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


def mixed():
    space = sg.Space(
        a=sg.Real(0, 2),
        kind=sg.Categorical(["u", "v", "w"]),
        n=sg.Integer(1, 5),
        gust=sg.Real.distributed(scipy.stats.norm(0, 1)),
    )
    X, new = sg.latin_hypercube(space, 50, rng=0), sg.latin_hypercube(space, 20, rng=1)
    return space, X, X["a"] ** 2 + (X["kind"] == "v") + 0.1 * X["n"] * X["gust"], new


def output_for(emulator, y):
    if isinstance(emulator, sg.FunctionalEmulator):
        return np.cos(np.outer(y, np.linspace(0, 1, 6)))
    if isinstance(emulator, sg.MultiOutput):
        return np.column_stack([y, np.exp(y)])
    return y


def parts_of(prediction):
    return prediction if isinstance(prediction, tuple) else (prediction,)


SAVABLE = [
    sg.ConformalEmulator(sg.GaussianProcess(), folds=3) if isinstance(one, sg.ConformalEmulator) else one
    for one in EMULATORS
    if not isinstance(one, sg.ProbabilityEmulator)
] + [sg.ProbabilityEmulator("< 1"), sg.AutoEmulator()]


def test_every_saved_class_is_tested():
    assert set(SAVED) - {"GaussianProcess"} == {type(one).__name__ for one in SAVABLE}


@pytest.mark.parametrize("with_space", [False, True])
@pytest.mark.parametrize("emulator", SAVABLE, ids=lambda one: type(one).__name__)
def test_predictions_after_loading_are_the_same_bit_by_bit(emulator, with_space, tmp_path):
    space, X, y, new = mixed()
    extra = {"space": space}
    if not with_space:
        X, new, extra = X[["a", "n", "gust"]].to_numpy(float), new[["a", "n", "gust"]].to_numpy(float), {}
    elif isinstance(emulator, sg.GradientEnhanced):
        pytest.skip("derivatives by categories do not exist")
    emulator.fit(X, output_for(emulator, y), **extra)
    emulator.save(tmp_path / "it")
    back = sg.load_emulator(tmp_path / "it")
    assert type(back) is type(emulator)
    assert str(back.get_params()) == str(emulator.get_params())
    assert set(vars(back)) == set(vars(emulator))

    def predicted(one):
        if isinstance(one, sg.ProbabilityEmulator):
            return (one.predict_proba(new),)
        return (*parts_of(one.predict(new, return_std=True)), *one.leave_one_out())

    for ours, theirs in zip(predicted(back), predicted(emulator)):
        assert np.array_equal(ours, theirs)


def test_what_cannot_be_saved_is_named(tmp_path):
    x = np.random.default_rng(0).random((20, 2))
    model = sg.ConformalEmulator(LinearRegression(), folds=2).fit(x, x[:, 0])
    with pytest.raises(TypeError, match=r"a LinearRegression cannot be saved.*of this package.*without pickle"):
        model.save(tmp_path / "it")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("emulator", EMULATORS, ids=lambda one: type(one).__name__)
def test_a_column_of_text_needs_a_space_and_the_error_says_so(emulator):
    _, X, y, _ = mixed()
    output = y > y.median() if isinstance(emulator, sg.ProbabilityEmulator) else output_for(emulator, y)
    if isinstance(emulator, sg.GradientEnhanced):
        pytest.skip("derivatives by categories do not exist")
    with pytest.raises(ValueError, match=r"column 'kind' holds text, e.g. '[uvw]'.*pass space= with a Categorical"):
        emulator.fit(X, output)


@pytest.mark.parametrize(
    "emulator",
    [one for one in EMULATORS if not isinstance(one, sg.ProbabilityEmulator)],
    ids=lambda o: type(o).__name__,
)
def test_mixed_tables_are_read_by_name_and_checked(emulator):
    if isinstance(emulator, sg.GradientEnhanced):
        pytest.skip("derivatives by categories do not exist")
    space, X, y, new = mixed()
    emulator.fit(X, output_for(emulator, y), space=space)
    assert list(emulator.feature_names_in_) == list(space)
    shuffled = new[["gust", "n", "kind", "a"]]
    assert_allclose(emulator.predict(shuffled), emulator.predict(new))
    mean, std = emulator.predict(new, return_std=True)
    assert mean.shape == std.shape
    assert (std >= 0).all()
    with pytest.raises(sg.InvalidInputError, match="'kind' = 'x' is not allowed"):
        emulator.predict(new.assign(kind="x"))
