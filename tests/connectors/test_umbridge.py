"""UM-Bridge: our client and server with each other and with the reference implementation's."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import surrogate as sg
from surrogate.connectors.umbridge import _loads
from tests.servers import environment, free_port, wait_for

MODES = ["ok", "raise", "exit", "nan", "missing"]
SPACE = sg.Space(
    x=sg.Real(0, 1),
    mode=sg.Categorical(MODES),
    n=sg.Integer(1, 9),
    size=sg.Ordinal([1, 2, 4]),
    flap=sg.Categorical([True, False]),
)
TIMES = [0.0, 1.0, 2.0]


@sg.simulator(space=SPACE, outputs=["square", sg.Series("wave", at=TIMES)])
def mixed(x, mode, n, size, flap):
    match mode:
        case "raise":
            raise ValueError(f"no square of {x}")
        case "exit":
            sys.exit(3)
        case "nan":
            return {"square": np.nan, "wave": np.zeros(3)}
        case "missing":
            return {"square": 1.0}
    assert isinstance(n, int)
    return {"square": x**2 + 100 * flap, "wave": n * size * np.arange(3.0)}


@sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
def noisy(x, seed):
    return {"y": x + np.random.default_rng(seed).normal()}


POINT = {"x": 0.5, "mode": "ok", "n": 3, "size": 2, "flap": True}


@pytest.fixture(scope="module")
def server():
    with sg.UMBridgeServer([mixed, noisy], port=0) as running:
        yield running


@pytest.fixture
def remote(server):
    return sg.UMBridgeSimulator(server.url, "mixed", space=SPACE, outputs=mixed.outputs)


def ask(server, path, body=None, **headers):
    """Status and answer of a raw request."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    content = body if body is None or isinstance(body, bytes) else json.dumps(body)
    connection.request("GET" if body is None else "POST", f"/{path}", content, headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def error_of(reply):
    status, answer = reply
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"type", "message"}
    return status, answer["error"]["type"], answer["error"]["message"]


# Ours with ours


def test_every_type_of_parameter_and_output_through_the_wire(remote):
    answer = remote(**POINT)
    assert answer["square"] == 100.25
    np.testing.assert_array_equal(answer["wave"], [0, 6, 12])
    runs = sg.run(remote, sg.sobol(SPACE, 16, rng=0).assign(mode="ok"), n_jobs=2)
    for i in range(16):
        expected = mixed(**runs.inputs.iloc[i].to_dict())
        assert runs.outputs["square"].iloc[i] == expected["square"]
        np.testing.assert_array_equal(runs.series("wave").iloc[i], expected["wave"])


@pytest.mark.parametrize(
    ("mode", "status", "told"),
    [
        ("raise", "failed", "ModelError: ValueError: no square of 0.5"),
        ("exit", "failed", "ModelError: SystemExit: 3"),
        ("nan", "invalid", "InvalidOutput: output 'square' is nan"),
        ("missing", "invalid", "InvalidOutput: missing output 'wave'"),
    ],
)
def test_faults_of_the_model_reach_the_client(remote, mode, status, told):
    failure = sg.run(remote, [POINT | {"mode": mode}], n_jobs=0).failures.iloc[0]
    assert failure["status"] == status
    assert told in failure["error"]
    assert remote.url in failure["error"]


def test_seeds_reach_the_model(server):
    remote = sg.UMBridgeSimulator(server.url, "noisy", space=noisy.space, outputs=["y"], stochastic=True)
    assert remote(x=0.5, seed=7) == noisy(x=0.5, seed=7)
    assert sg.run(remote, [{"x": 0.5}] * 3, n_jobs=0, rng=0).outputs["y"].nunique() == 3
    without = {"name": "noisy", "input": [[0.5]], "config": {}}
    assert ask(server, "Evaluate", without) != ask(server, "Evaluate", without)


def test_simulators_with_levels_and_of_batches_are_served():
    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"], levels={0: 9, 1: 1})
    def levelled(x, level):
        return {"y": x + level}

    @sg.simulator(
        space=sg.Space(x=sg.Real(0, 1), mode=sg.Categorical(["ok", "short"])),
        outputs=["y", sg.Series("s", at=TIMES)],
        batch=10,
        levels={0: 9, 2: 1},
    )
    def batch(x, mode, seed, level):
        assert x.shape == mode.shape == seed.shape == (1,)
        rows = 1 if mode[0] == "ok" else 0
        return {"y": (x + seed + level)[:rows], "s": np.outer(x, TIMES)}

    with sg.UMBridgeServer([levelled, batch], port=0) as here:

        def evaluate(name, **config):
            return ask(here, "Evaluate", {"name": name, "input": [[0.5]], "config": config})

        assert evaluate("levelled") == (200, {"output": [[0.5]]})
        assert evaluate("levelled", level=1) == (200, {"output": [[1.5]]})
        told = error_of(evaluate("levelled", level=2))
        assert told == (400, "InvalidInput", "config: level must be one of [0, 1], got 2")
        assert evaluate("batch", mode="ok", seed=3, level=2) == (200, {"output": [[5.5], [0.0, 0.5, 1.0]]})
        assert error_of(evaluate("batch", mode="short"))[1:] == (
            "InvalidOutput",
            "output 'y' of a batch of 1 points has 0 rows",
        )


def test_faults_server_that_is_gone():
    with sg.UMBridgeServer(noisy, port=0) as running:
        url = running.url
    remote = sg.UMBridgeSimulator(url, "noisy", space=noisy.space, outputs=["y"], stochastic=True)
    failure = sg.run(remote, [{"x": 0.5}], n_jobs=0).failures.iloc[0]
    assert failure["status"] == "failed"
    assert f"no answer from {url}/Info: ConnectionRefusedError" in failure["error"]


def test_faults_server_that_hangs():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        remote = sg.UMBridgeSimulator(url, "m", space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
        runs = sg.run(remote, [{"x": 0.5}], n_jobs=1, timeout=0.5)
    assert runs.failures["status"].tolist() == ["timeout"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"model": "mxed"}, "no model 'mxed'; did you mean 'mixed'?"),
        ({"space": sg.Space(x=sg.Real(0, 1))}, r"takes vectors of sizes \[3\], but inputs are \['x'\]"),
        (
            {"inputs": [["x", "n"], ["size"]]},
            r"takes vectors of sizes \[3\], but inputs are \[\['x', 'n'\], \['size'\]\]",
        ),
        ({"outputs": ["square"]}, r"gives vectors of sizes \[1, 3\], 4 numbers in all, but outputs are square \(1\)"),
    ],
)
def test_what_does_not_fit_the_server_is_told(server, change, problem):
    arguments = {"model": "mixed", "space": SPACE, "outputs": mixed.outputs} | change
    remote = sg.UMBridgeSimulator(server.url, arguments.pop("model"), **arguments)
    with pytest.raises(sg.SimulatorError, match=problem):
        remote(**{name: POINT[name] for name in remote.space})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"url": "127.0.0.1:4242"}, "url must look like"),
        ({"outputs": []}, "at least one output"),
        ({"outputs": ["a", "a"]}, "differ"),
        ({"inputs": [["y"]]}, "no parameter 'y'"),
        ({"inputs": [["mode"]]}, "'mode' is no number"),
        ({"inputs": [["x"], ["x"]]}, "stands in two places"),
        ({"config": {"mode": "ok"}}, "set in config and varied by a parameter"),
        ({"space": "x"}, "space must be a Space"),
    ],
)
def test_wrong_arguments_are_told(change, problem):
    arguments = {"url": "http://127.0.0.1:1", "model": "m", "space": SPACE, "outputs": ["y"]} | change
    with pytest.raises((ValueError, TypeError), match=problem):
        sg.UMBridgeSimulator(arguments.pop("url"), arguments.pop("model"), **arguments)


def test_a_changed_configuration_is_another_question():
    def version(**config):
        return sg.UMBridgeSimulator("http://h", "m", space=SPACE, outputs=["y"], config=config).version

    assert version() != version(level=1) != version(level=2)
    assert version(level=1) == version(level=1)


# The reference client with our server


@pytest.fixture(scope="module")
def umbridge():
    return pytest.importorskip("umbridge", reason="the umbridge package is not installed")


def test_the_reference_client_is_answered(server, umbridge):
    assert umbridge.supported_models(server.url) == ["mixed", "noisy"]
    model = umbridge.HTTPModel(server.url, "mixed")
    assert model.get_input_sizes() == [3]
    assert model.get_output_sizes() == [1, 3]
    assert model.supports_evaluate()
    assert not any([model.supports_gradient(), model.supports_apply_jacobian(), model.supports_apply_hessian()])
    assert model([[0.5, 3, 2]], {"mode": "ok", "flap": False}) == [[0.25], [0.0, 6.0, 12.0]]


@pytest.mark.parametrize(
    ("inputs", "config", "told"),
    [
        ([[0.5, 3, 2]], {"mode": "raise", "flap": True}, "ModelError: ValueError: no square of 0.5"),
        ([[0.5, 3, 2]], {"mode": "nan", "flap": True}, "InvalidOutput: output 'square' is nan"),
        ([[0.5, 3, 2]], {"mode": "missing", "flap": True}, "InvalidOutput: missing output 'wave'"),
        ([[0.5, 3]], {"mode": "ok", "flap": True}, r"InvalidInput: input must have vectors of sizes [3]"),
        ([[0.5, 3, 2], [1]], {"mode": "ok", "flap": True}, "InvalidInput: input must have vectors of sizes [3]"),
        ([[5, 3, 2]], {"mode": "ok", "flap": True}, "'x' = 5 is out of range; allowed: [0, 1]"),
        ([[0.5, 3.5, 2]], {"mode": "ok", "flap": True}, "InvalidInput"),
        ([[0.5, 3, 3]], {"mode": "ok", "flap": True}, "'size' = 3 is not allowed; allowed: one of 1, 2, 4"),
        ([[0.5, 3, None]], {"mode": "ok", "flap": True}, "InvalidInput"),
        ([["half", 3, 2]], {"mode": "ok", "flap": True}, "InvalidInput"),
        ([[0.5, 3, 2]], {"flap": True}, "config must hold 'mode', one of 'ok', 'raise'"),
        ([[0.5, 3, 2]], {"mode": "ok", "flap": True, "mod": 1}, "config holds 'mod'; did you mean 'mode'?"),
    ],
)
def test_the_reference_client_is_told_what_is_wrong(server, umbridge, inputs, config, told):
    # Against the reference server a model's exception, and NaN, both end in a JSONDecodeError.
    with pytest.raises(Exception, match="Model returned error of type") as caught:
        umbridge.HTTPModel(server.url, "mixed")(inputs, config)
    assert told in str(caught.value)


# The protocol


def test_conformity(server):
    """What the protocol's own conformity tests ask for (UM-Bridge, testing/protocol_conformity_1.0)."""
    assert ask(server, "Info") == (200, {"protocolVersion": 1.0, "models": ["mixed", "noisy"]})
    support = {"Evaluate": True, "Gradient": False, "ApplyJacobian": False, "ApplyHessian": False}
    assert ask(server, "ModelInfo", {"name": "mixed"}) == (200, {"support": support})
    assert ask(server, "InputSizes", {"name": "mixed"}) == (200, {"inputSizes": [3]})
    assert ask(server, "OutputSizes", {"name": "mixed", "config": {}}) == (200, {"outputSizes": [1, 3]})
    for what in ("Evaluate", "Gradient", "InputSizes", "ModelInfo"):
        assert error_of(ask(server, what, {"name": "wrong"}))[:2] == (400, "ModelNotFound")
    for what in ("Gradient", "ApplyJacobian", "ApplyHessian"):
        assert error_of(ask(server, what, {"name": "mixed"}))[:2] == (400, "UnsupportedFeature")
    status, answer = ask(server, "Evaluate", {"name": "noisy", "input": [[0.5]]})
    assert status == 200
    assert set(answer) == {"output"}
    assert error_of(ask(server, "Evaluate", {"name": "noisy", "input": [[0.5, 0.5]]}))[:2] == (400, "InvalidInput")
    assert error_of(
        ask(server, "Evaluate", {"name": "mixed", "input": [[0.5, 3, 2]], "config": {"mode": "raise", "flap": True}})
    )[:2] == (500, "ModelError")


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("Evaluate", b"{", (400, "InvalidInput")),
        ("Evaluate", b"\xff", (400, "InvalidInput")),
        ("Evaluate", b"[1]", (400, "InvalidInput")),
        ("Evaluate", b"{}", (400, "ModelNotFound")),
        ("Evaluate", {"name": ["mixed"]}, (400, "ModelNotFound")),
        ("Evaluate", {"name": "noisy"}, (400, "InvalidInput")),
        ("Evaluate", {"name": "noisy", "input": [0.5]}, (400, "InvalidInput")),
        ("Evaluate", {"name": "noisy", "input": [[0.5]], "config": 3}, (400, "InvalidInput")),
        ("Evaluate", {"name": "noisy", "input": [[0.5]], "config": {"seed": -1}}, (400, "InvalidInput")),
        ("Evaluate", None, (404, "NotFound")),
        ("Elsewhere", {"name": "mixed"}, (404, "NotFound")),
    ],
)
def test_requests_that_make_no_sense(server, path, body, told):
    assert error_of(ask(server, path, body))[:2] == told


def test_web_pages_cannot_run_simulators(server):
    assert ask(server, "Info", Origin="http://elsewhere.example")[0] == 403


def test_a_request_without_end_is_refused(server):
    assert ask(server, "Evaluate", b"", **{"Content-Length": str(1 << 40)})[0] == 413


def test_only_the_loopback_interface_is_bound(server):
    port = int(server.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)):
        pass
    # Another of the loopback's addresses: a server on all interfaces would answer here.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port))
    with pytest.raises(OSError, match=f"cannot listen on port {port} of 127.0.0.1"):
        sg.UMBridgeServer(noisy, port=port)


def test_a_connection_that_outlives_the_server_is_answered_no_more():
    with sg.UMBridgeServer(noisy, port=0) as running:
        connection = http.client.HTTPConnection(running.url.removeprefix("http://"))
        connection.request("GET", "/Info")
        assert connection.getresponse().read()
    connection.request("GET", "/Info")
    assert connection.getresponse().status == 503
    connection.close()


def test_what_is_served_must_be_simulators():
    with pytest.raises(TypeError, match="must be simulators"):
        sg.UMBridgeServer(lambda x: x, port=0)
    with pytest.raises(ValueError, match="different names"):
        sg.UMBridgeServer([noisy, noisy], port=0)
    with pytest.raises(ValueError, match="n_jobs"):
        sg.UMBridgeServer(noisy, port=0, n_jobs=0)


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_so_many_evaluations_at_a_time_and_no_more(n_jobs):
    running, most, lock = [0], [0], threading.Lock()

    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
    def counted(x):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.1)
        with lock:
            running[0] -= 1
        return {"y": x}

    with sg.UMBridgeServer(counted, port=0, n_jobs=n_jobs) as here, ThreadPoolExecutor(6) as clients:
        remote = sg.UMBridgeSimulator(here.url, "counted", space=counted.space, outputs=["y"])
        answers = list(clients.map(lambda i: remote(x=i / 10)["y"], range(6)))
    assert answers == [i / 10 for i in range(6)]
    assert most[0] == n_jobs


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_faults_stopped_server_ends_what_it_has_in_hand(tmp_path, number):
    script = tmp_path / "serve.py"
    script.write_text(
        textwrap.dedent("""
        import sys
        import time
        import surrogate as sg

        @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
        def slow(x):
            print("begun", flush=True)
            time.sleep(1)
            return {"y": x}

        sg.serve_umbridge(slow, int(sys.argv[1]))
        """)
    )
    port = free_port()
    with subprocess.Popen(
        [sys.executable, script, str(port)], stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        wait_for(port)
        url = f"http://127.0.0.1:{port}"
        remote = sg.UMBridgeSimulator(url, "slow", space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
        with ThreadPoolExecutor(1) as client:
            answer = client.submit(remote, x=0.5)
            assert process.stdout.readline() == "begun\n"
            process.send_signal(number)
            assert answer.result(timeout=10) == {"y": 0.5}
        assert process.wait(timeout=5) == 0


# Our client with the reference server


@pytest.fixture(scope="module")
def reference(umbridge):
    port = free_port()
    script = Path(__file__).with_name("reference_server.py")
    process = subprocess.Popen(
        [sys.executable, script, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(port)
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


ABC = sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1), c=sg.Real(0, 1))


def test_the_reference_server_is_asked(reference):
    def remote(outputs, **options):
        return sg.UMBridgeSimulator(reference, "mixed", space=ABC, outputs=outputs, **options)

    point = {"a": 0.1, "b": 0.2, "c": 0.3}
    assert remote(["s", "t", "u"])(**point) == {"s": 0.1 + 2.0 + 30.0, "t": 0.3, "u": 0.3}
    # Vectors in another order, and a size that depends on the configuration.
    turned = remote(["s", sg.Series("t", at=[0, 1, 2])], inputs=[["c", "b"], ["a"]], config={"length": 3})
    answer = turned(**point)
    assert answer["s"] == 0.3 + 2.0 + 10.0
    np.testing.assert_array_equal(answer["t"], [0.1] * 3)


def test_a_configuration_can_be_varied(reference):
    space = sg.Space({**ABC, "length": sg.Integer(2, 3)})
    remote = sg.UMBridgeSimulator(reference, "mixed", space=space, outputs=["s", "t", "u"], inputs=[["a", "b"], ["c"]])
    assert remote(a=0, b=0, c=1, length=2)["u"] == 1
    # Three more numbers than outputs, under this configuration only.
    with pytest.raises(sg.SimulatorError, match=r"gives vectors of sizes \[1, 3\], 4 numbers in all"):
        remote(a=0, b=0, c=1, length=3)


@pytest.mark.parametrize(
    ("config", "status", "told"),
    [
        (
            {"mode": "raise"},
            "failed",
            "answered HTTP 500 and no UM-Bridge message, the reason may be in the server's own",
        ),
        ({"mode": "nan"}, "invalid", "output 't' is nan; output 'u' is -inf"),
        ({"mode": "length"}, "invalid", "InvalidOutput: Output vector 1 has invalid length"),
    ],
)
def test_faults_of_a_model_on_the_reference_server(reference, config, status, told):
    remote = sg.UMBridgeSimulator(reference, "mixed", space=ABC, outputs=["s", "t", "u"], config=config)
    failure = sg.run(remote, [{"a": 0.1, "b": 0.2, "c": 0.3}], n_jobs=0).failures.iloc[0]
    assert failure["status"] == status
    assert told in failure["error"]


def test_a_model_without_evaluation_is_told(reference):
    remote = sg.UMBridgeSimulator(reference, "silent", space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
    with pytest.raises(sg.SimulatorError, match="does not support evaluation"):
        remote(x=0.5)


def test_numbers_that_python_servers_write():
    assert _loads('{"a": [1, -inf, inf]}') == {"a": [1, -np.inf, np.inf]}
    assert _loads('{"finance": "nan"}') == {"finance": "nan"}
    assert _loads("<html>") is None
