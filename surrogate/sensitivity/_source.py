"""What is asked about its inputs: a simulator through stored runs, emulators, or runs that exist."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from surrogate.designs._design import Rng, seeded
from surrogate.errors import did_you_mean
from surrogate.loading import load_simulator
from surrogate.outputs import Series
from surrogate.runs.ids import run_ids
from surrogate.runs.records import Runs
from surrogate.runs.run import run
from surrogate.runs.store import RunStore
from surrogate.sensitivity._table import seed_of
from surrogate.simulation import Simulator, is_stochastic
from surrogate.space import Real, Space

__all__ = ["Coordinates", "Emulators", "GivenRuns", "Simulation", "Source", "source_of"]

FloatArray = NDArray[np.float64]
Coordinates = Literal["unit", "own"] | None

# Joint draws need the roots of a square matrix of that size: half a second.
MOST_DRAWN = 1500

# Positions may miss the unit cube by rounding errors.
ROUNDING = 1e-9

# Runs that end within this of the cube's sides fill it: ten random ones leave as much.
UNSEEN = 0.1


class Source(Protocol):
    """Answers at points of the unit cube."""

    space: Space
    outputs: tuple[str, ...]

    def answers(self, u: FloatArray) -> FloatArray:
        """Outputs at positions `u`, array of shape (n, number of outputs); NaN where a run failed."""


@dataclass
class Simulation:
    """A simulator; its runs are made (and stored) by :func:`surrogate.run`, with seeds of their own from `seed`."""

    simulator: Simulator
    outputs: tuple[str, ...]
    running: Mapping[str, Any]
    seed: int | None = None

    @property
    def space(self) -> Space:
        return self.simulator.space

    def answers(self, u: FloatArray) -> FloatArray:
        design = self.space.from_unit(u)
        with warnings.catch_warnings():
            # That a store goes on with its own seeds is no news to who asked for a measure and not for these.
            warnings.filterwarnings("ignore", ".* was begun with another seed", UserWarning)
            runs = run(self.simulator, design, rng=self.seed, **self.running)
        return runs.scalars[list(self.outputs)].reindex(design.index).to_numpy(dtype=float)


@dataclass
class Emulators:
    """One emulator an output."""

    space: Space
    emulators: Mapping[str, Any]
    coordinates: Coordinates
    outputs: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.outputs = tuple(self.emulators)
        for name, emulator in self.emulators.items():
            seen = getattr(emulator, "n_features_in_", self.space.d)
            if seen != self.space.d:
                raise ValueError(f"emulator of {name!r} has {seen} inputs, but the space has {self.space.d}")

    def answers(self, u: FloatArray) -> FloatArray:
        return np.column_stack([predicted(e.predict(self._inputs(e, u)), len(u)) for e in self.emulators.values()])

    def drawn(self, u: FloatArray, n: int, rng: np.random.Generator) -> dict[str, FloatArray]:
        """Functions that each emulator holds possible, at `u`: by output, array of shape (n, len(u)).

        Emulators without a notion of their own error are left out.
        """
        out = {}
        for name, emulator in self.emulators.items():
            x = self._inputs(emulator, u)
            if hasattr(emulator, "draws"):
                out[name] = np.asarray(emulator.draws(x, n, rng), dtype=float)
            else:
                try:
                    mean, std = emulator.predict(x, return_std=True)
                except (TypeError, ValueError):
                    continue
                out[name] = predicted(mean, len(u)) + predicted(std, len(u)) * _smooth_fields(u, n, rng)
        return out

    def is_asked_by_name(self, emulator: Any) -> bool:
        """Whether its inputs are told by their names, not by their order."""
        return self.coordinates != "unit" and getattr(emulator, "feature_names_in_", None) is not None

    def are_its_own_inputs(self, emulator: Any) -> bool:
        """Whether the inputs vary as the emulator itself takes them to."""
        own = _told_space(emulator)
        if own is not None:
            return self.coordinates != "unit" and dict(own) == dict(self.space)
        if self.coordinates != "unit" and not _is_unit_cube(self.space):
            return False
        seen = getattr(emulator, "input_range_", None)
        # It takes its runs' range for the inputs': of a part of the cube it knows that part only.
        return seen is None or bool((np.abs(seen - [[0.0], [1.0]]) <= UNSEEN).all())

    def _inputs(self, emulator: Any, u: FloatArray) -> Any:
        """The points as the emulator was fitted to see them."""
        if self.coordinates == "unit":
            return u
        if self.is_asked_by_name(emulator):
            named = emulator.feature_names_in_
            if sorted(map(str, named)) != sorted(self.space):
                raise ValueError(f"an emulator was fitted on {list(named)}, but the space has {list(self.space)}")
            return self.space.from_unit(u)[list(named)]
        if self.coordinates == "own":
            return self.space.from_unit(u).to_numpy()
        if not _is_unit_cube(self.space):
            raise ValueError(
                "it is not clear what the emulator sees, since it was fitted on an array without names: pass "
                "coordinates='unit' if that was space.to_unit(inputs), 'own' if it was the inputs themselves"
            )
        return u


@dataclass
class GivenRuns:
    """Runs that exist already, all at one level; `note` tells of those at others."""

    runs: Runs
    outputs: tuple[str, ...]
    note: str | None = None

    @property
    def space(self) -> Space:
        return self.runs.space

    def answers(self, u: FloatArray) -> FloatArray:
        """Outputs of the runs that were made at these very points; NaN where there is none, or it failed.

        Raises
        ------
        TypeError
            If no run was made at any of them.
        """
        table = self.runs.table
        place = {key: row for row, key in enumerate(run_ids(self.space, table[list(self.space)]))}
        rows = np.array([place.get(key, -1) for key in run_ids(self.space, self.space.from_unit(u))])
        if (rows < 0).all():
            raise TypeError(
                "this measure needs runs at a design of its own, and these runs are at other points; from any runs "
                "take delta or pawn, or fit an emulator to them and pass that"
            )
        values = self.runs.scalars[list(self.outputs)].to_numpy(dtype=float)
        values = np.where(self.runs.done.to_numpy()[:, None], values, np.nan)
        return np.where(rows[:, None] >= 0, values[rows], np.nan)

    def table(self) -> tuple[FloatArray, FloatArray, int]:
        """Positions in the unit cube and outputs of the finished runs, and how many are not finished."""
        done = self.runs.inputs
        return (
            self.space.to_unit(done),
            self.runs.outputs[list(self.outputs)].to_numpy(dtype=float),
            len(self.runs) - len(done),
        )


def source_of(
    thing: Any,
    space: Space | None,
    outputs: str | Sequence[str] | None,
    coordinates: Coordinates,
    running: Mapping[str, Any],
    rng: Rng,
) -> Simulation | Emulators | GivenRuns:
    """Whatever a user may pass, as something that answers.

    Raises
    ------
    TypeError
        If it is neither a simulator, an emulator, a mapping of such, runs nor a run store.
    ValueError
        If an output is unknown, or the space is missing or another one.
    """
    if isinstance(thing, str):
        thing = load_simulator(thing)
    if isinstance(thing, (Runs, RunStore)):
        runs = thing.runs() if isinstance(thing, RunStore) else thing
        _no_running(running, "runs that exist")
        chosen = _chosen([str(name) for name in runs.scalars.columns], outputs)
        levels = sorted(runs.table["level"].unique()) if runs.levels else []
        if len(levels) < 2:
            return GivenRuns(runs, chosen)
        # Levels are simulators that differ: of runs at several the truest count.
        truest = runs.at_level(int(levels[0]))
        note = f"{len(runs) - len(truest)} runs at other levels than {levels[0]}, the truest of these, were left out"
        return GivenRuns(truest, chosen, note)
    if isinstance(thing, Simulator) and not hasattr(thing, "predict"):
        if space is not None and space != thing.space:
            raise ValueError("a simulator brings its own space; leave out space=")
        scalars = [str(out) for out in thing.outputs if not isinstance(out, Series)]
        chosen = _chosen(scalars, outputs)
        if not is_stochastic(thing):
            return Simulation(thing, chosen, running)
        generator, seed = seeded(rng)
        return Simulation(thing, chosen, running, seed_of(generator) if seed is None else seed)
    emulators = dict(thing) if isinstance(thing, Mapping) else {"output": thing}
    if not emulators or not all(hasattr(e, "predict") for e in emulators.values()):
        raise TypeError(
            "sensitivity is asked of a simulator, a fitted emulator, a mapping of output to emulator, runs or a run "
            f"store; got {thing!r:.80}"
        )
    _no_running(running, "an emulator")
    chosen = _chosen([str(name) for name in emulators], outputs)
    if space is None:
        space = _common_space({name: emulators[name] for name in chosen})
    return Emulators(space, {name: emulators[name] for name in chosen}, coordinates)


def predicted(values: Any, n: int) -> FloatArray:
    """A prediction of one output as an array of shape (n,)."""
    array = np.asarray(values, dtype=float)
    if array.size != n:
        raise ValueError(f"an emulator must predict one output, got an array of shape {array.shape} for {n} points")
    return array.reshape(n)


def _common_space(emulators: Mapping[str, Any]) -> Space:
    spaces = {name: _space_of(emulator) for name, emulator in emulators.items()}
    first, space = next(iter(spaces.items()))
    for name, other in spaces.items():
        if dict(other) != dict(space):
            raise ValueError(
                f"the emulators of {first!r} and {name!r} were fitted to different spaces: pass space= to say how the "
                "inputs vary"
            )
    return space


def _told_space(emulator: Any) -> Space | None:
    known = getattr(emulator, "space_", None) or getattr(emulator, "space", None)
    return known if isinstance(known, Space) else None


def _space_of(emulator: Any) -> Space:
    known = _told_space(emulator)
    if known is not None:
        return known
    if hasattr(emulator, "feature_names_in_") or not hasattr(emulator, "n_features_in_"):
        raise ValueError("an emulator does not say how its inputs vary: pass space=")
    # Fitted on an array: taken for positions in the unit cube, which is what emulators see in this package.
    seen = getattr(emulator, "input_range_", None)
    if seen is not None:
        outside = np.flatnonzero((seen[0] < -ROUNDING) | (seen[1] > 1 + ROUNDING))
        if len(outside):
            low, high = seen[:, outside[0]]
            raise ValueError(
                "an emulator was fitted on an array that holds no positions in the unit cube: column "
                f"{outside[0]} goes from {low:g} to {high:g}; pass space= to say how its inputs vary"
            )
    return Space({f"x{k}": Real(0, 1) for k in range(int(emulator.n_features_in_))})


def _is_unit_cube(space: Space) -> bool:
    return all(p == Real(0, 1, unit=p.unit, role=p.role, description=p.description) for p in space.values())


def _chosen(known: Sequence[str], outputs: str | Sequence[str] | None) -> tuple[str, ...]:
    if outputs is None:
        if not known:
            raise ValueError("there is no scalar output to ask about")
        return tuple(known)
    names = (outputs,) if isinstance(outputs, str) else tuple(outputs)
    for name in names:
        if name not in known:
            raise ValueError(f"no scalar output {name!r}; {did_you_mean(name, known)}")
    return names


def _no_running(running: Mapping[str, Any], what: str) -> None:
    if running:
        raise TypeError(f"{', '.join(running)}: options of run, but {what} need no run")


def _smooth_fields(u: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """Random smooth functions of mean 0 and variance 1, array of shape (n, len(u)); for emulators that cannot draw.

    Their length is drawn anew for each from 0.2 to 1 of the cube's width, since how fast an error changes is not known.

    References
    ----------
    .. [1] A. Rahimi, B. Recht, "Random features for large-scale kernel machines", NeurIPS 2007.
    """
    features = 200
    fields = np.empty((n, len(u)))
    for row in range(n):
        length = np.exp(rng.uniform(np.log(0.2), 0.0))
        angle = u @ (rng.standard_normal((u.shape[1], features)) / length) + rng.uniform(0, 2 * np.pi, features)
        fields[row] = np.cos(angle) @ rng.standard_normal(features) * np.sqrt(2 / features)
    return fields
