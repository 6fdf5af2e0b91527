"""Who ran it: host, process, versions of packages, and the commit of the code that called."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import threadpoolctl

__all__ = ["describe_session", "package_versions", "show_versions"]

PACKAGES = ("surrogate-learn", "numpy", "scipy", "scikit-learn", "pandas", "SALib", "joblib", "pydoe", "matplotlib")


def package_versions() -> dict[str, str]:
    """Installed versions of Python and of the packages that results may depend on."""
    out = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            out[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return out


# What optional parts need; told where it is there.
OPTIONAL = ("torch", "numba", "pyarrow", "psycopg", "distributed", "fmpy", "cloudpickle", "sqlalchemy", "jinja2")


def show_versions() -> None:
    """Print what a bug report needs: versions of Python, of this package and of those it uses, machine, threads.

    Examples
    --------
    >>> show_versions()  # doctest: +ELLIPSIS
    surrogate-learn ...
    """
    known = package_versions()
    lines = {"surrogate-learn": known.pop("surrogate-learn", "not installed")} | known
    for name in OPTIONAL:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            lines[name] = importlib.metadata.version(name)
    lines |= {"platform": platform.platform(), "cores": str(os.cpu_count())}
    for pool in threadpoolctl.threadpool_info():
        lines[f"{pool['internal_api']} threads"] = str(pool["num_threads"])
    width = max(map(len, lines))
    print("\n".join(f"{name:<{width}} {value}" for name, value in lines.items()))  # noqa: T201 - printing is its task


def describe_session(design: Mapping[str, Any]) -> dict[str, Any]:
    """JSON-ready description of this process and of the design whose points it runs."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "host": socket.gethostname(),
        "process": os.getpid(),
        "platform": platform.platform(),
        "command": " ".join(sys.argv)[:500],
        "git_commit": _git_commit(),
        "design": dict(design),
        "versions": package_versions(),
    }


def _git_commit() -> str:
    """Commit of the repository in the current folder, with ``+`` if files differ from it; empty without one."""
    git = shutil.which("git")
    if git is None:
        return ""
    try:
        asked = {"capture_output": True, "text": True, "timeout": 5, "check": True}
        commit = subprocess.run([git, "rev-parse", "HEAD"], **asked).stdout.strip()  # type: ignore[call-overload]
        changed = subprocess.run([git, "status", "--porcelain", "-uno"], **asked).stdout.strip()  # type: ignore[call-overload]
    except (OSError, subprocess.SubprocessError):
        return ""
    return str(commit) + ("+" if changed else "")
