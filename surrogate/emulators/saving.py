"""Emulators in files: arrays and JSON in one zip file, no pickle."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import secrets
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from surrogate.errors import EmulatorFileError, did_you_mean

__all__ = ["SAVED", "Savable", "Saved", "load_emulator", "pack_parts", "save_emulator", "unpack_parts"]

Arrays = dict[str, NDArray[Any]]
Facts = dict[str, Any]

FORMAT = "surrogate-emulator"
FORMAT_VERSION = 1

# Where each class that can be read lives; imported on use, and nothing else can be named by a file.
SAVED = {
    "AutoEmulator": "surrogate.emulators.auto:AutoEmulator",
    "ConformalEmulator": "surrogate.emulators.conformal:ConformalEmulator",
    "ForestEmulator": "surrogate.emulators.forest:ForestEmulator",
    "FunctionalEmulator": "surrogate.emulators.functional:FunctionalEmulator",
    "GaussianProcess": "surrogate.emulators.gp.gaussian_process:GaussianProcess",
    "GradientEnhanced": "surrogate.emulators.gradient_enhanced:GradientEnhanced",
    "MultiFidelity": "surrogate.emulators.multifidelity:MultiFidelity",
    "MultiOutput": "surrogate.emulators.functional:MultiOutput",
    "PolynomialChaos": "surrogate.emulators.polynomial_chaos:PolynomialChaos",
    "PolynomialKriging": "surrogate.emulators.polynomial_kriging:PolynomialKriging",
    "ProbabilityEmulator": "surrogate.emulators.classifier:ProbabilityEmulator",
    "RadialBasis": "surrogate.emulators.radial_basis:RadialBasis",
}

DESCRIPTION = "emulator.json"


class Savable(Protocol):
    """What an emulator offers to be saved."""

    def get_state(self) -> tuple[Arrays, Facts]:
        """Arrays by name, and JSON-ready facts (parameters of the constructor included)."""
        ...

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Self:
        """The fitted emulator again."""
        ...


class Saved:
    """Gives an emulator ``save``."""

    def save(self: Savable, path: str | os.PathLike[str]) -> None:
        """Write the fitted emulator to a file, to be read by ``sg.load_emulator``.

        Parameters
        ----------
        path : path
            Replaced if it exists, in one step: nobody sees half a file.
        """
        save_emulator(self, path)


def save_emulator(emulator: Savable, path: str | os.PathLike[str]) -> None:
    """Write a fitted emulator to a file.

    Parameters
    ----------
    emulator : emulator with ``get_state``
    path : path

    Raises
    ------
    TypeError
        If emulators of this class cannot be saved.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    """
    name = type(emulator).__name__
    if name not in SAVED or not hasattr(emulator, "get_state"):
        raise TypeError(f"a {name} cannot be saved; known: {', '.join(sorted(SAVED))}")
    arrays, facts = emulator.get_state()
    from surrogate import __version__

    packed = {key: _to_npy(array) for key, array in arrays.items()}
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "surrogate": __version__,
        "class": name,
        "facts": facts,
        "sha256": {key: hashlib.sha256(data).hexdigest() for key, data in packed.items()},
    }
    # NumPy's scalars, which people pass as options, as Python's own.
    text = json.dumps(description, allow_nan=False, default=lambda value: value.item())
    path = Path(path)
    # Not by tempfile, whose files nobody else may read whatever the umask allows.
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}.part"
    try:
        with (
            temporary.open("xb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped,
        ):
            zipped.writestr(DESCRIPTION, text)
            for key, data in packed.items():
                zipped.writestr(f"{key}.npy", data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load_emulator(path: str | os.PathLike[str]) -> Any:
    """Read an emulator that was saved. Its predictions are the same to the last bit.

    A file holds numbers and text only: reading one from elsewhere runs no code of its.

    Parameters
    ----------
    path : path

    Raises
    ------
    OSError
        If the file cannot be read, e.g. FileNotFoundError.
    EmulatorFileError
        If it is no emulator's file, is damaged, or was written by a newer version.

    Examples
    --------
    >>> import tempfile, surrogate as sg
    >>> gp = sg.GaussianProcess().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0])
    >>> path = Path(tempfile.mkdtemp()) / "gp.emulator"
    >>> gp.save(path)
    >>> bool((load_emulator(path).predict([[0.5]]) == gp.predict([[0.5]])).all())
    True
    """
    path = Path(path)
    # Apart from what follows, in which an OSError says that the file is damaged.
    data = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as zipped:
            description = json.loads(zipped.read(DESCRIPTION))
            found = _checked(description, path)
            arrays = {key: _from_npy(zipped.read(f"{key}.npy"), digest, key) for key, digest in found.items()}
        return _class_of(description["class"]).from_state(arrays, description["facts"])
    except EmulatorFileError:
        raise
    except (
        zipfile.BadZipFile,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        EOFError,
        OSError,
        RuntimeError,
    ) as error:
        reason = f"{type(error).__name__}: {error}"
        raise EmulatorFileError(f"{path} is no emulator's file, or is damaged ({reason}); save it anew") from error


def _checked(description: Any, path: Path) -> dict[str, str]:
    """Digests of the arrays by name, if the description is one of ours."""
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise EmulatorFileError(f"{path} was not written by save: it is no emulator's file")
    version = description.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise EmulatorFileError(
            f"{path} has format {version}, this version reads up to {FORMAT_VERSION}; "
            f"install surrogate {description.get('surrogate')} or newer"
        )
    if description.get("class") not in SAVED:
        hint = did_you_mean(str(description.get("class")), SAVED)
        raise EmulatorFileError(
            f"{path} holds a {description.get('class')!r}, which this version does not know; {hint}"
        )
    return dict(description["sha256"])


def _class_of(name: str) -> Any:
    module, attribute = SAVED[name].split(":")
    return getattr(importlib.import_module(module), attribute)


def _to_npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=False)
    return buffer.getvalue()


def _from_npy(data: bytes, digest: str, name: str) -> NDArray[Any]:
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"array {name!r} differs from what was saved")
    return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))


def pack_parts(parts: Sequence[Savable] | Mapping[str, Savable]) -> tuple[Arrays, list[Facts]]:
    """State of the emulators that another one is made of, to be put into its own.

    Parameters
    ----------
    parts : sequence or mapping of emulators
        A mapping's keys are kept.

    Returns
    -------
    arrays : dict
        Each name led by ``part/`` and the part's number.
    facts : list of dict
        JSON-ready; put it under a key of one's own facts and give it back to :func:`unpack_parts`.
    """
    named = parts.items() if isinstance(parts, Mapping) else ((None, part) for part in parts)
    arrays: Arrays = {}
    described: list[Facts] = []
    for i, (key, part) in enumerate(named):
        own, facts = part.get_state()
        arrays |= {f"part/{i}/{name}": array for name, array in own.items()}
        described.append({"key": key, "class": type(part).__name__, "facts": facts})
    return arrays, described


def unpack_parts(arrays: Mapping[str, NDArray[Any]], described: Sequence[Mapping[str, Any]]) -> Any:
    """The emulators that :func:`pack_parts` packed: a list, or a dict if they came as a mapping."""
    parts = []
    for i, entry in enumerate(described):
        if entry["class"] not in SAVED:
            raise ValueError(f"part {i} is a {entry['class']!r}; {did_you_mean(str(entry['class']), SAVED)}")
        lead = f"part/{i}/"
        own = {name.removeprefix(lead): array for name, array in arrays.items() if name.startswith(lead)}
        parts.append(_class_of(entry["class"]).from_state(own, entry["facts"]))
    if any(entry["key"] is not None for entry in described):
        return {entry["key"]: part for entry, part in zip(described, parts)}
    return parts
