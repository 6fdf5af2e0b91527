"""Draws from a mixture of Gaussians."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Mixture

from surrogate.transfer.generators.base import FloatArray, TableGenerator

__all__ = ["GaussianMixture"]

# Numbers of components tried beyond the best.
PATIENCE = 3


class GaussianMixture(TableGenerator):
    """A mixture of Gaussians whose number and shape of components have the lowest BIC.

    Parameters
    ----------
    max_components : int
        The search stops before when three larger numbers running have not lowered the BIC.
    covariances : sequence of {"full", "tied", "diag", "spherical"}
        Shapes that are tried.
    random_state : int
        Seed of the fit, so that the same points give the same mixture.

    Attributes
    ----------
    mixture_ : sklearn.mixture.GaussianMixture
        Of the standardised numbers; None if all columns are categorical.

    Notes
    -----
    Categories follow the component: a drawn point takes them from a row drawn with its responsibility for that
    component.

    References
    ----------
    .. [1] C. Fraley, A. E. Raftery, "Model-Based Clustering, Discriminant Analysis, and Density Estimation", JASA 97,
       2002: choice by BIC.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(-3, 1, (100, 2)), rng.normal(3, 1, (100, 2))])
    >>> GaussianMixture().fit(X).mixture_.n_components
    2
    """

    min_rows = 2

    def __init__(
        self,
        max_components: int = 15,
        *,
        covariances: tuple[str, ...] = ("full", "tied", "diag", "spherical"),
        random_state: int = 0,
    ) -> None:
        self.max_components = max_components
        self.covariances = covariances
        self.random_state = random_state

    def _learn(self, codes: FloatArray, y: NDArray[Any] | None) -> None:
        if self.max_components < 1:
            raise ValueError(f"max_components must be at least 1, got {self.max_components}")
        self._codes = codes
        numeric = ~self.columns_.nominal
        self._mean = codes[:, numeric].mean(axis=0)
        std = codes[:, numeric].std(axis=0)
        self._std = np.where(std > 0, std, 1.0)
        self._constant = std == 0
        self.mixture_: Any = None
        if numeric.any():
            z = (codes[:, numeric] - self._mean) / self._std
            fits = [self._best(z, shape) for shape in self.covariances]
            self.mixture_ = min(fits, key=lambda mixture: float(mixture.bic(z)))
            self._shares = self.mixture_.predict_proba(z)

    def _best(self, z: FloatArray, shape: str) -> Mixture:
        """The mixture of one shape with the lowest BIC."""
        found: list[Mixture] = []
        scores: list[float] = []
        for k in range(1, min(self.max_components, len(z)) + 1):
            mixture = Mixture(k, covariance_type=shape, reg_covar=1e-4, random_state=self.random_state)
            with warnings.catch_warnings():
                # Not settled yet, or fewer different rows than components, only means a worse BIC.
                warnings.simplefilter("ignore", ConvergenceWarning)
                mixture.fit(z)
            found.append(mixture)
            scores.append(float(mixture.bic(z)))
            if k - 1 - int(np.argmin(scores)) >= PATIENCE:
                break
        return found[int(np.argmin(scores))]

    def _make(self, n: int, rng: np.random.Generator) -> FloatArray:
        if self.mixture_ is None:
            return self._codes[rng.integers(0, len(self._codes), n)]
        numeric = ~self.columns_.nominal
        out = np.empty((n, len(numeric)))
        component = rng.choice(len(self.mixture_.weights_), n, p=self.mixture_.weights_)
        for k in np.unique(component):
            rows = np.flatnonzero(component == k)
            z = self.mixture_.means_[k] + rng.standard_normal((len(rows), int(numeric.sum()))) @ self._factor(k).T
            out[np.ix_(rows, numeric)] = np.where(self._constant, self._mean, self._mean + self._std * z)
            share = self._shares[:, k]
            donors = rng.choice(len(share), len(rows), p=share / share.sum())
            out[np.ix_(rows, ~numeric)] = self._codes[np.ix_(donors, ~numeric)]
        return out

    def _factor(self, k: int) -> FloatArray:
        """A square root of the component's covariance; shape (d, d)."""
        covariances, d = self.mixture_.covariances_, self.mixture_.means_.shape[1]
        match self.mixture_.covariance_type:
            case "full":
                return np.linalg.cholesky(covariances[k])
            case "tied":
                return np.linalg.cholesky(covariances)
            case "diag":
                return np.diag(np.sqrt(covariances[k]))
            case _:
                return np.asarray(np.sqrt(covariances[k]) * np.eye(d))
