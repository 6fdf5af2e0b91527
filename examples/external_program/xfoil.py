"""Lift, drag and moment of NACA 4-digit sections by XFOIL, as Debian packages it.

That build stops at the first division by zero: it asks Fortran's run-time library to trap them, XFOIL's panel method
makes some that do no harm, and the process dies of SIGFPE at the first operating point. No option of XFOIL turns that
off. What does is a library of one empty function, loaded before Fortran's; `cc` makes it here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import surrogate as sg

SPACE = sg.Space(
    camber=sg.Integer(0, 6, unit="% chord"),
    position=sg.Integer(2, 6, unit="tenths of chord"),
    thickness=sg.Integer(8, 18, unit="% chord"),
    alpha=sg.Real(-4, 8, unit="deg"),
)

# Graphics off; a section; Reynolds number 1e6; one angle of attack; the result into a file.
COMMANDS = """\
PLOP
G

NACA ${camber}${position}${thickness:02d}
OPER
VISC 1e6
ITER 200
PACC
polar.txt

ALFA ${alpha:.4f}

QUIT
"""


def without_traps() -> Path:
    """The library that leaves traps off; compiled once."""
    library = Path(__file__).parent / "build" / "no_traps.so"
    if not library.exists():
        if shutil.which("cc") is None:
            raise RuntimeError("a C compiler is needed once, e.g. Debian's gcc")
        library.parent.mkdir(exist_ok=True)
        source = "void _gfortran_set_fpe(int exceptions) { (void)exceptions; }\n"
        made = library.with_name(f"{os.getpid()}.so")  # of two that come at once, each finds a whole one
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", made], input=source, text=True, check=True)
        made.replace(library)
    return library


def xfoil(traps: bool = False) -> sg.CommandSimulator:
    """XFOIL as a simulator; with `traps` as packaged, so that it dies."""
    # Where the flow does not converge, XFOIL exits with 0 and adds no row: the run is invalid.
    row = {"skip": 10, "separator": None, "file": "polar.txt"}
    return sg.CommandSimulator(
        ["xfoil"],
        space=SPACE,
        # The row of dashes under the headings is row 0.
        outputs={
            name: sg.CSVParser(column, row=1, **row) for name, column in (("lift", 1), ("drag", 2), ("moment", 4))
        },
        stdin=COMMANDS,
        environment=None if traps else {"LD_PRELOAD": str(without_traps())},
    )


if __name__ == "__main__":
    runs = sg.run(xfoil(), sg.sobol(SPACE, 32, rng=0), n_jobs=2, timeout=60)
    print(runs.inputs.join(runs.outputs).round(4).to_string())
    print(runs.failures["error"].to_string() if len(runs.failures) else "no failures")
