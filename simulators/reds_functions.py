"""The test functions of the REDS paper: 23 deterministic ones with a threshold, and 9 whose label is drawn.

All take inputs in the unit cube, ``x1`` to ``xd``, and map them to the ranges of the cited source. The paper's 33rd
function is the smart grid, a simulator of its own (:mod:`simulators.smart_grid`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy.special
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from simulators import uq_functions
from simulators._hartmann import hartmann_sum
from surrogate.simulation import Output
from surrogate.space import Ordinal, Parameter, Real, Space

__all__ = ["FUNCTIONS", "RedsFunction"]

FloatArray = NDArray[np.float64]
Inputs = Literal["uniform", "mixed", "logit-normal"]

# Middles of the five equal parts that the paper cuts every second input into.
FIFTHS = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class RedsFunction:
    """A test function of scenario discovery, and a simulator.

    Parameters
    ----------
    name : str
    d : int
        Number of inputs.
    function : callable
        From points of shape (n, d) in the unit cube to shape (n,): the value of a deterministic function, the
        probability of being of interest of a noisy one.
    influential : tuple of str
        The inputs that matter.
    share : float
        Share of interest among uniform points.
    threshold : float or None
        Of interest is what lies below; None for a noisy function.
    inputs : {"uniform", "mixed", "logit-normal"}
        Distribution of the inputs, see :meth:`with_inputs`.

    Notes
    -----
    A run of a deterministic function gives ``value``. A run of a noisy one takes a seed, and gives ``label``, 1 with
    ``probability`` and else 0.

    References
    ----------
    .. [1] V. Arzamasov, K. Boehm, "REDS: Rule Extraction for Discovering Scenarios", SIGMOD 2021.

    Examples
    --------
    >>> ishigami.of_interest
    'value < 1'
    >>> ishigami(x1=0.5, x2=0.5, x3=0.5)
    {'value': 0.0}
    >>> bool(ishigami.labels([[0.5, 0.5, 0.5]])[0])
    True
    """

    name: str
    d: int
    function: Callable[[FloatArray], FloatArray] = field(repr=False)
    influential: tuple[str, ...]
    share: float
    threshold: float | None = None
    inputs: Inputs = "uniform"

    version = "1"

    @property
    def stochastic(self) -> bool:
        """Whether the label is drawn."""
        return self.threshold is None

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What a run gives."""
        return (Output("label"), Output("probability")) if self.stochastic else (Output("value"),)

    @property
    def of_interest(self) -> str:
        """The condition on a run."""
        return "label > 0.5" if self.stochastic else f"value < {self.threshold:g}"

    @property
    def space(self) -> Space:
        """The inputs."""
        return Space({f"x{j + 1}": self._parameter(j) for j in range(self.d)})

    def _parameter(self, j: int) -> Parameter:
        if self.inputs == "logit-normal":
            return Real.distributed(scipy.stats.johnsonsb(0, 1))
        return Ordinal(FIFTHS) if self.inputs == "mixed" and j % 2 else Real(0, 1)

    def with_inputs(self, inputs: Inputs) -> RedsFunction:
        """The same function of inputs with another distribution.

        Parameters
        ----------
        inputs : {"uniform", "mixed", "logit-normal"}
            "mixed": every second input takes one of five values; "logit-normal": the logit of each is standard normal.
        """
        if inputs not in ("uniform", "mixed", "logit-normal"):
            raise ValueError(f"inputs must be 'uniform', 'mixed' or 'logit-normal', got {inputs!r}")
        return RedsFunction(self.name, self.d, self.function, self.influential, self.share, self.threshold, inputs)

    def values(self, X: ArrayLike) -> FloatArray:
        """Values, or probabilities of a noisy function, at points of shape (n, d)."""
        points = np.asarray(X, dtype=float)
        if points.ndim != 2 or points.shape[1] != self.d:
            raise ValueError(f"{self.name} takes points of shape (n, {self.d}), got {points.shape}")
        return self.function(points)

    def labels(self, X: ArrayLike, rng: int | np.random.Generator | None = None) -> NDArray[np.bool_]:
        """Which points are of interest; `rng` draws the labels of a noisy function."""
        values = self.values(X)
        if self.threshold is None:
            return np.random.default_rng(rng).random(len(values)) < values
        return values < self.threshold

    def __call__(self, *, seed: int | None = None, **inputs: float) -> Mapping[str, float]:
        value = float(self.values(np.array([[inputs[f"x{j + 1}"] for j in range(self.d)]]))[0])
        if not self.stochastic:
            return {"value": value}
        return {"label": float(np.random.default_rng(seed).random() < value), "probability": value}

    def __reduce__(self) -> Any:
        # Sent to worker processes by name.
        return _find, (self.name, self.inputs)


def _find(name: str, inputs: Inputs) -> RedsFunction:
    return FUNCTIONS[name].with_inputs(inputs)


FUNCTIONS: dict[str, RedsFunction] = {}


def _add(
    d: int, share: float, influential: str = "", threshold: float | None = None
) -> Callable[[Callable[[FloatArray], FloatArray]], RedsFunction]:
    """Register a function; `influential` lists the numbers of the inputs that matter, by default all."""

    def register(function: Callable[[FloatArray], FloatArray]) -> RedsFunction:
        names = tuple(f"x{j}" for j in (influential.split() or range(1, d + 1)))
        made = RedsFunction(function.__name__, d, function, names, share, threshold)
        FUNCTIONS[made.name] = made
        return made

    return register


def _scaled(u: FloatArray, *ranges: tuple[float, float]) -> FloatArray:
    """Columns of the unit cube in the ranges, shape (d, n)."""
    low, high = np.array(ranges, dtype=float).T
    return np.asarray((low + u * (high - low)).T)


# Dalal, Han, Lempert, Jaycocks, Hackbarth, "Improving scenario discovery using orthogonal rotations", Environmental
# Modelling & Software 48, 2013. Labels are drawn with the probability.


def _step(logit: FloatArray) -> FloatArray:
    """A logistic probability, pushed towards 0 below 0.3 and towards 1 above."""
    p = scipy.special.expit(logit)
    return np.where(p >= 0.3, p + 0.85 * (1 - p), 0.2 * p)


def _indoors(inside: NDArray[np.bool_]) -> FloatArray:
    return np.where(inside, 0.998, 0.002)


@_add(5, 0.475, "1 2")
def dalal_1(u: FloatArray) -> FloatArray:
    """A half-space."""
    return _step(-10 + 10 * u[:, 0] + 8 * u[:, 1])


@_add(5, 0.256, "1 2")
def dalal_2(u: FloatArray) -> FloatArray:
    """Outside a parabola."""
    return _step(-5 + 7 * u[:, 0] ** 2 + u[:, 1] ** 2)


@_add(5, 0.081, "1 2")
def dalal_3(u: FloatArray) -> FloatArray:
    """A box in a corner."""
    return _indoors((u[:, 0] > 0.6) & (u[:, 1] > 0.8))


@_add(5, 0.182, "1 2")
def dalal_4(u: FloatArray) -> FloatArray:
    """An oblique band."""
    return _step(3 - np.abs(-5 * u[:, 0] + 8 * u[:, 1] - 8))


@_add(5, 0.077, "1 2")
def dalal_5(u: FloatArray) -> FloatArray:
    """A rectangle turned by 45 degrees."""
    total, difference = u[:, 0] + u[:, 1], u[:, 1] - u[:, 0]
    return _indoors((total > 1) & (total < 1.3) & (difference > 0) & (difference < 0.5))


@_add(5, 0.082, "1 2")
def dalal_6(u: FloatArray) -> FloatArray:
    """A box inside."""
    return _indoors((u[:, 0] > 0.3) & (u[:, 0] < 0.5) & (u[:, 1] > 0.2) & (u[:, 1] < 0.6))


@_add(5, 0.354, "1 2")
def dalal_7(u: FloatArray) -> FloatArray:
    """Where two ellipses meet; both of two independent labels must be 1."""
    one = 28 * (u[:, 0] ** 2 + u[:, 1] ** 2) - 25
    other = 28 * (1.2 * (1 - u[:, 0]) ** 2 + (1 - u[:, 1]) ** 2) - 25
    return np.asarray(scipy.special.expit(-one) * scipy.special.expit(-other))


@_add(5, 0.108, "1 2")
def dalal_8(u: FloatArray) -> FloatArray:
    """A triangle; all of three independent labels must be 1."""
    logits = 20 * np.array([u[:, 0] + u[:, 1], 1 - u[:, 0] + 0.5 * u[:, 1], u[:, 0] + 4 * u[:, 1]]) - 20
    return np.asarray(scipy.special.expit(-logits).prod(axis=0))


@_add(15, 0.674, "1 2 3 6 7 8 10 11 12")
def dalal_10(u: FloatArray) -> FloatArray:
    """At least two of three half-spaces of three inputs each."""
    a = _step(-12 + 10 * u[:, 0] + 9 * u[:, 1] + 8 * u[:, 2])
    b = _step(-12 + 10 * u[:, 5] + 5 * u[:, 6] + 10 * u[:, 7])
    c = _step(-12 + 8 * u[:, 9:12].sum(axis=1))
    return a * b + a * c + b * c - 2 * a * b * c


# The others, where not said otherwise, as in S. Surjanovic, D. Bingham, "Virtual Library of Simulation Experiments",
# 2013, with the thresholds of the REDS paper.


@_add(8, 0.311, threshold=1000)
def borehole(u: FloatArray) -> FloatArray:
    """Water flow through a borehole (Harper, Gupta 1983), with the paper's wider borehole of up to 1.15 m."""
    inputs = _scaled(
        u,
        (0.05, 1.15),
        (100, 50000),
        (63070, 115600),
        (990, 1110),
        (63.1, 116),
        (700, 820),
        (1120, 1680),
        (9855, 12045),
    )
    return np.asarray(uq_functions.borehole(*inputs)["flow"])


@_add(15, 0.224, "1 2 3 4 5 6 7 8 9 10", threshold=0.64)
def ellipse(u: FloatArray) -> FloatArray:
    """Weighted squared distance from a centre (Arzamasov, Boehm 2021)."""
    centre = [
        *(0.9751507, 0.8432682, 0.7724470, 0.3247967, 0.8051028, 0.9450661, 0.2212505, 0.7315873, 0.2888812, 0.5998075),
        *(0.7098766, 0.3620747, 0.8861793, 0.1429155, 0.9121198),
    ]
    weight = [
        *(0.3532409, 0.4340412, 0.8993585, 0.3734097, 0.2784368, 0.1640473, 0.9266303, 0.7685996, 0.9747707, 0.6060011),
        *(0, 0, 0, 0, 0),
    ]
    return np.asarray((u - centre) ** 2 @ np.array(weight))


@_add(3, 0.337, threshold=-1)
def hart3(u: FloatArray) -> FloatArray:
    """Hartmann's function of three inputs."""
    return -hartmann_sum(u)


@_add(4, 0.305, threshold=-0.5)
def hart4(u: FloatArray) -> FloatArray:
    """Hartmann's function of six inputs, of the first four only and scaled (Picheny et al. 2012)."""
    return (1.1 - hartmann_sum(u)) / 0.839


@_add(6, 0.223, threshold=1)
def hart6sc(u: FloatArray) -> FloatArray:
    """Logarithm of Hartmann's function of six inputs."""
    return np.asarray(-np.log(hartmann_sum(u)))


@_add(3, 0.256, threshold=1)
def ishigami(u: FloatArray) -> FloatArray:
    """Ishigami and Homma's function (1990) with a = 7, b = 0.1."""
    return np.asarray(uq_functions.ishigami(*_scaled(u, *3 * [(-np.pi, np.pi)]))["value"])


@_add(10, 0.258, "1 2 3 4 5 6 7 8", threshold=0.15)
def linketal06dec(u: FloatArray) -> FloatArray:
    """Decreasing coefficients (Linkletter et al. 2006)."""
    return np.asarray(u[:, :8] @ (0.2 / 2.0 ** np.arange(8)))


@_add(10, 0.279, "1 2 3 4", threshold=0.33)
def linketal06simple(u: FloatArray) -> FloatArray:
    """Four equal coefficients (Linkletter et al. 2006)."""
    return np.asarray(0.2 * u[:, :4].sum(axis=1))


@_add(10, 0.272, "1 2", threshold=0)
def linketal06sin(u: FloatArray) -> FloatArray:
    """Two sines (Linkletter et al. 2006)."""
    return np.asarray(np.sin(u[:, 0]) + np.sin(5 * u[:, 1]))


@_add(10, 0.392, "1 2 3 4 5 6 7", threshold=9)
def loepetal13(u: FloatArray) -> FloatArray:
    """Few important inputs with interactions (Loeppky, Williams, Moore 2013)."""
    x1, x2, x3 = u[:, :3].T
    products = 3 * x1 * x2 + 2.2 * x1 * x3 + 1.4 * x2 * x3
    return np.asarray(6 * x1 + 4 * x2 + 5.5 * x3 + products + u[:, 3:7] @ [1, 0.5, 0.2, 0.1])


_COEFFICIENTS: dict[str, FloatArray] = {
    name: np.array(rows)
    for name, rows in json.loads(Path(__file__).with_name("reds_coefficients.json").read_text(encoding="utf-8")).items()
}


@_add(20, 0.420, threshold=0)
def moon10hd(u: FloatArray) -> FloatArray:
    """A quadratic with all 210 coefficients (Moon 2010)."""
    quadratic = np.einsum("ni,ij,nj->n", u, _COEFFICIENTS["moon_quadratic"], u, optimize=True)
    return np.asarray(u @ _COEFFICIENTS["moon_linear"] + quadratic)


@_add(20, 0.344, "1 7 12 18 19", threshold=0)
def moon10hdc1(u: FloatArray) -> FloatArray:
    """A quadratic with few active inputs (Moon 2010)."""
    x1, x7, x12, x18, x19 = u[:, [0, 6, 11, 17, 18]].T
    return np.asarray(-19.71 * x1 * x18 + 23.72 * x1 * x19 - 13.34 * x19**2 + 28.99 * x7 * x12)


@_add(3, 0.456, threshold=1.5)
def moon10low(u: FloatArray) -> FloatArray:
    """Three inputs with an interaction (Moon 2010)."""
    return np.asarray(u[:, 0] + u[:, 1] + 3 * u[:, 0] * u[:, 2])


@_add(30, 0.348, "1 2 3 4 5 6 7 8 9 10", threshold=-330)
def morretal06(u: FloatArray) -> FloatArray:
    """Ten equal inputs with all their products (Morris, Moore, McKay 2006), multiplied as in the REDS code."""
    k = 10
    alpha, beta = np.sqrt(12) - 6 * np.sqrt(0.1 * (k - 1)), 12 * np.sqrt(0.1 * (k - 1))
    total, squares = u[:, :k].sum(axis=1), (u[:, :k] ** 2).sum(axis=1)
    return np.asarray(alpha * (total + beta * (total**2 - squares) / 2))


@_add(20, 0.287, threshold=20)
def morris(u: FloatArray) -> FloatArray:
    """Morris's function (1991), small coefficients by sign as in Saltelli, Chan, Scott 2000.

    The R package that the paper took it from draws the small coefficients anew whenever it is built.
    """
    w = 2 * (u - 0.5)
    for j in (2, 4, 6):
        w[:, j] = 2 * (1.1 * u[:, j] / (u[:, j] + 0.1) - 0.5)
    number = np.arange(1, 21)
    linear = np.where(number <= 10, 20.0, (-1.0) ** number)
    pairs = (-1.0) ** np.add.outer(number, number)
    pairs[:6, :6] = -15
    pairs = np.triu(pairs, 1)
    y = w @ linear + np.einsum("ni,ij,nj->n", w, pairs, w, optimize=True)
    # Elementary symmetric sums: of all products of three of the first five, and of four of the first four.
    powers = [(w[:, :5] ** p).sum(axis=1) for p in (1, 2, 3)]
    triples = (powers[0] ** 3 - 3 * powers[0] * powers[1] + 2 * powers[2]) / 6
    return np.asarray(y - 10 * triples + 5 * w[:, :4].prod(axis=1))


@_add(15, 0.250, threshold=10)
def oakoh04(u: FloatArray) -> FloatArray:
    """Oakley and O'Hagan's function (2004) on [-1, 1]."""
    x = 2 * u - 1
    c = _COEFFICIENTS
    waves = x @ c["oakley_linear"] + np.sin(x) @ c["oakley_sine"] + np.cos(x) @ c["oakley_cosine"]
    return np.asarray(waves + np.einsum("ni,ij,nj->n", x, c["oakley_quadratic"], x, optimize=True))


@_add(6, 0.223, threshold=4.5)
def otlcircuit(u: FloatArray) -> FloatArray:
    """Midpoint voltage of a push-pull circuit without transformer (Ben-Ari, Steinberg 2007)."""
    rb1, rb2, rf, rc1, rc2, beta = _scaled(u, (50, 150), (25, 70), (0.5, 3), (1.2, 2.5), (0.25, 1.2), (50, 300))
    vb1 = 12 * rb2 / (rb1 + rb2)
    load = beta * (rc2 + 9)
    amplified = (vb1 + 0.74) * load / (load + rf)
    return np.asarray(amplified + 11.35 * rf / (load + rf) + 0.74 * rf * load / ((load + rf) * rc1))


@_add(7, 0.360, threshold=0.4)
def piston(u: FloatArray) -> FloatArray:
    """Cycle time of a piston (Kenett, Zacks 1998)."""
    m, s, v0, k, p0, ta, t0 = _scaled(
        u, (30, 60), (0.005, 0.02), (0.002, 0.01), (1000, 5000), (90000, 110000), (290, 296), (340, 360)
    )
    a = p0 * s + 19.62 * m - k * v0 / s
    v = s / (2 * k) * (np.sqrt(a**2 + 4 * k * p0 * v0 * ta / t0) - a)
    return np.asarray(2 * np.pi * np.sqrt(m / (k + s**2 * p0 * v0 * ta / (t0 * v**2))))


@_add(10, 0.381, threshold=250)
def wingweight(u: FloatArray) -> FloatArray:
    """Weight of a light aircraft's wing in pounds (Forrester, Sobester, Keane 2008)."""
    sw, wfw, aspect, sweep, q, taper, tc, nz, wdg, wp = _scaled(
        u,
        *((150, 200), (220, 300), (6, 10), (-10, 10), (16, 45), (0.5, 1), (0.08, 0.18), (2.5, 6), (1700, 2500)),
        (0.025, 0.08),
    )
    cosine = np.cos(np.radians(sweep))
    shape = (aspect / cosine**2) ** 0.6 * q**0.006 * taper**0.04 * (100 * tc / cosine) ** -0.3
    return np.asarray(0.036 * sw**0.758 * wfw**0.0035 * shape * (nz * wdg) ** 0.49 + sw * wp)


@_add(20, 0.409, " ".join(str(j) for j in range(1, 20)), threshold=2000)
def soblev99(u: FloatArray) -> FloatArray:
    """Exponential of a sum (Sobol, Levitan 1999; coefficients of Moon, Dean, Santner 2012).

    Without the integral, which the original subtracts to make the mean zero: the paper's code does so too, as it takes
    the factor of the last input, whose coefficient is 0, for 0.
    """
    b = [
        *(2, 1.95, 1.9, 1.85, 1.8, 1.75, 1.7, 1.65, 0.4228, 0.3077),
        *(0.2169, 0.1471, 0.0951, 0.0577, 0.0323, 0.0161, 0.0068, 0.0021, 0.0004, 0),
    ]
    return np.asarray(np.exp(u @ np.array(b)))


@_add(8, 0.390, threshold=0.7)
def sobol(u: FloatArray) -> FloatArray:
    """Sobol's g-function with a = (0, 1, 4.5, 9, 99, 99, 99, 99) (Saltelli, Sobol 1995)."""
    a = np.array([0, 1, 4.5, 9, 99, 99, 99, 99])
    return np.asarray(((np.abs(4 * u - 2) + a) / (1 + a)).prod(axis=1))


@_add(20, 0.355, " ".join(str(j) for j in range(1, 21) if j not in (8, 16)), threshold=0)
def welchetal92(u: FloatArray) -> FloatArray:
    """Twenty inputs, few of them important (Welch et al. 1992)."""
    x = (u - 0.5).T
    small = [
        *(0, 0.05, 0.08, 0, 1, -0.03, 0.03, 0, -0.09, -0.01, -0.07, 0, 0, -0.04, 0.06, 0, -0.01, -0.03, -5, 0),
    ]
    linear = (u - 0.5) @ np.array(small)
    return np.asarray(5 * x[11] / (1 + x[0]) + 5 * (x[3] - x[19]) ** 2 + 40 * x[18] ** 3 + 0.25 * x[12] ** 2 + linear)


@_add(3, 0.247, "1 2", threshold=-1)
def willetal06(u: FloatArray) -> FloatArray:
    """Two active inputs of three (Williams et al. 2006)."""
    return np.asarray((u[:, 0] + 1) * np.cos(np.pi * u[:, 1]))
