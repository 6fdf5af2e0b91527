"""Who ran it: host, process, versions of packages, and the commit of the code that called."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from typing import Any

__all__ = ["describe_session", "package_versions"]

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


def describe_session() -> dict[str, Any]:
    """JSON-ready description of this process."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "host": socket.gethostname(),
        "process": os.getpid(),
        "platform": platform.platform(),
        "command": " ".join(sys.argv)[:500],
        "git_commit": _git_commit(),
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
