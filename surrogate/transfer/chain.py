"""Data 1 -> Model A -> Data 2 -> Model B: any teacher, any transfer set, any student."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, column_or_1d

from surrogate.space import Space
from surrogate.transfer.generators.base import Generator
from surrogate.transfer.label import CHUNK_ROWS, Labels, TransferSet, accepted, estimator_type, label
from surrogate.transfer.student import student_classes, student_probabilities, teach, teach_more
from surrogate.transfer.table import checked, rows_of, stacked

__all__ = ["Metamorphosis"]

ORIGINALS = ("none", "teacher", "own")


def _has_probabilities(self: Metamorphosis) -> bool:
    student = getattr(self, "student_", self.student)
    if estimator_type(student) == "regressor":
        return getattr(self, "classes_", None) is not None
    return hasattr(student, "predict_proba")


class Metamorphosis(BaseEstimator):
    """Teach a student by a teacher's answers to new points.

    The teacher learns from the data (or comes fitted), the generator makes new points, the teacher labels them, and the
    student learns from these: knowledge distillation, model compression, pedagogical rule extraction and surrogate
    modelling, according to what teacher and student are.

    Parameters
    ----------
    teacher : estimator, callable or Simulator
        Any classifier or regressor; it is cloned and fitted if ``fit`` gets labels, else used as it is (wrap a fitted
        one in ``sklearn.frozen.FrozenEstimator`` to keep it as it is in any case). A callable takes a table of points,
        see :func:`~surrogate.transfer.label.label` for what it may return. A simulator needs `run`.
    generator : Generator
        Where new points come from, e.g. ``KernelDensity()``, ``Uniform(space)`` or ``Unlabelled(X)``.
    student : estimator
        Any classifier, regressor, box finder or rule learner; it is cloned.
    n_new : int or None
        Number of new points. None means all that the generator has, for generators with a length.
    labels : {"hard", "soft", "logits"}
        What the student learns: the teacher's classes, its probabilities, or centred log-probabilities (for
        regressors). Hard labels served small trees best in our benchmarks, soft ones networks and large trees.
    originals : {"none", "teacher", "own"}
        Whether the points of ``fit`` join the transfer set, with the teacher's labels or with their own.
    temperature : float
        Above 1 softens soft labels.
    logits : bool
        Whether the teacher's scores are logits.
    classes : sequence, optional
        Names of the columns of a callable's probabilities.
    augment : callable, optional
        A transformation ``augment(X, rng) -> X`` that does not change what a point is, such as shifting an image by a
        pixel: labelled points are joined by transformed copies with the same labels, at no call of the teacher.
    n_augment : int
        How many copies of each point.
    stream : bool
        Draw, label and teach chunk by chunk with the student's ``partial_fit``, so that memory does not grow with
        `n_new`; the transfer set is not kept then.
    chunk_rows : int
        Rows a teacher is asked for at a time.
    n_jobs : int
        Threads that ask the teacher at the same time.
    run, output : callable and str, optional
        How a simulator is run, and which of its outputs is learned.
    rng : int, numpy Generator or None
        Seed of the points.

    Attributes
    ----------
    teacher_, generator_, student_ : fitted
    classes_ : array of shape (k,)
        Only if the teacher answers classes.
    transfer_set_ : TransferSet
        What the student learned from; not with `stream`.
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame

    References
    ----------
    .. [1] C. Bucila, R. Caruana, A. Niculescu-Mizil, "Model Compression", KDD 2006.
    .. [2] G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", arXiv:1503.02531, 2015.
    .. [3] M. W. Craven, J. W. Shavlik, "Extracting Tree-Structured Representations of Trained Networks", NIPS 1996.
    .. [4] V. Arzamasov, K. Böhm, "REDS: Rule Extraction for Discovering Scenarios", SIGMOD 2021.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from surrogate.transfer.generators.kernel_density import KernelDensity
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> y = np.where(X[:, 0] + X[:, 1] > 0, "up", "down")
    >>> chain = Metamorphosis(
    ...     RandomForestClassifier(random_state=0), KernelDensity(), DecisionTreeClassifier(max_leaf_nodes=8), rng=0
    ... ).fit(X, y)
    >>> chain.predict([[1.0, 1.0], [-1.0, -1.0]]).tolist()
    ['up', 'down']
    """

    def __init__(
        self,
        teacher: Any,
        generator: Any,
        student: Any,
        n_new: int | None = 10_000,
        labels: Labels = "hard",
        *,
        originals: Literal["none", "teacher", "own"] = "none",
        temperature: float = 1.0,
        logits: bool = False,
        classes: Any = None,
        augment: Callable[[Any, np.random.Generator], Any] | None = None,
        n_augment: int = 1,
        stream: bool = False,
        chunk_rows: int = CHUNK_ROWS,
        n_jobs: int = 1,
        run: Callable[..., Any] | None = None,
        output: str | None = None,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.teacher = teacher
        self.generator = generator
        self.student = student
        self.n_new = n_new
        self.labels = labels
        self.originals = originals
        self.temperature = temperature
        self.logits = logits
        self.classes = classes
        self.augment = augment
        self.n_augment = n_augment
        self.stream = stream
        self.chunk_rows = chunk_rows
        self.n_jobs = n_jobs
        self.run = run
        self.output = output
        self.rng = rng

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        kind = estimator_type(self.teacher) or estimator_type(self.student)
        source = self.teacher if estimator_type(self.teacher) else self.student
        tags.estimator_type = kind
        if hasattr(source, "__sklearn_tags__"):
            inner = source.__sklearn_tags__()
            tags.classifier_tags, tags.regressor_tags = inner.classifier_tags, inner.regressor_tags
            tags.target_tags.required = inner.target_tags.required
        parts = (self.teacher, self.generator, self.student)
        tags.input_tags.allow_nan = all(
            not hasattr(part, "__sklearn_tags__") or get_tags(part).input_tags.allow_nan for part in parts
        )
        return tags

    def fit(self, X: Any = None, y: Any = None, *, space: Space | None = None) -> Metamorphosis:
        """Teach the student.

        Parameters
        ----------
        X : table of shape (n, d), optional
            Data 1; may be left out if the generator needs no data.
        y : array of shape (n,), optional
            Their labels. With labels the teacher is cloned and fitted on them, without it must be fitted.
        space : Space, optional
            Types and bounds of the columns; given on to generator and student where they take it.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If an argument, a teacher's answer or the points do not fit; what was wrong is named.
        """
        self._check_parameters()
        rng = np.random.default_rng(self.rng)
        if X is not None:
            X = self._checked(X, reset=True)
        if y is not None and np.asarray(y).shape[1:] == (1,):
            y = column_or_1d(y, warn=True)
        self.teacher_ = self._fitted_teacher(X, y)
        self.generator_ = clone(self.generator)
        # A teacher that comes fitted is asked as it is, one that is fitted here may be fitted again on parts.
        teacher = self.teacher_ if y is None else self.teacher
        context = {"y": y, "space": space, "teacher": teacher, "student": self.student, "labels": self.labels}
        context |= {"logits": self.logits, "classes": self.classes, "temperature": self.temperature}
        self.generator_.fit(*(() if X is None else (X,)), **accepted(self.generator_.fit, **context))
        self._known = self.classes
        if self.classes is None and y is not None and estimator_type(self.teacher_) is None:
            self._known = _classes_of(y)
        if self.stream:
            self._teach_in_chunks(X, y, rng)
        else:
            self._teach(X, y, rng, space)
        return self

    def _check_parameters(self) -> None:
        for name in ("teacher", "generator", "student"):
            if isinstance(getattr(self, name), type):
                raise TypeError(
                    f"{name} must be an object, got the class {getattr(self, name).__name__}; make one with ()"
                )
        if not isinstance(self.generator, Generator):
            raise TypeError(f"generator must have fit and draw, got {self.generator!r:.100}")
        if not hasattr(self.student, "fit"):
            raise TypeError(f"student must have fit, got {self.student!r:.100}")
        if self.originals not in ORIGINALS:
            raise ValueError(f"originals must be one of {', '.join(ORIGINALS)}, got {self.originals!r}")
        if self.n_new is None and not hasattr(self.generator, "__len__"):
            raise ValueError(
                f"n_new=None needs a generator with a length, and {type(self.generator).__name__} has none"
            )
        if self.n_new is not None and self.n_new < 1:
            raise ValueError(f"n_new must be at least 1, got {self.n_new}")
        if self.n_augment < 1:
            raise ValueError(f"n_augment must be at least 1, got {self.n_augment}")
        if self.stream and not hasattr(self.student, "partial_fit"):
            raise TypeError(f"stream=True needs a student with partial_fit, and {type(self.student).__name__} has none")

    def _checked(self, X: Any, *, reset: bool) -> Any:
        finite = not self.__sklearn_tags__().input_tags.allow_nan
        return checked(self, X, reset=reset, accept_sparse=True, allow_nd=True, ensure_all_finite=finite)

    def _fitted_teacher(self, X: Any, y: Any) -> Any:
        if y is not None and hasattr(self.teacher, "fit"):
            return clone(self.teacher).fit(X, y)
        if isinstance(self.teacher, BaseEstimator):  # others have their own ways to tell
            try:
                check_is_fitted(self.teacher)
            except NotFittedError as error:
                name = type(self.teacher).__name__
                raise ValueError(
                    f"the teacher {name} is not fitted and requires y to be passed, but the target y is None"
                ) from error
        return self.teacher

    def _label(self, X: Any, labels: Labels | None = None) -> TransferSet:
        return label(
            self.teacher_,
            X,
            labels=self.labels if labels is None else labels,
            classes=self._known,
            temperature=self.temperature,
            logits=self.logits,
            chunk_rows=self.chunk_rows,
            n_jobs=self.n_jobs,
            run=self.run,
            output=self.output,
        )

    def _augmented(self, points: TransferSet, rng: np.random.Generator) -> TransferSet:
        if self.augment is None:
            return points
        copies = [self.augment(points.X, rng) for _ in range(self.n_augment)]
        times = 1 + self.n_augment
        soft = points.probabilities
        return TransferSet(
            stacked([points.X, *copies]),
            np.concatenate([points.y] * times),
            None if soft is None else np.concatenate([soft] * times),
            points.classes,
        )

    def _teach(self, X: Any, y: Any, rng: np.random.Generator, space: Space | None) -> None:
        n = len(self.generator_) if self.n_new is None else self.n_new
        points = self._label(self.generator_.draw(n, rng))
        first = self._originals(X, y)
        if first is not None:
            both = None if points.probabilities is None else np.concatenate([first.probabilities, points.probabilities])
            X_both, y_both = stacked([first.X, points.X]), np.concatenate([first.y, points.y])
            points = TransferSet(X_both, y_both, both, points.classes)
        self.transfer_set_ = self._augmented(points, rng)
        self._learned(points.classes)
        self.student_ = teach(
            self.student,
            self.transfer_set_,
            labels=self.labels,
            space=space,
            oracle=lambda X: self._label(X).y,
            rng=rng,
        )

    def _originals(self, X: Any, y: Any) -> TransferSet | None:
        """The points of ``fit`` with the labels that the student is to learn of them."""
        if self.originals == "none" or X is None:
            return None
        first = self._label(X)
        if self.originals == "own" and y is not None:
            own = first.beside(y)
            soft = None if first.probabilities is None else (own[:, None] == first.classes).astype(float)
            first = TransferSet(first.X, own, soft, first.classes)
        return first

    def _chunks(self, X: Any, y: Any, rng: np.random.Generator) -> Iterator[TransferSet]:
        first = self._originals(X, y)
        if first is not None:
            yield first
        left = len(self.generator_) if self.n_new is None else int(self.n_new)
        most = self.chunk_rows
        if hasattr(self.generator_, "__len__"):
            # Only within a draw does each of its points, which are in memory anyway, come as often as any other.
            most = -(-most // len(self.generator_)) * len(self.generator_)
        while left > 0:
            points = self.generator_.draw(min(left, most), rng)
            for start in range(0, min(left, most), self.chunk_rows):
                yield self._label(rows_of(points, slice(start, start + self.chunk_rows)))
            left -= most

    def _teach_in_chunks(self, X: Any, y: Any, rng: np.random.Generator) -> None:
        student = None
        for points in self._chunks(X, y, rng):
            known: Any = getattr(self, "classes_", None)
            if student is not None and points.classes is not None and not np.array_equal(points.classes, known):
                raise ValueError(
                    f"the teacher answered the classes {points.classes} after {known}; name all as classes="
                )
            self._learned(points.classes)
            student = teach_more(self.student, student, self._augmented(points, rng), labels=self.labels, rng=rng)
        self.student_ = student

    def _learned(self, classes: NDArray[Any] | None) -> None:
        if classes is not None:
            self.classes_ = classes
        elif hasattr(self, "classes_"):
            del self.classes_

    def predict(self, X: Any) -> NDArray[Any]:
        """The student's answers: classes or numbers; of a box finder whether a point lies in its best box.

        Parameters
        ----------
        X : table of shape (m, d)

        Returns
        -------
        array of shape (m,)
        """
        check_is_fitted(self, "student_")
        if hasattr(self, "n_features_in_"):
            X = self._checked(X, reset=False)
        return student_classes(self.student_, X, getattr(self, "classes_", None))

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The student's probabilities of ``classes_``; array of shape (m, k)."""
        check_is_fitted(self, "student_")
        if hasattr(self, "n_features_in_"):
            X = self._checked(X, reset=False)
        return student_probabilities(self.student_, X, self.classes_, self.labels)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of the student, or its R2 if the answers are numbers."""
        measure = r2_score if getattr(self, "classes_", None) is None else accuracy_score
        return float(measure(y, self.predict(X), sample_weight=sample_weight))


def _classes_of(y: Any) -> NDArray[Any] | None:
    """The classes among labels; None if they are numbers."""
    values = np.asarray(y)
    return None if values.dtype.kind == "f" else np.unique(values)
