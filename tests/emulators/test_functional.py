"""Emulators of series, fields and several outputs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import surrogate as sg
from surrogate.emulators.functional import Components

T = np.linspace(0, 1, 40)


def waves(x):
    return np.sin(5 * x[:, :1] + 6 * T) * (1 + x[:, 1:2]) + x[:, 1:2] ** 2


def test_components_are_the_singular_value_decomposition():
    rng = np.random.default_rng(0)
    outputs = rng.random((12, 4)) @ rng.random((4, 30)) + 5.0
    components, scores = Components.of(outputs, 1.0, None)
    assert len(components.vectors) == 4
    assert_allclose(components.vectors @ components.vectors.T, np.eye(4), atol=1e-10)
    assert_allclose(components.outputs(scores), outputs, atol=1e-10)
    variance = np.linalg.eigvalsh(np.cov(outputs.T, bias=True))[::-1][:4]
    assert_allclose(components.shares, variance / variance.sum(), rtol=1e-8)
    assert_allclose(components.residual_std, 0.0, atol=1e-10)
    one, _ = Components.of(outputs, 0.5, 1)
    left = outputs - outputs.mean(axis=0)
    left -= (left @ one.vectors.T) @ one.vectors
    assert_allclose(one.residuals, left, atol=1e-10)
    assert_allclose(one.residual_std, np.sqrt((left**2).mean(axis=0) * 12 / 10), atol=1e-10)


def test_series_are_predicted_with_honest_intervals():
    rng = np.random.default_rng(1)
    x, new = rng.random((40, 2)), rng.random((200, 2))
    model = sg.FunctionalEmulator().fit(x, waves(x))
    mean, std = model.predict(new, return_std=True)
    error = np.abs(mean - waves(new))
    assert np.sqrt((error**2).mean()) < 0.01 * waves(new).std()
    assert (error <= 1.96 * std).mean() > 0.9
    left, left_std = model.leave_one_out()
    assert left.shape == left_std.shape == (40, 40)
    assert np.sqrt(((left - waves(x)) ** 2).mean()) < 0.05 * waves(x).std()


def test_what_the_components_leave_out_is_in_the_interval():
    rng = np.random.default_rng(2)
    x, new = rng.random((60, 2)), rng.random((300, 2))
    model = sg.FunctionalEmulator(max_components=1).fit(x, waves(x))
    mean, std = model.predict(new, return_std=True)
    # Far from exact, and known to be.
    assert np.abs(mean - waves(new)).mean() > 0.1
    assert 0.88 < (np.abs(mean - waves(new)) <= 1.96 * std).mean() <= 1.0
    draws = model.draws(new[:3], 4000, rng=0)
    assert draws.shape == (4000, 3, 40)
    assert_allclose(draws.mean(axis=0), mean[:3], atol=0.1)
    assert_allclose(draws.std(axis=0).mean(), std[:3].mean(), rtol=0.15)


def test_fields_keep_their_shape():
    rng = np.random.default_rng(3)
    x = rng.random((20, 2))
    fields = np.einsum("n,a,b->nab", x[:, 0], T[:5], T[:7]) + x[:, 1, None, None]
    model = sg.FunctionalEmulator(sg.PolynomialChaos(), explained=1.0).fit(x, fields)
    mean, std = model.predict(x, return_std=True)
    assert mean.shape == std.shape == (20, 5, 7)
    assert_allclose(mean, fields, atol=1e-8)
    assert model.draws(x, 2, 0).shape == (2, 20, 5, 7)
    column = pd.Series(list(fields[:, 0]))  # one array a cell, as in a table of runs
    assert sg.FunctionalEmulator().fit(x, column).predict(x).shape == (20, 7)


def test_several_outputs_are_emulated_one_by_one():
    rng = np.random.default_rng(4)
    space = sg.Space(a=sg.Real(0, 2), b=sg.Categorical(["u", "v"]))
    X = sg.latin_hypercube(space, 25, rng=0)
    outputs = pd.DataFrame({"p": np.sin(X["a"]), "q": X["a"] + (X["b"] == "v")})
    model = sg.MultiOutput().fit(X, outputs, space)
    mean, std = model.predict(X, return_std=True)
    assert list(mean.columns) == list(std.columns) == ["p", "q"]
    alone = sg.GaussianProcess().fit(X, outputs["q"], space)
    assert_allclose(mean["q"], alone.predict(X))
    x = rng.random((20, 3))
    assert sg.MultiOutput(sg.RadialBasis()).fit(x, x[:, :2]).predict(x).shape == (20, 2)
    assert sg.MultiOutput().fit(x, x[:, 0]).predict(x).shape == (20,)


def test_inputs_may_be_a_mapping_of_columns():
    space = sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1))
    x = np.random.default_rng(0).random((30, 2))
    y = np.column_stack([x[:, 0], x[:, 1] ** 2])
    model = sg.MultiOutput(sg.RadialBasis()).fit({"a": x[:, 0], "b": x[:, 1]}, y, space)
    assert_allclose(model.predict(x), y, atol=1e-8)


def test_bad_arguments_are_named():
    x = np.random.default_rng(0).random((10, 2))
    with pytest.raises(ValueError, match=r"explained must lie in"):
        sg.FunctionalEmulator(explained=0.0).fit(x, waves(x))
    with pytest.raises(ValueError, match="max_components must be at least 1"):
        sg.FunctionalEmulator(max_components=0).fit(x, waves(x))
    with pytest.raises(ValueError, match="NaN"):
        sg.FunctionalEmulator().fit(x, np.full((10, 5), np.nan))
    with pytest.raises(ValueError, match="for fields use FunctionalEmulator"):
        sg.MultiOutput().fit(x, np.zeros((10, 2, 2)))


def test_a_table_is_answered_with_its_own_column_names():
    x = np.random.default_rng(0).random((20, 2))
    y = pd.DataFrame({0: x.sum(axis=1), ("b", 1): x.prod(axis=1)})
    found = sg.MultiOutput().fit(x, y)
    assert list(found.predict(x).columns) == list(found.emulators_) == [0, ("b", 1)]
    assert_allclose((found.predict(x) - y).to_numpy(), 0, atol=1e-3)
    with pytest.raises(ValueError, match="unique column names"):
        sg.MultiOutput().fit(x, pd.concat([y, y], axis=1))
