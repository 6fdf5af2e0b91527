"""Does what a study's file says: thin calls of the parts, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from surrogate.boxes.prim import Prim
from surrogate.boxes.reds import Reds
from surrogate.conditions import of_interest
from surrogate.emulators.base import Emulator
from surrogate.errors import SurrogateError
from surrogate.optimize.minimize import minimize
from surrogate.optimize.result import Optimum
from surrogate.optimize.stopping import regret
from surrogate.reports.page import report
from surrogate.runs.records import Runs
from surrogate.runs.run import run, stored_runs
from surrogate.runs.store import RunStore
from surrogate.sensitivity import MEASURES
from surrogate.study.file import DEFAULT_EMULATOR, EMULATORS, SENSITIVITY_OPTIONS, Study, design_of, scalar_outputs

__all__ = ["Finished", "report_study", "run_study"]


@dataclass(frozen=True, eq=False)
class Finished:
    """What a study made.

    Attributes
    ----------
    report : Path
    runs : Runs
    problems : tuple of str
        Parts that could not be done, and why; the report tells them too.
    optimum : Optimum or None
        With [optimize].
    """

    report: Path
    runs: Runs
    problems: tuple[str, ...]
    optimum: Optimum | None = None


def run_study(study: Study, *, rerun_failures: bool = False, progress: bool | None = None) -> Finished:
    r"""Run what is missing in the store, then learn and report.

    Parameters
    ----------
    study : Study
    rerun_failures : bool
        Also run stored points that failed, those of the optimisation included.
    progress : bool, optional
        Whether to show progress; by default on a terminal.

    Returns
    -------
    Finished

    Raises
    ------
    SurrogateError
        If the store cannot be used.
    KeyboardInterrupt
        After Ctrl-C; finished runs are stored.

    Examples
    --------
    >>> import tempfile
    >>> from surrogate.study.file import load_study
    >>> file = Path(tempfile.mkdtemp()) / "study.toml"
    >>> _ = file.write_text("[simulator]\nuse = 'lake'\n[design]\nsampler = 'sobol'\nn = 32\n")
    >>> finished = run_study(load_study(file), progress=False)
    >>> finished.runs.counts["done"], finished.report.exists()
    (32, True)
    """
    options = study.settings["run"]
    runs = run(
        study.simulator,
        design_of(study.settings["design"], study.simulator),
        store=study.store,
        n_jobs=options["n_jobs"],
        timeout=options["timeout"],
        retries=options["retries"],
        rng=options["seed"],
        rerun_failures=rerun_failures,
        progress=progress,
    )
    return _learn_and_report(study, runs, may_run=True, rerun_failures=rerun_failures)


def report_study(study: Study) -> Finished:
    r"""Learn and report from the design's runs that the store holds, without running anything.

    Parameters
    ----------
    study : Study

    Returns
    -------
    Finished

    Raises
    ------
    SurrogateError
        If the store cannot be used, holds no runs, or those of another simulator.

    Examples
    --------
    >>> import tempfile
    >>> from surrogate.study.file import load_study
    >>> file = Path(tempfile.mkdtemp()) / "study.toml"
    >>> _ = file.write_text("[simulator]\nuse = 'lake'\n[design]\nsampler = 'sobol'\nn = 32\n")
    >>> _ = run_study(load_study(file), progress=False)
    >>> report_study(load_study(file)).report.name
    'report.html'
    """
    design = design_of(study.settings["design"], study.simulator)
    with RunStore(study.store) as store:
        return _learn_and_report(study, stored_runs(study.simulator, design, store), may_run=False)


def _learn_and_report(study: Study, runs: Runs, *, may_run: bool, rerun_failures: bool = False) -> Finished:
    problems: list[str] = []
    emulators: dict[str, Emulator] = {}
    finder = sensitivity = optimum = None
    if not runs.counts["done"]:
        problems.append("no run is done, so there is nothing to learn from")
    else:
        for output in study.emulated:
            try:
                emulators[output] = _emulate(study, runs, output)
            except ValueError as error:
                problems.append(f"emulator of {output}: {error}")
        if study.conditions:
            try:
                finder = _discover(study, runs)
            except ValueError as error:
                problems.append(f"discovery: {error}")
        if "sensitivity" in study.settings:
            try:
                sensitivity = _sensitivity(study, runs, emulators, may_run, problems)
            except (ValueError, TypeError, SurrogateError) as error:
                problems.append(f"sensitivity: {error}")
        if "optimize" in study.settings:
            try:
                optimum = _optimize(study, runs, may_run, rerun_failures)
            except (ValueError, TypeError, SurrogateError) as error:
                problems.append(f"optimisation: {error}")
    told = study.settings["report"]
    path = report(
        study.report_path,
        runs=runs,
        emulator=emulators,
        boxes=finder,
        sensitivity=sensitivity,
        optimum=optimum,
        of_interest=study.conditions or None,
        title=told["title"],
        question=told["question"],
        problems=problems,
    )
    return Finished(path, runs, tuple(problems), optimum)


def _emulate(study: Study, runs: Runs, output: str) -> Emulator:
    values = runs.outputs[output].to_numpy()
    if np.ptp(values) == 0:
        raise ValueError(f"all {len(values)} runs give {values[0]:g}: there is nothing to learn")
    kind = EMULATORS[study.settings.get("emulate", {}).get("emulator", DEFAULT_EMULATOR)]
    fitted: Emulator = kind().fit(runs.inputs, values, runs.space)
    return fitted


def _sensitivity(
    study: Study, runs: Runs, emulators: Mapping[str, Emulator], may_run: bool, problems: list[str]
) -> pd.DataFrame:
    asked, options = study.settings["sensitivity"], study.settings["run"]
    outputs = asked["outputs"] or scalar_outputs(study.simulator)
    constant = [name for name in outputs if np.ptp(runs.outputs[name]) == 0]
    if len(constant) < len(outputs):
        # One of several outputs that does not vary does not keep the others from being told.
        problems += [f"sensitivity of {name}: all runs give {runs.outputs[name].iloc[0]:g}" for name in constant]
        outputs = [name for name in outputs if name not in constant]
    given = {name: asked[name] for name in SENSITIVITY_OPTIONS if asked[name] is not None}
    measure = partial(MEASURES[asked["method"]], rng=asked["seed"], outputs=outputs, **given)
    if asked["of"] == "runs":
        return measure(runs)
    if asked["of"] == "emulators":
        fitted = {name: emulators.get(name) or _emulate(study, runs, name) for name in outputs}
        return measure(fitted, runs.space)
    if may_run:
        # A store of its own: these runs are no part of the design that emulators and boxes learn from.
        running = {name: options[name] for name in ("n_jobs", "timeout", "retries")}
        return measure(study.simulator, store=study.sensitivity_store, **running)
    if "://" not in study.sensitivity_store and not Path(study.sensitivity_store).exists():
        raise ValueError("its runs are not made yet; use `surrogate run` first")
    with _MadeRuns(study.sensitivity_store) as store:
        return measure(study.simulator, store=store, n_jobs=0)


class _MadeRuns(RunStore):
    """A store of which nothing more is to be run: a point that is not there is no failed run."""

    def claim(self, ids: Sequence[str], rerun_failures: bool = False) -> tuple[list[str], list[str]]:
        raise ValueError("its runs are not all made yet; use `surrogate run` first")


def _optimize(study: Study, runs: Runs, may_run: bool, rerun_failures: bool) -> Optimum:
    asked, options = study.settings["optimize"], study.settings["run"]
    if not may_run and "://" not in study.optimize_store and not Path(study.optimize_store).exists():
        raise ValueError("its runs are not made yet; use `surrogate run` first")
    # A store of its own, as for sensitivity; what the design found is known from the start.
    return minimize(
        study.simulator,
        asked["objectives"],
        constraints=asked["constraints"],
        budget=asked["budget"] if may_run else 0,
        batch=asked["batch"],
        stop=None if asked["regret"] is None else regret(asked["regret"]),
        store=study.optimize_store,
        runs=runs,
        rng=asked["seed"],
        rerun_failures=rerun_failures,
        **{name: options[name] for name in ("n_jobs", "timeout", "retries")},
    )


def _discover(study: Study, runs: Runs) -> Prim | Reds:
    options = study.settings["discover"]
    flags = of_interest(runs.outputs, study.conditions)
    finder = Prim(alpha=options["alpha"], min_support=options["min_support"], objective=options["objective"])
    if options["finder"] == "prim":
        return finder.fit(runs.inputs, flags, space=runs.space)
    reds = Reds(finder=finder)
    if len(study.conditions) > 1:
        return reds.fit(runs.inputs, flags, space=runs.space)
    # A metamodel learns more from the output itself than from whether it meets the condition.
    condition = study.conditions[0]
    return reds.fit(runs.inputs, runs.outputs[condition.name].to_numpy(), of_interest=condition, space=runs.space)
