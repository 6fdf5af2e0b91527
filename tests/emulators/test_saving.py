"""Emulators written to files and read back, and files that are refused."""

from __future__ import annotations

import io
import json
import os
import pickle
import runpy
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

import surrogate as sg
from surrogate.emulators import saving
from surrogate.emulators.saving import pack_parts, save_emulator, unpack_parts


def runs(n=40):
    x = np.random.default_rng(0).random((n, 3))
    return x, np.exp(np.sin(5 * x[:, 0]) + x[:, 1] ** 2)


NEW = np.random.default_rng(1).random((25, 3))

GAUSSIAN_PROCESSES = {
    "default": {},
    "noise": {"noise": "estimate"},
    "known noise": {"noise": 0.1},
    "quadratic": {"trend": "quadratic", "warp": "sqrt", "kernel": "squared_exponential"},
    "plain": {"anova": False, "hyper_uncertainty": False, "calibrate": False, "warp": None},
    "vecchia": {"approximation": "vecchia"},
}


def fitted(name="default"):
    return sg.GaussianProcess(**GAUSSIAN_PROCESSES[name]).fit(*runs())


@pytest.mark.parametrize("name", GAUSSIAN_PROCESSES)
def test_predictions_after_loading_are_the_same_bit_by_bit(name, tmp_path):
    gp = fitted(name)
    path = tmp_path / "gp.emulator"
    gp.save(path)
    back = sg.load_emulator(path)
    assert type(back) is sg.GaussianProcess
    assert back.get_params() == gp.get_params()
    for ours, theirs in zip(back.predict(NEW, return_std=True), gp.predict(NEW, return_std=True)):
        assert (ours == theirs).all()
    for ours, theirs in zip(back.gradient(NEW), gp.gradient(NEW)):
        assert (ours == theirs).all()
    assert (back.draws(NEW, 3, 0) == gp.draws(NEW, 3, 0)).all()
    assert_allclose(back.leave_one_out(), gp.leave_one_out(), rtol=0)
    public = {key for key in vars(gp) if key.endswith("_")}
    assert public == {key for key in vars(back) if key.endswith("_")}
    for key in public:
        assert np.array_equal(getattr(back, key), getattr(gp, key)), key
    x, y = NEW[:2], np.array([1.0, 2.0])
    noise = [0.1, 0.1] if name == "known noise" else None
    assert (back.update(x, y, noise_std=noise).predict(NEW) == gp.update(x, y, noise_std=noise).predict(NEW)).all()


def test_a_space_is_kept(tmp_path):
    space = sg.Space(a=sg.Real(0, 2), kind=sg.Categorical(["u", "v", "w"]))
    inputs = sg.latin_hypercube(space, 30, rng=0)
    gp = sg.GaussianProcess().fit(inputs, inputs["a"] + (inputs["kind"] == "v"), space=space)
    gp.save(tmp_path / "gp")
    back = sg.load_emulator(tmp_path / "gp")
    assert (back.predict(inputs) == gp.predict(inputs)).all()
    assert list(back.feature_names_in_) == ["a", "kind"]
    with pytest.raises(sg.InvalidInputError):
        back.predict(inputs.assign(kind="x"))


def test_saving_replaces_in_one_step_and_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "gp.emulator"
    gp = fitted()
    gp.save(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(saving.zipfile.ZipFile, "writestr", full)
    with pytest.raises(OSError, match="disk full"):
        gp.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["gp.emulator"]


def test_what_cannot_be_saved_is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        sg.GaussianProcess().save(tmp_path / "x")
    with pytest.raises(TypeError, match="a dict cannot be saved"):
        save_emulator({}, tmp_path / "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_a_file_has_the_mode_that_the_umask_allows(umask, tmp_path):
    before = os.umask(umask)
    try:
        fitted().save(tmp_path / "gp")
    finally:
        os.umask(before)
    assert (tmp_path / "gp").stat().st_mode & 0o777 == 0o666 & ~umask


def test_what_the_system_refuses_to_read_is_told_as_such(tmp_path):
    with pytest.raises(IsADirectoryError):
        sg.load_emulator(tmp_path)


def rewritten(path, **changes):
    """The file with its description, or an array, changed."""
    with zipfile.ZipFile(path) as old:
        contents = {name: old.read(name) for name in old.namelist()}
    description = json.loads(contents["emulator.json"])
    arrays = {key: value for key, value in changes.items() if key.endswith(".npy")}
    description |= {key: value for key, value in changes.items() if key not in arrays}
    contents |= {"emulator.json": json.dumps(description).encode()} | arrays
    with zipfile.ZipFile(path, "w") as new:
        for name, data in contents.items():
            new.writestr(name, data)
    return path


def test_foreign_damaged_and_newer_files_are_refused(tmp_path):
    path = tmp_path / "gp"
    gp = fitted()

    def refused(match):
        with pytest.raises(sg.EmulatorFileError, match=match):
            sg.load_emulator(path)

    path.write_text("hello")
    refused("is no emulator's file, or is damaged")
    with zipfile.ZipFile(path, "w") as other:
        other.writestr("emulator.json", "{}")
    refused("was not written by save")
    gp.save(path)
    rewritten(path, format_version=99)
    refused("has format 99, this version reads up to 1; install surrogate .* or newer")
    gp.save(path)
    rewritten(path, **{"class": "os.system"})
    refused("'os.system', which this version does not know")
    gp.save(path)
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    rewritten(path, **{"theta.npy": buffer.getvalue()})
    refused("array 'theta' differs from what was saved")
    gp.save(path)
    rewritten(path, facts={})
    refused("damaged")
    gp.save(path)
    path.write_bytes(path.read_bytes()[:-200])
    refused("damaged")
    with pytest.raises(FileNotFoundError):
        sg.load_emulator(tmp_path / "nowhere")


def test_no_file_can_smuggle_in_a_pickle(tmp_path):
    path = tmp_path / "gp"
    fitted().save(path)
    evil = io.BytesIO()
    np.save(evil, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    data = evil.getvalue()
    import hashlib

    with zipfile.ZipFile(path) as old:
        digests = json.loads(old.read("emulator.json"))["sha256"]
    rewritten(path, **{"theta.npy": data, "sha256": digests | {"theta": hashlib.sha256(data).hexdigest()}})
    with pytest.raises(sg.EmulatorFileError, match="Object arrays cannot be loaded"):
        sg.load_emulator(path)


@pytest.mark.parametrize("mapping", [False, True])
def test_parts_of_a_compound_emulator_are_packed_and_unpacked(mapping):
    parts = {"a": fitted(), "b": fitted("plain")}
    arrays, described = pack_parts(parts if mapping else list(parts.values()))
    assert json.loads(json.dumps(described)) == described
    back = unpack_parts(arrays, described)
    assert list(back) == ["a", "b"] if mapping else isinstance(back, list)
    for ours, theirs in zip(back.values() if mapping else back, parts.values()):
        assert (ours.predict(NEW) == theirs.predict(NEW)).all()


def test_emulators_can_be_pickled_too():
    gp = fitted()
    assert (pickle.loads(pickle.dumps(gp)).predict(NEW) == gp.predict(NEW)).all()


@pytest.mark.parametrize(
    "family", ["matern32", "matern52", "matern72", "squared_exponential", "rational_quadratic", "radial_matern52"]
)
@pytest.mark.parametrize("options", [{}, {"warp": "log", "trend": "quadratic"}, {"warp": "sqrt", "anova": False}])
def test_an_exported_file_predicts_the_same(family, options, tmp_path):
    gp = sg.GaussianProcess(kernel=family, nugget=1e-6, **options).fit(*runs())
    sg.export_python(gp, tmp_path / "emulator.py")
    predict = runpy.run_path(str(tmp_path / "emulator.py"))["predict"]
    mean, std = predict(NEW, return_std=True)
    ours, our_std = gp.predict(NEW, return_std=True)
    assert_allclose(mean, ours, rtol=1e-7)
    assert_allclose(std, our_std, rtol=1e-3)
    assert_allclose(predict(NEW.tolist()), mean)


def test_an_exported_file_needs_numpy_only_and_takes_mixed_inputs(tmp_path):
    space = sg.Space(
        rate=sg.Real(1e-3, 1, log=True),
        n=sg.Integer(1, 9),
        kind=sg.Categorical(["u", "v", "w"]),
        level=sg.Ordinal([1, 2, 5]),
        flag=sg.Categorical([True, False]),
    )
    inputs = sg.latin_hypercube(space, 60, rng=0)
    gp = sg.GaussianProcess().fit(inputs, np.log(inputs["rate"]) * inputs["n"] + inputs["level"], space=space)
    sg.export_python(gp, tmp_path / "emulator.py")
    new = sg.latin_hypercube(space, 5, rng=1)
    code = (
        "import sys; sys.modules['scipy'] = sys.modules['sklearn'] = sys.modules['surrogate'] = None\n"
        f"from emulator import predict; print(predict({new.to_dict('list')!r}).tolist())"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert_allclose(json.loads(out.stdout), gp.predict(new), rtol=1e-6)


def test_what_cannot_be_exported_is_refused(tmp_path):
    import scipy.stats

    with pytest.raises(TypeError, match="a dict cannot be exported"):
        sg.export_python({}, tmp_path / "x.py")
    with pytest.raises(ValueError, match="cannot be exported; use save"):
        sg.export_python(fitted("vecchia"), tmp_path / "x.py")
    space = sg.Space(gust=sg.Real.distributed(scipy.stats.norm(0, 1)))
    inputs = sg.latin_hypercube(space, 10, rng=0)
    gp = sg.GaussianProcess().fit(inputs, inputs["gust"] ** 2, space=space)
    with pytest.raises(ValueError, match="follows a distribution, which needs SciPy"):
        sg.export_python(gp, tmp_path / "x.py")
    assert not list(tmp_path.iterdir())
