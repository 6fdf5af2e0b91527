"""A smoothed bootstrap: draws from a kernel density estimate."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from surrogate.transfer.generators.base import FloatArray, TableGenerator

__all__ = ["KernelDensity"]

# Factors tried by the rule "likelihood", times Silverman's.
FACTORS = np.geomspace(0.1, 2.0, 12)


class KernelDensity(TableGenerator):
    """A kernel around every row: Gaussian for numbers, Aitchison and Aitken's for categories.

    Parameters
    ----------
    bandwidth : {"silverman", "scott", "mean", "likelihood"} or float
        Standard deviation of the kernel in standard deviations of the column. ``"silverman"`` is
        ``0.9 min(std, IQR / 1.34) n^(-1/5)`` a column [1]_, ``"mean"`` the mean of these over all (standardised)
        columns, as in prelim's generator *kde* [2]_, ``"scott"`` ``std n^(-1/(d + 4))``, and ``"likelihood"`` the
        multiple of Silverman's rule with the largest leave-one-out likelihood.
    kernel : {"diagonal", "full"}
        Whether the kernels have the axes' directions or those of the data's covariance.
    inside : bool
        Whether what falls outside the box around the data is drawn again (a hundred times at most, then cut off).

    Attributes
    ----------
    bandwidth_ : array of shape (d,)
        Per column, in its own unit; of a categorical column the probability of another value than the row's.

    References
    ----------
    .. [1] B. W. Silverman, "Density Estimation for Statistics and Data Analysis", Chapman and Hall 1986, eq. 3.31.
    .. [2] V. Arzamasov, B. Jochum, K. Böhm, "Pedagogical Rule Extraction to Learn Interpretable Models - an Empirical
       Study", arXiv:2112.13285, 2021.
    .. [3] J. Aitchison, C. G. G. Aitken, "Multivariate binary discrimination by the kernel method", Biometrika 63(3),
       1976.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> KernelDensity().fit(X).bandwidth_.round(2)
    array([0.31, 0.31])
    """

    min_rows = 2

    def __init__(
        self,
        bandwidth: Literal["silverman", "scott", "mean", "likelihood"] | float = "silverman",
        *,
        kernel: Literal["diagonal", "full"] = "diagonal",
        inside: bool = False,
    ) -> None:
        self.bandwidth = bandwidth
        self.kernel = kernel
        self.inside = inside

    def _learn(self, codes: FloatArray, y: NDArray[Any] | None) -> None:
        if self.kernel not in ("diagonal", "full"):
            raise ValueError(f"kernel must be 'diagonal' or 'full', got {self.kernel!r}")
        n, d = codes.shape
        self._codes = codes
        numeric = ~self.columns_.nominal
        std = codes.std(axis=0, ddof=1)
        widths = np.zeros(d)
        widths[numeric] = self._widths(codes[:, numeric], std[numeric])
        for j in np.flatnonzero(~numeric):
            # The rate at which the best smoothing falls (Li and Racine 2003), never beyond an even spread.
            k = len(self.columns_.columns[j].values)
            widths[j] = (k - 1) / k * n ** (-2 / (4 + d)) if k > 1 else 0.0
        self.bandwidth_ = widths
        self._factor = None
        if self.kernel == "full" and numeric.any():
            z = codes[:, numeric] / np.where(std[numeric] > 0, std[numeric], 1.0)
            correlation = np.atleast_2d(np.cov(z, rowvar=False))
            values, vectors = np.linalg.eigh(correlation)
            self._factor = vectors * np.sqrt(np.maximum(values, 0.0))

    def _widths(self, x: FloatArray, std: FloatArray) -> FloatArray:
        n, d = x.shape
        if not d:
            return std
        if not isinstance(self.bandwidth, str):
            if not self.bandwidth >= 0:
                raise ValueError(f"bandwidth must not be negative, got {self.bandwidth}")
            return self.bandwidth * std
        iqr = np.subtract(*np.quantile(x, [0.75, 0.25], axis=0)) / 1.34
        # Half of the rows may be equal: their interquartile range is 0 and says nothing.
        spread = np.where(iqr > 0, np.minimum(std, iqr), std)
        silverman = 0.9 * spread * n ** (-1 / 5)
        match self.bandwidth:
            case "silverman":
                return np.asarray(silverman)
            case "scott":
                return np.asarray(std * n ** (-1 / (d + 4)))
            case "mean":
                live = std > 0
                relative = silverman[live] / std[live]
                return std * (relative.mean() if live.any() else 0.0)
            case "likelihood":
                return np.asarray(silverman * _likeliest(x, silverman))
        raise ValueError(
            f"bandwidth must be 'silverman', 'scott', 'mean', 'likelihood' or a number, got {self.bandwidth!r}"
        )

    def _make(self, n: int, rng: np.random.Generator) -> FloatArray:
        out = self._around(rng.integers(0, len(self._codes), n), rng)
        if self.inside:
            low, high = self._codes.min(axis=0), self._codes.max(axis=0)
            for _ in range(100):
                lost = np.flatnonzero(((out < low) | (out > high)).any(axis=1))
                if not len(lost):
                    break
                out[lost] = self._around(rng.integers(0, len(self._codes), len(lost)), rng)
            out = np.clip(out, low, high)
        return out

    def _around(self, rows: NDArray[np.int64], rng: np.random.Generator) -> FloatArray:
        out = self._codes[rows]
        nominal = self.columns_.nominal
        z = rng.standard_normal((len(rows), int((~nominal).sum())))
        if self._factor is not None:
            z = z @ self._factor.T
        out[:, ~nominal] += self.bandwidth_[~nominal] * z
        for j in np.flatnonzero(nominal):
            k = len(self.columns_.columns[j].values)
            other = np.flatnonzero(rng.random(len(rows)) < self.bandwidth_[j])
            out[other, j] = (out[other, j] + rng.integers(1, max(k, 2), len(other))) % k
        return out


def _likeliest(x: FloatArray, widths: FloatArray) -> float:
    """The multiple of the widths with the largest leave-one-out likelihood of a product Gaussian kernel."""
    live = widths > 0
    if not live.any():
        return 1.0
    z = x[:, live] / widths[live]
    # A thousand rows tell a factor well enough, and their distances fit into memory.
    z = z[np.unique(np.linspace(0, len(z) - 1, min(len(z), 1000)).astype(int))]
    squares = (z**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * z @ z.T, 0.0)
    np.fill_diagonal(distances, np.inf)
    scores = []
    for factor in FACTORS:
        exponent = -0.5 * distances / factor**2
        top = exponent.max(axis=1, keepdims=True)
        log_density = top[:, 0] + np.log(np.exp(exponent - top).sum(axis=1)) - z.shape[1] * np.log(factor)
        scores.append(log_density.mean())
    return float(FACTORS[int(np.argmax(scores))])
