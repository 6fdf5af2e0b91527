"""The command line: turns a study file into calls of the public functions, and nothing else."""

from __future__ import annotations

import argparse
import importlib.metadata
import inspect
import json
import math
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from surrogate.errors import StoreError, StudyError, SurrogateError
from surrogate.loading import available_simulators, load_simulator
from surrogate.outputs import Series
from surrogate.simulation import Simulator, batch_of, is_stochastic, levels_of
from surrogate.space import Parameter

__all__ = ["main"]

EXIT_CODES = """\
exit codes:
  0    everything was done
  1    the runs are stored and the report is written, but a part could not be done (it says which)
  2    the command, a condition or the study file is wrong; nothing was run
  3    the run store belongs to another simulator or version, is in use, or cannot be read or written
  130  interrupted; everything finished is stored, `surrogate resume STUDY` goes on
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the ``surrogate`` command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="surrogate",
        description="Learn from things that are expensive to ask.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    version = importlib.metadata.version("surrogate-learn")
    parser.add_argument("--version", action="version", version=f"surrogate-learn {version}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listing = commands.add_parser(
        "simulators", help="list the installed simulators, or show one", description="list the installed simulators"
    )
    show = listing.add_subparsers(dest="action", metavar="COMMAND").add_parser(
        "show", help="one in full: inputs, outputs, references, a study", description="show one simulator in full"
    )
    show.add_argument("name", metavar="NAME", help="an installed simulator, module:object, or file.py:object")
    for name, words in (
        ("run", "run a study: what is missing in its store, then the report"),
        ("resume", "go on with a study that was interrupted"),
        ("report", "make the report again from the stored runs"),
    ):
        command = commands.add_parser(name, help=words, description=words)
        command.add_argument("study", type=Path, metavar="STUDY", help="a TOML file")
        if name != "report":
            command.add_argument("--rerun-failures", action="store_true", help="also run stored points that failed")
    commands.add_parser("keys", help="what a study file may say", description="every table and key of a study file")
    command = commands.add_parser(
        "discover", help="where the runs of a store are of interest", description="Boxes found on a store's runs."
    )
    command.add_argument("store", metavar="STORE", help="a run store: a file, or the URL of a database")
    command.add_argument(
        "--where",
        action="append",
        required=True,
        metavar="CONDITION",
        help="what is of interest of an output, e.g. 'stable < 0'; if given more than once, all must hold",
    )
    command.add_argument("--output", type=Path, metavar="FILE", help="also write a report: .html, .md or .json")
    given = parser.parse_args(arguments)
    handlers = {"simulators": _simulators, "discover": _discover, "keys": _keys}
    try:
        return handlers.get(given.command, _study)(given)
    except StudyError as error:
        return _fail(error, 2)
    except StoreError as error:
        return _fail(error, 3)
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (SurrogateError, OSError) as error:
        return _fail(error, 2)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return 130


def _fail(error: Exception, code: int) -> int:
    sys.stderr.write(f"surrogate: {error}\n")
    return code


def _simulators(given: argparse.Namespace) -> int:
    if given.action is not None:
        return _show(given.name)
    rows = [("name", "version", "inputs", "outputs", "")]
    for name, point in available_simulators().items():
        try:
            sim = load_simulator(name)
        except Exception as error:
            # One plug-in that does not load must not hide the others.
            rows.append((name, "", "", "", f"cannot be loaded ({point.value}): {error}"))
            continue
        outputs = ", ".join(f"{out} (series)" if isinstance(out, Series) else str(out) for out in sim.outputs)
        summary = (sim.__doc__ or "").strip().split("\n")[0]
        rows.append((name, sim.version, str(sim.space.d), outputs, summary))
    _print_table(rows)
    return 0


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    """Rows with their columns under each other; the last column, of sentences, is as wide as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for row in rows:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, [*widths, 0], strict=True)).rstrip())


def _show(name: str) -> int:
    sim = load_simulator(name)
    own, module = inspect.getdoc(sim) or "", inspect.getdoc(sys.modules.get(sim.__module__)) or ""
    print(f"{sim.name}, version {sim.version}")
    if own:
        print(f"\n{_paragraph(own)}")

    print("\nInputs")
    inputs = [("name", "type", "range", "distribution", "role", "")]
    inputs += [(n, p.kind, p.allowed, _distribution(p), p.role, p.description) for n, p in sim.space.items()]
    _print_table(inputs)

    print("\nOutputs")
    outputs = [("name", "unit", "values", "")]
    for output in sim.outputs:
        values = f"{len(output.at)} over {output.coordinate}" if isinstance(output, Series) else "1"
        outputs.append((str(output), output.unit, values, output.description))
    _print_table(outputs)
    told = [f"takes up to {batch_of(sim)} points a call"] if batch_of(sim) else []
    told += ["every run is drawn anew with a seed of its own"] if is_stochastic(sim) else []
    told += [f"levels by cost: {levels_of(sim)}"] if levels_of(sim) else []
    if told:
        print(f"\n{'; '.join(told)}")

    references = _section(own, "References") or _section(module, "References")
    if references:
        print(f"\nReferences\n{references}")
    print(f"\nA study to begin with; save it as study.toml, then: surrogate run study.toml\n\n{_example(name, sim)}")
    return 0


def _paragraph(text: str) -> str:
    return text.split("\n\n")[0]


def _section(text: str, title: str) -> str:
    """A section of a numpydoc text, without its title."""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=\n\n\S[^\n]*\n-{{3,}}|\Z)", text, flags=re.DOTALL | re.MULTILINE)
    return found[1].rstrip() if found else ""


def _distribution(parameter: Parameter) -> str:
    described = parameter.to_dict().get("distribution")
    if described is not None:
        return f"{described['name']}({', '.join(f'{number:g}' for number in described['args'])})"
    return "log-uniform" if getattr(parameter, "log", False) else "uniform"


def _example(name: str, sim: Simulator) -> str:
    """A study file for the simulator; a text of JSON is one of TOML."""
    number = next((str(output) for output in sim.outputs if not isinstance(output, Series)), None)
    emulate = f"\n[emulate]\noutputs = [{json.dumps(number)}]\n" if number else ""
    return f"""\
[simulator]
use = {json.dumps(name)}

[design]
sampler = "sobol"
n = {max(64, 2 ** math.ceil(math.log2(10 * sim.space.d)))}

[run]
store = {json.dumps(f"{sim.name}.db")}
{emulate}"""


def _discover(given: argparse.Namespace) -> int:
    from surrogate.discovery.discover import Discovery
    from surrogate.reports.page import report, report_file
    from surrogate.runs.store import RunStore

    try:
        file = None if given.output is None else report_file(given.output)
    except ValueError as error:
        return _fail(error, 2)
    # Opening a store makes it.
    if "://" not in given.store and not Path(given.store).exists():
        raise StoreError(f"there is no run store {given.store}")
    with RunStore(given.store) as store:
        runs = store.runs()
    found = Discovery.of_runs(runs, given.where)
    print(found)
    if file is not None:
        print(f"report: {report(file, runs=found.runs, boxes=found, of_interest=given.where)}")
    return 0


def _keys(given: argparse.Namespace) -> int:
    from surrogate.study.file import study_keys

    print(study_keys())
    return 0


def _study(given: argparse.Namespace) -> int:
    # Loaded here: listing simulators needs neither scikit-learn nor matplotlib.
    from surrogate.study.file import load_study
    from surrogate.study.run import report_study, run_study

    study = load_study(given.study)
    if given.command in ("resume", "report") and "://" not in study.store and not Path(study.store).exists():
        raise StudyError(str(given.study), [f"there is no run store {study.store} yet; use `surrogate run` first"])
    try:
        if given.command == "report":
            finished = report_study(study)
        else:
            finished = run_study(study, rerun_failures=given.rerun_failures)
    except KeyboardInterrupt:
        stores = [study.store, *([study.optimize_store] if "optimize" in study.settings else [])]
        sys.stderr.write(
            f"\ninterrupted; every finished run is in {' or '.join(stores)}\n"
            f"go on with: surrogate resume {given.study}\n"
        )
        return 130
    print(f"{finished.runs!r}")
    failed = finished.runs.health().drop(index="done", errors="ignore")
    told = [f"{row['runs']} runs {status}, most often: {row['commonest_cause']}" for status, row in failed.iterrows()]
    if finished.optimum is not None and finished.optimum.failures:
        causes = finished.optimum.failures
        told.append(f"{causes.total()} runs of the optimisation failed, most often: {causes.most_common(1)[0][0]}")
    for text in told:
        sys.stderr.write(f"surrogate: {text}\n")
    if told and given.command != "report" and not given.rerun_failures:
        sys.stderr.write(f"surrogate: mended the cause? surrogate resume --rerun-failures {given.study}\n")
    for problem in finished.problems:
        sys.stderr.write(f"surrogate: {problem}\n")
    print(f"report: {finished.report}")
    return 1 if finished.problems else 0


if __name__ == "__main__":
    sys.exit(main())
