"""Outputs standardised, where it helps after a logarithm or a square root, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["WARPS", "Outputs", "Warp"]

FloatArray = NDArray[np.float64]
Warp = Literal["log", "sqrt"]
WARPS: tuple[Warp, ...] = ("log", "sqrt")

# A standard deviation of logarithms beyond which the mean of a lognormal distribution, exp(s^2 / 2) times its median,
# tells more about the tail than about the output.
MAX_LOG_STD = 2.0


@dataclass(frozen=True)
class Outputs:
    """Scaled outputs t = (g((y - origin) / unit) - centre) / scale.

    Attributes
    ----------
    warp : None, "log" or "sqrt"
        g.
    origin : float
        Zero under a warp. Otherwise an output, so that a small variation on a large number keeps its digits.
    unit : float
        Divides outputs first, so that 1e-300 and 1e300 have a variance.
    """

    warp: Warp | None
    origin: float
    unit: float
    centre: float = 0.0
    scale: float = 1.0

    @classmethod
    def of(cls, y: FloatArray, warp: Warp | None) -> Outputs:
        """The scaling that fits training outputs.

        Raises
        ------
        ValueError
            If outputs are not positive, where `warp` needs that, or too far apart for a float.
        """
        if warp is not None and not (y > 0).all():
            raise ValueError(f"warp={warp!r} needs positive outputs, got {y.min()}")
        origin = 0.0 if warp else float(y[0])
        with np.errstate(over="ignore"):
            unit = float(np.abs(y - origin).max()) or 1.0
        if not np.isfinite(unit):
            raise ValueError(f"y from {y.min()} to {y.max()} is too far apart for a float; divide it by a constant")
        g = cls(warp, origin, unit).forward(y)
        return cls(warp, origin, unit, float(g.mean()), float(g.std()) or 1.0)

    def forward(self, y: FloatArray) -> FloatArray:
        """Scaled outputs."""
        g = (y - self.origin) / self.unit
        if self.warp:
            g = np.log(g) if self.warp == "log" else np.sqrt(g)
        return np.asarray((g - self.centre) / self.scale)

    def threshold(self, value: float) -> float:
        """The scaled value that outputs are below where they are below `value`."""
        if self.warp is not None and value <= 0:
            return -np.inf
        with np.errstate(over="ignore"):
            return float(self.forward(np.array([value], dtype=float))[0])

    def backward(self, t: FloatArray) -> FloatArray:
        """Outputs of scaled ones."""
        g = self.centre + self.scale * t
        if self.warp == "log":
            g = np.exp(np.minimum(g, 700.0))
        elif self.warp == "sqrt":
            g = np.maximum(g, 0.0) ** 2
        with np.errstate(over="ignore"):
            return np.asarray(self.origin + self.unit * g)

    def moments(self, mean: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of outputs whose scaled ones are normal with these moments."""
        m = self.centre + self.scale * mean
        if self.warp is None:
            return self.origin + self.unit * m, (self.unit * self.scale) * np.sqrt(variance)
        v = self.scale**2 * variance
        if self.warp == "log":
            v = np.minimum(v, MAX_LOG_STD**2)
            middle = self.unit * np.exp(np.minimum(m + 0.5 * v, 700.0))
            return middle, middle * np.sqrt(np.expm1(v))
        return self.unit * (m**2 + v), self.unit * np.sqrt(4.0 * m**2 * v + 2.0 * v**2)

    def moment_slopes(
        self, mean: FloatArray, variance: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Derivatives of the output's mean by scaled mean and variance, then of its standard deviation by the two."""
        one, zero = np.ones_like(mean), np.zeros_like(mean)
        safe = np.maximum(variance, np.finfo(float).tiny)
        if self.warp is None:
            whole = self.unit * self.scale
            return whole * one, zero, zero, 0.5 * whole / np.sqrt(safe)
        m, v = self.centre + self.scale * mean, np.maximum(self.scale**2 * variance, np.finfo(float).tiny)
        if self.warp == "log":
            free = v < MAX_LOG_STD**2
            v = np.minimum(v, MAX_LOG_STD**2)
            middle, std = self.moments(mean, variance)
            by_v = std * 0.5 + middle * np.exp(v) / (2.0 * np.sqrt(np.expm1(v)))
            mean_v, std_v = np.where(free, 0.5 * middle, 0.0), np.where(free, by_v, 0.0)
            return self.scale * middle, self.scale**2 * mean_v, self.scale * std, self.scale**2 * std_v
        std = np.sqrt(4.0 * m**2 * v + 2.0 * v**2)
        return (
            self.unit * self.scale * 2.0 * m,
            self.unit * self.scale**2 * one,
            self.unit * self.scale * 4.0 * m * v / std,
            self.unit * self.scale**2 * (2.0 * m**2 + 2.0 * v) / std,
        )

    def log_slopes(self, y: FloatArray) -> FloatArray:
        """Logarithm of the derivative of scaled outputs by outputs, (n,)."""
        constant = -np.log(self.unit) - np.log(self.scale)
        if self.warp is None:
            return np.full(len(y), constant)
        logs = np.log(y / self.unit)
        return np.asarray(constant - logs if self.warp == "log" else constant - np.log(2.0) - 0.5 * logs)
