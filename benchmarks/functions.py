"""Test functions of emulator benchmarks: plain functions of points of the unit cube, each with its source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators import uq_functions
from simulators._hartmann import hartmann_sum
from surrogate.simulation import FunctionSimulator

__all__ = ["FUNCTIONS", "TestFunction"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class TestFunction:
    """A function of the unit cube.

    Attributes
    ----------
    d : int
        Number of inputs.
    source : str
        Where the function and its bounds come from.

    Examples
    --------
    >>> round(float(FUNCTIONS["branin"](np.array([[0.5428, 0.1517]]))[0]), 3)
    0.398
    """

    __test__ = False  # no test case, whatever pytest makes of the name

    name: str
    d: int
    source: str
    function: Callable[[FloatArray], FloatArray]

    def __call__(self, u: FloatArray) -> FloatArray:
        """Values, shape (n,), at points `u` of shape (n, d) in [0, 1]."""
        return np.asarray(self.function(np.asarray(u, dtype=float)), dtype=float)


FUNCTIONS: dict[str, TestFunction] = {}


def test_function(source: str, *bounds: tuple[float, float]) -> Callable[[Callable[..., FloatArray]], TestFunction]:
    """Register a function of one argument an input, each given by its bounds in the function's own units."""
    low, high = np.array(bounds, dtype=float).T

    def register(function: Callable[..., FloatArray]) -> TestFunction:
        found = TestFunction(function.__name__, len(low), source, lambda u: function(*(low + u * (high - low)).T))
        FUNCTIONS[found.name] = found
        return found

    return register


test_function.__test__ = False  # type: ignore[attr-defined]


def simulated(simulator: FunctionSimulator, source: str) -> None:
    """Register a simulator of the gallery that takes numbers within bounds and has one output."""
    (output,) = simulator.outputs
    bounds = [(parameter.low, parameter.high) for parameter in simulator.space.values()]

    def function(*inputs: FloatArray) -> FloatArray:
        return simulator(*inputs)[output]

    function.__name__ = simulator.name
    test_function(source, *bounds)(function)


@test_function("Dixon and Szego 1978; Forrester et al. 2008, app. A.1", (-5, 10), (0, 15))
def branin(x, y):
    return (y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6) ** 2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10


simulated(uq_functions.ishigami, "Ishigami and Homma 1990; a = 7, b = 0.1")


@test_function("Dixon and Szego 1978; minimum -3.86278", *[(0, 1)] * 3)
def hartmann3(*x):
    return -hartmann_sum(np.column_stack(x))


@test_function("Dixon and Szego 1978; minimum -3.32237", *[(0, 1)] * 6)
def hartmann6(*x):
    return -hartmann_sum(np.column_stack(x))


simulated(uq_functions.borehole, "Harper and Gupta 1983; Morris, Mitchell, Ylvisaker 1993, sec. 4")


simulated(uq_functions.otl_circuit, "Ben-Ari and Steinberg 2007, output transformerless push-pull circuit")


simulated(uq_functions.piston, "Kenett and Zacks 1998; Ben-Ari and Steinberg 2007, piston cycle time")


simulated(uq_functions.wing_weight, "Forrester, Sobester, Keane 2008, sec. 1.4, weight of a light aircraft's wing")


simulated(uq_functions.robot_arm, "An and Owen 2001, distance of a robot arm's end")


simulated(uq_functions.friedman, "Friedman, Grosse, Stuetzle 1983")


@test_function("Goldstein and Price 1971, logarithm as in Picheny et al. 2013", (-2, 2), (-2, 2))
def log_goldstein_price(x, y):
    one = 1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)
    two = 30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
    return np.log(one * two)


@test_function(
    "Kermack and McKendrick 1927: largest infected share; rates a day, log10 of the first share",
    (0.05, 0.6),
    (0.05, 0.3),
    (-4, -1),
    (0.4, 1),
)
def sir_peak(beta, gamma, log_share, susceptible):
    infected = 10.0**log_share
    s = np.maximum(susceptible - infected, 0)
    threshold = gamma / beta
    grows = s > threshold
    ratio = np.where(grows, s, threshold) / threshold
    return infected + np.where(grows, s - threshold * (1 + np.log(ratio)), 0.0)


@test_function("Rosenbrock 1960 in ten dimensions, bounds as in Surjanovic and Bingham", *[(-2, 2)] * 10)
def rosenbrock(*x):
    points = np.array(x)
    return (100 * (points[1:] - points[:-1] ** 2) ** 2 + (1 - points[:-1]) ** 2).sum(axis=0)


simulated(uq_functions.g_function, "Saltelli and Sobol 1995, g-function with a = 0, 1, 4.5, 9, 99, 99")


@test_function(
    "Ragsdell and Phillips 1976; Deb 2000: shear stress of a welded beam, load 6000 lb, length 14 in",
    (0.125, 1),
    (0.5, 10),
    (1, 10),
)
def welded_beam(h, weld, t):
    radius = np.sqrt(weld**2 / 4 + ((h + t) / 2) ** 2)
    direct = 6000 / (np.sqrt(2) * h * weld)
    twisting = 6000 * (14 + weld / 2) * radius / (2 * (np.sqrt(2) * h * weld * (weld**2 / 12 + ((h + t) / 2) ** 2)))
    return np.log(np.sqrt(direct**2 + 2 * direct * twisting * weld / (2 * radius) + twisting**2))


@test_function("Levy and Montalvo 1985 in four dimensions", *[(-5, 5)] * 4)
def levy(*x):
    w = 1 + (np.array(x) - 1) / 4
    inner = ((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2)).sum(axis=0)
    return np.sin(np.pi * w[0]) ** 2 + inner + (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2)


@test_function("Ackley 1987 in three dimensions, on [-2, 2]", *[(-2, 2)] * 3)
def ackley(*x):
    points = np.array(x)
    away = np.sqrt((points**2).mean(axis=0))
    return 20 + np.e - 20 * np.exp(-0.2 * away) - np.exp(np.cos(2 * np.pi * points).mean(axis=0))


@test_function("Griewank 1981 in four dimensions, on [-5, 5]", *[(-5, 5)] * 4)
def griewank(*x):
    points = np.array(x)
    scale = np.sqrt(np.arange(1, len(points) + 1))[:, None]
    return (points**2).sum(axis=0) / 4000 - np.cos(points / scale).prod(axis=0) + 1


@test_function("Dette and Pepelyshev 2010, curved in three dimensions", *[(0, 1)] * 3)
def dette_pepelyshev(x, y, z):
    return 4 * (x - 2 + 8 * y - 8 * y**2) ** 2 + (3 - 4 * y) ** 2 + 16 * np.sqrt(z + 1) * (2 * z - 1) ** 2


@test_function(
    "Bliznyuk et al. 2008, concentration of a spill at place 1.5, time 30",
    (7, 13),
    (0.02, 0.12),
    (0.01, 3),
    (30.01, 30.295),
)
def spill(mass, diffusion, place, time):
    at, when = 1.5, 60.0
    first = mass / np.sqrt(diffusion * when) * np.exp(-(at**2) / (4 * diffusion * when))
    later = when - time
    second = mass / np.sqrt(diffusion * later) * np.exp(-((at - place) ** 2) / (4 * diffusion * later))
    return np.sqrt(4 * np.pi) * (first + second)
