"""Processes that tests start: where they find the package, and when they listen."""

from __future__ import annotations

import os
import socket
import time

from tests.conftest import REPOSITORY

__all__ = ["environment", "free_port", "wait_for"]


def environment() -> dict[str, str]:
    """Variables for a script that imports this checkout's package."""
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])}


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def wait_for(port: int, seconds: float = 30.0) -> None:
    """Return once something listens on this port of 127.0.0.1."""
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < until, f"nothing listens on port {port}"
            time.sleep(0.05)
