"""The TOML file of a study: every table and key, what its value may be, and all that is wrong with a given one."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from surrogate.boxes.objectives import OBJECTIVES
from surrogate.conditions import Condition, parse_conditions
from surrogate.designs import FIXED_SIZE, SAMPLERS
from surrogate.emulators.auto import AutoEmulator
from surrogate.emulators.base import Emulator
from surrogate.emulators.gp.gaussian_process import GaussianProcess
from surrogate.errors import ConditionError, StudyError, SurrogateError, did_you_mean
from surrogate.loading import load_simulator
from surrogate.optimize.goals import Goals
from surrogate.optimize.optimizer import Optimizer
from surrogate.outputs import Series
from surrogate.reports.page import report_file
from surrogate.runs.identity import check_simulator
from surrogate.sensitivity import MEASURES, labels_of
from surrogate.simulation import Simulator

__all__ = ["Study", "design_of", "load_study", "scalar_outputs", "study_keys"]


_NUMBER = (int, float)


@dataclass(frozen=True)
class _Key:
    """One key of a study file: its type, and what else its value must fulfil."""

    kind: type | tuple[type, ...]
    words: str
    default: Any = None
    required: bool = False
    check: Callable[[Any], str | None] = lambda value: None

    def problem(self, value: Any) -> str | None:
        # TOML's booleans are no numbers, though Python's are.
        right = isinstance(value, self.kind) and not (isinstance(value, bool) and self.kind is not bool)
        return self.check(value) if right else f"must be {self.words}, got {value!r}"


def _at_least(least: float) -> Callable[[Any], str | None]:
    return lambda value: None if value >= least else f"must be at least {least:g}, got {value!r}"


def _between_0_and_1(value: Any) -> str | None:
    return None if 0 < value < 1 else f"must lie between 0 and 1, got {value!r}"


def _alpha_problem(value: Any) -> str | None:
    if isinstance(value, str):
        return None if value == "cv" else f"must be a number or 'cv', got {value!r}"
    return _between_0_and_1(value)


def _positive(value: Any) -> str | None:
    return None if value > 0 else f"must be positive, got {value!r}"


def _no_triples(value: Any) -> str | None:
    for entry in value:
        # TOML's booleans are no numbers, though Python's are.
        if not (
            isinstance(entry, list)
            and [isinstance(part, str) for part in entry] == [True, True, False]
            and isinstance(entry[2], _NUMBER)
            and not isinstance(entry[2], bool)
        ):
            return f"must list [input, input, correlation], e.g. [['x', 'y', 0.5]], got {entry!r} in it"
    return None


def _choice(known: Iterable[str], default: str | None = None) -> _Key:
    """A key that takes one of some words."""
    words = list(known)
    return _Key(
        str,
        f"one of {', '.join(words)}",
        default,
        check=lambda value: None if value in words else f"unknown {value!r}; {did_you_mean(value, words)}",
    )


# The Gaussian process is quick and smooth, as derivative-based sensitivity needs it, and gives draws; the average of
# several emulators is mostly more accurate, most so where outputs jump, and takes some ten times as long.
EMULATORS: dict[str, type[Emulator]] = {"gaussian_process": GaussianProcess, "auto": AutoEmulator}
DEFAULT_EMULATOR = "gaussian_process"

# Every table and key of a study file. Tables other than [simulator] and [design] may be left out; [emulate],
# [discover], [sensitivity] and [optimize] are done only if they are there.
SCHEMA: dict[str, dict[str, _Key]] = {
    "simulator": {"use": _Key(str, "an installed simulator, module:object, or file.py:object", required=True)},
    "design": {
        "sampler": _choice({**SAMPLERS, **FIXED_SIZE}, "sobol"),
        "n": _Key(int, "a whole number", check=_at_least(1)),
        "seed": _Key(int, "a whole number", 0, check=_at_least(0)),
        # Options of the one sampler or the other, passed on as they are.
        "criterion": _Key(str, "text"),
        "where": _Key((str, list), "a condition on the inputs, or a list of them"),
        "correlation": _Key(list, "a list of [input, input, correlation]", check=_no_triples),
        "levels": _Key((int, dict), "a whole number, or a table of input and number of levels"),
        "reduction": _Key(int, "a whole number", check=_at_least(2)),
        "resolution": _Key(int, "a whole number", check=_at_least(3)),
        "face": _Key(str, "text"),
        "centre": _Key(int, "a whole number", check=_at_least(0)),
    },
    "run": {
        "store": _Key(str, "a file name or database URL", "runs.db"),
        "n_jobs": _Key(int, "a whole number", -1),
        "timeout": _Key(_NUMBER, "a number of seconds", check=_positive),
        "retries": _Key(int, "a whole number", 0, check=_at_least(0)),
        "seed": _Key(int, "a whole number", 0, check=_at_least(0)),
    },
    "emulate": {
        "outputs": _Key(list, "a list of outputs"),
        "emulator": _choice(EMULATORS, DEFAULT_EMULATOR),
    },
    "discover": {
        "of_interest": _Key((dict, str), "a table such as {growth_rate = '> 0'}", required=True),
        # A metamodel's box from few runs is nearly always better than the runs' own, and REDS knows when it is not.
        "finder": _choice(("reds", "prim"), "reds"),
        "alpha": _Key((int, float, str), "a number or 'cv'", "cv", check=_alpha_problem),
        "min_support": _Key(_NUMBER, "a number", 20, check=_positive),
        "objective": _choice(OBJECTIVES, "lenient1"),
    },
    "sensitivity": {
        "method": _choice(MEASURES, "sobol"),
        "of": _choice(("emulators", "simulator", "runs"), "emulators"),
        "outputs": _Key(list, "a list of outputs"),
        "n": _Key(int, "a whole number", check=_at_least(1)),
        "seed": _Key(int, "a whole number", 0, check=_at_least(0)),
        "second_order": _Key(bool, "true or false"),
        "groups": _Key(dict, "a table of group and list of inputs"),
        "failures": _choice(("drop", "fill", "raise")),
        "store": _Key(str, "a file name or database URL", "sensitivity.db"),
    },
    "optimize": {
        "objectives": _Key((str, list), "an output such as 'drag', '-lift' to maximise, or a list", required=True),
        "constraints": _Key((str, list), "a condition on outputs such as 'lift >= 0.5', or a list", []),
        "budget": _Key(_NUMBER, "a number of runs", check=_positive),
        "batch": _Key(int, "a whole number", check=_at_least(1)),
        "regret": _Key(_NUMBER, "a number", check=_positive),
        "seed": _Key(int, "a whole number", 0, check=_at_least(0)),
        "store": _Key(str, "a file name or database URL", "optimize.db"),
    },
    "report": {
        "path": _Key(str, "a file name", "report.html"),
        "title": _Key(str, "text", ""),
        "question": _Key(str, "text", ""),
    },
}
REQUIRED_TABLES = ("simulator", "design")
# Keys that are options of the sampler or measure chosen, and only of some.
DESIGN_OPTIONS = ("criterion", "where", "correlation", "levels", "reduction", "resolution", "face", "centre")
SENSITIVITY_OPTIONS = ("n", "second_order", "groups", "failures")
OPTIONAL_TABLES = ("emulate", "discover", "sensitivity", "optimize")


def study_keys() -> str:
    """Every table and key of a study file as Markdown: what its value may be, and the default."""
    lines: list[str] = []
    for table, keys in SCHEMA.items():
        lines += [f"## `[{table}]`{' (required)' if table in REQUIRED_TABLES else ''}", ""]
        lines += ["| key | value | default |", "|---|---|---|"]
        for name, key in keys.items():
            default = "required" if key.required else "" if key.default is None else f"`{key.default!r}`"
            lines.append(f"| `{name}` | {key.words} | {default} |")
        lines.append("")
    return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Study:
    r"""A checked study file.

    Attributes
    ----------
    file : Path
    simulator : Simulator
    settings : mapping of table to mapping of key to value
        Every key of the tables that are there, defaults filled in.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "study.toml"
    >>> _ = file.write_text("[simulator]\nuse = 'lake'\n[design]\nsampler = 'sobol'\nn = 64\n")
    >>> study = load_study(file)
    >>> study.settings["run"]["n_jobs"], study.report_path.name
    (-1, 'report.html')
    """

    file: Path
    simulator: Simulator
    settings: Mapping[str, Mapping[str, Any]]

    @property
    def store(self) -> str:
        """The run store's file (relative names are beside the study file) or URL."""
        return self._beside(self.settings["run"]["store"])

    @property
    def sensitivity_store(self) -> str:
        """The store of runs that only a sensitivity measure asked for."""
        return self._beside(self.settings["sensitivity"]["store"])

    @property
    def optimize_store(self) -> str:
        """The store of runs that the optimisation asked for."""
        return self._beside(self.settings["optimize"]["store"])

    def _beside(self, name: str) -> str:
        return _store_beside(self.file, name)

    @property
    def report_path(self) -> Path:
        """The report's file."""
        return self.file.parent / str(self.settings["report"]["path"])

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What is of interest; empty without [discover]."""
        return parse_conditions(self.settings["discover"]["of_interest"]) if "discover" in self.settings else ()

    @property
    def emulated(self) -> tuple[str, ...]:
        """Outputs to emulate."""
        if "emulate" not in self.settings:
            return ()
        named = self.settings["emulate"]["outputs"]
        return tuple(scalar_outputs(self.simulator) if named is None else named)


def _store_beside(file: Path, name: str) -> str:
    return name if "://" in name or name == ":memory:" else str(file.parent / name)


def load_study(path: str | Path) -> Study:
    r"""Read and check a study file.

    Parameters
    ----------
    path : str or Path
        Of a TOML file.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        With every problem of the file at once, each with its place.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "study.toml"
    >>> _ = file.write_text("[simulator]\nuse = 'lake'\n[design]\nsampler = 'sobol'\nn = 64\n")
    >>> load_study(file).simulator.name
    'lake'
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise StudyError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise StudyError(str(path), [f"not valid UTF-8: {error}"]) from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(str(path), [f"not valid TOML: {error}"]) from error
    problems: list[str] = []
    settings = _checked_settings(raw, problems)
    problems += _run_problems(settings)
    simulator = _find_simulator(settings, file, problems)
    if simulator is not None:
        problems += _output_problems(settings, simulator)
    if not problems and simulator is not None:
        problems += _design_problems(settings["design"], simulator) + _sensitivity_problems(settings, simulator)
    problems += _report_problems(settings, file)
    if problems or simulator is None:
        raise StudyError(str(path), problems)
    return Study(file, simulator, settings)


def _checked_settings(raw: Mapping[str, Any], problems: list[str]) -> dict[str, dict[str, Any]]:
    """The file's values with defaults; problems are added to the list."""
    problems += [f"$.{name}: unknown table; {did_you_mean(name, SCHEMA)}" for name in raw if name not in SCHEMA]
    settings: dict[str, dict[str, Any]] = {}
    for table, keys in SCHEMA.items():
        given = raw.get(table)
        if given is None:
            if table in REQUIRED_TABLES:
                problems.append(f"$.{table}: this table is missing")
            if table not in OPTIONAL_TABLES:
                settings[table] = {name: key.default for name, key in keys.items()}
            continue
        if not isinstance(given, dict):
            problems.append(f"$.{table}: must be a table, got {given!r}")
            continue
        problems += [f"$.{table}.{name}: unknown key; {did_you_mean(name, keys)}" for name in given if name not in keys]
        settings[table] = {}
        for name, key in keys.items():
            if name in given:
                problem = key.problem(given[name])
                if problem:
                    problems.append(f"$.{table}.{name}: {problem}")
            elif key.required:
                problems.append(f"$.{table}.{name}: missing; it must be {key.words}")
            settings[table][name] = given.get(name, key.default)
    return settings


def _run_problems(settings: Mapping[str, Any]) -> list[str]:
    asked = settings.get("run", {})
    if asked.get("n_jobs") == 0 and asked.get("timeout") is not None:
        return ["$.run.timeout: it needs a worker process to be enforced in; take n_jobs = 1 or more, or leave it out"]
    return []


def _find_simulator(settings: Mapping[str, Any], file: Path, problems: list[str]) -> Simulator | None:
    reference = settings.get("simulator", {}).get("use")
    if not isinstance(reference, str):
        return None
    where, _, _ = reference.rpartition(":")
    if where.endswith(".py") and not Path(where).is_absolute():
        # A simulator's file lies beside the study that uses it.
        reference = str(file.parent / reference)
    try:
        simulator = load_simulator(reference)
    except SurrogateError as error:
        problems.append(f"$.simulator.use: {error}")
        return None
    except (Exception, SystemExit) as error:
        problems.append(f"$.simulator.use: {reference} cannot be loaded: {type(error).__name__}: {error}")
        return None
    try:
        check_simulator(simulator)
    except (TypeError, ValueError) as error:
        problems.append(f"$.simulator.use: {error}")
        return None
    return simulator


def _no_scalar(name: str, simulator: Simulator) -> str:
    """That a name is no scalar output of the simulator, and what it is."""
    is_series = name in [str(out) for out in simulator.outputs]
    what = "it is a series" if is_series else "it is an input" if name in simulator.space else ""
    hint = did_you_mean(name, scalar_outputs(simulator))
    return f"no scalar output {name!r}{f' ({what})' if what else ''}; {hint}"


def _output_problems(settings: Mapping[str, Any], simulator: Simulator) -> list[str]:
    scalars = scalar_outputs(simulator)
    problems = []
    named = settings.get("emulate", {}).get("outputs")
    for position, name in enumerate(named if isinstance(named, list) else []):
        if name not in scalars:
            problems.append(f"$.emulate.outputs[{position}]: {_no_scalar(str(name), simulator)}")
    wanted = settings.get("discover", {}).get("of_interest")
    if isinstance(wanted, (dict, str)):
        try:
            conditions = parse_conditions(wanted)
        except ConditionError as error:
            problems.append(f"$.discover.of_interest: {error}")
        else:
            problems += [
                f"$.discover.of_interest.{c.name}: {_no_scalar(c.name, simulator)}"
                for c in conditions
                if c.name not in scalars
            ]
    asked = settings.get("optimize", {})
    for key in ("objectives", "constraints"):
        # Each alone, so that a mistake has its place; a constraint needs any objective to be read.
        if isinstance(asked.get(key), (str, list)):
            try:
                goals = Goals.of(asked[key]) if key == "objectives" else Goals.of(scalars[:1], asked[key])
                goals.check_outputs(scalars)
                Optimizer(simulator.space, list(map(str, goals.objectives)))
            except (ValueError, TypeError, ConditionError) as error:
                problems.append(f"$.optimize.{key}: {error}")
            else:
                if key == "objectives" and len(goals.objectives) > 1 and asked.get("regret") is not None:
                    problems.append("$.optimize.regret: it is of one objective; with several give a budget")
    return problems


def _design_problems(designed: Mapping[str, Any], simulator: Simulator) -> list[str]:
    sampler, given = designed["sampler"], [name for name in DESIGN_OPTIONS if designed[name] is not None]
    takes = inspect.signature({**SAMPLERS, **FIXED_SIZE}[sampler]).parameters
    problems = [f"$.design.{name}: {sampler} has no such option" for name in given if name not in takes]
    if sampler in SAMPLERS and designed["n"] is None:
        problems.append("$.design.n: missing; it must be a whole number")
    if sampler in FIXED_SIZE and designed["n"] is not None:
        problems.append(f"$.design.n: {sampler} decides its number of runs itself; leave it out")
    if problems:
        return problems
    try:
        # A handful of points by the same way tells whether the options are right, at next to no cost.
        design_of({**designed, "n": designed["n"] and min(designed["n"], 2)}, simulator)
    except (ValueError, TypeError) as error:
        return [f"$.design: {error}"]
    return []


def design_of(designed: Mapping[str, Any], simulator: Simulator) -> pd.DataFrame:
    """The points that the table [design] asks for."""
    options = {name: designed[name] for name in DESIGN_OPTIONS if designed[name] is not None}
    if "correlation" in options:
        options["correlation"] = {(a, b): value for a, b, value in options["correlation"]}
    if designed["sampler"] in FIXED_SIZE:
        return FIXED_SIZE[designed["sampler"]](simulator.space, **options)
    return SAMPLERS[designed["sampler"]](simulator.space, designed["n"], rng=designed["seed"], **options)


def _sensitivity_problems(settings: Mapping[str, Any], simulator: Simulator) -> list[str]:
    asked = settings.get("sensitivity")
    if asked is None:
        return []
    scalars = scalar_outputs(simulator)
    takes = inspect.signature(MEASURES[asked["method"]]).parameters
    problems = [
        f"$.sensitivity.outputs[{position}]: {_no_scalar(str(name), simulator)}"
        for position, name in enumerate(asked["outputs"] or [])
        if name not in scalars
    ]
    problems += [
        f"$.sensitivity.{name}: {asked['method']} has no such option"
        for name in SENSITIVITY_OPTIONS
        if asked[name] is not None and name not in takes
    ]
    if asked["of"] == "runs" and asked["method"] not in ("delta", "pawn"):
        problems.append(
            f"$.sensitivity.of: {asked['method']} needs runs of its own; take of = 'simulator' or 'emulators', or "
            "method = 'delta'"
        )
    try:
        labels_of(simulator.space, asked["groups"])
    except ValueError as error:
        problems.append(f"$.sensitivity.{error}")
    return problems


def _report_problems(settings: Mapping[str, Any], file: Path) -> list[str]:
    given = settings.get("report", {}).get("path")
    if not isinstance(given, str):
        return []
    try:
        path = report_file(file.parent / given).resolve()
    except FileNotFoundError:
        return [f"$.report.path: {given!r} is no file in a folder that exists"]
    except ValueError as error:
        return [f"$.report.path: {error}"]
    stores = {table: settings.get(table, {}).get("store") for table in ("run", "sensitivity", "optimize")}
    return [
        f"$.report.path: {given!r} is the run store of [{table}], which the report would replace; name another file"
        for table, store in stores.items()
        if isinstance(store, str) and Path(_store_beside(file, store)).resolve() == path
    ]


def scalar_outputs(simulator: Simulator) -> list[str]:
    """Names of the outputs that are numbers."""
    return [str(out) for out in simulator.outputs if not isinstance(out, Series)]
