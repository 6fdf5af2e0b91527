"""Data 2: the runs of one study as DataFrames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from surrogate.errors import did_you_mean
from surrogate.runs.outcome import FAILURES
from surrogate.simulation import Output, Series
from surrogate.space import Space

__all__ = ["Runs"]

# The bookkeeping columns of Runs.table, in order.
BOOK = ("status", "error", "seconds", "attempt", "seed", "started")


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
        One row a run: the inputs, then ``status``, ``error``, ``seconds``, ``attempt``, ``seed``, ``started``.
    scalars : DataFrame of shape (n, number of scalar outputs)
        Same index; NaN where a run is not done.
    arrays : mapping of str to list
        Per series the array of each row, None where a run is not done.
    sessions : list of dict
        Who ran it: one entry a call of ``run`` that added to the store, with host, versions and time.
    design : dict
        How the points were made, e.g. ``{"sampler": "sobol", "seed": 1, "n": 512}``.

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
        """Number of runs by status."""
        found = self.table["status"].value_counts()
        return {status: int(found.get(status, 0)) for status in ("done", *FAILURES)}

    @property
    def seconds(self) -> float:
        """Simulator time in all, in seconds."""
        return float(self.table["seconds"].sum())

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
        """Counts by status with their share, and for failures the commonest cause.

        Returns
        -------
        DataFrame
            Indexed by status; columns ``runs``, ``share``, ``commonest_cause``. Statuses without runs are left out.
        """
        rows = {}
        for status, count in self.counts.items():
            if count:
                errors = self.table.loc[self.table["status"] == status, "error"]
                causes = errors.str.strip().str.rsplit("\n", n=1).str[-1].value_counts()
                cause = "" if status == "done" or causes.empty else str(causes.index[0])
                rows[status] = {"runs": count, "share": count / len(self), "commonest_cause": cause}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["runs", "share", "commonest_cause"])
