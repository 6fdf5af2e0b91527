"""A headless Chromium that is clicked and typed into, over the pipe of its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import subprocess
import time
from pathlib import Path
from typing import Any

PATIENCE = 120.0  # seconds, for a machine with other work


class Page:
    """An open page: what it asked for and complained about, and hands to use it.

    Attributes
    ----------
    requested : list of str
        Addresses, the page's own among them.
    complaints : list of str
        Console messages, exceptions and entries of the browser's log.
    """

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._out, self._in, self._rest, self._number, self._session = to_browser, from_browser, b"", 0, ""
        self._loaded = False
        self.requested: list[str] = []
        self.complaints: list[str] = []

    def _message(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0.0, until - time.monotonic()))
            part = os.read(self._in, 1 << 16) if ready else b""
            if not part:
                raise TimeoutError("the browser does not answer" if not ready else "the browser has gone")
            self._rest += part
        text, self._rest = self._rest.split(b"\0", 1)
        return json.loads(text)

    def _note(self, event: dict[str, Any]) -> None:
        about, name = event.get("params", {}), event["method"]
        if name == "Network.requestWillBeSent":
            self.requested.append(about["request"]["url"])
        elif name == "Page.loadEventFired":
            self._loaded = True
        elif name in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.complaints.append(json.dumps(about))

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            if "method" in answer:
                self._note(answer)

    def open(self, address: str) -> None:
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Emulation.setDeviceMetricsOverride", width=1000, height=900, deviceScaleFactor=1, mobile=False)
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.ask(f"{domain}.enable")
        self._loaded = False
        self.ask("Page.navigate", url=address)
        while not self._loaded:
            self._note(self._message())

    def value(self, expression: str) -> Any:
        """Of a JavaScript expression."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def click(self, x: float, y: float) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def picture(self, file: Path) -> None:
        """Of the whole page, as PNG."""
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        file.write_bytes(base64.b64decode(data))


@contextlib.contextmanager
def opened(address: str, profile: Path):
    """The page at an address in a browser of its own."""
    asked = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={profile}",
        "--remote-debugging-pipe",
    ]
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()

    def as_three_and_four() -> None:
        """The descriptors where the protocol's pipes are; first out of the way of each other."""
        for place, end in ((3, high_in), (4, high_out)):
            os.dup2(end, place)

    high_in, high_out = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (their_in, their_out))
    browser = subprocess.Popen(
        ["chromium", *asked],
        close_fds=False,  # all others close themselves
        preexec_fn=as_three_and_four,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for end in (their_in, their_out, high_in, high_out):
        os.close(end)
    try:
        page = Page(our_out, our_in)
        page.open(address)
        yield page
    finally:
        browser.terminate()
        browser.wait(timeout=PATIENCE)
        os.close(our_out)
        os.close(our_in)
