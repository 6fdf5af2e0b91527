"""Networks as teachers and students; skipped where PyTorch is not installed."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.tree import DecisionTreeClassifier

import surrogate as sg
from surrogate.transfer import torch_classifier


def dense(n_outputs, hidden=32, n_inputs=64):
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(n_inputs, hidden), nn.ReLU(), nn.Linear(hidden, n_outputs))


def small(n_outputs):
    return dense(n_outputs, 6)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X.astype(np.uint8), np.array([f"d{k}" for k in y])


@pytest.fixture(scope="module")
def teacher(digits):
    pytest.importorskip("torch")
    X, y = digits
    return sg.TorchClassifier(dense, input_shape=(1, 8, 8), scale=1 / 16, epochs=15, n_threads=1).fit(
        X[:1000], y[:1000]
    )


def test_learns_and_answers_in_classes(teacher, digits):
    X, y = digits
    assert teacher.score(X[1000:], y[1000:]) > 0.85
    assert teacher.n_parameters_ == 64 * 32 + 32 + 32 * 10 + 10
    p = teacher.predict_proba(X[:50])
    assert_allclose(p.sum(axis=1), 1)
    z = teacher.decision_function(X[:50])
    assert_allclose(np.log(p) - np.log(p[:, :1]), z - z[:, :1], atol=1e-5)


def test_same_seed_same_network_and_global_state_is_left_alone(teacher, digits):
    import torch

    X, y = digits
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    again = clone(teacher).fit(X[:1000], y[:1000])
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == threads
    assert_allclose(again.predict_proba(X[:20]), teacher.predict_proba(X[:20]))
    assert not np.allclose(
        clone(teacher).set_params(random_state=1).fit(X, y).predict_proba(X[:9]), again.predict_proba(X[:9])
    )


def test_soft_labels_are_learned(teacher, digits):
    X, _ = digits
    soft = teacher.predict_proba(X[:1000])
    student = clone(teacher).set_params(epochs=30, temperature=2.0)
    student.fit(X[:1000], soft, classes=teacher.classes_)
    assert np.abs(student.predict_proba(X[1000:]) - teacher.predict_proba(X[1000:])).mean() < 0.02
    with pytest.raises(ValueError, match="classes must name them"):
        student.fit(X[:1000], soft)


def test_weights_matter(teacher, digits):
    X, y = digits
    rare = (y[:1000] == "d3").astype(float)
    only = clone(teacher).set_params(epochs=3).fit(X[:1000], y[:1000], sample_weight=rare + 1e-6)
    assert (only.predict(X[1000:]) == "d3").mean() > 0.9


def linear(n_outputs):
    from torch import nn

    return nn.Linear(1, n_outputs)


def test_a_batch_without_weight_does_no_harm():
    pytest.importorskip("torch")
    X, y = np.linspace(0, 1, 33)[:, None], np.arange(33) % 2
    weights = np.r_[np.zeros(32), 1.0]
    p = sg.TorchClassifier(linear, batch_size=32, epochs=3, n_threads=1).fit(X, y, sample_weight=weights)
    assert np.isfinite(p.predict_proba(X)).all()
    for wrong, told in ((-weights, "[Nn]egative"), (weights[1:], "sample_weight.shape")):
        with pytest.raises(ValueError, match=told):
            clone(p).fit(X, y, sample_weight=wrong)


def test_weights_are_those_of_repeated_rows():
    pytest.importorskip("torch")
    # One of the two classes four times as heavy, so in small batches: an even mixture would be 0.8 of it.
    X, y = np.zeros((600, 1)), np.arange(600) % 2
    student = sg.TorchClassifier(linear, batch_size=4, epochs=15, learning_rate=0.02, weight_decay=0, n_threads=1)
    p = student.fit(X, y, sample_weight=np.where(y == 1, 4.0, 1.0)).predict_proba(X[:1])
    assert_allclose(p, [[0.2, 0.8]], atol=0.02)


def test_networks_teach_networks_and_trees(teacher, digits):
    X, y = digits
    for student in (
        sg.TorchClassifier(small, input_shape=(1, 8, 8), scale=1 / 16, epochs=15, n_threads=1),
        DecisionTreeClassifier(max_leaf_nodes=60, random_state=0),
    ):
        chain = sg.Metamorphosis(teacher, sg.Munge(), student, n_new=4000, labels="soft", rng=0).fit(X[:1000])
        assert sg.fidelity(teacher, chain, X[1000:]) > 0.7
    table = sg.compare_models({"teacher": teacher, "student": chain.student_}, X[1000:], y[1000:])
    assert table.loc["teacher", "parameters"] == teacher.n_parameters_


def test_a_network_made_by_a_lambda_is_compared(digits):
    pytest.importorskip("torch")
    X, y = digits
    made = [
        sg.TorchClassifier(build, input_shape=(1, 8, 8), epochs=1, n_threads=1) for build in (small, lambda k: small(k))
    ]
    table = sg.compare_models({str(k): model.fit(X, y) for k, model in enumerate(made)}, X[:50], repeats=1)
    assert table.loc["1", "bytes"] == len(pickle.dumps(made[1].module_))
    assert table.loc["0", "bytes"] == len(pickle.dumps(made[0]))


def test_a_module_alone_teaches_through_its_logits(teacher, digits):
    import torch

    X, _ = digits
    module = teacher.copy_module()

    def logits(points):
        return module(torch.as_tensor(points, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16)

    found = sg.label(logits, X[:100], labels="soft", logits=True, classes=teacher.classes_, chunk_rows=33)
    assert_allclose(found.probabilities, teacher.predict_proba(X[:100]), atol=1e-5)


def test_it_can_be_stored_and_steps_are_bounded(teacher, digits):
    X, y = digits
    again = pickle.loads(pickle.dumps(teacher))
    assert_allclose(again.predict_proba(X[:10]), teacher.predict_proba(X[:10]))
    seen = []
    counted = clone(teacher).set_params(augment=lambda batch, rng: seen.append(len(batch)) or batch, max_steps=5)
    counted.fit(X, y)
    assert seen == [64] * 5


def test_without_torch_the_extra_is_named(monkeypatch, digits):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError, match=r"surrogate-learn\[distill\]"):
        torch_classifier.TorchClassifier(dense).fit(*digits)
