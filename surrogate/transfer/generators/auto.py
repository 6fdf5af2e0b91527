"""Which generator? The one whose points teach this student best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import pairwise_distances
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils.validation import check_is_fitted

from surrogate.space import Space
from surrogate.transfer.generators.base import FloatArray, Rng
from surrogate.transfer.generators.bootstrap import Bootstrap
from surrogate.transfer.generators.kernel_density import KernelDensity
from surrogate.transfer.generators.mixed import Mixed
from surrogate.transfer.generators.munge import Munge
from surrogate.transfer.generators.neighbours import unit_distances
from surrogate.transfer.generators.noise import Noise
from surrogate.transfer.label import TransferSet, accepted, is_simulator, label, n_rows
from surrogate.transfer.student import finds_boxes, student_classes, teach
from surrogate.transfer.table import Columns, as_frame, rows_of

__all__ = ["AutoGenerator"]

# Rows and points compared where there is no teacher: their distances are counted pair by pair.
COMPARED_ROWS = 500


def default_candidates() -> dict[str, Any]:
    """The candidates, the favourite first: the best of the rule extraction benchmark."""
    return {
        "mixture of kernel density, munge and noise": Mixed(
            [KernelDensity("mean"), Munge(local_variance=1.0), Noise()]
        ),
        "munge": Munge(local_variance=1.0),
        "kernel density": KernelDensity("likelihood", kernel="full"),
        "bootstrap": Bootstrap(),
    }


class AutoGenerator(BaseEstimator):
    """The generator, of several, with which the student does best in cross-validation.

    Used in a :class:`~surrogate.transfer.chain.Metamorphosis`, teacher and generator learn from all folds but one, the
    student learns from the generator's points, and its answers for the rows of the last fold are compared with the
    labels and with the teacher's answers. The first candidate is the favourite: another one is taken only where it is
    better by more than `caution` standard errors of the difference, which over a few hundred rows is mostly chance.

    Parameters
    ----------
    candidates : mapping of str to generator, or sequence of generators, optional
        The favourite first. By default a mixture of kernel density, MUNGE and noise; MUNGE and a kernel density alone;
        and the rows themselves.
    folds : int
        Fewer where there are fewer rows.
    n_points : int
        Points drawn in each fold.
    caution : float
        In standard errors; 0 takes the best.
    max_rows : int
        Of larger data a random part is compared, which tells as much.
    random_state : int

    Attributes
    ----------
    generator_ : generator
        The chosen one, fitted on all rows.
    chosen_ : str
    scores_ : DataFrame
        One row a candidate: ``accuracy`` (or R2) against the labels, if there are any, ``fidelity`` against the
        teacher, their mean ``score``, ``gain`` over the favourite and its ``standard_error``; ``problem`` tells why a
        candidate could not be used. Without a teacher: ``distance``.
    reason_ : str
        Why it was chosen, in a sentence.

    Notes
    -----
    Without a teacher, or with a simulator, whose answers would cost runs, there is no student to compare: the candidate
    is taken whose points have the smallest energy distance [1]_ to the rows left out.

    References
    ----------
    .. [1] G. J. Szekely, M. L. Rizzo, "Energy statistics: A class of statistics based on distances", Journal of
       Statistical Planning and Inference 143(8), 2013.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from surrogate.transfer.chain import Metamorphosis
    >>> X = np.random.default_rng(0).normal(size=(150, 3))
    >>> chain = Metamorphosis(
    ...     RandomForestClassifier(20, random_state=0),
    ...     AutoGenerator([KernelDensity(), Bootstrap()]),
    ...     DecisionTreeClassifier(max_leaf_nodes=8, random_state=0),
    ...     n_new=2000,
    ...     rng=0,
    ... ).fit(X, X[:, 0] + X[:, 1] > 0)
    >>> chain.generator_.chosen_
    'KernelDensity'
    """

    def __init__(
        self,
        candidates: Any = None,
        *,
        folds: int = 5,
        n_points: int = 3000,
        caution: float = 1.0,
        max_rows: int = 2000,
        random_state: int = 0,
    ) -> None:
        self.candidates = candidates
        self.folds = folds
        self.n_points = n_points
        self.caution = caution
        self.max_rows = max_rows
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        space: Space | None = None,
        teacher: Any = None,
        student: Any = None,
        labels: Any = "hard",
        logits: bool = False,
        classes: Any = None,
        temperature: float = 1.0,
    ) -> AutoGenerator:
        """Compare the candidates and fit the best on all rows.

        Parameters
        ----------
        X : table of shape (n, d)
        y : array of shape (n,), optional
            Labels; with them the teacher is fitted anew in each fold.
        space : Space, optional
        teacher, student : estimators, optional
            Those of the chain. A teacher without `y` must be fitted.
        labels : {"hard", "soft", "logits"}
        logits, classes, temperature
            How the teacher's scores are read, as in :func:`~surrogate.transfer.label.label`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there are fewer than two rows, or no candidate can be used.
        """
        if self.folds < 2:
            raise ValueError(f"folds must be at least 2, got {self.folds}")
        if not self.caution >= 0:
            raise ValueError(f"caution must not be negative, got {self.caution}")
        candidates = self._candidates()
        as_frame(X, space)  # refuses what is no table
        n = n_rows(X)
        if n < 2:
            raise ValueError(f"AutoGenerator needs at least 2 rows, got n_samples = {n}")
        rng = np.random.default_rng(self.random_state)
        part = np.sort(rng.permutation(n)[: self.max_rows])
        X_part, y_part = rows_of(X, part), None if y is None else np.asarray(y)[part]
        folds = self._folds(len(part), y_part)
        if teacher is None or student is None or is_simulator(teacher):
            self.scores_ = self._distances(candidates, X_part, y_part, folds, space)
        else:
            known = _known(teacher, y) if classes is None else classes
            reading = {"logits": logits, "classes": known, "temperature": temperature}
            self.scores_ = self._student_scores(
                candidates, X_part, y_part, folds, space, teacher, student, labels, reading
            )
        usable = self.scores_[self.scores_["problem"] == ""]
        if usable.empty:
            problems = "; ".join(f"{name}: {text}" for name, text in self.scores_["problem"].items())
            raise ValueError(f"no candidate can be used: {problems}")
        self.chosen_, self.reason_ = self._choice(usable)
        self.generator_ = clone(candidates[self.chosen_])
        self.generator_.fit(X, **accepted(self.generator_.fit, y=y, space=space))
        return self

    def _candidates(self) -> dict[str, Any]:
        if self.candidates is None:
            return default_candidates()
        if isinstance(self.candidates, Mapping):
            named = dict(self.candidates)
        else:
            named = {}
            for generator in self.candidates:
                name = type(generator).__name__
                named[name if name not in named else f"{name} {len(named)}"] = generator
        if not named:
            raise ValueError("candidates must name at least one generator")
        return named

    def _folds(self, n: int, y: NDArray[Any] | None) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        k = min(self.folds, n)
        if y is not None and y.ndim == 1 and y.dtype.kind != "f":
            fewest = int(np.unique(y, return_counts=True)[1].min())
            if fewest >= 2:
                split = StratifiedKFold(min(k, fewest), shuffle=True, random_state=self.random_state)
                return list(split.split(np.zeros(n), y))
        return list(KFold(k, shuffle=True, random_state=self.random_state).split(np.zeros(n)))

    def _student_scores(
        self,
        candidates: dict[str, Any],
        X: Any,
        y: NDArray[Any] | None,
        folds: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
        space: Space | None,
        teacher: Any,
        student: Any,
        labels: Any,
        reading: dict[str, Any],
    ) -> pd.DataFrame:
        n = n_rows(X)
        credit = {name: np.full((2, n), np.nan) for name in candidates}  # against labels and teacher, a row
        problems = dict.fromkeys(candidates, "")
        for fold, (train, held) in enumerate(folds):
            X_train, X_held = rows_of(X, train), rows_of(X, held)
            y_train = None if y is None else y[train]
            asked = teacher
            if y is not None and hasattr(teacher, "fit"):
                asked = clone(teacher).fit(X_train, y_train)
            goal = label(asked, X_held, **reading)
            for name, candidate in candidates.items():
                if problems[name]:
                    continue
                try:
                    generator = clone(candidate)
                    generator.fit(X_train, **accepted(generator.fit, y=y_train, space=space))
                    points = label(asked, generator.draw(self.n_points, fold), labels=labels, **reading)
                    taught = teach(student, points, labels=labels, space=space, rng=fold)
                    answers = student_classes(taught, X_held, goal.classes)
                except (ValueError, TypeError, NotFittedError, np.linalg.LinAlgError) as error:
                    # A generator that cannot work with these data is out of the choice, not the end of it.
                    problems[name] = f"{type(error).__name__}: {error}"[:200]
                    continue
                truth = None if y is None else y[held]
                credit[name][:, held] = _credit(answers, truth, goal, finds_boxes(student))
        rows = []
        favourite = next((name for name in candidates if not problems[name]), None)
        for name in candidates:
            accuracy, fidelity = credit[name]
            both = _mean(credit[name])
            base = _mean(credit[favourite]) if favourite is not None else both
            gain = both - base
            rows.append(
                {
                    "candidate": name,
                    "accuracy": float(accuracy.mean()),
                    "fidelity": float(fidelity.mean()),
                    "score": float(both.mean()),
                    "gain": float(gain.mean()),
                    "standard_error": float(gain.std() / np.sqrt(n)),
                    "problem": problems[name],
                }
            )
        return pd.DataFrame(rows).set_index("candidate")

    def _distances(
        self,
        candidates: dict[str, Any],
        X: Any,
        y: NDArray[Any] | None,
        folds: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
        space: Space | None,
    ) -> pd.DataFrame:
        frame, dtype = as_frame(X, space)
        columns = Columns.of_frame(frame, dtype, space)
        codes = columns.encode(frame)
        rows = []
        for name, candidate in candidates.items():
            found, problem = [], ""
            for fold, (train, held) in enumerate(folds):
                try:
                    generator = clone(candidate)
                    own = None if y is None else y[train]
                    generator.fit(rows_of(X, train), **accepted(generator.fit, y=own, space=space))
                    drawn = generator.draw(COMPARED_ROWS, fold)
                except (ValueError, TypeError, np.linalg.LinAlgError) as error:
                    problem = f"{type(error).__name__}: {error}"[:200]
                    break
                scaled = unit_distances(np.concatenate([codes, columns.encode(drawn)]), columns)
                found.append(_energy_distance(scaled[held[:COMPARED_ROWS]], scaled[len(codes) :]))
            rows.append({"candidate": name, "distance": float(np.mean(found)) if found else np.nan, "problem": problem})
        return pd.DataFrame(rows).set_index("candidate")

    def _choice(self, usable: pd.DataFrame) -> tuple[str, str]:
        if "distance" in usable:
            best = str(usable["distance"].idxmin())
            return (
                best,
                f"{best}: its points are nearest to the rows left out (energy distance {usable['distance'].min():.3g})",
            )
        favourite = str(usable.index[0])
        cautious = usable["gain"] - self.caution * usable["standard_error"]
        best = str(cautious.idxmax())
        row = usable.loc[best]
        told = f"fidelity {row['fidelity']:.3f}"
        if not np.isnan(row["accuracy"]):
            told += f", accuracy {row['accuracy']:.3f} in cross-validation"
        if best == favourite:
            return best, f"{best}: the favourite, and none was clearly better ({told})"
        return best, (
            f"{best}: better than {favourite} by {row['gain']:.3f} with a standard error of "
            f"{row['standard_error']:.3f} ({told})"
        )

    def draw(self, n: int, rng: Rng = None) -> Any:
        """`n` points of the chosen generator."""
        check_is_fitted(self, "generator_")
        return self.generator_.draw(n, rng)


def _known(teacher: Any, y: Any) -> Any:
    """Classes for the probabilities of a callable, which has no names for them."""
    if y is None or np.asarray(y).dtype.kind == "f" or hasattr(teacher, "predict"):
        return None
    return np.unique(y)


def _credit(answers: NDArray[Any], truth: NDArray[Any] | None, goal: TransferSet, boxes: bool) -> FloatArray:
    """How good answers are a row, against the labels and against the teacher; shape (2, n)."""
    out = np.full((2, len(answers)), np.nan)
    if boxes and goal.classes is None:
        # Probabilities of being of interest, or numbers of which more is better: inside should be above the mean.
        out[1] = np.where(answers, 1.0, -1.0) * (goal.y - goal.y.mean())
        return out
    if goal.classes is not None:
        out[1] = answers == goal.y
        if truth is not None:
            out[0] = answers == truth
        return out
    for row, wanted in ((0, truth), (1, goal.y)):
        if wanted is not None:
            spread = float(np.var(wanted)) or 1.0
            error = ((np.asarray(answers, dtype=float) - wanted) ** 2).reshape(len(answers), -1).mean(axis=1)
            out[row] = 1 - error / spread
    return out


def _mean(credit: FloatArray) -> FloatArray:
    """Of the credits that there are."""
    return np.asarray(credit[1] if np.isnan(credit[0]).all() else credit.mean(axis=0))


def _energy_distance(x: FloatArray, z: FloatArray) -> float:
    return float(2 * pairwise_distances(x, z).mean() - pairwise_distances(x).mean() - pairwise_distances(z).mean())
