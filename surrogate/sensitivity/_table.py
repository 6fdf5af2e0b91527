"""What all sensitivity measures share: their table, groups of inputs, failed runs, and SALib kept within bounds."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.stats
from numpy.typing import NDArray

from surrogate.emulators.gp.gaussian_process import GaussianProcess
from surrogate.errors import SurrogateError, did_you_mean
from surrogate.space import Space

__all__ = [
    "Failures",
    "Groups",
    "TooManyFailuresError",
    "half_width",
    "problem_of",
    "salib",
    "seed_of",
    "settled",
    "table",
]

FloatArray = NDArray[np.float64]
Failures = Literal["drop", "fill", "raise"]
Groups = Mapping[str, Sequence[str]] | None

# Runs from which an emulator learns what failed runs would have answered; more would cost more than they help.
LEARNT_FROM = 400


class TooManyFailuresError(SurrogateError):
    """So many runs failed that nothing reliable can be said."""


def table(
    parts: Mapping[str, Mapping[str, Any]], inputs: Sequence[str], method: str, facts: Mapping[str, Any]
) -> pd.DataFrame:
    """The table of one or several outputs.

    Parameters
    ----------
    parts : mapping of output to mapping of column to array of shape (number of inputs,)

    Returns
    -------
    DataFrame
        Indexed by input, with several outputs by output and input; ``attrs`` holds ``method`` and the facts.
    """
    frames = {
        name: pd.DataFrame(dict(columns), index=pd.Index(inputs, name="input")) for name, columns in parts.items()
    }
    if len(frames) == 1:
        out = next(iter(frames.values()))
    else:
        out = pd.concat(frames, names=["output"])
    out.attrs = {"method": method, "outputs": list(frames), **{k: v for k, v in facts.items() if v is not None}}
    return out


def by_output(result: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables of the outputs, each indexed by input."""
    names = result.attrs.get("outputs") or ["output"]
    if isinstance(result.index, pd.MultiIndex):
        return {str(name): result.loc[name] for name in result.index.get_level_values(0).unique()}
    return {str(names[0]): result}


def problem_of(space: Space, groups: Groups = None) -> tuple[dict[str, Any], list[str]]:
    """SALib's description of the unit cube, and the names of the groups (or inputs) in order.

    Raises
    ------
    ValueError
        If a group names an unknown input, or an input is in two groups.
    """
    problem = space.to_salib(unit_cube=True)
    if groups is None:
        return problem, list(space)
    labels = labels_of(space, groups)
    return problem | {"groups": labels}, list(dict.fromkeys(labels))


def labels_of(space: Space, groups: Groups) -> list[str]:
    """The name of each input's group; inputs of none are groups of their own.

    Raises
    ------
    ValueError
        If a group names an unknown input, or an input is in two groups.
    """
    if groups is None:
        return list(space)
    member: dict[str, str] = {}
    for group, names in groups.items():
        for name in [names] if isinstance(names, str) else names:
            if name not in space:
                raise ValueError(f"groups: no input {name!r}; {did_you_mean(name, space)}")
            if name in member:
                raise ValueError(f"groups: {name!r} is in both {member[name]!r} and {group!r}")
            member[name] = group
    alone = [name for name in space if name not in member and name in groups]
    if alone:
        raise ValueError(f"groups: {alone[0]!r} is a group's name and an input of none")
    return [member.get(name, name) for name in space]


def half_width(confidence: float) -> float:
    """Half the width of a normal interval in standard deviations."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}")
    return float(scipy.stats.norm.ppf(0.5 + confidence / 2))


def seed_of(rng: np.random.Generator) -> int:
    """A seed for SALib, which takes 0 for none."""
    return int(rng.integers(1, 2**31))


@contextmanager
def salib() -> Iterator[None]:
    """Keep SALib from changing the state of the process.

    Some of its functions seed NumPy's global generator, print warnings in a format of their own and change the filters
    of warnings for good.
    """
    state, shown = np.random.get_state(), warnings.formatwarning  # noqa: NPY002 - to be put back
    try:
        # Recorded, and so not shown: a filter would not last, since SALib sets its own.
        with warnings.catch_warnings(record=True), np.errstate(all="ignore"):
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
        warnings.formatwarning = shown


def filled(u: FloatArray, y: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Outputs with those of failed runs predicted by a Gaussian process from the others.

    References
    ----------
    .. [1] R. Sheikholeslami, S. Razavi, A. Haghnegahdar, "What should we do when a model crashes? Recommendations for
       global sensitivity analysis of Earth and environmental systems models", Geoscientific Model Development 12, 2019.
    """
    out = y.copy()
    bad = np.isnan(y).any(axis=1)
    if not bad.any():
        return out
    good = np.flatnonzero(~bad)
    enough(len(good), len(y), 10)
    learnt = rng.choice(good, size=min(len(good), LEARNT_FROM), replace=False)
    for k in range(y.shape[1]):
        constant = np.ptp(y[learnt, k]) == 0
        out[bad, k] = (
            y[learnt[0], k] if constant else np.asarray(GaussianProcess().fit(u[learnt], y[learnt, k]).predict(u[bad]))
        )
    return out


def settled(
    u: FloatArray, y: FloatArray, n: int, failures: str, least: int, what: str, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, dict[str, Any]]:
    """Points and outputs without NaN, and what was done about failed runs.

    Parameters
    ----------
    u, y : array of shape (n * block, d) and (n * block, k)
        `n` blocks of runs that are of use only together.
    failures : {"drop", "fill", "raise"}
    least : int
        Number of blocks that must be left.
    what : str
        What the blocks are called.
    """
    failed = int(np.isnan(y).any(axis=1).sum())
    facts: dict[str, Any] = {"n": n, "runs": len(u), "failed": failed, "dropped": 0, "note": None}
    if not failed:
        return u, y, facts
    told = f"{failed} of {len(u)} runs failed"
    if failures == "raise":
        raise TooManyFailuresError(f"{told}; look at runs.failures for the cause")
    if failures == "fill":
        facts["note"] = f"{told}; their answers were predicted from the others"
        return u, filled(u, y, rng), facts
    block = len(u) // n
    whole = ~np.isnan(y).reshape(n, -1).any(axis=1)
    enough(int(whole.sum()), n, least)
    facts["dropped"] = int(n - whole.sum())
    together = f" of {block} runs" if block > 1 else ""
    facts["note"] = (
        f"{told}; {facts['dropped']} of {n} {what}{together} were left out, and with them a part of the space"
    )
    rows = np.repeat(whole, block)
    return u[rows], y[rows], facts


def enough(left: int, of: int, least: int) -> None:
    """Refuse to go on with fewer than `least` of the runs or blocks.

    Raises
    ------
    TooManyFailuresError
    """
    if left < least:
        raise TooManyFailuresError(
            f"only {left} of {of} runs or blocks of runs are left, at least {least} are needed; look at runs.failures "
            "for the cause, narrow the space to where the simulator works, or raise n"
        )


def check_failures(failures: str, allowed: Sequence[str] = ("drop", "fill", "raise")) -> None:
    """Refuse an unknown way to deal with failed runs.

    Raises
    ------
    ValueError
    """
    if failures not in allowed:
        raise ValueError(f"failures must be one of {', '.join(map(repr, allowed))}, got {failures!r}")
