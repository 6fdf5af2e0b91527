"""An emulator along each input while the others stay, and a small copy of it that a page can evaluate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.emulators.gp.exact import ExactPosterior
from surrogate.emulators.gp.gaussian_process import GaussianProcess
from surrogate.emulators.tables import numbers_of
from surrogate.space import Parameter, Space

__all__ = ["Copy", "Formula", "Slices", "reference_steps", "steps_of"]

FloatArray = NDArray[np.float64]
Ask = Callable[[pd.DataFrame], tuple[FloatArray, FloatArray]]

# Places along an input of many values.
STEPS = 33

# Of a distribution without an end, this share on either side is left out.
TAIL = 0.005

# A copy of the mean learns from this many points an input column, and no fewer or more in all; one of the standard
# deviation, which varies less, from a part of them. A fit costs the cube of it.
POINTS_PER_COLUMN, FEWEST_POINTS, MOST_POINTS = 40, 200, 600
STD_POINTS = 200

# Points that neither emulator nor copy was fitted on, to compare them.
COMPARED = 400


def steps_of(parameter: Parameter) -> NDArray[Any]:
    """Values at which a slice along this input is taken, in order."""
    values = getattr(parameter, "values", None)
    if values is not None:
        return np.array(values, dtype=object)
    number: Any = parameter
    ends = (0.0 if np.isfinite(number.low) else TAIL, 1.0 if np.isfinite(number.high) else 1.0 - TAIL)
    return np.unique(np.asarray(parameter.from_unit(np.linspace(*ends, STEPS))))


def reference_steps(inputs: pd.DataFrame, space: Space, steps: Sequence[NDArray[Any]]) -> list[int]:
    """Of each input the step that lies in the middle of the runs."""
    out = []
    for (name, parameter), values in zip(space.items(), steps):
        middle = np.median(parameter.to_unit(inputs[name].to_numpy()))
        out.append(int(np.abs(parameter.to_unit(values) - middle).argmin()))
    return out


@dataclass(frozen=True, eq=False)
class Slices:
    """Mean and standard deviation along each input, the others at the reference.

    Attributes
    ----------
    steps : list of array
        Values of each input.
    at : list of int
        The reference: an index into each input's steps.
    table : DataFrame
        Columns ``input``, ``value``, ``mean``, ``std``; one row a step of an input.
    """

    steps: list[NDArray[Any]]
    at: list[int]
    table: pd.DataFrame

    @classmethod
    def of(cls, ask: Ask, inputs: pd.DataFrame, space: Space) -> Slices:
        """Along all inputs, through the middle of the runs.

        Parameters
        ----------
        ask : callable
            From inputs to mean and standard deviation.
        inputs : DataFrame of shape (n, d)
            Of the runs.
        space : Space
        """
        steps = [steps_of(parameter) for parameter in space.values()]
        at = reference_steps(inputs, space, steps)
        middle = {name: values[i] for name, values, i in zip(space, steps, at)}
        points = pd.concat(
            [pd.DataFrame(middle | {name: values}, columns=list(space)) for name, values in zip(space, steps)],
            ignore_index=True,
        )
        mean, std = ask(space.validate(points))
        names = np.repeat(list(space), [len(values) for values in steps])
        values = np.concatenate([values.astype(object) for values in steps])
        return cls(steps, at, pd.DataFrame({"input": names, "value": values, "mean": mean, "std": std}))


@dataclass(frozen=True, eq=False)
class Formula:
    """A Gaussian process's mean: trend plus a weighted sum of correlations with its points.

    Attributes
    ----------
    family : str
        Of ``surrogate.emulators.gp.kernels.FAMILIES``.
    terms : list of list of int
        Columns whose product, on [-1, 1], is a function of the trend.
    z : array of shape (n, c)
        Points as scaled columns.
    rates, floors : array of shape (c,)
    weights : array of shape (n,)
    coefficients : array of shape (p,)
    steps : list of array
        Of each input its columns at each step, scaled as `z`.
    """

    family: str
    terms: list[list[int]]
    z: FloatArray
    rates: FloatArray
    floors: FloatArray
    weights: FloatArray
    coefficients: FloatArray
    steps: list[FloatArray]

    @classmethod
    def of(cls, gp: GaussianProcess, by_input: Sequence[Any], owner: NDArray[np.int64]) -> Formula:
        """Of an exact process whose output is not warped.

        Parameters
        ----------
        gp : GaussianProcess
        by_input : sequence of its inputs
            Of each input of the space what the process sees at its steps.
        owner : int array of shape (c,)
            Which input of the space a column of the process comes from.
        """
        posterior, outputs = gp._posterior, gp._outputs
        if not isinstance(posterior, ExactPosterior):
            raise TypeError(
                "predictions from nearest runs (approximation='vecchia') have no formula; fit a copy of them"
            )
        problem = posterior.problem
        arrays = posterior.arrays()
        scale, offset = outputs.unit * outputs.scale, outputs.origin + outputs.unit * outputs.centre
        return cls(
            gp.kernel_,
            [[], *map(list, gp._trend.terms)],
            problem.z,
            problem.kernel.rates(posterior.kernel_theta, problem.z.shape[1]),
            problem.kernel.floors(posterior.kernel_theta, problem.z.shape[1]),
            scale * arrays["weights"],
            np.append(offset, scale * arrays["coefficients"]),
            [gp._inputs.scaled(x)[:, owner == j] for j, x in enumerate(by_input)],
        )


@dataclass(frozen=True, eq=False)
class Copy:
    """An emulator in two formulas.

    Attributes
    ----------
    mean : Formula
    log_std : Formula
    agreement : float
        Share of the variance of the emulator's mean that the copy gives, at points that it did not learn from.
    """

    mean: Formula
    log_std: Formula
    agreement: float

    @classmethod
    def of(
        cls,
        emulator: Any,
        ask: Ask,
        seen: Callable[[pd.DataFrame], Any],
        slices: Slices,
        inputs: pd.DataFrame,
        space: Space,
    ) -> Copy:
        """Learn it; a Gaussian process without a warp gives its own mean.

        Parameters
        ----------
        emulator : fitted emulator
        ask : callable
            From inputs to its mean and standard deviation.
        seen : callable
            From inputs to what the emulator was fitted on.
        slices : Slices
        inputs : DataFrame of shape (n, d)
            Of the runs.
        space : Space
        """
        tables = [_varied(slices, space, j) for j in range(space.d)]
        columns = [numbers_of(table, space) for table in tables]
        # An input moves its own columns only.
        owner = np.array([int(np.argmax([np.ptp(x[:, c]) for x in columns])) for c in range(columns[0].shape[1])])
        size = int(np.clip(POINTS_PER_COLUMN * columns[0].shape[1], FEWEST_POINTS, MOST_POINTS))
        rng = np.random.default_rng(0)
        fresh = space.from_unit(rng.random((size, space.d)))
        # At runs an interpolating emulator is sure, which is not typical of it.
        points = numbers_of(fresh, space)
        mean, std = ask(fresh)
        least = 1e-6 * (float(np.max(std)) or 1.0)
        log_std = GaussianProcess(kernel="matern52", warp=None, anova=False).fit(
            points[:STD_POINTS], np.log(np.maximum(std[:STD_POINTS], least))
        )
        if _gives_its_mean(emulator):
            mean_formula = Formula.of(emulator, [seen(table) for table in tables], emulator._inputs.owner)
            return cls(mean_formula, Formula.of(log_std, columns, owner), agreement=1.0)
        # The runs themselves first: an average of processes on them is nearly a process on them.
        known = inputs.iloc[rng.permutation(len(inputs))[: MOST_POINTS // 2]]
        learnt = np.concatenate([numbers_of(known, space), points])
        copy = GaussianProcess(warp=None).fit(learnt, np.concatenate([ask(known)[0], mean]))
        other = space.from_unit(rng.random((COMPARED, space.d)))
        actual, _ = ask(other)
        error = float(((copy.predict(numbers_of(other, space)) - actual) ** 2).mean())
        agreement = 1.0 - error / (float(actual.var()) or 1.0)
        return cls(Formula.of(copy, columns, owner), Formula.of(log_std, columns, owner), agreement)


def _varied(slices: Slices, space: Space, j: int) -> pd.DataFrame:
    """Rows of the slices' table as inputs: input `j` at each of its steps."""
    middle = {name: values[i] for name, values, i in zip(space, slices.steps, slices.at)}
    name = space.names[j]
    return space.validate(pd.DataFrame(middle | {name: slices.steps[j]}, columns=list(space)))


def _gives_its_mean(emulator: Any) -> bool:
    return (
        isinstance(emulator, GaussianProcess)
        and isinstance(emulator._posterior, ExactPosterior)
        and emulator._outputs.warp is None
    )
