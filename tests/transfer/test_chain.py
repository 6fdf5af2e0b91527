"""Metamorphosis: every kind of teacher, label and student, and what goes wrong between them."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, SGDClassifier, SGDRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

import surrogate as sg


def three_classes(n=300, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    return X, np.array(["low", "mid", "top"])[np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.5])]


@parametrize_with_checks(
    [
        sg.Metamorphosis(GaussianNB(), sg.Bootstrap(), DecisionTreeClassifier(random_state=0), n_new=500, rng=0),
        sg.Metamorphosis(
            GaussianNB(), sg.KernelDensity(), DecisionTreeRegressor(random_state=0), n_new=500, labels="soft", rng=0
        ),
        sg.Metamorphosis(LinearRegression(), sg.Noise(), LinearRegression(), n_new=500, rng=0),
    ]
)
def test_is_an_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("labels", ["hard", "soft", "logits"])
@pytest.mark.parametrize(
    "student",
    [
        DecisionTreeClassifier(random_state=0),
        DecisionTreeRegressor(random_state=0),
        LogisticRegression(),
        KNeighborsClassifier(),  # no sample weights
        SVR(),  # one output only
    ],
)
def test_every_student_learns_from_every_kind_of_label(labels, student):
    X, y = three_classes()
    chain = sg.Metamorphosis(LogisticRegression(), sg.KernelDensity(), student, n_new=1500, labels=labels, rng=0)
    chain.fit(X, y)
    X_test, y_test = three_classes(1000, seed=1)
    assert chain.classes_.tolist() == ["low", "mid", "top"]
    # One-against-all regressions of a middle class are the worst of these.
    assert (chain.predict(X_test) == chain.teacher_.predict(X_test)).mean() > 0.85
    assert chain.score(X_test, y_test) > 0.83


def test_weighted_copies_of_a_tree_are_its_soft_labels():
    """A regression tree on probabilities and a classifier on weighted rows minimise the same Gini impurity."""
    X, y = three_classes()
    predictions = []
    for student in (DecisionTreeClassifier(max_leaf_nodes=12), DecisionTreeRegressor(max_leaf_nodes=12)):
        student.set_params(random_state=0)
        chain = sg.Metamorphosis(GaussianNB(), sg.Bootstrap(), student, n_new=400, labels="soft", rng=3).fit(X, y)
        predictions.append(chain.predict_proba(X))
    assert_allclose(predictions[0], predictions[1], atol=0.03)  # shares below 0.01 are left out of the copies


def test_a_fitted_teacher_is_used_as_it_is_and_an_unfitted_one_is_cloned():
    X, y = three_classes()
    teacher = GaussianNB().fit(X, y)
    tree = DecisionTreeClassifier(random_state=0)
    assert sg.Metamorphosis(teacher, sg.Bootstrap(), tree).fit(X).teacher_ is teacher
    fresh = GaussianNB()
    assert sg.Metamorphosis(fresh, sg.Bootstrap(), tree).fit(X, y).teacher_ is not fresh
    assert not hasattr(fresh, "classes_")
    flipped = np.where(y == "low", "top", y)
    frozen = sg.Metamorphosis(FrozenEstimator(teacher), sg.Bootstrap(), tree).fit(X, flipped)
    assert "low" in frozen.predict(X)
    with pytest.raises(Exception, match="GaussianNB is not fitted and requires y"):
        sg.Metamorphosis(GaussianNB(), sg.Bootstrap(), tree).fit(X)


def test_callables_are_read_by_type_and_shape():
    X = np.random.default_rng(0).random((50, 2))
    tree, box = DecisionTreeClassifier(random_state=0), sg.Uniform()
    flags = sg.Metamorphosis(lambda X: X[:, 0] > 0.5, box, tree, rng=0).fit(X)
    assert flags.predict([[0.9, 0.1], [0.2, 0.1]]).tolist() == [True, False]
    words = sg.Metamorphosis(lambda X: np.where(X[:, 0] > 0.5, "up", "down"), box, tree, rng=0).fit(X)
    assert words.predict([[0.9, 0.1]]).tolist() == ["up"]
    numbers = sg.Metamorphosis(lambda X: X[:, 0] * 3, box, DecisionTreeRegressor(), rng=0).fit(X)
    assert_allclose(numbers.predict([[0.9, 0.1]]), 2.7, atol=0.02)
    shares = sg.Metamorphosis(
        lambda X: np.column_stack([X[:, 0], 1 - X[:, 0]]), box, tree, labels="soft", classes=["a", "b"], rng=0
    ).fit(X)
    assert shares.predict([[0.9, 0.1], [0.1, 0.1]]).tolist() == ["a", "b"]


def test_logits_are_refused_unless_named_and_read_with_temperature():
    X = np.random.default_rng(0).random((50, 1))

    def scores(X):
        return np.column_stack([np.zeros(len(X)), 4 * X[:, 0] - 2])

    with pytest.raises(ValueError, match="pass logits=True"):
        sg.label(scores, X, labels="soft", classes=[0, 1])
    p = sg.label(scores, X, labels="soft", logits=True).probabilities
    assert_allclose(p[:, 1], 1 / (1 + np.exp(2 - 4 * X[:, 0])))
    cool = sg.label(scores, X, labels="soft", logits=True, temperature=2.0).probabilities
    assert_allclose(cool[:, 1], 1 / (1 + np.exp(1 - 2 * X[:, 0])))


def test_labels_need_not_be_0_to_k():
    X = np.random.default_rng(0).normal(size=(200, 1))
    for values in ([3, 7], [-1, 1], [False, True], ["no", "yes"]):
        y = np.array(values)[(X[:, 0] > 0).astype(int)]
        for labels in ("hard", "soft"):
            chain = sg.Metamorphosis(
                LogisticRegression(), sg.Noise(), DecisionTreeRegressor(random_state=0), labels=labels, rng=0
            ).fit(X, y)
            assert (chain.predict(X) == y).mean() > 0.97
            assert chain.predict(X).dtype == y.dtype


@pytest.mark.parametrize("student", [sg.BinnedTree(8), DecisionTreeClassifier(max_leaf_nodes=8, random_state=0)])
def test_classes_may_be_named_in_any_order(student):
    X = np.random.default_rng(0).uniform(-4, 4, size=(200, 2))

    def teacher(X):
        p = 1 / (1 + np.exp(-4 * X[:, 0]))
        return np.column_stack([0.9 * p, 0.9 * (1 - p), np.full(len(X), 0.1)])

    options = {"n_new": 3000, "labels": "soft", "classes": ["b", "c", "a"], "rng": 0}
    chain = sg.Metamorphosis(teacher, sg.Noise(), student, **options).fit(X)
    assert chain.classes_.tolist() == ["b", "c", "a"]
    assert chain.predict([[3.0, 0.0], [-3.0, 0.0]]).tolist() == ["b", "c"]
    assert_allclose(chain.predict_proba([[3.0, 0.0], [-3.0, 0.0]]), [[0.9, 0, 0.1], [0, 0.9, 0.1]], atol=0.02)


def test_one_class_only_gives_a_constant_student():
    X = np.random.default_rng(0).normal(size=(50, 2))
    for labels in ("hard", "soft"):
        chain = sg.Metamorphosis(
            RandomForestClassifier(5, random_state=0), sg.Noise(), DecisionTreeClassifier(), labels=labels
        ).fit(X, np.full(50, "same"))
        assert set(chain.predict(X)) == {"same"}


def test_teachers_without_probabilities_say_what_to_do():
    X, y = three_classes()
    tree = DecisionTreeClassifier(random_state=0)
    with pytest.raises(ValueError, match="Perceptron has no predict_proba: use labels='hard'"):
        sg.Metamorphosis(Perceptron(), sg.Noise(), tree, labels="soft").fit(X, y)
    assert sg.Metamorphosis(Perceptron(), sg.Noise(), tree, rng=0).fit(X, y).score(X, y) > 0.6
    calibrated = CalibratedClassifierCV(SVC(), cv=3)
    assert sg.Metamorphosis(calibrated, sg.Noise(), tree, labels="soft", rng=0).fit(X, y).score(X, y) > 0.8
    odds = sg.Metamorphosis(SVC(), sg.Noise(), tree, labels="soft", logits=True, rng=0).fit(X, y)
    assert odds.score(X, y) > 0.8


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (lambda X: np.full(len(X), np.nan), "answered nan for row 0"),
        (lambda X: np.ones(3), "asked for 10000 rows and answered an array of shape"),
        (lambda X: np.array([None] * len(X)), "answered None for row 0"),
    ],
)
def test_bad_answers_are_named(teacher, message):
    X = np.random.default_rng(0).random((20, 2))
    with pytest.raises(ValueError, match=message):
        sg.Metamorphosis(teacher, sg.Uniform(), DecisionTreeClassifier()).fit(X)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"generator": sg.Noise}, TypeError, "generator must be an object, got the class Noise"),
        ({"generator": "noise"}, TypeError, "generator must have fit and draw"),
        ({"student": 3}, TypeError, "student must have fit"),
        ({"teacher": 3}, TypeError, "a teacher must be a fitted estimator, a callable or a simulator"),
        ({"labels": "firm"}, ValueError, "labels must be one of hard, soft, logits"),
        ({"originals": "all"}, ValueError, "originals must be one of none, teacher, own"),
        ({"n_new": 0}, ValueError, "n_new must be at least 1"),
        ({"n_new": None}, ValueError, "needs a generator with a length"),
        ({"temperature": 0.0}, ValueError, "temperature must be positive"),
        ({"stream": True}, TypeError, "partial_fit"),
        ({"teacher": LinearRegression()}, TypeError, "is a classifier, but the teacher answers numbers"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    X = np.random.default_rng(0).random((40, 2))
    y = (X[:, 0] > 0.5).astype(int)
    options = {"teacher": GaussianNB(), "generator": sg.Noise(), "student": DecisionTreeClassifier(), "n_new": 100}
    with pytest.raises(error, match=message):
        sg.Metamorphosis(**(options | change)).fit(X, y)


def test_originals_join_with_the_labels_that_are_asked_for():
    X = np.linspace(0, 1, 40)[:, None]
    y = (X[:, 0] > 0.5).astype(int)
    wrong = y.copy()
    wrong[0] = 1
    options = {"n_new": 10, "rng": 0}
    tree = DecisionTreeClassifier(random_state=0)
    teacher = FrozenEstimator(LogisticRegression().fit(X, y))
    sizes = {}
    for originals in ("none", "teacher", "own"):
        chain = sg.Metamorphosis(teacher, sg.Bootstrap(), tree, originals=originals, **options).fit(X, wrong)
        sizes[originals] = len(chain.transfer_set_)
        if originals != "none":
            assert chain.transfer_set_.y[0] == (1 if originals == "own" else 0)
    assert sizes == {"none": 10, "teacher": 50, "own": 50}


def test_augmented_copies_keep_the_label_of_their_point():
    X = np.random.default_rng(0).random((50, 2))
    asked = []

    def teacher(X):
        asked.append(len(X))
        return X[:, 0] > 0.5

    chain = sg.Metamorphosis(
        teacher, sg.Uniform(), DecisionTreeClassifier(), 100, augment=lambda X, rng: X + 10, n_augment=2, rng=0
    ).fit(X)
    points = chain.transfer_set_
    assert sum(asked) == 100
    assert len(points) == 300
    assert_allclose(points.X[100:200], points.X[:100] + 10)
    assert (points.y[200:] == points.y[:100]).all()


def test_streaming_teaches_chunk_by_chunk():
    X, y = three_classes()
    sizes = []

    class Counted(SGDClassifier):
        def partial_fit(self, X, y, classes=None):
            sizes.append(len(X))
            return super().partial_fit(X, y, classes=classes)

    chain = sg.Metamorphosis(
        GaussianNB(), sg.KernelDensity(), Counted(random_state=0), 5000, stream=True, chunk_rows=1024, rng=0
    ).fit(X, y)
    assert sizes == [1024] * 4 + [904]
    assert not hasattr(chain, "transfer_set_")
    assert chain.score(X, y) > 0.8


@pytest.mark.parametrize("labels", ["hard", "soft", "logits"])
@pytest.mark.parametrize(
    "student",
    [
        SGDRegressor(random_state=0),
        MLPRegressor(hidden_layer_sizes=(8,), random_state=0),
        SGDClassifier("log_loss", random_state=0),
    ],
)
def test_streaming_teaches_every_kind_of_label(student, labels):
    X, y = three_classes()
    y = np.searchsorted(["low", "mid", "top"], y)
    options = {"stream": True, "chunk_rows": 1000, "labels": labels, "rng": 0}
    chain = sg.Metamorphosis(GaussianNB(), sg.KernelDensity(), student, 20_000, **options).fit(X, y)
    # Linear regressions of three indicators hide the middle class.
    assert chain.score(X, y) > (0.5 if isinstance(student, SGDRegressor) and labels == "hard" else 0.65)
    assert_allclose(chain.predict_proba(X).sum(axis=1), 1)


def test_streaming_begins_with_the_originals():
    X = np.linspace(0, 1, 40)[:, None]
    y = (X[:, 0] > 0.5).astype(int)
    seen = []

    class Noted(SGDClassifier):
        def partial_fit(self, X, y, classes=None):
            seen.append(y)
            return super().partial_fit(X, y, classes=classes)

    teacher = FrozenEstimator(LogisticRegression().fit(X, y))
    for originals in ("teacher", "own"):
        sg.Metamorphosis(teacher, sg.Bootstrap(), Noted(), 10, originals=originals, stream=True).fit(X, 1 - y)
    assert [len(labels) for labels in seen] == [40, 10, 40, 10]
    assert seen[0].tolist() == y.tolist()
    assert seen[2].tolist() == (1 - y).tolist()


def test_streaming_must_know_all_classes():
    words = np.repeat(["a", "b"], 50)
    chain = sg.Metamorphosis(
        lambda X: words[X[:, 0].astype(int)], sg.Bootstrap(), SGDRegressor(), 40, stream=True, chunk_rows=1, rng=0
    )
    with pytest.raises(ValueError, match="name all as classes="):
        chain.fit(np.arange(100.0)[:, None])
    assert chain.set_params(classes=["a", "b"]).fit(np.arange(100.0)[:, None]).classes_.tolist() == ["a", "b"]


def test_chunks_and_threads_do_not_change_the_labels():
    X, y = three_classes(500)
    teacher = RandomForestClassifier(10, random_state=0).fit(X, y)
    whole = sg.label(teacher, X, labels="soft")
    for options in ({"chunk_rows": 7}, {"chunk_rows": 64, "n_jobs": 2}):
        parts = sg.label(teacher, X, labels="soft", **options)
        assert_allclose(parts.probabilities, whole.probabilities)
        assert (parts.y == whole.y).all()


SPACE = sg.Space(x=sg.Real(-2, 2), n=sg.Integer(1, 5), kind=sg.Categorical(["u", "v"]))


@sg.simulator(space=SPACE, outputs=["height", "depth"])
def hill(x, n, kind):
    if x < -1.9:
        raise RuntimeError("below the valley")
    return {"height": -n * x**2 + (kind == "u"), "depth": 1.0}


def test_a_simulator_teaches_through_runs_and_failed_runs_are_left_out(tmp_path):
    run = functools.partial(sg.run, n_jobs=0, store=tmp_path / "hill.db")
    encode = {"u": 0, "v": 1}

    class CodedTree(DecisionTreeRegressor):
        def fit(self, X, y):
            return super().fit(X.replace({"kind": encode}).astype(float), y)

        def predict(self, X):
            return super().predict(X.replace({"kind": encode}).astype(float))

    student = CodedTree(random_state=0)
    chain = sg.Metamorphosis(hill, sg.Uniform(SPACE), student, 400, run=run, output="height", rng=0).fit()
    with sg.RunStore(tmp_path / "hill.db") as store:
        runs = store.runs()
    assert len(runs) == 400
    assert 0 < len(runs.failures) < 40
    assert len(chain.transfer_set_) == 400 - len(runs.failures)
    assert_allclose(chain.predict(chain.transfer_set_.X), chain.transfer_set_.y)
    truth = chain.transfer_set_.X.apply(lambda row: hill(**row)["height"], axis=1)
    assert_allclose(chain.transfer_set_.y, truth)


def test_a_simulator_without_a_way_to_run_it_is_refused():
    tree = DecisionTreeRegressor()
    with pytest.raises(ValueError, match=r"say how it is run, e\.g\. run=surrogate\.run"):
        sg.Metamorphosis(hill, sg.Uniform(SPACE), tree).fit()
    with pytest.raises(ValueError, match=r"output= one of \['height', 'depth'\]"):
        sg.Metamorphosis(hill, sg.Uniform(SPACE), tree, run=sg.run).fit()
    with pytest.raises(ValueError, match="no scalar output 'width'"):
        sg.Metamorphosis(hill, sg.Uniform(SPACE), tree, run=sg.run, output="width").fit()


def test_a_box_finder_is_a_student():
    frame = SPACE.from_unit(np.random.default_rng(0).random((300, 3)))
    chain = sg.Metamorphosis(
        lambda X: (X["x"] > 0.5) & (X["kind"] == "u"), sg.Uniform(SPACE), sg.Prim(), n_new=3000, rng=0
    ).fit(frame, space=SPACE)
    assert chain.student_.best_.limits["kind"] == {"u"}
    assert_allclose(chain.student_.best_.limits["x"][0], 0.5, atol=0.1)
    inside = chain.predict(frame)
    assert (inside == ((frame["x"] > 0.5) & (frame["kind"] == "u"))).mean() > 0.95


def test_probabilities_reach_a_finder_that_takes_them():
    class Finder:
        def get_params(self, deep=True):
            return {}

        def fit(self, X, y, *, space=None):
            self.y, self.space = y, space
            return self

    X, y = three_classes()
    two = y == "low"
    chain = sg.Metamorphosis(LogisticRegression(), sg.Uniform(), Finder(), n_new=500, labels="soft", rng=0).fit(X, two)
    assert_allclose(chain.student_.y, chain.teacher_.predict_proba(chain.transfer_set_.X)[:, 1])
    with pytest.raises(TypeError, match="one of two classes, but the teacher has 3"):
        sg.Metamorphosis(LogisticRegression(), sg.Uniform(), Finder()).fit(X, y)


def test_boxes_need_something_of_interest_and_something_else():
    X = np.random.default_rng(0).random((40, 2))
    with pytest.raises(ValueError, match="interest"):
        sg.Metamorphosis(lambda X: X[:, 0] > 2, sg.Uniform(), sg.Prim()).fit(X)
    with pytest.raises(TypeError, match="one of two classes, but the teacher has 1"):
        sg.Metamorphosis(lambda X: np.full(len(X), "low"), sg.Uniform(), sg.Prim()).fit(X)


def test_a_box_answers_in_the_teachers_classes():
    X, y = three_classes()
    chain = sg.Metamorphosis(LogisticRegression(), sg.Uniform(), sg.Prim(), n_new=1000, rng=0)
    chain.fit(X, np.where(y == "top", "top", "other"))
    assert set(chain.predict(X)) == {"other", "top"}
    assert (chain.predict(X) == np.where(y == "top", "top", "other")).mean() > 0.8


def test_regressors_teach_numbers():
    rng = np.random.default_rng(0)
    X = rng.random((200, 2))
    y = 3 * X[:, 0] + X[:, 1]
    chain = sg.Metamorphosis(
        GradientBoostingRegressor(random_state=0), sg.Uniform(), DecisionTreeRegressor(max_leaf_nodes=64), rng=0
    ).fit(X, y)
    assert chain.score(X, y) > 0.95
    assert not hasattr(chain, "classes_")
    assert not hasattr(chain, "predict_proba")


def test_a_frame_with_categories_goes_through_the_chain():
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.random(300), "kind": rng.choice(["a", "b"], 300)})
    y = np.where((frame["x"] > 0.5) & (frame["kind"] == "a"), "yes", "no")
    coded = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    chain = sg.Metamorphosis(
        make_pipeline(coded, RandomForestClassifier(50, random_state=0)),
        sg.Munge(),
        make_pipeline(coded, DecisionTreeClassifier(max_leaf_nodes=4, random_state=0)),
        n_new=3000,
        rng=0,
    ).fit(frame, y)
    assert chain.score(frame, y) > 0.95
    assert chain.feature_names_in_.tolist() == ["x", "kind"]


def test_all_unlabelled_points_are_taken_if_no_number_is_given():
    X, y = three_classes()
    new = np.random.default_rng(1).normal(size=(77, 2))
    chain = sg.Metamorphosis(GaussianNB(), sg.Unlabelled(new), DecisionTreeClassifier(), n_new=None, rng=0).fit(X, y)
    points = chain.transfer_set_.X
    assert_allclose(points[np.lexsort(points.T)], new[np.lexsort(new.T)])


@pytest.mark.parametrize(("n_new", "times", "sizes"), [(None, 1, [32, 32, 13]), (170, 2, [32, 32, 13] * 2 + [16])])
def test_streaming_takes_all_unlabelled_points(n_new, times, sizes):
    seen = []

    class Noted(SGDClassifier):
        def partial_fit(self, X, y, classes=None):
            seen.append(X[:, 0])
            return super().partial_fit(X, y, classes=classes)

    pool = sg.Unlabelled(np.arange(77.0)[:, None])
    sg.Metamorphosis(lambda X: X[:, 0] > 40, pool, Noted(), n_new, stream=True, chunk_rows=32, rng=0).fit()
    assert [len(part) for part in seen] == sizes
    counts = np.bincount(np.concatenate(seen).astype(int), minlength=77)
    assert set(counts) <= {times, times + 1}


def test_unlabelled_points_are_drawn_evenly():
    new = np.arange(10.0)[:, None]
    drawn = sg.Unlabelled(new).fit().draw(25, rng=0).ravel()
    counts = np.unique(drawn, return_counts=True)[1]
    assert set(counts) == {2, 3}
    with pytest.raises(ValueError, match="do not fit data"):
        sg.Unlabelled(new).fit(np.zeros((3, 2)))
