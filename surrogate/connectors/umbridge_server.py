"""Our simulators as models of a UM-Bridge server."""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, cast

import numpy as np

from surrogate.connectors.umbridge import PROTOCOL_VERSION, is_number, length
from surrogate.errors import InvalidInputError, did_you_mean
from surrogate.outputs import Output, Series
from surrogate.simulation import Simulator, answers_by_point, arguments_of, checked_answer, is_stochastic, levels_of

__all__ = ["UMBridgeServer", "serve_umbridge"]

logger = logging.getLogger("surrogate.umbridge")
logger.addHandler(logging.NullHandler())

MAX_BODY_BYTES = 1 << 26
DERIVATIVES = ("Gradient", "ApplyJacobian", "ApplyHessian")


def serve_umbridge(
    simulators: Simulator | Sequence[Simulator], port: int = 4242, host: str = "127.0.0.1", *, n_jobs: int = 1
) -> None:
    """Serve simulators over UM-Bridge until the process is told to stop.

    Each is a model of its name, with one input vector, the parameters that are numbers in the order of the space, and
    one output vector for each output. Other parameters, the seed of a stochastic simulator and the level of one that
    has levels are taken from the configuration by name; without a seed one is drawn, without a level it is 0.

    Parameters
    ----------
    simulators : Simulator or sequence of them
    port : int
    host : str
        The interface to listen on. Beyond this machine, anyone who reaches it can run the simulators: there are
        neither passwords nor encryption.
    n_jobs : int
        How many evaluations may run at a time, in threads; the others wait. More than 1 is for simulators that bear it,
        such as external programs.

    Notes
    -----
    An exception of a simulator reaches the client as an error of type ``ModelError`` with its type and text; an answer
    that is not finite or wrongly shaped as ``InvalidOutput``. Derivatives are ``UnsupportedFeature``.

    On Ctrl-C or SIGTERM the evaluations in hand are ended, then this returns; a second one does not wait for them. To
    serve in the background, as in a notebook, use :class:`surrogate.UMBridgeServer`.

    Examples
    --------
    >>> serve_umbridge(load_simulator("lake"), port=4242)  # doctest: +SKIP
    """
    with UMBridgeServer(simulators, port=port, host=host, n_jobs=n_jobs) as server, _signals() as stopped:
        logger.info("serving %s at %s", ", ".join(server.models), server.url)
        stopped.wait()


class UMBridgeServer:
    """A UM-Bridge server in threads of this process, from entering its context to leaving it.

    Parameters
    ----------
    simulators, host, n_jobs
        As for :func:`serve_umbridge`.
    port : int
        0 takes a free one; see :attr:`url`.

    Examples
    --------
    >>> from surrogate.connectors.umbridge import UMBridgeSimulator
    >>> from surrogate.loading import load_simulator
    >>> lake = load_simulator("lake")
    >>> with UMBridgeServer(lake, port=0) as server:
    ...     remote = UMBridgeSimulator(
    ...         server.url, "lake", space=lake.space, outputs=lake.outputs, stochastic=True
    ...     )
    ...     point = lake.space.from_unit([[0.5] * lake.space.d]).to_dict("records")[0]
    ...     remote(**point, seed=1) == lake(**point, seed=1)
    True
    """

    def __init__(
        self,
        simulators: Simulator | Sequence[Simulator],
        *,
        port: int = 4242,
        host: str = "127.0.0.1",
        n_jobs: int = 1,
    ) -> None:
        listed = list(simulators) if isinstance(simulators, Sequence) else [simulators]
        wrong = [sim for sim in listed if not isinstance(sim, Simulator)]
        if wrong or not listed:
            raise TypeError(f"what is served must be simulators, got {wrong[0] if wrong else listed!r}")
        if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs < 1:
            raise ValueError(f"n_jobs must be a whole number, at least 1, got {n_jobs!r}")
        self.models = {sim.name: _Model(sim) for sim in listed}
        if len(self.models) < len(listed):
            raise ValueError(f"simulators must have different names, got {[sim.name for sim in listed]}")
        self._turn = threading.Semaphore(n_jobs)
        self._idle = threading.Condition()
        self._in_hand = 0
        self.closed = False
        try:
            self._http = _HTTPServer((host, port), _Handler, self)
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on port {port} of {host}: {error.strerror}") from None
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Where clients find it."""
        host, port = self._http.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def __enter__(self) -> UMBridgeServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take nothing new, end the evaluations in hand unless an exception passes through, and let the port go."""
        self.closed = True
        self._http.shutdown()
        self._http.server_close()
        with self._idle:
            self._idle.wait_for(lambda: self._in_hand == 0 or kind is not None)

    def reply(self, path: str, body: bytes | None) -> tuple[int, dict[str, Any]]:
        """HTTP status and JSON-ready answer to a request; `body` is None for GET."""
        try:
            return self._reply(path, body)
        except _Refusal as refusal:
            return refusal.status, _error(refusal.kind, str(refusal))

    @contextlib.contextmanager
    def in_hand(self) -> Iterator[None]:
        """While a request is being answered, so that closing waits for it."""
        with self._idle:
            self._in_hand += 1
        try:
            yield
        finally:
            with self._idle:
                self._in_hand -= 1
                self._idle.notify_all()

    def _reply(self, path: str, body: bytes | None) -> tuple[int, dict[str, Any]]:
        what = path.split("?")[0].strip("/")
        if what == "Info":
            return 200, {"protocolVersion": PROTOCOL_VERSION, "models": list(self.models)}
        if body is None or what not in ("ModelInfo", "InputSizes", "OutputSizes", "Evaluate", *DERIVATIVES):
            raise _Refusal("NotFound", f"there is no {what!r} here", 404)
        asked = _request(body)
        name = asked.get("name")
        model = self.models.get(name) if isinstance(name, str) else None
        if model is None:
            raise _Refusal("ModelNotFound", f"no model is called {name!r}; {did_you_mean(str(name), self.models)}")
        match what:
            case "ModelInfo":
                return 200, {"support": {"Evaluate": True, **dict.fromkeys(DERIVATIVES, False)}}
            case "InputSizes":
                return 200, {"inputSizes": model.input_sizes}
            case "OutputSizes":
                return 200, {"outputSizes": model.output_sizes}
            case "Evaluate":
                inputs = model.inputs(asked.get("input"), asked.get("config", {}))
                with self._turn:
                    return 200, {"output": model.evaluate(inputs)}
        raise _Refusal("UnsupportedFeature", f"model {name!r} does not support {what}")


class _Refusal(Exception):
    """An error of the protocol."""

    def __init__(self, kind: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status


class _Model:
    """A simulator in the protocol's terms: vectors and a configuration."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self._vector = [name for name, parameter in simulator.space.items() if is_number(parameter)]
        self._in_config = [name for name in simulator.space if name not in self._vector]
        # What the configuration may hold beside parameters, with what it is otherwise.
        self._options: dict[str, Any] = {"seed": None} if is_stochastic(simulator) else {}
        self._options |= {"level": 0} if levels_of(simulator) else {}
        self.input_sizes = [len(self._vector)] if self._vector else []
        self.output_sizes = [length(out) for out in simulator.outputs]

    def inputs(self, vectors: Any, config: Any) -> dict[str, Any]:
        """The simulator's arguments; raises a refusal that says what is wrong with them."""
        if not isinstance(vectors, list) or not all(isinstance(vector, list) for vector in vectors):
            raise _Refusal("InvalidInput", f"input must be a list of lists of numbers, got {vectors!r:.100}")
        sizes = [len(vector) for vector in vectors]
        if sizes != self.input_sizes:
            raise _Refusal(
                "InvalidInput", f"input must have vectors of sizes {self.input_sizes} ({self._vector}), got {sizes}"
            )
        if not isinstance(config, dict):
            raise _Refusal("InvalidInput", f"config must be an object, got {config!r:.100}")
        values = dict(zip(self._vector, vectors[0] if vectors else []))
        left = dict(config)
        for name in self._in_config:
            if name not in left:
                allowed = self.simulator.space[name].allowed
                raise _Refusal("InvalidInput", f"config must hold {name!r}, {allowed}: it is no number for a vector")
            values[name] = left.pop(name)
        options = {name: left.pop(name, default) for name, default in self._options.items()}
        if left:
            unknown = next(iter(left))
            known = [*self._in_config, *self._options]
            raise _Refusal("InvalidInput", f"config holds {unknown!r}; {did_you_mean(unknown, known)}")
        try:
            checked = self.simulator.space.validate([values], what="input").to_dict("records")[0]
        except InvalidInputError as error:
            raise _Refusal("InvalidInput", str(error)) from None
        seed, level = options.get("seed"), options.get("level", 0)
        if seed is None:
            seed = int(np.random.default_rng().integers(2**31))
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
            raise _Refusal("InvalidInput", f"config: seed must be a whole number, at least 0, got {seed!r}")
        levels = list(levels_of(self.simulator)) or [0]
        if isinstance(level, bool) or level not in levels:
            raise _Refusal("InvalidInput", f"config: level must be one of {levels}, got {level!r}")
        point = {str(name): value for name, value in checked.items()}
        return arguments_of(self.simulator, [point], [seed], level)

    def evaluate(self, inputs: Mapping[str, Any]) -> list[list[float]]:
        try:
            answer = self.simulator(**inputs)
        except (Exception, SystemExit) as error:
            logger.warning("model %r failed at %s", self.simulator.name, inputs, exc_info=True)
            raise _Refusal("ModelError", f"{type(error).__name__}: {error}", 500) from None
        try:
            (own,) = answers_by_point(self.simulator, answer, 1)
            checked = checked_answer(self.simulator.outputs, own)
        except Exception as error:
            # Never NaN: JSON has no word for it, and clients stumble over what is sent instead.
            raise _Refusal("InvalidOutput", str(error), 500) from None
        return [_numbers(out, checked[out]) for out in self.simulator.outputs]


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True  # a connection that idles must not keep the process
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[_Handler], umbridge: UMBridgeServer) -> None:
        self.umbridge = umbridge
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # HTTPServer's own looks up the host's name, which takes seconds where there is no name server.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.debug("connection of %s broke", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: in two, the second waits for the first to be acknowledged, some 40 ms.
    wbufsize = -1

    def do_GET(self) -> None:
        self._serve(None)

    def do_HEAD(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        try:
            size = int(self.headers.get("Content-Length", ""))
        except ValueError:
            size = -1
        if not 0 <= size <= MAX_BODY_BYTES:
            self.close_connection = True  # what follows on it is the body, not a request
            self._send(411 if size < 0 else 413, _error("InvalidInput", "the request's length must be told and fit"))
            return
        self._serve(self.rfile.read(size))

    def _serve(self, body: bytes | None) -> None:
        # Browsers say where a script came from; no page that the user happens to visit shall run simulators.
        if "Origin" in self.headers:
            self._send(403, _error("Forbidden", "requests from web pages are not answered"))
            return
        umbridge = cast(_HTTPServer, self.server).umbridge
        if umbridge.closed:  # a connection may outlive the server
            self.close_connection = True
            self._send(503, _error("Closed", "this server has been closed"))
            return
        with umbridge.in_hand():
            self._send(*umbridge.reply(self.path, body))

    def _send(self, status: int, answer: Mapping[str, Any]) -> None:
        content = json.dumps(answer, allow_nan=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message}}


def _request(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except ValueError as error:
        raise _Refusal("InvalidInput", f"the request is no JSON: {error}") from None
    if not isinstance(asked, dict):
        raise _Refusal("InvalidInput", f"the request must be an object, got {asked!r:.100}")
    return asked


def _numbers(output: Output, value: Any) -> list[float]:
    return [float(number) for number in value] if isinstance(output, Series) else [value]


@contextlib.contextmanager
def _signals() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets; the second interrupts as usual."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def stop(number: int, frame: Any) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
