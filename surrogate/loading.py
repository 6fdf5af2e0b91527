"""How a simulator is found: by the name of an installed one, in a module, in a file."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

from surrogate.errors import SimulatorNotFoundError, did_you_mean
from surrogate.simulation import FILE_PREFIX, Simulator

__all__ = ["available_simulators", "load_simulator"]

ENTRY_POINT_GROUP = "surrogate.simulators"


def available_simulators() -> dict[str, importlib.metadata.EntryPoint]:
    """Installed simulators by name, from the entry point group ``surrogate.simulators``.

    Returns
    -------
    dict of str to EntryPoint

    Examples
    --------
    >>> "smart_grid" in available_simulators()
    True
    """
    found = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    return {point.name: point for point in sorted(found, key=lambda point: point.name)}


def load_simulator(reference: str) -> Simulator:
    """Find a simulator.

    Parameters
    ----------
    reference : str
        The name of an installed simulator, ``"package.module:object"``, or ``"path/to/file.py:object"``. The object is
        a simulator, or a class or function that makes one without arguments.

    Raises
    ------
    SimulatorNotFoundError
        If there is none by that reference.

    Examples
    --------
    >>> load_simulator("lake").name
    'lake'
    """
    if not isinstance(reference, str):
        raise TypeError(f"reference must be text such as 'module:object', got {reference!r:.80}")
    where, _, attribute = reference.rpartition(":")
    if not where:
        point = available_simulators().get(reference)
        if point is None:
            raise SimulatorNotFoundError(
                f"no simulator is called {reference!r}; {did_you_mean(reference, available_simulators())} "
                "(for one of your own write module:object or file.py:object)"
            )
        found = point.load()
    else:
        module = _module_from_file(where) if where.endswith(".py") else _import(where, reference)
        found = module
        for part in attribute.split("."):
            try:
                found = getattr(found, part)
            except AttributeError:
                public = [name for name in dir(found) if not name.startswith("_")]
                raise SimulatorNotFoundError(
                    f"{reference}: {where} has no {part!r}; {did_you_mean(part, public)}"
                ) from None
    made = found if isinstance(found, Simulator) and not isinstance(found, type) else _make(found, reference)
    if not isinstance(made, Simulator):
        raise SimulatorNotFoundError(
            f"{reference}: {made!r:.80} is not a simulator (it needs name, version, space, outputs and a call); "
            "decorate a function with @surrogate.simulator"
        )
    return made


def _make(factory: Any, reference: str) -> Any:
    if not callable(factory):
        return factory
    try:
        inspect.signature(factory).bind()
    except (TypeError, ValueError) as error:
        if isinstance(factory, type):
            raise SimulatorNotFoundError(f"{reference}: {factory.__name__} needs arguments ({error})") from error
        return factory  # a function that is no simulator yet, or one whose arguments cannot be told
    return factory()


def _import(module: str, reference: str) -> ModuleType:
    if module.startswith("."):
        raise SimulatorNotFoundError(f"{reference}: name the module in full, without a leading dot")
    # A study's own modules lie beside the user, as they do for `python -m`.
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(error.name + ".")):
            raise SimulatorNotFoundError(f"{reference}: there is no module {error.name!r}") from None
        raise


def _module_from_file(path: str) -> ModuleType:
    file = Path(path).expanduser().resolve()
    if not file.is_file():
        raise SimulatorNotFoundError(f"there is no file {path}")
    content = file.read_bytes()
    # A file that was edited is another module: who loads it again asks for the new one.
    name = f"{FILE_PREFIX}{file.stem}_{hashlib.sha256(bytes(file) + content).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None:
        raise SimulatorNotFoundError(f"{path} cannot be read as a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        # Not by the loader: it takes compiled code for that of a file that was edited within the same second.
        exec(compile(content, str(file), "exec", dont_inherit=True), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    # Workers cannot import a module that has no place on the path: send what it defines along.
    cloudpickle.register_pickle_by_value(module)
    return module
