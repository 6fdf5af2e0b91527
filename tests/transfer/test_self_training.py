"""Self-training: what is believed, what it helps, and when it stops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

import surrogate as sg


@parametrize_with_checks([sg.SelfTraining(GaussianNB(), rounds=2)])
def test_is_a_classifier(estimator, check):
    check(estimator)


def two_moons(n, seed):
    from sklearn.datasets import make_moons

    X, y = make_moons(n, noise=0.08, random_state=seed)
    return X, np.array(["up", "down"])[y]


def test_unlabelled_points_help_where_clusters_are_classes():
    gains = []
    for seed in range(5):
        X, y = two_moons(12, seed)
        pool, _ = two_moons(1500, seed + 100)
        X_test, y_test = two_moons(1000, seed + 200)
        teacher = KNeighborsClassifier(3)
        plain = teacher.fit(X, y).score(X_test, y_test)
        trained = sg.SelfTraining(teacher, threshold=1.0, rounds=10, unlabelled=pool, balance=None).fit(X, y)
        gains.append(trained.score(X_test, y_test) - plain)
    assert min(gains) >= 0
    assert np.mean(gains) > 0.01


def blobs(n, seed=0, shares=(0.5, 0.5)):
    rng = np.random.default_rng(seed)
    y = rng.choice(len(shares), n, p=shares)
    return rng.normal(size=(n, 2)) + 2.5 * y[:, None], y


def test_only_points_above_the_threshold_are_believed():
    X, y = blobs(300)
    pool, truth = blobs(2000, seed=1)
    model = sg.SelfTraining(LogisticRegression(), 0.95, rounds=1, unlabelled=pool, balance=None, validation=0.0).fit(
        X, y
    )
    first = LogisticRegression().fit(X, y)
    sure = first.predict_proba(pool).max(axis=1) >= 0.95
    assert_array_equal(model.pseudo_labels_.X, pool[sure])
    assert_array_equal(model.pseudo_labels_.y, first.predict(pool[sure]))
    assert model.history_["n_believed"].tolist() == [0, sure.sum()]
    assert (model.pseudo_labels_.y == truth[sure]).mean() > 0.97


def test_confidence_is_calibrated_on_labels_held_out():
    """Naive Bayes counts a column given five times as five: it is far too sure, which the temperature undoes."""
    X, y = blobs(1000)
    X = np.repeat(X, 5, axis=1) + 0.0
    model = sg.SelfTraining(GaussianNB(), validation=0.3).fit(X, y)
    assert 3 < model.temperature_ < 7
    new, truth = blobs(4000, seed=1)
    p = model.predict_proba(np.repeat(new, 5, axis=1))
    for low, high in ((0.6, 0.8), (0.8, 0.95)):
        inside = (p.max(axis=1) > low) & (p.max(axis=1) < high)
        right = (p.argmax(axis=1) == truth)[inside].mean()
        assert right == pytest.approx(p.max(axis=1)[inside].mean(), abs=0.06)


def test_no_class_is_believed_much_more_often_than_it_occurs():
    X, y = blobs(400, shares=(0.9, 0.1))
    pool, _ = blobs(3000, seed=1, shares=(0.2, 0.8))
    options = {"threshold": 0.9, "rounds": 1, "unlabelled": pool, "validation": 0.0}
    free = sg.SelfTraining(LogisticRegression(), balance=None, **options).fit(X, y)
    capped = sg.SelfTraining(LogisticRegression(), balance=2.0, **options).fit(X, y)
    n = len(free.pseudo_labels_)
    assert (free.pseudo_labels_.y == 1).mean() > 0.6
    assert (capped.pseudo_labels_.y == 1).sum() == np.ceil(2 * (y == 1).mean() * n)
    # The surest are kept.
    p = LogisticRegression().fit(X, y).predict_proba(pool)[:, 1]
    kept = LogisticRegression().fit(X, y).predict_proba(capped.pseudo_labels_.X[capped.pseudo_labels_.y == 1])[:, 1]
    assert kept.min() >= np.sort(p)[::-1][len(kept) - 1] - 1e-12


def test_it_stops_when_it_harms_and_keeps_what_was_better():
    """The pool is labelled by a teacher whose classes lie elsewhere: learning from it ruins the answers."""

    class Fickle(LogisticRegression):
        """Right on labels alone, wrong once it was given more."""

        def fit(self, X, y):
            super().fit(X, y)
            if len(X) > 500:
                self.coef_ = -self.coef_
            return self

    X, y = blobs(400)
    pool, _ = blobs(1000, seed=1)
    model = sg.SelfTraining(Fickle(), 0.8, rounds=5, unlabelled=pool).fit(X, y)
    assert model.stopped_.startswith("it harmed")
    assert model.best_round_ == 0
    assert len(model.history_) == 2
    assert model.score(X, y) > 0.9
    assert len(model.pseudo_labels_) == 0


def test_permanent_labels_stay():
    X, y = blobs(60)
    pool, _ = blobs(1000, seed=1)
    believed = {}

    class Spy(GaussianNB):
        def fit(self, X, y):
            for row, answer in zip(X[60:], y[60:]):
                assert believed.setdefault(tuple(row), answer) == answer
            return super().fit(X, y)

    model = sg.SelfTraining(Spy(), 0.9, 5, unlabelled=pool, validation=0.0, permanent=True, balance=None).fit(X, y)
    assert (np.diff(model.history_["n_believed"]) > 0).all()


def test_frames_and_a_chain():
    X, y = blobs(200)
    frame, pool = pd.DataFrame(X, columns=["a", "b"]), pd.DataFrame(blobs(800, seed=1)[0], columns=["a", "b"])
    teacher = sg.SelfTraining(GaussianNB(), 0.9, 2, unlabelled=pool)
    chain = sg.Metamorphosis(teacher, sg.Unlabelled(pool), DecisionTreeClassifier(max_leaf_nodes=6), n_new=None, rng=0)
    assert chain.fit(frame, y).score(frame, y) > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 98}, "threshold must be a probability, got 98"),
        ({"rounds": -1}, "rounds must not be negative"),
        ({"validation": 1.0}, "validation must be a share below 1"),
        ({"balance": 0.5}, "balance must be at least 1"),
        ({"teacher": LinearSVC()}, "LinearSVC has no predict_proba"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        sg.SelfTraining(**({"teacher": GaussianNB()} | options)).fit(*blobs(50))
