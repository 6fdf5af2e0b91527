"""Data 2: the runs of one study as DataFrames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.errors import did_you_mean
from surrogate.literals import said
from surrogate.outputs import Output, Series
from surrogate.runs.outcome import FAILURES, cause
from surrogate.space import Categorical, Ordinal, Space

__all__ = ["Runs", "book_columns"]

_BOOK = ("status", "error", "seconds", "attempt", "seed", "started")


def book_columns(levels: Mapping[Any, float]) -> list[str]:
    """The bookkeeping columns of :attr:`Runs.table`, in order, of a simulator that has these levels."""
    return [*_BOOK, *(["level"] if levels else [])]


@dataclass(frozen=True, eq=False)
class Runs:
    """What happened: every run of a study, finished or not.

    Attributes
    ----------
    space : Space
    output_types : tuple of Output
        Names, units and coordinates of the outputs.
    simulator, version : str
    table : DataFrame of shape (n, d + 6)
        One row a run: the inputs, then ``status``, ``error``, ``seconds``, ``attempt``, ``seed``, ``started``, and
        ``level`` if the simulator has levels.
    scalars : DataFrame of shape (n, number of scalar outputs)
        Same index; NaN where a run is not done.
    arrays : mapping of str to list
        Per series the array of each row, None where a run is not done.
    sessions : list of dict
        Who ran it: one entry a call of ``run`` that added to the store, with host, versions and time.
    design : dict
        How the points were made, e.g. ``{"sampler": "sobol", "seed": 1, "n": 512}``; empty if several designs made
        them, which `sessions` tell.
    levels : dict
        Cost of a run by level; empty if the simulator has none.

    Examples
    --------
    >>> from surrogate.runs.run import run
    >>> from surrogate.simulation import simulator
    >>> from surrogate.space import Real
    >>> @simulator(space=Space(x=Real(0, 4)), outputs=["root"])
    ... def root(x):
    ...     return {"root": (x - 1) ** 0.5}
    >>> runs = run(root, [{"x": 0.0}, {"x": 2.0}], n_jobs=0)
    >>> runs.outputs
       root
    1   1.0
    >>> runs.failures["status"].tolist()
    ['invalid']
    """

    space: Space
    output_types: tuple[Output, ...]
    simulator: str
    version: str
    table: pd.DataFrame
    scalars: pd.DataFrame
    arrays: Mapping[str, list[Any]] = field(default_factory=dict)
    sessions: list[dict[str, Any]] = field(default_factory=list)
    design: dict[str, Any] = field(default_factory=dict)
    levels: dict[int, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {status}" for status, count in self.counts.items() if count)
        return f"<{len(self)} runs of {self.simulator!r} version {self.version}: {counts or 'none'}>"

    @property
    def done(self) -> pd.Series:
        """Whether each run finished with a valid answer."""
        return self.table["status"] == "done"

    @property
    def distinct(self) -> pd.Series:
        """Whether each row is the first of its run; rows of a design that are alike are one run."""
        return ~self.table.duplicated([*self.space, "seed", *(["level"] if self.levels else [])])

    @property
    def inputs(self) -> pd.DataFrame:
        """Inputs of the finished runs, one column a parameter."""
        return self.table.loc[self.done, list(self.space)]

    @property
    def outputs(self) -> pd.DataFrame:
        """Scalar outputs of the finished runs, same index as :attr:`inputs`."""
        return self.scalars.loc[self.done]

    @property
    def failures(self) -> pd.DataFrame:
        """Inputs, ``status`` and ``error`` of the runs that did not finish."""
        return self.table.loc[~self.done, [*self.space, "status", "error"]]

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows by status."""
        found = self.table["status"].value_counts()
        return {status: int(found.get(status, 0)) for status in ("done", *FAILURES)}

    @property
    def seconds(self) -> float:
        """Simulator time in all, in seconds; of rows that are one run it counts once."""
        return float(self.table.loc[self.distinct.to_numpy(), "seconds"].sum())

    def at_level(self, level: int) -> Runs:
        """The runs at one level, of a simulator that has levels.

        Raises
        ------
        ValueError
            If there is no such level.
        """
        if level not in self.levels:
            raise ValueError(
                f"simulator {self.simulator!r} has no level {level!r}; levels: {list(self.levels) or 'none'}"
            )
        rows = np.flatnonzero(self.table["level"] == level)
        return replace(
            self,
            table=self.table.iloc[rows],
            scalars=self.scalars.iloc[rows],
            arrays={name: [values[row] for row in rows] for name, values in self.arrays.items()},
        )

    def to_frame(self, series: Literal["lists", "columns"] = "lists") -> pd.DataFrame:
        """All in one table: inputs, outputs and bookkeeping of every run, finished or not.

        Parameters
        ----------
        series : {"lists", "columns"}
            A series as one column of lists, or as one column a value of its coordinate, called ``"lift[0.5]"``.

        Returns
        -------
        DataFrame of shape (n, ...)
        """
        parts = [self.table[list(self.space)], self.scalars]
        for kind in self.output_types:
            if not isinstance(kind, Series):
                continue
            rows = self.arrays[kind]
            if series == "lists":
                lists = [None if row is None else row.tolist() for row in rows]
                parts.append(pd.DataFrame({str(kind): pd.Series(lists, index=self.table.index, dtype=object)}))
            else:
                empty = np.full(len(kind.at), np.nan)
                values = np.array([empty if row is None else row for row in rows]).reshape(len(rows), len(kind.at))
                names = [f"{kind}[{at}]" for at in _written(kind.at)]
                parts.append(pd.DataFrame(values, index=self.table.index, columns=names))
        return pd.concat([*parts, self.table.drop(columns=list(self.space))], axis=1)

    def series(self, name: str) -> pd.DataFrame:
        """A series output of the finished runs: one row a run, one column a value of the coordinate.

        Raises
        ------
        KeyError
            If no series goes by that name.
        """
        kind = next((out for out in self.output_types if out == name), None)
        if not isinstance(kind, Series):
            known = [out for out in self.output_types if isinstance(out, Series)]
            raise KeyError(f"no series {name!r}; {did_you_mean(name, known)}")
        done = self.done.to_numpy()
        rows = [row for row, finished in zip(self.arrays[name], done, strict=True) if finished]
        values = np.stack(rows) if rows else np.empty((0, len(kind.at)))
        columns = pd.Index(kind.at, name=kind.coordinate)
        return pd.DataFrame(values, index=self.table.index[done], columns=columns)

    def health(self) -> pd.DataFrame:
        """Counts by status with their share, and for failures the commonest cause; rows that are one run count once.

        Returns
        -------
        DataFrame
            Indexed by status; columns ``runs``, ``share``, ``commonest_cause``. Statuses without runs are left out.
        """
        made = self.table[self.distinct.to_numpy()]
        rows = {}
        for status in ("done", *FAILURES):
            errors = made.loc[made["status"] == status, "error"]
            if len(errors):
                commonest = "" if status == "done" else errors.map(cause).value_counts().index[0]
                rows[status] = {"runs": len(errors), "share": len(errors) / len(made), "commonest_cause": commonest}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["runs", "share", "commonest_cause"])

    def failure_regions(self) -> pd.DataFrame:
        """Where in the space runs fail: for every input the one range of values in which failures gather most.

        The range maximises the weighted relative accuracy (share of runs in it, times by how much failures are more
        frequent there than overall); of a categorical input it is the set of values that fail more often than average.

        Returns
        -------
        DataFrame
            One row an input, the most telling first: ``input``, ``where`` (e.g. ``"0.5 <= x <= 1"``), ``runs`` and
            ``failures`` in there, ``rate`` and ``rate_elsewhere`` of failures, ``wracc``. Empty without failures, or if
            everything failed.

        References
        ----------
        .. [1] N. Lavrac, P. Flach, B. Zupan, "Rule Evaluation Measures: A Unifying View", ILP 1999, sec. 4.
        """
        failed = ~self.done.to_numpy()
        columns = ["input", "where", "runs", "failures", "rate", "rate_elsewhere", "wracc"]
        if failed.all() or not failed.any():
            return pd.DataFrame(columns=columns)
        excess = failed - failed.mean()
        rows = []
        for name, parameter in self.space.items():
            values = self.table[name]
            if isinstance(parameter, Categorical):
                gain = pd.Series(excess).groupby(values.to_numpy(), observed=True, sort=False).sum()
                chosen = [value for value in parameter.values if value in gain.index and gain[value] > 0]
                inside = values.isin(chosen).to_numpy()
                where = f"{name} in {chosen}"
            else:
                # Of an ordinal input its own order counts, not the alphabet's.
                ranks = parameter.codes(values) if isinstance(parameter, Ordinal) else values
                seen, codes = np.unique(ranks, return_inverse=True)
                levels = parameter.decode(seen) if isinstance(parameter, Ordinal) else seen
                first, last = _largest_sum(np.bincount(codes, weights=excess))
                inside = (codes >= first) & (codes <= last)
                where = _range_text(name, levels, first, last)
            count = int(inside.sum())
            rows.append(
                {
                    "input": name,
                    "where": where,
                    "runs": count,
                    "failures": int(failed[inside].sum()),
                    "rate": float(failed[inside].mean()),
                    "rate_elsewhere": float(failed[~inside].mean()) if count < len(self) else np.nan,
                    "wracc": float(excess[inside].sum() / len(self)),
                }
            )
        return pd.DataFrame(rows, columns=columns).sort_values("wracc", ascending=False, ignore_index=True)


def _written(numbers: NDArray[np.float64]) -> list[str]:
    """Numbers as text: short, or with all digits if they could not be told apart otherwise."""
    short = [f"{number:g}" for number in numbers]
    return short if len(set(short)) == len(short) else [repr(float(number)) for number in numbers]


def _largest_sum(gains: NDArray[Any]) -> tuple[int, int]:
    """First and last index of the contiguous part with the largest sum."""
    after = np.concatenate([[0.0], np.cumsum(gains)])
    lowest = np.minimum.accumulate(after)
    last = int(np.argmax(after[1:] - lowest[:-1]))
    first = int(np.argmin(after[: last + 1]))
    return first, last


def _range_text(name: str, levels: Any, first: int, last: int) -> str:
    low = f"{said(levels[first], 4)} <= " if first > 0 else ""
    high = f" <= {said(levels[last], 4)}" if last < len(levels) - 1 else ""
    return f"{low}{name}{high}" if low or high else f"any {name}"
