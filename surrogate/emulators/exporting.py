"""A fitted emulator as one Python file that needs NumPy only."""

from __future__ import annotations

import base64
import json
import os
import zlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Exportable", "export_python"]

# Characters a line of the packed numbers.
WIDTH = 110


class Exportable(Protocol):
    """What an emulator offers to be exported."""

    def standalone(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any], str]:
        """Arrays, JSON-ready facts, and source that defines ``predict(X, return_std=False)`` from ARRAYS and FACTS.

        The source may import NumPy, as ``np``, and nothing else.
        """
        ...


def export_python(emulator: Exportable, path: str | os.PathLike[str]) -> None:
    """Write a Python module with one function, ``predict(X, return_std=False)``, that needs NumPy only.

    For places where this package cannot be installed: a plant's controller, a colleague's notebook, an archive.

    Parameters
    ----------
    emulator : fitted emulator with ``standalone``
    path : path
        Of the ``.py`` file; replaced if it exists.

    Raises
    ------
    TypeError
        If emulators of this class cannot be exported.
    ValueError
        If this one cannot, e.g. since it needs more than NumPy.

    Examples
    --------
    >>> import runpy, tempfile, surrogate as sg
    >>> gp = sg.GaussianProcess().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0])
    >>> path = Path(tempfile.mkdtemp()) / "emulator.py"
    >>> export_python(gp, path)
    >>> predict = runpy.run_path(str(path))["predict"]
    >>> bool(np.allclose(predict([[0.5]]), gp.predict([[0.5]])))
    True
    """
    if not hasattr(emulator, "standalone"):
        raise TypeError(f"a {type(emulator).__name__} cannot be exported; use save instead")
    arrays, facts, source = emulator.standalone()
    from surrogate import __version__

    packed = {name: _pack(array) for name, array in arrays.items()}
    body = ",\n".join(f"    {name!r}: _unpack({text}\n    )" for name, text in packed.items())
    text = f'''"""A {type(emulator).__name__} fitted and exported by surrogate {__version__}; needs NumPy only.

    from {Path(path).stem} import predict
    mean, std = predict(X, return_std=True)
"""

import base64
import json
import zlib

import numpy as np


def _unpack(dtype, shape, text):
    data = zlib.decompress(base64.b64decode(text))
    return np.frombuffer(data, dtype=dtype).reshape(shape)


FACTS = json.loads({json.dumps(facts)!r})
ARRAYS = {{
{body}
}}


{source.strip()}
'''
    Path(path).write_text(text, encoding="utf-8")


def _pack(array: NDArray[Any]) -> str:
    """Arguments of ``_unpack`` that give the array back."""
    array = np.ascontiguousarray(array)
    # Little-endian, wherever it is written and read.
    array = array.astype(array.dtype.newbyteorder("<"))
    text = base64.b64encode(zlib.compress(array.tobytes(), 6)).decode()
    lines = "\n".join(f'        "{text[i : i + WIDTH]}"' for i in range(0, max(len(text), 1), WIDTH))
    return f"{array.dtype.str!r}, {array.shape!r},\n{lines}"
