"""What we ask: simulators (Model A)."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from surrogate.errors import did_you_mean
from surrogate.outputs import Output, Series
from surrogate.space import Space

__all__ = [
    "FunctionSimulator",
    "Output",
    "Series",
    "Simulator",
    "answers_by_point",
    "arguments_of",
    "checked_answer",
    "simulator",
]

# What modules are called that were read from a file.
FILE_PREFIX = "surrogate_file_"


@runtime_checkable
class Simulator(Protocol):
    """What the framework asks of a simulator; :func:`simulator` makes one of a function.

    ``name`` and ``version`` identify it in a run store: raise the version when answers change. A call takes the
    parameters by name and returns a mapping from every output's name to its value. It may raise anything: a failing run
    is recorded.

    Three more attributes may be there:

    ``stochastic``
        If true, a call also takes ``seed=``, an int.
    ``levels``
        Cost of a run by level, 0 being the truest; a call also takes ``level=``.
    ``batch``
        If positive, a call takes arrays of up to so many points, shape (m,) a parameter (and ``seed``), and returns
        arrays of shape (m,) a scalar and (m, k) a series.

    Examples
    --------
    >>> from surrogate.space import Real
    >>> class Spring:
    ...     name, version = "spring", "1"
    ...     space, outputs = Space(force=Real(0, 10, unit="N")), (Output("stretch", unit="m"),)
    ...
    ...     def __call__(self, force):
    ...         return {"stretch": force / 200.0}
    >>> isinstance(Spring(), Simulator)
    True
    >>> from surrogate.runs.run import run
    >>> run(Spring(), [[5.0]], n_jobs=0).outputs
       stretch
    0    0.025
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def space(self) -> Space: ...
    @property
    def outputs(self) -> tuple[Output, ...]: ...
    def __call__(self, **inputs: Any) -> Mapping[str, Any]: ...


class FunctionSimulator:
    """A Python function as a simulator; made by :func:`simulator`. Calling it calls the function.

    ``function_source`` is the function's text, empty if it is not known.

    Examples
    --------
    >>> from surrogate.space import Real
    >>> square = FunctionSimulator(lambda x: {"y": x**2}, Space(x=Real(-1, 1)), ["y"], name="square")
    >>> square(x=0.5), square.name
    ({'y': 0.25}, 'square')
    """

    def __init__(
        self,
        function: Callable[..., Mapping[str, Any]],
        space: Space,
        outputs: Sequence[str],
        version: str = "1",
        name: str | None = None,
        *,
        levels: Mapping[int, float] | None = None,
        batch: int = 0,
    ) -> None:
        if not callable(function):
            raise TypeError(f"a simulator is made of a function, got {function!r}")
        if not isinstance(space, Space):
            raise TypeError(f"space must be a Space, got {space!r}")
        if isinstance(outputs, str) or not outputs:
            raise ValueError(f"outputs must list at least one output, got {outputs!r}")
        self.function = function
        self.space = space
        self.outputs = tuple(out if isinstance(out, Output) else Output(out) for out in outputs)
        self.version = str(version)
        self.name = name or getattr(function, "__name__", "")
        if not self.name:
            raise TypeError(f"{function!r} has no name of its own; give one with name=")
        if len(set(self.outputs)) != len(self.outputs):
            raise ValueError(f"simulator {self.name!r}: outputs must differ from each other, got {list(self.outputs)}")
        self.levels = _checked_levels(self.name, levels)
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 0:
            raise ValueError(f"simulator {self.name!r}: batch must be a number of points, 0 for none, got {batch!r}")
        self.batch = batch
        self.stochastic = self._check_signature()
        self.function_source = _source_of(function)
        for attribute in ("__module__", "__qualname__", "__doc__"):
            setattr(self, attribute, getattr(function, attribute, None))
        self.__wrapped__ = function

    def _check_signature(self) -> bool:
        """Whether the function takes a seed; raises ``TypeError`` if it does not fit the space."""
        parameters = inspect.signature(self.function).parameters
        named = {n for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        asked = [*self.space, *(["level"] if self.levels else [])]
        missing = [name for name in asked if name not in named and not takes_any]
        if missing:
            hints = "; ".join(f"{name!r} ({did_you_mean(name, named)})" for name in missing)
            raise TypeError(f"simulator {self.name!r}: the function does not take the space's parameter {hints}")
        if self.levels and "level" in self.space:
            raise ValueError(f"simulator {self.name!r} has levels, so no parameter can be called 'level'")
        unfilled = [
            n
            for n, p in parameters.items()
            if (n not in (*asked, "seed") or p.kind is p.POSITIONAL_ONLY)
            and p.default is p.empty
            and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        ]
        if unfilled:
            raise TypeError(
                f"simulator {self.name!r}: argument {unfilled[0]!r} has no default and is not in the space; "
                "add it to the space or give it a default"
            )
        return "seed" in named and "seed" not in self.space

    def __call__(self, /, *args: Any, **inputs: Any) -> Mapping[str, Any]:
        return self.function(*args, **inputs)

    def __repr__(self) -> str:
        return f"<simulator {self.name!r} version {self.version}: {', '.join(self.space)} -> {', '.join(self.outputs)}>"

    def __reduce__(self) -> Any:
        # A decorated function hides the one it wraps, so pickle cannot find that by name: send this object's own name
        # where a worker can import it, and leave everything else to cloudpickle.
        module, qualname = self.__module__, str(vars(self)["__qualname__"])
        if module not in ("__main__", None) and not module.startswith(FILE_PREFIX):
            found: Any = sys.modules.get(module)
            for part in qualname.split("."):
                found = getattr(found, part, None)
            if found is self:
                return _resolve, (module, qualname)
        return super().__reduce__()


def _source_of(function: Callable[..., Any]) -> str:
    # When the simulator is made: later, its file may have been edited while the old function goes on running.
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return ""


def _checked_levels(name: str, levels: Mapping[int, float] | None) -> dict[int, float]:
    out = {} if levels is None else {int(level): float(cost) for level, cost in levels.items()}
    if out and (min(out) != 0 or not all(np.isfinite(cost) and cost > 0 for cost in out.values())):
        raise ValueError(
            f"simulator {name!r}: levels must map whole numbers from 0, the truest, to what a run costs, "
            f"a positive number; got {levels!r}"
        )
    return dict(sorted(out.items()))


def simulator(
    *,
    space: Space,
    outputs: Sequence[str],
    version: str = "1",
    name: str | None = None,
    levels: Mapping[int, float] | None = None,
    batch: int = 0,
) -> Callable[[Callable[..., Mapping[str, Any]]], FunctionSimulator]:
    """Make a simulator of a function.

    Parameters
    ----------
    space : Space
        What may vary; the function takes these names as keyword arguments.
    outputs : sequence of str, Output or Series
        What a run returns, as a mapping by name.
    version : str
        Raise it when the answers change: a run store refuses to mix versions.
    name : str, optional
        Defaults to the function's name.
    levels : mapping of int to float, optional
        What a run costs at each level, in any unit; 0 is the truest level, higher ones are cheaper and less true. The
        function then takes an argument ``level``.
    batch : int
        The largest number of points that the function takes in one call, as arrays of shape (m,); 0 if it takes one
        point as numbers. It returns arrays of shape (m,), for a series (m, k).

    Raises
    ------
    TypeError
        If the function does not take every parameter, or needs others.
    ValueError
        If `levels` or `batch` make no sense.

    Notes
    -----
    A function with an argument ``seed`` that is not in the space is stochastic: every run gets a seed of its own, which
    is stored.

    Examples
    --------
    >>> from surrogate.space import Real
    >>> @simulator(space=Space(x=Real(-1, 1)), outputs=["y"])
    ... def parabola(x):
    ...     return {"y": x**2}
    >>> parabola(x=0.5)
    {'y': 0.25}

    One that is fast on many points at once:

    >>> @simulator(space=Space(x=Real(-1, 1)), outputs=["y"], batch=1000)
    ... def parabolas(x):
    ...     return {"y": x**2}
    """

    def decorate(function: Callable[..., Mapping[str, Any]]) -> FunctionSimulator:
        return FunctionSimulator(function, space, outputs, version, name, levels=levels, batch=batch)

    return decorate


def is_stochastic(sim: Simulator) -> bool:
    """Whether the simulator takes a seed."""
    return bool(getattr(sim, "stochastic", False))


def levels_of(sim: Simulator) -> dict[int, float]:
    """Cost by level; empty if the simulator has none."""
    return dict(getattr(sim, "levels", None) or {})


def batch_of(sim: Simulator) -> int:
    """The largest number of points in a call; 0 if a call takes one point as numbers."""
    return int(getattr(sim, "batch", 0))


def checked_answer(outputs: Sequence[Output], answer: Any) -> dict[str, Any]:
    """A simulator's answer with every output checked: scalars as float, series as arrays.

    Raises
    ------
    ValueError
        If the answer is no mapping, if an output is missing, unknown, wrongly shaped or not finite.
    """
    if not isinstance(answer, Mapping):
        raise ValueError(f"a run must return a mapping from output to value, got {type(answer).__name__}")
    missing = [str(name) for name in outputs if name not in answer]
    unknown = [str(name) for name in answer if name not in outputs]
    if missing or unknown:
        told = [f"missing output {name!r}" for name in missing] + [f"unknown output {name!r}" for name in unknown]
        raise ValueError("; ".join(told))
    return {str(name): name.check(answer[name]) for name in outputs}


def arguments_of(
    sim: Simulator, points: Sequence[Mapping[str, Any]], seeds: Sequence[int | None], level: int
) -> dict[str, Any]:
    """What a call takes that answers these points: arrays for a batch simulator, else the values of the only one."""
    seed: dict[str, Any] = {}
    if batch_of(sim):
        inputs = {
            name: np.array([point[name] for point in points], dtype=parameter.dtype)
            for name, parameter in sim.space.items()
        }
        if is_stochastic(sim):
            seed = {"seed": np.array(seeds, dtype=np.int64)}
    else:
        inputs = dict(points[0])
        if is_stochastic(sim):
            seed = {"seed": seeds[0]}
    return inputs | seed | ({"level": level} if levels_of(sim) else {})


def answers_by_point(sim: Simulator, answer: Any, points: int) -> list[Any]:
    """Each point's part of the answer to a call of :func:`arguments_of`, for :func:`checked_answer`.

    Raises
    ------
    ValueError
        If a batch simulator's output has not one row a point.
    """
    if not batch_of(sim) or not isinstance(answer, Mapping):
        return [answer] * points
    columns = {name: _by_position(name, values, points) for name, values in answer.items()}
    return [{name: values[row] for name, values in columns.items()} for row in range(points)]


def _by_position(name: str, values: Any, points: int) -> Any:
    # A table's column is asked by its labels, which are not the points' positions. Rows of a list may differ in shape.
    rows = values if isinstance(values, (list, tuple)) else np.asanyarray(values)
    if isinstance(rows, np.ndarray) and rows.ndim == 0:
        raise ValueError(f"output {name!r} of a batch must be an array of {points} rows, got {values!r:.100}")
    if len(rows) != points:
        raise ValueError(f"output {name!r} of a batch of {points} points has {len(rows)} rows")
    return rows


def _resolve(module: str, qualname: str) -> Any:
    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found
