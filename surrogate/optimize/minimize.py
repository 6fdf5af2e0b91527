"""Minimise a simulator's output, durably and in parallel."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from surrogate.conditions import Condition
from surrogate.loading import load_simulator
from surrogate.optimize.goals import Goals
from surrogate.optimize.optimizer import Optimizer
from surrogate.optimize.result import Optimum
from surrogate.optimize.stopping import Stop
from surrogate.optimize.trials import Trial
from surrogate.outputs import Series
from surrogate.runs.execute import Engine, InProcess, checked_jobs, make_engine
from surrogate.runs.ids import run_ids
from surrogate.runs.outcome import Outcome
from surrogate.runs.plan import Plan
from surrogate.runs.progress import Progress
from surrogate.runs.records import Runs
from surrogate.runs.run import deferred_interrupt, entropy_of
from surrogate.runs.store import RunStore
from surrogate.simulation import Simulator, is_stochastic, levels_of

__all__ = ["minimize"]

# How often control returns while nothing has come in.
HEARTBEAT_SECONDS = 0.5

# Of a budget, the share that the initial design may take.
DESIGN_SHARE = 3


def minimize(
    simulator: Simulator | str,
    objectives: str | Sequence[str],
    *,
    constraints: str | Condition | Mapping[str, str] | Sequence[str | Condition] = (),
    budget: float | None = None,
    seconds: float | None = None,
    batch: int | None = None,
    asynchronous: bool = True,
    n_jobs: int | None = None,
    timeout: float | None = None,
    retries: int = 0,
    memory: int | None = None,
    executor: Any = None,
    store: RunStore | str | Path | None = None,
    runs: Runs | None = None,
    rng: int | None = None,
    stop: Stop | None = None,
    callback: Callable[[Optimizer], object] | None = None,
    n_initial: int | None = None,
    noise: bool | None = None,
    equality_tolerance: float = 1e-4,
    reference: Sequence[float] | None = None,
    rerun_failures: bool = False,
    progress: bool | None = None,
) -> Optimum:
    """Find the inputs that minimise a simulator's output with as few runs as possible.

    Runs that the store holds already are used, whoever made them. Every proposal is stored before it is run, so that
    the same call after an interruption goes on where it stopped: with ``batch=1`` or ``asynchronous=False`` with the
    same points as if nothing had happened, otherwise with those that follow from what had ended by then.

    Parameters
    ----------
    simulator : Simulator or str
        Or what :func:`load_simulator` takes.
    objectives : str or sequence of str
        One to three outputs, minimised; ``"-lift"`` maximises.
    constraints : str, Condition, mapping or sequence of them
        E.g. ``["lift >= 0.5"]``; all must hold.
    budget : float, optional
        Runs to be made, those of an interrupted call of this optimisation included; 10 (d + 1) without `budget` and
        `seconds`. Of a simulator with levels their cost, in runs at the truest level. With 0 nothing is run, and the
        result is what the store knows.
    seconds : float, optional
        Wall time after which nothing more is begun.
    batch : int, optional
        Points that are run at a time, by default `n_jobs`; with an executor give one of the two.
    asynchronous : bool
        Whether a new point is proposed as soon as one has ended, knowing all that have; which those are may depend on
        how long runs take. Otherwise the whole batch is waited for, and the points depend on `rng` alone. Without
        effect if `batch` is 1.
    n_jobs, timeout, retries, memory, executor
        As of :func:`surrogate.run`.
    store : RunStore, str or Path, optional
        Where runs and proposals are committed; without one in memory only.
    runs : Runs, optional
        Further runs of this simulator that are known already, from anywhere.
    rng : int, optional
        Seed. Another seed with the same store is another optimisation, which knows the runs of the first.
    stop : callable, optional
        E.g. ``regret(1e-3)``: takes the :class:`Optimizer` before each proposal and returns why to stop, or "".
    callback : callable, optional
        Called with the optimizer after every run that ended; ends the optimisation by returning true.
    n_initial, equality_tolerance, reference
        As of :class:`Optimizer`.
    noise : bool, optional
        Whether outputs of the same point differ; by default whether the simulator takes a seed.
    rerun_failures : bool
        Whether proposals of this optimisation whose runs failed in an earlier call are run again: the cause is mended.
    progress : bool, optional
        Whether to show progress; by default if the standard error is a terminal.

    Returns
    -------
    Optimum

    Raises
    ------
    TypeError
        If `runs` are none.
    ValueError
        If an option makes no sense, or the simulator has no such output.
    StoreMismatchError
        If the store belongs to another simulator or version.
    KeyboardInterrupt
        After Ctrl-C, once everything finished has been stored; call again to go on.

    Examples
    --------
    >>> from surrogate.simulation import simulator
    >>> from surrogate.space import Real, Space
    >>> @simulator(space=Space(x=Real(-2, 2), y=Real(-2, 2)), outputs=["bowl"])
    ... def bowl(x, y):
    ...     return {"bowl": (x - 1) ** 2 + (y + 0.5) ** 2}
    >>> found = minimize(bowl, "bowl", budget=20, n_jobs=0, rng=1)
    >>> found.nfev, bool(found.fun < 1e-4)
    (20, True)
    """
    sim = load_simulator(simulator) if isinstance(simulator, str) else simulator
    if not isinstance(sim, Simulator):
        raise TypeError(f"simulator must be a Simulator or a reference to one, got {simulator!r:.80}")
    if budget is None and seconds is None:
        budget = 10 * (sim.space.d + 1)
    for name, value in (("budget", budget), ("seconds", seconds), ("batch", batch)):
        if value is None:
            continue
        is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if not is_number or not (0 < value < np.inf or (name == "budget" and value == 0)):
            raise ValueError(f"{name} must be a positive number, got {value!r}")
    if batch is not None and batch != int(batch):
        raise ValueError(f"batch must be a whole number, got {batch!r}")
    if rng is not None and (isinstance(rng, bool) or not isinstance(rng, (int, np.integer)) or rng < 0):
        raise ValueError(f"rng must be a whole number, under which the proposals are stored, or None; got {rng!r}")
    if runs is not None and not isinstance(runs, Runs):
        raise TypeError(f"runs must be what run() returned or a store's runs(), got {type(runs).__name__}")
    if runs is not None and not set(sim.space) <= set(runs.inputs.columns):
        raise ValueError(f"runs must be of this simulator, with inputs {', '.join(sim.space)}; got {list(runs.inputs)}")
    if n_initial is None:
        n_initial = 2 * (sim.space.d + 1)
        if budget:
            n_initial = max(2, min(n_initial, int(budget) // DESIGN_SHARE))
    goals = Goals.of(objectives, constraints, equality_tolerance)
    goals.check_outputs([out for out in sim.outputs if not isinstance(out, Series)])
    size = int(batch or max(1, checked_jobs(n_jobs or 1)))
    engine = make_engine(sim, n_jobs=n_jobs, timeout=timeout, retries=retries, memory=memory, executor=executor)
    with ExitStack() as stack:
        stack.callback(engine.close)
        opened = (
            store
            if isinstance(store, RunStore)
            else stack.enter_context(RunStore(":memory:" if store is None else store))
        )
        opened.open_study(sim)
        stack.callback(opened.release_claims)
        question = _question(goals)
        # Without a seed the first call's is remembered, so that the second goes on with it.
        seed = opened.remember(f"{question}/seed", lambda: entropy_of(None)) if rng is None else entropy_of(rng)
        optimizer = Optimizer(
            sim.space,
            objectives,
            constraints,
            rng=seed,
            n_initial=n_initial,
            noise=is_stochastic(sim) if noise is None else noise,
            levels=levels_of(sim),
            equality_tolerance=equality_tolerance,
            reference=reference,
        )
        loop = _Loop(sim, optimizer, opened, engine, f"{question}/{seed}/", rerun_failures)
        loop.go_on(runs)
        labels = {str(out): out.label for out in sim.outputs}
        if budget == 0:
            return Optimum.of(optimizer, "nothing was to be run: this is what the store knows", labels=labels)
        watch = stack.enter_context(deferred_interrupt(active=not isinstance(engine, InProcess)))
        bar = Progress(0 if budget is None else int(np.ceil(budget - loop.settled())), sim.name, progress)
        stack.callback(bar.close)
        message, converged = loop.run(
            budget, seconds, size, asynchronous, stop, callback, bar, lambda: watch.interrupted
        )
        if watch.interrupted:
            raise KeyboardInterrupt
        found = Optimum.of(optimizer, message, converged=converged, labels=labels)
        if found.failures and all(t.status == "failed" for t in optimizer.trials):
            cause = found.failures.most_common(1)[0][0]
            return dataclasses.replace(found, message=f"{message}; no run gave an answer, most often: {cause}")
        return found


def _question(goals: Goals) -> str:
    """Under which key a store keeps the proposals for these goals."""
    asked = [list(map(str, goals.objectives)), list(map(str, goals.constraints))]
    return f"optimize/{hashlib.blake2b(json.dumps(asked).encode(), digest_size=6).hexdigest()}"


@dataclasses.dataclass(eq=False)
class _Loop:
    """Proposals on their way through store and engine."""

    simulator: Simulator
    optimizer: Optimizer
    store: RunStore
    engine: Engine
    key: str
    rerun_failures: bool = False
    plans: list[Plan] = dataclasses.field(default_factory=list)
    waiting: dict[str, Trial] = dataclasses.field(default_factory=dict)  # by run id
    owner: dict[str, Plan] = dataclasses.field(default_factory=dict)  # of what the engine has

    def go_on(self, runs: Runs | None) -> None:
        """Learn what is known: runs made elsewhere, then the proposals of this optimisation and their runs."""
        begun = list(self.store.recall(self.key).values())
        known = {entry["id"] for entry in begun}
        known |= self._tell_given(self.store.runs(), known)
        if runs is not None:
            self._tell_given(runs, known)
        trials = [self.optimizer.restore(entry) for entry in begun]
        self._begin(trials)

    def _tell_given(self, runs: Runs, known: set[str]) -> set[str]:
        """Tell of runs whose ids are not known yet; all ids."""
        table = runs.table
        levels = table["level"].to_numpy() if "level" in table else np.zeros(len(table), dtype=np.int64)
        ids = run_ids(self.simulator.space, table[list(self.simulator.space)], levels)
        scalars = runs.scalars.to_dict("records")
        inputs = table[list(self.simulator.space)].to_dict("records")
        for key, point, level, status, error, outputs in zip(
            ids, inputs, levels, table["status"], table["error"], scalars, strict=True
        ):
            if key in known:
                continue
            if status == "done":
                self.optimizer.tell(point, outputs, level=int(level))
            else:
                self.optimizer.fail(point, str(error), level=int(level))
        return set(ids)

    def propose(self) -> bool:
        """Ask for a point, remember it, and give it to the engine; whether there was one."""
        trials = self.optimizer.ask()
        for trial in trials:
            entry = self.optimizer.proposal(trial) | {"id": self._ids([trial])[0]}
            self.store.remember(f"{self.key}{trial.id:06d}", lambda entry=entry: entry)  # type: ignore[misc]
        self._begin(trials)
        return bool(trials)

    def _ids(self, trials: Sequence[Trial]) -> list[str]:
        points = self.simulator.space.validate(pd.DataFrame([t.x for t in trials]))
        return run_ids(self.simulator.space, points, np.array([t.level for t in trials], dtype=np.int64))

    def _begin(self, trials: Sequence[Trial]) -> None:
        if not trials:
            return
        points = self.simulator.space.validate(pd.DataFrame([t.x for t in trials]))
        ids = self._ids(trials)
        levels = np.array([t.level for t in trials], dtype=np.int64)
        entropy = self.store.remember("entropy", lambda: self.optimizer.seed) if is_stochastic(self.simulator) else None
        self.waiting |= dict(zip(ids, trials, strict=True))
        self.plans.append(Plan(points, levels, ids, self.store, self.rerun_failures, entropy))
        self._settle_stored()

    def feed(self) -> None:
        """Give the engine what it can take now."""
        for plan in list(self.plans):
            tasks = plan.take(len(self.waiting))
            self.owner |= {task.id: plan for task in tasks}
            self.engine.submit(tasks)
            if plan.is_exhausted:
                self.plans.remove(plan)
        self._settle_stored()

    def _settle_stored(self) -> None:
        """Tell of runs that are in the store: made before, or by another process."""
        open_ids = [key for key in self.waiting if key not in self.owner]
        if not open_ids:
            return
        stored = {
            key for key, status in self.store.statuses(open_ids).items() if status == "done" or not self.rerun_failures
        }
        if not stored:
            return
        found = self.store.runs([key for key in open_ids if key in stored])
        for key, (_, book), outputs in zip(
            [key for key in open_ids if key in stored],
            found.table.iterrows(),
            found.scalars.to_dict("records"),
            strict=True,
        ):
            self._told(key, str(book["status"]), outputs, str(book["error"]))

    def _told(self, key: str, status: str, outputs: Any, error: str) -> None:
        trial = self.waiting.pop(key)
        if status == "done":
            self.optimizer.tell(trial, outputs)
        else:
            self.optimizer.fail(trial, error)

    def collect(self) -> list[Outcome]:
        """Store and tell what has come in."""
        outcomes = self.engine.collect(HEARTBEAT_SECONDS)
        for outcome in outcomes:
            self.store.add(self.owner.pop(outcome.id).match([outcome]))
            outputs = {k: v for k, v in (outcome.outputs or {}).items() if not np.ndim(v)}
            self._told(outcome.id, outcome.status, outputs, outcome.error)
        return outcomes

    def spent(self) -> float:
        """Cost of what was proposed so far."""
        return sum(self.optimizer.cost(t.level) for t in self.optimizer.trials if t.step != "given")

    def settled(self) -> float:
        """That of the runs among it which have ended."""
        return self.spent() - sum(self.optimizer.cost(t.level) for t in self.waiting.values())

    def _fill(self, n: int, budget: float | None) -> str:
        """Propose up to `n` points, as far as the budget goes; why no further ones can come, or ""."""
        for _ in range(n):
            if budget is not None and self.spent() + 1e-9 >= budget:
                break
            if not self.propose():
                return "every point of the space was run"
        return ""

    def run(
        self,
        budget: float | None,
        seconds: float | None,
        size: int,
        asynchronous: bool,
        stop: Stop | None,
        callback: Callable[[Optimizer], object] | None,
        bar: Progress,
        interrupted: Callable[[], bool],
    ) -> tuple[str, bool]:
        """Propose and collect until something ends it; why, and whether that was `stop`."""
        began = time.monotonic()
        message, converged = "", False
        while not interrupted():
            running = len(self.waiting)
            is_free = running < size if asynchronous else running == 0
            if not message and is_free:
                if seconds is not None and time.monotonic() - began >= seconds:
                    message = f"the {seconds:g} s were over"
                elif budget is not None and self.spent() + 1e-9 >= budget:
                    message = f"the budget of {budget:g} runs was spent"
                elif stop is not None and (told := stop(self.optimizer)):
                    message, converged = told, True
                else:
                    message = self._fill(size - running, budget)
            self.feed()
            if not self.waiting:
                if message:
                    break
                continue
            outcomes = self.collect()
            done = sum(outcome.status == "done" for outcome in outcomes)
            bar.add(done, len(outcomes) - done)
            if callback is not None:
                for _ in outcomes:
                    if callback(self.optimizer) and not message:
                        message = "the callback ended it"
        return message, converged
