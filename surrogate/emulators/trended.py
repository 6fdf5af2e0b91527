"""A Gaussian process on a trend of given functions: what kriging on polynomials and on other levels share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from surrogate.emulators.gp.exact import ExactPosterior
from surrogate.emulators.gp.hyperparameters import Prior, Variant, choose
from surrogate.emulators.gp.kernels import FAMILIES, Kernel
from surrogate.emulators.gp.likelihood import Problem
from surrogate.emulators.threads import few_threads

__all__ = ["TrendedProcess", "check_kernel"]

FloatArray = NDArray[np.float64]

# Residuals of the trend below this share of the outputs' spread are rounding errors: there is nothing to learn of them.
EXACT = 1e-10

# Rows predicted at a time: bounds the memory of the cross-correlation.
CHUNK_ROWS = 4096


def check_kernel(kernel: str) -> None:
    """Raise if there is no such kernel."""
    if kernel not in FAMILIES:
        raise ValueError(f"kernel must be one of {sorted(FAMILIES)}, got {kernel!r}")


@dataclass(frozen=True, eq=False)
class TrendedProcess:
    """Universal kriging with trend functions that the caller evaluates.

    Attributes
    ----------
    posterior : ExactPosterior
    """

    posterior: ExactPosterior

    @classmethod
    def fit(
        cls, z: FloatArray, t: FloatArray, basis: FloatArray, kernels: Sequence[str], nugget: float, n_starts: int
    ) -> Self:
        """Choose hyper-parameters, and the kernel if there are several, by restricted likelihood.

        Parameters
        ----------
        z : array of shape (n, c)
            Inputs scaled to [0, 1], no row twice.
        t : array of shape (n,)
            Outputs.
        basis : array of shape (n, p)
            Trend functions, linearly independent, fewer than rows.
        """
        with few_threads(len(t)):
            problem = _problem(z, t, basis, kernels[0], nugget)
            residual = t - basis @ np.linalg.lstsq(basis, t, rcond=None)[0]
            size = max(EXACT * float(t.std()), 4 * np.finfo(float).eps * float(np.abs(t).max()))
            if np.sqrt(np.mean(residual**2)) <= size:
                return cls(ExactPosterior.of(problem, Prior.of(problem).mean))
            _, problem, theta = choose([Variant(problem, np.zeros(len(t)))], kernels, n_starts)
            return cls(ExactPosterior.of(problem, theta))

    def refitted(self, z: FloatArray, t: FloatArray, basis: FloatArray) -> TrendedProcess:
        """The same kernel and hyper-parameters with other data."""
        old = self.posterior.problem
        problem = _problem(z, t, basis, old.kernel.family, old.nugget)
        return TrendedProcess(ExactPosterior.of(problem, self.posterior.theta))

    @property
    def kernel(self) -> str:
        """The kernel's family."""
        return self.posterior.problem.kernel.family

    @property
    def coefficients(self) -> FloatArray:
        """Of the trend, (p,)."""
        return self.posterior.factorised.coefficients

    def predict(self, z: FloatArray, basis: FloatArray, *, with_variance: bool) -> tuple[FloatArray, FloatArray]:
        """Mean and variance at points of shape (m, c) with trend functions of shape (m, p)."""
        with few_threads(len(self.posterior.problem.y)):
            parts = [
                self.posterior.predict(z[i : i + CHUNK_ROWS], basis[i : i + CHUNK_ROWS], with_variance=with_variance)
                for i in range(0, len(z), CHUNK_ROWS)
            ]
        return np.concatenate([mean for mean, _ in parts]), np.concatenate([variance for _, variance in parts])

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Mean and variance at each point from the others, hyper-parameters as they are."""
        return self.posterior.leave_one_out()

    def get_state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and JSON-ready facts."""
        problem = self.posterior.problem
        arrays = {"z": problem.z, "t": problem.y, "basis": problem.basis, "theta": self.posterior.theta}
        facts = {"kernel": problem.kernel.family, "nugget": problem.nugget, "posterior": self.posterior.facts()}
        return arrays | self.posterior.arrays(), facts

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Self:
        """The process again."""
        problem = _problem(arrays["z"], arrays["t"], arrays["basis"], facts["kernel"], facts["nugget"])
        return cls(ExactPosterior.from_arrays(problem, arrays["theta"], arrays, facts["posterior"]))


def _problem(z: FloatArray, t: FloatArray, basis: FloatArray, kernel: str, nugget: float) -> Problem:
    return Problem(Kernel(kernel, True), z, t, basis, max(nugget, np.finfo(float).eps))
