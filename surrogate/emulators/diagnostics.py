"""How far an emulator can be trusted: accuracy and calibration of its predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from surrogate.emulators.tables import Z95

__all__ = [
    "Diagnostics",
    "LeavesOneOut",
    "crps",
    "diagnose",
    "interval_coverage_curve",
    "leave_one_out_table",
    "pit",
]

FloatArray = NDArray[np.float64]

# Of a standard deviation of 0 there is no density.
LEAST_STD = float(np.finfo(float).tiny ** 0.5)


class LeavesOneOut(Protocol):
    """An emulator that predicts each of its training points from the others."""

    def leave_one_out(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...


@dataclass(frozen=True)
class Diagnostics:
    """Accuracy and calibration of predictions with standard deviations.

    Attributes
    ----------
    q2 : float
        Share of the output's variance that is predicted, 1 - sum(e^2) / sum((y - mean(y))^2); 1 is perfect, 0 no better
        than the mean.
    rmse, mae : float
        Root mean square and mean absolute error, in the output's unit.
    interval_coverage : float
        Share of the values inside their 95% intervals; honest intervals hold 0.95 of them.
    nlpd : float
        Mean negative log predictive density of a normal distribution; lower is better.
    crps : float
        Mean continuous ranked probability score of a normal distribution, in the output's unit; lower is better. Like
        the mean absolute error, and equal to it where predictions are certain.

    Examples
    --------
    >>> exact, std = np.array([1.0, 2.0, 3.0]), np.full(3, 0.1)
    >>> told = diagnose(exact, exact + [0.1, 0.0, -0.1], std)
    >>> round(told.q2, 3), round(told.mae, 3), told.interval_coverage
    (0.99, 0.067, 1.0)
    """

    q2: float
    rmse: float
    mae: float
    interval_coverage: float
    nlpd: float
    crps: float


def diagnose(actual: ArrayLike, mean: ArrayLike, std: ArrayLike) -> Diagnostics:
    """Compare predictions with the truth.

    Parameters
    ----------
    actual, mean, std : array of shape (n,)

    Raises
    ------
    ValueError
        If shapes differ or are empty.

    Examples
    --------
    >>> diagnose([0.0, 1.0, 2.0], [0.0, 1.0, 2.1], [0.1, 0.1, 0.1]).interval_coverage
    1.0
    """
    y, m, s = _checked(actual, mean, std)
    error = y - m
    total = float(((y - y.mean()) ** 2).sum())
    return Diagnostics(
        q2=1.0 - float((error**2).sum()) / total if total > 0 else float("nan"),
        rmse=float(np.sqrt((error**2).mean())),
        mae=float(np.abs(error).mean()),
        interval_coverage=float((np.abs(error) <= Z95 * s).mean()),
        nlpd=float(-np.mean(scipy.stats.norm.logpdf(y, m, np.maximum(s, LEAST_STD)))),
        crps=float(crps(y, m, s).mean()),
    )


def _checked(actual: ArrayLike, mean: ArrayLike, std: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    y, m, s = (np.asarray(a, dtype=float) for a in (actual, mean, std))
    if not y.shape == m.shape == s.shape or y.ndim != 1 or not len(y):
        raise ValueError(f"actual, mean and std must have one shape (n,), got {y.shape}, {m.shape}, {s.shape}")
    return y, m, s


def crps(actual: ArrayLike, mean: ArrayLike, std: ArrayLike) -> FloatArray:
    """Continuous ranked probability score of each normal prediction, in the output's unit.

    Parameters
    ----------
    actual, mean, std : array of shape (n,)

    Returns
    -------
    array of shape (n,)

    References
    ----------
    .. [1] T. Gneiting, A. E. Raftery, "Strictly proper scoring rules, prediction, and estimation", Journal of the
       American Statistical Association 102(477), 2007, sec. 4.2.

    Examples
    --------
    >>> crps([0.0, 3.0], [0.0, 1.0], [1.0, 0.0]).round(4)
    array([0.2337, 2.    ])
    """
    y, m, s = _checked(actual, mean, std)
    z = (y - m) / np.maximum(s, LEAST_STD)
    normal = scipy.stats.norm
    with np.errstate(over="ignore"):
        spread = s * (z * (2.0 * normal.cdf(z) - 1.0) + 2.0 * normal.pdf(z) - 1.0 / np.sqrt(np.pi))
    return np.asarray(np.where(s > LEAST_STD, spread, np.abs(y - m)))


def pit(actual: ArrayLike, mean: ArrayLike, std: ArrayLike) -> FloatArray:
    """Probability integral transform: how likely, by the prediction, an output below the actual one was.

    Parameters
    ----------
    actual, mean, std : array of shape (n,)

    Returns
    -------
    array of shape (n,)
        Uniform on [0, 1] for honest predictions; heaped at the ends where they are too sure, in the middle where they
        are too cautious.

    Examples
    --------
    >>> pit([0.0, 1.96], [0.0, 0.0], [1.0, 1.0]).round(3)
    array([0.5  , 0.975])
    """
    y, m, s = _checked(actual, mean, std)
    return np.asarray(scipy.stats.norm.cdf((y - m) / np.maximum(s, LEAST_STD)))


def interval_coverage_curve(
    actual: ArrayLike, mean: ArrayLike, std: ArrayLike, levels: ArrayLike | None = None
) -> pd.DataFrame:
    """Share of the outputs inside central intervals of several levels.

    Parameters
    ----------
    actual, mean, std : array of shape (n,)
    levels : array of shape (k,), optional
        In (0, 1); by default 0.05, 0.1, ... 0.95 and 0.99.

    Returns
    -------
    DataFrame of shape (k, 3)
        Index ``level``; ``interval_coverage``, and ``low``, ``high``: where it would lie with 95% probability, were
        predictions honest and outputs independent.

    Examples
    --------
    >>> interval_coverage_curve([0.0, 1.0, 2.0, 3.0], [0, 0, 0, 0], [1, 1, 1, 1], [0.7])["interval_coverage"]
    level
    0.7    0.5
    Name: interval_coverage, dtype: float64
    """
    y, m, s = _checked(actual, mean, std)
    wanted = np.append(np.arange(1, 20) / 20, 0.99) if levels is None else np.asarray(levels, dtype=float)
    if wanted.ndim != 1 or not ((wanted > 0) & (wanted < 1)).all():
        raise ValueError(f"levels must lie in (0, 1), got {wanted}")
    half = scipy.stats.norm.ppf(0.5 + wanted / 2)
    inside = (np.abs(y - m)[:, None] <= half * s[:, None]).mean(axis=0)
    n = len(y)
    low, high = (scipy.stats.binom.ppf(share, n, wanted) / n for share in (0.025, 0.975))
    table = {"interval_coverage": inside, "low": low, "high": high}
    return pd.DataFrame(table, index=pd.Index(wanted, name="level"))


def leave_one_out_table(emulator: LeavesOneOut, actual: Any) -> pd.DataFrame:
    """Each training point as predicted from the others.

    Parameters
    ----------
    emulator : fitted emulator with ``leave_one_out``
    actual : Series or array of shape (n,)
        The training outputs, in the order of the fit.

    Returns
    -------
    DataFrame
        Columns ``actual``, ``mean``, ``std``, ``low``, ``high`` (the 95% interval), ``residual`` (standardised: actual
        minus mean, over std); the index of `actual`.

    Examples
    --------
    >>> from surrogate.emulators.gp.gaussian_process import GaussianProcess
    >>> x = np.linspace(0, 1, 8)[:, None]
    >>> table = leave_one_out_table(GaussianProcess().fit(x, x[:, 0] ** 2), x[:, 0] ** 2)
    >>> bool((table["residual"].abs() < 5).all())
    True
    """
    mean, std = emulator.leave_one_out()
    index = actual.index if isinstance(actual, pd.Series) else pd.RangeIndex(len(mean))
    columns = {"actual": np.asarray(actual, dtype=float), "mean": mean, "std": std}
    columns |= {"low": mean - Z95 * std, "high": mean + Z95 * std}
    columns["residual"] = (columns["actual"] - mean) / np.maximum(std, LEAST_STD)
    return pd.DataFrame(columns, index=index)
