"""A program as a simulator: templates in, a working directory of its own, parsers out."""

from __future__ import annotations

import atexit
import contextlib
import glob
import hashlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from surrogate.connectors.answer import PartialAnswer, gather, plain_inputs, reason
from surrogate.connectors.fingerprint import fingerprint
from surrogate.connectors.group import is_killed_as_a_whole
from surrogate.connectors.parsers import CommandResult, Parser, read_output
from surrogate.connectors.template import Template
from surrogate.errors import SimulatorError
from surrogate.outputs import Output
from surrogate.simulation import checked_answer
from surrogate.space import Real, Space

__all__ = ["CommandSimulator"]

Keep = Literal["failed", "always", "never"]
Placed = Sequence[str | Path] | Mapping[str, str | Path]
OutputParser = Parser | Callable[[CommandResult], Any]

# The end of what a program printed names the cause; more of it fills the store.
MAX_TAIL_CHARACTERS = 2000

# So many folders of failed runs are kept: enough to see why, few enough that a study that fails throughout does not
# fill the disk.
MAX_KEPT = 100

# Process groups of programs that run now, for the interpreter's end: a daemon thread may be waiting for them.
_running: set[int] = set()


class CommandSimulator:
    r"""A program as a simulator.

    Every run gets a new, empty working directory with the files filled in; the program is started there, without a
    shell, and its outputs are read from what it printed or wrote. A placeholder is ``${alpha}``, or with a format
    ``${alpha:.6f}``; see `delimiters`.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments, each of which may hold placeholders. A program given by a relative path is one of
        the run's own files, else lies relative to the current folder.
    space : Space
        Each parameter must occur in a placeholder. ``${seed}``, where the space has no parameter of that name, makes
        the simulator stochastic.
    outputs : mapping of output to parser, or sequence of outputs
        How each output is read: by a :class:`RegexParser`, :class:`JSONParser` or :class:`CSVParser`, or by a function
        that takes a :class:`CommandResult` (``folder``, ``text(file)``, ``exit_code``). A sequence needs `parser`.
    parser : callable, optional
        A function of a :class:`CommandResult` that returns all outputs as a mapping.
    files : mapping of str to (str or Path), optional
        Files to fill in, by their names in the working directory: the text itself, or the Path of a template, which is
        read now. The program is made executable, and a template's mode is kept.
    stdin : str or Path, optional
        Text, or the Path of a template, for the program's standard input, which is empty otherwise.
    copy, link : sequence of paths, or mapping of name to path, optional
        Files or folders laid into the working directory; those that are large are better linked, as
        long as the program does not write to them.
    environment : mapping of str to (str or None), optional
        Variables, which may hold placeholders, added to this process's own; None removes one.
    exit_codes : sequence of int
        Those of a good run. With any other the run is ``failed``, whatever it wrote, and the error names code or signal
        and the end of what the program printed.
    folder : str or Path, optional
        Where the working directories are made; by default where temporary files are.
    keep : {"failed", "always", "never"}
        Whose working directory is kept; the error of a failed run names it. Beside it lie ``inputs.json``,
        ``stdout.txt`` and ``stderr.txt``. Of failed runs no more than a hundred are kept at a time. A run that is
        killed for its timeout leaves its directory.
    delimiters : (str, str)
        What stands before and after a name in a placeholder. To write a placeholder itself, double its first character.
    name : str, optional
        By default the program's.
    version : str, optional
        By default a hash of command, templates, parsers with all that they hold, and copied files (of linked ones,
        their sizes), so that a run store refuses to mix answers to different questions. The program's own version is
        not known: give it yourself where it matters.

    Raises
    ------
    ValueError
        If a placeholder is unknown or its format does not fit, if a parameter occurs nowhere, a file is missing, or a
        parser is a function that needs a `version`, since it holds what cannot be told apart.

    Notes
    -----
    A run whose exit code is good but whose outputs are not all there, whole and finite is ``invalid``, with the reason
    for each output; what could be read is in the answer of a direct call.

    The program belongs to the process group of a worker of :func:`surrogate.run`, which is killed for a timeout, and at
    the end of all runs. Elsewhere it gets a group of its own, which is killed at the end of the run, also when that is
    interrupted.

    Examples
    --------
    >>> from surrogate.connectors.parsers import RegexParser
    >>> half = CommandSimulator(
    ...     ["awk", "BEGIN { print ${x} / 2 }"],
    ...     space=Space(x=Real(0, 1)),
    ...     outputs={"y": RegexParser(r"(\S+)")},
    ... )
    >>> half(x=0.5)
    {'y': 0.25}
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        space: Space,
        outputs: Mapping[str, OutputParser] | Sequence[str],
        parser: Callable[[CommandResult], Mapping[str, Any]] | None = None,
        files: Mapping[str, str | Path] | None = None,
        stdin: str | Path | None = None,
        copy: Placed = (),
        link: Placed = (),
        environment: Mapping[str, str | None] | None = None,
        exit_codes: Sequence[int] = (0,),
        folder: str | Path | None = None,
        keep: Keep = "failed",
        delimiters: tuple[str, str] = ("${", "}"),
        name: str | None = None,
        version: str | None = None,
    ) -> None:
        if isinstance(command, (str, bytes)) or not command:
            raise TypeError(
                f"command must be a list such as ['solver', '-i', 'case.inp'], got {command!r} "
                "(for a shell write ['sh', '-c', ...])"
            )
        if not isinstance(space, Space):
            raise TypeError(f"space must be a Space, got {space!r}")
        if keep not in ("failed", "always", "never"):
            raise ValueError(f"keep must be 'failed', 'always' or 'never', got {keep!r}")
        if keep == "always" and folder is None:
            raise ValueError("keep='always' needs a folder= where the runs are to lie")
        if len(delimiters) != 2 or not all(delimiters):
            raise ValueError(f"delimiters must be two texts, got {delimiters!r}")
        self.space = space
        self.outputs, self._parsers, self._parser = _outputs_and_parsers(outputs, parser)
        self.exit_codes = tuple(exit_codes)
        self.folder = None if folder is None else Path(folder).absolute()
        self.keep = keep

        self._copies, self._links = _placed(copy, "copy"), _placed(link, "link")
        self._files = {
            _inside(target): Template(_text_of(source, target), f"file {target!r}", delimiters)
            for target, source in (files or {}).items()
        }
        self._modes = {
            _inside(target): stat.S_IMODE(source.stat().st_mode)
            for target, source in (files or {}).items()
            if isinstance(source, Path)
        }
        targets = [*self._files, *self._copies, *self._links]
        twice = sorted({target for target in targets if targets.count(target) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} is given twice among files, copy and link")
        self._command = [
            Template(part, f"command, part {i + 1}", delimiters)
            for i, part in enumerate([_program(command[0], targets), *map(str, command[1:])])
        ]
        program = os.path.normpath(self._command[0].text)
        if program in self._files:
            self._modes[program] = self._modes.get(program, 0o644) | 0o111
        self._stdin = None if stdin is None else Template(_text_of(stdin, "stdin"), "stdin", delimiters)
        self._environment = {
            variable: None if value is None else Template(str(value), f"environment {variable!r}", delimiters)
            for variable, value in (environment or {}).items()
        }
        self.stochastic = self._check_placeholders()
        self.name = name or Path(command[0]).name
        self.version = self._hash() if version is None else str(version)

    def __repr__(self) -> str:
        return f"<simulator {self.name!r} version {self.version}: {', '.join(self.space)} -> {', '.join(self.outputs)}>"

    def __call__(self, **inputs: Any) -> Mapping[str, Any]:
        """Run the program once.

        Raises
        ------
        SimulatorError
            If the program is not there or ends with a bad exit code.
        """
        names = (*self.space, "seed") if self.stochastic else tuple(self.space)
        values = plain_inputs(names, inputs, self.name)
        # An int where a real is meant would be written without its point, which some programs read as an integer.
        values |= {name: float(values[name]) for name, p in self.space.items() if isinstance(p, Real)}
        folder = self._new_folder()
        keep = self.keep == "always"  # of those that end well, or are interrupted
        try:
            answer = self._run(folder, values)
            keep |= isinstance(answer, PartialAnswer) and self._keeps_failed(folder)
        except Exception:
            keep |= self._keeps_failed(folder)
            raise
        finally:
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)
        return answer

    def _run(self, folder: Path, values: Mapping[str, Any]) -> Mapping[str, Any]:
        work = folder / "work"
        placed = self._lay_out(folder, work, values)
        command = [part.fill(values) for part in self._command]
        stdout, stderr = folder / "stdout.txt", folder / "stderr.txt"
        # Files and no pipes: a child that outlives the program cannot hold the run up, nor output fill the memory.
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(open(folder / "stdin.txt", "rb")) if self._stdin else subprocess.DEVNULL
            code = _execute(
                command,
                cwd=work,
                env=self._variables(values),
                stdin=source,
                stdout=stack.enter_context(open(stdout, "wb")),
                stderr=stack.enter_context(open(stderr, "wb")),
            )
        answer = self._read(CommandResult(work, stdout, stderr, code, placed))
        missing = answer.reason if isinstance(answer, PartialAnswer) else ""
        where = f"\nthe run's folder is {folder}" if self._keeps_failed(folder) else ""
        if code not in self.exit_codes:
            hint = "" if missing else "; its outputs are all there: if this is a success, add the code to exit_codes"
            raise SimulatorError(f"{self.name} {_ending(code)}{hint}{where}{_tail(stderr, stdout)}")
        if missing:
            return PartialAnswer(dict(answer), f"{missing}{where}{_tail(stderr)}")
        return answer

    def _read(self, result: CommandResult) -> Mapping[str, Any]:
        if self._parser is None:
            values, reasons = gather(self.outputs, lambda out: read_output(self._parsers[out], result, out))
            return PartialAnswer(values, "; ".join(reasons)) if reasons else values
        try:
            whole = self._parser(result)
        except Exception as error:
            return PartialAnswer({}, reason(error))
        try:
            return checked_answer(self.outputs, whole)
        except ValueError as error:
            good, _ = gather(self.outputs, lambda out: whole[out])
            # Where each output is good there are others that nobody knows: then none is to be had, so that it is told.
            return PartialAnswer(good if len(good) < len(self.outputs) else {}, str(error))

    def _lay_out(self, folder: Path, work: Path, values: Mapping[str, Any]) -> dict[str, int]:
        """Make the working directory; returns its files and when they had been changed last."""
        work.mkdir()
        (folder / "inputs.json").write_text(json.dumps(values, indent=1))
        for target in (*self._copies, *self._links, *self._files):
            (work / target).parent.mkdir(parents=True, exist_ok=True)
        for target, source in self._copies.items():
            if source.is_dir():
                shutil.copytree(source, work / target, dirs_exist_ok=True)
            else:
                shutil.copy2(source, work / target)
        for target, source in self._links.items():
            (work / target).symlink_to(source)
        for target, template in self._files.items():
            _write(work / target, template.fill(values))
            if target in self._modes:
                # The run may write to it, whoever may not write to the template.
                (work / target).chmod(self._modes[target] | stat.S_IRUSR | stat.S_IWUSR)
        if self._stdin:
            _write(folder / "stdin.txt", self._stdin.fill(values))
        return {os.path.relpath(path, work): changed for path, changed in _changes_below(work).items()}

    def _keeps_failed(self, folder: Path) -> bool:
        if self.keep != "failed":
            return self.keep == "always"
        # Names are alike up to the number of the process.
        kin = folder.parent.glob(f"{glob.escape(self._owner)}*")
        return sum(1 for _ in islice(kin, MAX_KEPT + 1)) <= MAX_KEPT

    def _variables(self, values: Mapping[str, Any]) -> dict[str, str]:
        out = dict(os.environ)
        for variable, template in self._environment.items():
            if template is None:
                out.pop(variable, None)
            else:
                out[variable] = template.fill(values)
        return out

    def _new_folder(self) -> Path:
        base = Path(tempfile.gettempdir()) if self.folder is None else self.folder
        base.mkdir(parents=True, exist_ok=True)
        if self.keep == "never":
            _sweep(base, self._owner)
        return Path(tempfile.mkdtemp(prefix=f"{self._owner}{os.getpid()}-", dir=base))

    @property
    def _owner(self) -> str:
        # Who made a folder stands in its name, so that what a killed process left can be told from what is in use.
        return f"{_safe(self.name)}-{_safe(socket.gethostname())}-"

    @property
    def _templates(self) -> list[Template]:
        return [
            *self._command,
            *self._files.values(),
            *([self._stdin] if self._stdin else []),
            *(template for template in self._environment.values() if template),
        ]

    def _check_placeholders(self) -> bool:
        """Whether a seed is asked for; raises ``ValueError`` if placeholders and space do not fit each other."""
        asked = set().union(*(template.names for template in self._templates))
        unused = [name for name in self.space if name not in asked]
        stochastic = "seed" in asked and "seed" not in self.space
        middle = self.space.from_unit([[0.5] * self.space.d]).to_dict("records")[0]
        example = {str(name): value for name, value in middle.items()} | ({"seed": 1} if stochastic else {})
        for template in self._templates:
            template.check(example)
        if unused:
            raise ValueError(
                f"parameter {unused[0]!r} occurs in no placeholder of command, files, stdin or environment; "
                "without one the program does not see it"
            )
        return stochastic

    def _hash(self) -> str:
        # The program counts by its name, and fixed variables do not count: both hold paths, which differ between
        # machines that would give the same answers.
        program, *arguments = (template.text for template in self._command)
        parsers = {str(out): fingerprint(parser) for out, parser in self._parsers.items()}
        described = {
            "command": [Path(program).name, *arguments],
            "files": {target: template.text for target, template in sorted(self._files.items())},
            "stdin": self._stdin.text if self._stdin else None,
            "copies": {target: _content_hash(source) for target, source in sorted(self._copies.items())},
            "links": {target: source.stat().st_size for target, source in sorted(self._links.items())},
            "environment": {
                variable: template.text
                for variable, template in sorted(self._environment.items())
                if template and template.names
            },
            "parsers": parsers or fingerprint(self._parser),
        }
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:12]


def _outputs_and_parsers(
    outputs: Mapping[str, OutputParser] | Sequence[str], parser: Callable[[CommandResult], Any] | None
) -> tuple[tuple[Output, ...], dict[Output, OutputParser], Callable[[CommandResult], Any] | None]:
    if isinstance(outputs, str) or not outputs:
        raise ValueError(f"outputs must map at least one output to its parser, got {outputs!r}")
    named = tuple(out if isinstance(out, Output) else Output(out) for out in outputs)
    if len(set(named)) != len(named):
        raise ValueError(f"outputs must differ from each other, got {list(named)}")
    if not isinstance(outputs, Mapping):
        if not callable(parser):
            raise TypeError(f"outputs without parsers of their own need parser=, a function, got {parser!r}")
        return named, {}, parser
    if parser is not None:
        raise TypeError("give each output a parser or parser= for all of them, not both")
    for out, each in outputs.items():
        if not isinstance(each, Parser) and not callable(each):
            raise TypeError(
                f"output {str(out)!r}: a parser is a RegexParser, JSONParser, CSVParser or a function, got {each!r}"
            )
    return named, dict(zip(named, outputs.values())), None


def _program(program: str | Path, targets: Sequence[str]) -> str:
    given = str(program)
    if os.path.normpath(given) in targets:
        return os.path.join(os.curdir, os.path.normpath(given))
    # A name alone is looked for on the PATH.
    return os.path.abspath(given) if os.sep in given and os.path.exists(given) else given


def _inside(target: str) -> str:
    normal = os.path.normpath(target)
    if not target or os.path.isabs(target) or normal.split(os.sep)[0] in ("..", "."):
        raise ValueError(f"{target!r} must be a file's name inside the working directory")
    return normal


def _placed(things: Placed, argument: str) -> dict[str, Path]:
    if isinstance(things, (str, Path)):
        raise TypeError(f"{argument} must be a list of paths or map names to paths, got {things!r}")
    pairs = things.items() if isinstance(things, Mapping) else [(Path(thing).name, thing) for thing in things]
    placed = {_inside(target): Path(source).absolute() for target, source in pairs}
    for source in placed.values():
        if not source.exists():
            raise ValueError(f"{argument}: there is no {source}")
    if len(placed) < len(pairs):
        raise ValueError(f"{argument}: two files would have the same name in the working directory; map names to paths")
    return placed


def _text_of(source: str | Path, what: str) -> str:
    # Bytes that are no UTF-8 pass through unchanged, and so do line ends.
    if isinstance(source, Path):
        try:
            return source.read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            raise ValueError(f"the template for {what} cannot be read: {error}") from None
    if "\n" not in source and source and os.path.isfile(source):
        raise ValueError(f"{what} would hold just the text {source!r}; to read that file as a template, give a Path")
    return source


def _changes_below(folder: Path, within: tuple[Path, ...] = ()) -> dict[str, int]:
    """When each file of a folder was changed last (ns), by its path; also of linked folders."""
    real = folder.resolve()
    changes: dict[str, int] = {}
    if real in within:  # it holds itself
        return changes
    # What cannot be read is no answer; and runs share what is linked, so that a file may go between two looks.
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir():
                changes |= _changes_below(path, (*within, real))
                continue
            with contextlib.suppress(OSError):
                changes[str(path)] = path.stat().st_mtime_ns
    return changes


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    # A second back: file times are coarse, and a program that rewrites its input at once must be seen to have done so.
    now = path.stat().st_mtime_ns
    os.utime(path, ns=(now, now - 10**9))


def _content_hash(source: Path) -> str:
    digest = hashlib.sha256()
    files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    for path in files:
        digest.update(str(path.relative_to(source.parent)).encode())
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._" else "_" for c in name)


def _sweep(base: Path, owner: str) -> None:
    """Remove the folders of processes that were killed before they could do so."""
    for folder in base.glob(f"{glob.escape(owner)}*-*"):
        process = folder.name.removeprefix(owner).split("-")[0]
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (ValueError, PermissionError):
            continue


def _execute(command: list[str], **how: Any) -> int:
    """Run to the end and return the exit code; an exception meanwhile, e.g. Ctrl-C, kills what was started."""
    # What a pool's worker starts must stay in its group. Anywhere else a group of its own lets us kill the program with
    # its children.
    own_group = not is_killed_as_a_whole()
    try:
        process = subprocess.Popen(command, process_group=0 if own_group else None, **how)
    except FileNotFoundError:
        raise SimulatorError(f"there is no program {command[0]!r}; install it, or give its full path") from None
    except OSError as error:
        raise SimulatorError(f"{command[0]!r} cannot be started: {error}") from None
    if own_group:
        _running.add(process.pid)
    try:
        return process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        if own_group:
            # Also after a good end: children that it left would go on writing.
            _kill_group(process.pid)
            _running.discard(process.pid)
        process.wait()


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


@atexit.register
def _kill_all() -> None:
    for group in list(_running):
        _kill_group(group)


def _ending(code: int) -> str:
    if code < 0:
        return f"was killed by {_signal_name(-code)} (signal {-code})"
    told = f"exited with code {code}"
    # Shells add 128 to the number of the signal that ended what they ran.
    return f"{told} (in a shell: killed by {_signal_name(code - 128)})" if 128 < code <= 128 + 31 else told


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "an unknown signal"


def _tail(*streams: Path) -> str:
    """The end of the first of these that is not empty."""
    for stream in streams:
        with open(stream, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MAX_TAIL_CHARACTERS))
            text = file.read().decode(errors="replace").strip()
        if text:
            return f"\nit wrote last to {stream.stem}:\n{text}"
    return ""
