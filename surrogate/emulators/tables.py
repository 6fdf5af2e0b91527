"""Training and new data checked the same way by every emulator, and outputs brought to unit size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.special
import scipy.stats
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted, check_X_y, validate_data

from surrogate.space import Categorical, Space

__all__ = [
    "Z95",
    "Scaled",
    "check_new",
    "check_training",
    "check_training_many",
    "columns_of",
    "conformal_quantile",
    "fit_on",
    "fold_of_each",
    "named",
    "normal_mass",
    "numbers_of",
    "predict_each",
    "refuse_text",
    "remember_inputs",
    "without_copies",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# So many standard deviations to each side hold 95% of a normal distribution.
Z95 = float(scipy.stats.norm.ppf(0.975))


def check_training(estimator: Any, X: Any, y: Any, space: Space | None, *, least: int = 2) -> tuple[Any, FloatArray]:
    """Inputs and outputs as `fit` got them, or an error that says what is wrong with them.

    Sets ``n_features_in_``, ``feature_names_in_``, ``space_`` and ``input_range_``.

    Returns
    -------
    X : float array of shape (n, d); with a `space` DataFrame of its columns
    y : float array of shape (n,)
    """
    if space is None:
        refuse_text(X)
        table, y = validate_data(estimator, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=least)
    else:
        table = space.validate(X)
        _, y = check_X_y(np.zeros((len(table), 1)), y, y_numeric=True, ensure_min_samples=least)
    remember_inputs(estimator, table, space)
    return table, np.asarray(y, dtype=np.float64)


def check_training_many(
    estimator: Any, X: Any, y: Any, space: Space | None, *, least: int = 2
) -> tuple[Any, FloatArray]:
    """As :func:`check_training` for outputs of any shape (n, ...)."""
    # A column of a table may hold one array a cell.
    y = np.array(y.tolist()) if isinstance(y, pd.Series) else y
    shape = () if y is None else np.asarray(y).shape[1:]
    flat = np.reshape(y, (len(y), -1)) if len(shape) > 1 else y
    if space is None:
        refuse_text(X)
        options = {"multi_output": True, "y_numeric": True, "ensure_min_samples": least}
        table, flat = validate_data(estimator, X, flat, dtype=np.float64, **options)
    else:
        # First, since the length of a mapping is not its number of rows.
        table = space.validate(X)
        rows = np.zeros((len(table), 1))
        flat = check_X_y(rows, flat, multi_output=True, y_numeric=True, ensure_min_samples=least)[1]
    remember_inputs(estimator, table, space)
    return table, np.asarray(flat, dtype=np.float64).reshape(len(flat), *shape)


def remember_inputs(estimator: Any, table: Any, space: Space | None) -> None:
    """Set what a fitted estimator tells of the checked inputs that it learnt from."""
    if space is None:
        estimator.input_range_ = np.stack([table.min(axis=0), table.max(axis=0)])
    else:
        estimator.n_features_in_ = space.d
        estimator.feature_names_in_ = np.array(space.names, dtype=object)
        estimator.input_range_ = None
    estimator.space_ = space


def refuse_text(X: Any) -> None:
    """Raise a ValueError for a column of text in a table that comes without a space, which alone could say more."""
    if not isinstance(X, pd.DataFrame):
        return
    for name, column in X.items():
        if not pd.api.types.is_numeric_dtype(column.dtype):
            text = next((value for value in column if isinstance(value, str)), None)
            if text is not None:
                raise ValueError(
                    f"X: column {name!r} holds text, e.g. {text!r}, and numbers are learnt; pass space= with a "
                    "Categorical parameter of its values"
                )


def check_new(estimator: Any, X: Any) -> Any:
    """New inputs for a fitted estimator, of the same form as :func:`check_training` returned."""
    check_is_fitted(estimator)
    if estimator.space_ is None:
        return validate_data(estimator, X, dtype=np.float64, reset=False)
    return estimator.space_.validate(X)


def fit_on(model: Any, table: Any, y: FloatArray, space: Space | None) -> Any:
    """A model fitted, which need not know of spaces where there is none."""
    return model.fit(table, y) if space is None else model.fit(table, y, space)


def predict_each(models: Iterable[Any], table: Any, with_std: bool) -> tuple[list[FloatArray], list[FloatArray]]:
    """Means and standard deviations (zeros unless `with_std`) by several emulators."""
    if not with_std:
        means = [model.predict(table) for model in models]
        return means, [np.zeros_like(mean) for mean in means]
    found = [model.predict(table, return_std=True) for model in models]
    return [mean for mean, _ in found], [std for _, std in found]


def named(estimator: Any, table: Any) -> Any:
    """Checked inputs with the names of the columns, if they had any."""
    if isinstance(table, pd.DataFrame) or not hasattr(estimator, "feature_names_in_"):
        return table
    return pd.DataFrame(table, columns=estimator.feature_names_in_)


def columns_of(table: Any) -> list[Any]:
    """The inputs one by one."""
    if isinstance(table, pd.DataFrame):
        return [table[name].to_numpy() for name in table.columns]
    return list(np.asarray(table).T)


def numbers_of(table: Any, space: Space | None) -> FloatArray:
    """Inputs as numbers, (n, c): without a space as they are, else positions in the unit interval, and of a category
    with more than two values one column a value.
    """
    if space is None:
        return np.asarray(table, dtype=float)
    columns: list[FloatArray] = []
    for name, parameter in space.items():
        values = table[name].to_numpy()
        if isinstance(parameter, Categorical) and len(parameter.values) > 2:
            codes = parameter.codes(values)
            columns += [(codes == code).astype(float) for code in range(len(parameter.values))]
        else:
            columns.append(parameter.to_unit(values))
    return np.column_stack(columns)


def without_copies(z: FloatArray, t: FloatArray) -> tuple[IntArray, FloatArray, IntArray]:
    """Points that differ, with the mean output of each.

    Returns
    -------
    rows : int array of shape (k,)
        Of each point the first row; points are sorted.
    mean : array of shape (k,)
    group : int array of shape (n,)
        Which of the points each row is.
    """
    _, rows, group = np.unique(z, axis=0, return_index=True, return_inverse=True)
    group = group.ravel()
    return rows, np.bincount(group, t) / np.bincount(group), group


def fold_of_each(n: int, folds: int, rng: int | np.random.Generator | None) -> IntArray:
    """A fold for each of `n` rows, of equal sizes, at random; int array of shape (n,)."""
    out = np.empty(n, dtype=np.int64)
    out[np.random.default_rng(rng).permutation(n)] = np.arange(n) % folds
    return out


@dataclass(frozen=True)
class Scaled:
    """Outputs as ``z = (y / unit - centre) / scale`` of mean 0 and standard deviation 1 (0 of a constant).

    Divided by `unit` first, so that outputs of 1e-300 or 1e300 have a standard deviation.
    """

    unit: float
    centre: float
    scale: float

    @classmethod
    def of(cls, y: FloatArray) -> Scaled:
        unit = float(np.abs(y).max()) or 1.0
        # From the first value, so that a small variation on a large number keeps its digits.
        relative = y / unit - y[0] / unit
        # Less than rounding errors of the mean is no variation.
        scale = float(relative.std())
        return cls(unit, float(y[0] / unit + relative.mean()), scale if scale > 4 * np.finfo(float).eps else 0.0)

    @property
    def is_constant(self) -> bool:
        """Whether all outputs are the same number."""
        return self.scale == 0.0

    def forward(self, y: FloatArray) -> FloatArray:
        """Scaled outputs."""
        return np.zeros_like(y) if self.is_constant else np.asarray((y / self.unit - self.centre) / self.scale)

    def backward(self, z: FloatArray) -> FloatArray:
        """Outputs of scaled ones."""
        return np.asarray(self.unit * (self.centre + self.scale * z))

    def spread(self, std: FloatArray) -> FloatArray:
        """Standard deviations of outputs of scaled ones."""
        return np.asarray((self.unit * self.scale) * std)

    def moments(self, mean: FloatArray, std: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of outputs whose scaled ones have these."""
        return self.backward(mean), self.spread(std)


def normal_mass(mean: FloatArray, std: FloatArray, low: float, high: float) -> FloatArray:
    """Probability of normal variables between two thresholds, which may be infinite."""
    # Of constant outputs not even rounding may be left.
    spread = np.maximum(std, np.finfo(float).tiny)
    with np.errstate(over="ignore"):
        share = scipy.special.ndtr((high - mean) / spread) - scipy.special.ndtr((low - mean) / spread)
    return np.asarray(np.maximum(share, 0.0))


def conformal_quantile(scores: FloatArray, level: float) -> float:
    """The score that a new one exceeds with probability at most ``1 - level``, given `n` exchangeable ones, sorted.

    The smallest of them whose rank is at least ``level (n + 1)``; with too few for that level the largest, stretched
    as a normal distribution's.

    References
    ----------
    .. [1] V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", Springer 2005, sec. 2.2.
    """
    n = len(scores)
    rank = int(np.ceil(level * (n + 1)))
    if rank <= n:
        return float(scores[rank - 1])
    reached = n / (n + 1)
    stretch = float(scipy.stats.norm.ppf(0.5 + level / 2) / scipy.stats.norm.ppf(0.5 + reached / 2))
    return float(scores[-1]) * stretch
