"""What is wanted of the outputs: objectives to be minimised or maximised, and constraints on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.conditions import Condition, parse_conditions
from surrogate.errors import ConditionError, InvalidInputError, did_you_mean

__all__ = ["Goals", "Objective"]

FloatArray = NDArray[np.float64]

# More objectives would need another criterion: the expected hypervolume is exact for up to three.
MAX_OBJECTIVES = 3


@dataclass(frozen=True)
class Objective:
    """An output to be made small, or large.

    Examples
    --------
    >>> Objective.parse("-lift")
    Objective(output='lift', sign=-1.0)
    """

    output: str
    sign: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Objective:
        """``"drag"`` is minimised, ``"-lift"`` maximised."""
        if not isinstance(text, str) or not text.strip(" -"):
            raise TypeError(f"an objective is the name of an output, or '-' and the name to maximise it; got {text!r}")
        name = text.strip()
        return cls(name[1:].strip(), -1.0) if name.startswith("-") else cls(name)

    def __str__(self) -> str:
        return self.output if self.sign > 0 else f"-{self.output}"


@dataclass(frozen=True)
class Goals:
    """Objectives and constraints.

    Attributes
    ----------
    objectives : tuple of Objective
    constraints : tuple of Condition
    equality_tolerance : float
        By how much an output may miss the number of an ``==``, in its unit.
    """

    objectives: tuple[Objective, ...]
    constraints: tuple[Condition, ...] = ()
    equality_tolerance: float = 1e-4

    @classmethod
    def of(
        cls,
        objectives: str | Sequence[str],
        constraints: str | Condition | Mapping[str, str] | Sequence[str | Condition] = (),
        equality_tolerance: float = 1e-4,
    ) -> Goals:
        """From the ways in which they can be written.

        Raises
        ------
        ValueError
            If there is no objective, or more than three, or one twice.
        ConditionError
            If a constraint cannot be read.
        """
        if not isinstance(objectives, (str, Sequence)):
            raise TypeError(f"objectives must be the name of an output or a list of names, got {objectives!r:.80}")
        listed = [objectives] if isinstance(objectives, str) else list(objectives)
        parsed = tuple(Objective.parse(text) for text in listed)
        if not 1 <= len(parsed) <= MAX_OBJECTIVES:
            raise ValueError(f"objectives must be one to {MAX_OBJECTIVES} outputs, got {len(parsed)}")
        if len({objective.output for objective in parsed}) != len(parsed):
            raise ValueError(f"objectives must differ from each other, got {listed}")
        conditions = parse_conditions(constraints) if constraints else ()
        for condition in conditions:
            if condition.operator == "!=":
                raise ConditionError(f"constraint {str(condition)!r}: '!=' excludes almost nothing; use an inequality")
        if not equality_tolerance > 0:
            raise ValueError(f"equality_tolerance must be positive, got {equality_tolerance}")
        return cls(parsed, conditions, float(equality_tolerance))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of all outputs that matter, each once."""
        return tuple(dict.fromkeys([o.output for o in self.objectives] + [c.name for c in self.constraints]))

    @property
    def is_free(self) -> bool:
        """Whether there is one objective and no constraint."""
        return len(self.objectives) == 1 and not self.constraints

    def check_outputs(self, known: Sequence[str]) -> None:
        """Raise ``ValueError`` for an output that a simulator does not have."""
        for name in self.outputs:
            if name not in known:
                raise ValueError(f"no scalar output {name!r}; {did_you_mean(name, map(str, known))}")

    def checked(self, outputs: Mapping[str, Any]) -> dict[str, float]:
        """One run's outputs as finite numbers, also those that do not matter.

        Raises
        ------
        InvalidInputError
            If one that matters is missing or not a finite number.
        """
        if not isinstance(outputs, Mapping):
            raise InvalidInputError(f"outputs must be a mapping from name to number, got {outputs!r:.100}")
        numbers = {str(name): number for name, value in outputs.items() if (number := _number(value)) is not None}
        for name in self.outputs:
            if name not in outputs:
                raise InvalidInputError(f"outputs: missing {name!r}, got {', '.join(map(repr, outputs)) or 'nothing'}")
            if not np.isfinite(numbers.get(name, np.nan)):
                raise InvalidInputError(
                    f"outputs: {name!r} must be a finite number, got {outputs[name]!r:.100}; "
                    "tell a run without an answer with fail"
                )
        return numbers

    def scores(self, outputs: Sequence[Mapping[str, float]]) -> FloatArray:
        """Objectives, all to be minimised, (n, k)."""
        rows = [[o.sign * run[o.output] for o in self.objectives] for run in outputs]
        return np.array(rows, dtype=float).reshape(len(outputs), len(self.objectives))

    def excesses(self, outputs: Sequence[Mapping[str, float]]) -> FloatArray:
        """By how much each constraint is exceeded, (n, c): not positive where it is met, zero where an ``==`` is."""
        out = np.empty((len(outputs), len(self.constraints)))
        for j, condition in enumerate(self.constraints):
            sign = -1.0 if condition.operator.startswith(">") else 1.0
            out[:, j] = [sign * (run[condition.name] - condition.value) for run in outputs]
        return out

    def feasible(self, outputs: Sequence[Mapping[str, float]]) -> NDArray[np.bool_]:
        """Whether each run meets every constraint, (n,)."""
        met = np.ones(len(outputs), dtype=bool)
        for condition in self.constraints:
            met &= self._holds(condition, np.array([run[condition.name] for run in outputs], dtype=float))
        return met

    def met(self, outputs: Mapping[str, float]) -> dict[str, bool]:
        """Whether a run meets each constraint, by the constraint's text."""
        return {str(c): bool(self._holds(c, np.array([outputs[c.name]]))[0]) for c in self.constraints}

    def _holds(self, condition: Condition, values: FloatArray) -> NDArray[np.bool_]:
        if condition.operator == "==":
            return np.asarray(np.abs(values - condition.value) <= self.equality_tolerance)
        return np.asarray(condition.holds(values))

    def violations(self, outputs: Sequence[Mapping[str, float]]) -> FloatArray:
        """Sum of the excesses, each as a share of its largest, (n,); zero where all constraints are met."""
        excess = self.excesses(outputs)
        equal = np.array([c.operator == "==" for c in self.constraints], dtype=bool)
        excess[:, equal] = np.maximum(np.abs(excess[:, equal]) - self.equality_tolerance, 0.0)
        excess = np.maximum(excess, 0.0)
        largest = excess.max(axis=0, initial=0.0)
        return np.asarray((excess / np.where(largest > 0, largest, 1.0)).sum(axis=1))


def _number(value: Any) -> float | None:
    """A number as such; None for text, arrays and whatever else is none."""
    if np.ndim(value) or isinstance(value, (str, bytes)):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
