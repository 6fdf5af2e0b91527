"""How far an emulator can be trusted: accuracy and calibration of its predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import scipy.stats
from numpy.typing import ArrayLike, NDArray

__all__ = ["Diagnostics", "LeavesOneOut", "diagnose", "leave_one_out_table"]

# Half width of a normal 95% interval in standard deviations.
Z95 = float(scipy.stats.norm.ppf(0.975))


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
    """

    q2: float
    rmse: float
    mae: float
    interval_coverage: float
    nlpd: float


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
    y, m, s = (np.asarray(a, dtype=float) for a in (actual, mean, std))
    if not y.shape == m.shape == s.shape or y.ndim != 1 or not len(y):
        raise ValueError(f"actual, mean and std must have one shape (n,), got {y.shape}, {m.shape}, {s.shape}")
    error = y - m
    total = float(((y - y.mean()) ** 2).sum())
    safe = np.maximum(s, np.finfo(float).tiny ** 0.5)
    return Diagnostics(
        q2=1.0 - float((error**2).sum()) / total if total > 0 else float("nan"),
        rmse=float(np.sqrt((error**2).mean())),
        mae=float(np.abs(error).mean()),
        interval_coverage=float((np.abs(error) <= Z95 * s).mean()),
        nlpd=float(-np.mean(scipy.stats.norm.logpdf(y, m, safe))),
    )


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
        Columns ``actual``, ``mean``, ``std``, ``low``, ``high`` (the 95% interval); the index of `actual`.
    """
    mean, std = emulator.leave_one_out()
    index = actual.index if isinstance(actual, pd.Series) else pd.RangeIndex(len(mean))
    columns = {"actual": np.asarray(actual, dtype=float), "mean": mean, "std": std}
    return pd.DataFrame(columns | {"low": mean - Z95 * std, "high": mean + Z95 * std}, index=index)
