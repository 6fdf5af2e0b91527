"""Whose runs a store holds: the simulator as it is described in the store, and what tells two of them apart."""

from __future__ import annotations

import ast
import hashlib
import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import Any

from surrogate.outputs import Output, output_from_dict
from surrogate.runs.records import book_columns
from surrogate.runs.tables import SCHEMA_VERSION
from surrogate.simulation import Simulator, levels_of
from surrogate.space import Space

__all__ = ["check_simulator", "describe_study", "differences", "source_of"]


def check_simulator(simulator: Any) -> None:
    """Check that a simulator can be asked and its runs be told.

    Raises
    ------
    TypeError
        If it is none, or its space or outputs are not what they must be.
    ValueError
        If a parameter or an output is called like another column of the runs.
    """
    if not isinstance(simulator, Simulator):
        raise TypeError(f"simulator must be a Simulator or a reference to one, got {simulator!r:.80}")
    name, space, outputs = simulator.name, simulator.space, simulator.outputs
    if not isinstance(space, Space):
        raise TypeError(f"simulator {name!r}: space must be a Space, e.g. Space(x=Real(0, 1)), got {space!r:.80}")
    listed = isinstance(outputs, Sequence) and not isinstance(outputs, str)
    if not listed or not outputs or not all(isinstance(output, Output) for output in outputs):
        raise TypeError(
            f"simulator {name!r}: outputs must be a tuple of Output or Series, e.g. (Output('y'),), got {outputs!r:.80}"
        )
    book = book_columns(levels_of(simulator))
    for kind, names, others in (("parameter", space, book), ("output", outputs, [*book, *space])):
        taken = [str(each) for each in names if each in others]
        if taken:
            raise ValueError(
                f"simulator {name!r}: {kind} {taken[0]!r} is the name of another column that every run has "
                f"({', '.join(others)}); call it otherwise"
            )


def describe_study(simulator: Simulator, design: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a store says of the simulator whose runs it holds, ready for JSON."""
    return {
        "schema": SCHEMA_VERSION,
        "simulator": simulator.name,
        "version": simulator.version,
        "space": simulator.space.to_dict(),
        "outputs": [out.to_dict() for out in simulator.outputs],
        "levels": {str(level): cost for level, cost in levels_of(simulator).items()},
        "created": time.time(),
        "sources": [source] if (source := source_of(simulator)) else [],
        "design": dict(design or {}),
    }


def source_of(simulator: Simulator) -> str:
    """A hash of what a simulator's own function does: not of its comments, nor of what it calls; empty if not known."""
    text = getattr(simulator, "function_source", "")
    if not text:
        return ""
    try:
        tree = ast.parse(textwrap.dedent(text))
    except SyntaxError:
        return ""
    made = tree.body[0]
    if isinstance(made, (ast.FunctionDef, ast.AsyncFunctionDef)):
        # Decorators say what the store knows otherwise.
        made.decorator_list = []
        if ast.get_docstring(made) is not None:
            made.body = made.body[1:]
    return hashlib.sha256(ast.dump(made).encode()).hexdigest()[:16]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Why the runs of two studies must not be mixed; units of inputs, costs and words about things may differ."""
    out = []
    if old["simulator"] != new["simulator"]:
        out.append(f"simulator {old['simulator']!r}, not {new['simulator']!r}")
    if old["version"] != new["version"]:
        out.append(f"version {old['version']!r}, not {new['version']!r}")
    was, now = Space.from_dict(old["space"]), Space.from_dict(new["space"])
    if was.fingerprint != now.fingerprint:
        out.append("another space (" + _space_difference(was, now) + ")")
    outputs = [[output_from_dict(entry) for entry in study["outputs"]] for study in (old, new)]
    names = [[str(output) for output in side] for side in outputs]
    if names[0] != names[1]:
        out.append(f"outputs {names[0]}, not {names[1]}")
    else:
        changed = [str(a) for a, b in zip(*outputs, strict=True) if _without_words(a) != _without_words(b)]
        out += [f"output {name!r} with another unit or coordinate" for name in changed[:1]]
    if set(old["levels"]) != set(new["levels"]):
        out.append(f"levels {sorted(old['levels'])}, not {sorted(new['levels'])}")
    return out


def _without_words(output: Output) -> dict[str, Any]:
    return {key: value for key, value in output.to_dict().items() if key != "description"}


def _space_difference(old: Space, new: Space) -> str:
    gone, come = [n for n in old if n not in new], [n for n in new if n not in old]
    if gone or come:
        return "; ".join(f"{word} {', '.join(names)}" for word, names in (("without", come), ("with", gone)) if names)
    changed = [n for n in old if old[n].to_dict() != new[n].to_dict()]
    if not changed:
        return "parameters in another order"
    name = changed[0]
    return f"{name!r}: {old[name].allowed}, not {new[name].allowed}"
