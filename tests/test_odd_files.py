"""Files of weights, embeddings and tables that are odd, huge or no files: one line that names the file, at once."""

import io
import json
import os
import random
import struct
import time
import warnings
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from blindlib import audit
from blindlib.backbones import vggface2
from blindlib.backbones.compactnet import WEIGHTS, load_compactnet
from blindlib.backbones.vggface2 import load_imagenet, load_vggface2
from blindlib.blinders import LEACE, SensitiveNets
from blindlib.cli import app
from blindlib.common.errors import InputError
from blindlib.data.checks import read_table
from blindlib.inspection import read, reading
from blindlib.inspection.hide import load_head
from blindlib.inspection.reading import check, scan
from blindlib.settings import SensitiveNetsSettings

RNG = np.random.default_rng(0)
X, WHO = RNG.normal(size=(180, 6)).astype(np.float32), np.repeat(np.arange(60), 3)
MOOD = np.array(["a", "b"])[np.arange(180) % 2]
NUMBERED = pd.DataFrame({"identity": WHO, "mood": MOOD}).join(pd.DataFrame(X).add_prefix("x"))
PLACES = {
    "a pipe": os.mkfifo,
    "a device": lambda p: p.symlink_to("/dev/zero"),
    "a folder": lambda p: p.mkdir(),
    "empty": lambda p: p.touch(),
    "absent": lambda p: None,
}


def refused(work, path, words="", seconds=10):
    """The message of the InputError, which came soon and names the file in one line."""
    start = time.monotonic()
    with pytest.raises(InputError) as error:
        work(path)
    message = str(error.value)
    assert time.monotonic() - start < seconds, message
    assert message.startswith(str(path)) and "\n" not in message and len(message.rsplit("→")[-1]) > 5, message
    assert words in message, message
    return message


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def header(shape, kind="<f4"):
    """The start of an .npy file that promises such an array."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}".encode()
    text += b" " * (63 - (len(text) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def zipped(*members, kind=zipfile.ZIP_STORED):
    def write(path):
        with zipfile.ZipFile(path, "w", kind) as opened, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a name twice
            for name, content in members:
                opened.writestr(name, content)

    return write


def safetensors(text, payload=b""):
    text = text.encode()
    return lambda path: path.write_bytes(struct.pack("<Q", len(text)) + text + payload)


FLOATS = json.dumps({"dtype": "F32", "shape": [180, 6], "data_offsets": [0, 4320]})
TERABYTES = json.dumps({"x": {"dtype": "F32", "shape": [1 << 30, 1024], "data_offsets": [0, 1 << 42]}})
GOOD = {
    "npz": lambda p: np.savez(p, x=X, identity=WHO, mood=MOOD),
    "npy": lambda p: np.save(p, X),
    "safetensors": lambda p: save_file({"x": torch.tensor(X), "identity": torch.tensor(WHO)}, p),
    "parquet": NUMBERED.to_parquet,
}
ODD = {  # kind, what is odd -> how to make it, words of the message
    ("npz", "promises 4 TB"): (zipped(("x.npy", header((1 << 30, 1024)))), "does not read"),
    ("npz", "promises long words"): (
        zipped(("x.npy", npy(X)), ("identity.npy", header((1 << 30,), "<U9999"))),
        "does not read",
    ),
    ("npz", "an array twice"): (zipped(("x.npy", npy(X)), ("x.npy", npy(-X))), "two arrays of one name"),
    ("npz", "text among arrays"): (zipped(("x.npy", npy(X)), ("readme.txt", b"hello")), "is no array"),
    ("npz", "bomb"): (
        zipped(("x.npy", header((1 << 22, 4)) + bytes(1 << 26)), kind=zipfile.ZIP_DEFLATED),
        "would take 67,",
    ),
    ("npz", "broken header"): (zipped(("x.npy", header("((((("))), "does not read"),
    ("npy", "promises 4 TB"): (lambda p: p.write_bytes(header((1 << 30, 1024))), "no plain array"),
    ("npy", "broken header"): (lambda p: p.write_bytes(header("(((((")), "no plain array"),
    ("npy", "scalar"): (lambda p: np.save(p, np.float32(3)), "no 'identity'"),
    ("safetensors", "promises 4 TB"): (safetensors(TERABYTES), "does not read"),
    ("safetensors", "a header of 4 TB"): (lambda p: p.write_bytes(struct.pack("<Q", 1 << 42) + b"{}"), "not read"),
    ("safetensors", "a tensor twice"): (safetensors(f'{{"x":{FLOATS},"x":{FLOATS}}}', X.tobytes()), "twice"),
    ("safetensors", "nests too deep"): (safetensors('{"x":' + "[" * 100_000), "nests too deep"),
    ("safetensors", "text"): (safetensors('{"x": "hello"}'), "does not read"),
    ("parquet", "rows of nothing"): (
        lambda p: pd.DataFrame({"x0": np.zeros(1 << 23), "x1": np.zeros(1 << 23)}).to_parquet(p),
        "would take 134,",
    ),
    ("parquet", "ragged lists"): (
        lambda p: pd.DataFrame({"x": [[1.0], [1.0, 2.0]], "identity": [1, 2]}).to_parquet(p),
        "does not read",
    ),
} | {(kind, place): (make, "") for kind in GOOD for place, make in PLACES.items()}


@pytest.mark.parametrize("case", ODD, ids=" ".join)
def test_odd_embeddings_are_refused(tmp_path, case, monkeypatch):
    monkeypatch.setattr(reading, "ROOM", 1 << 24, raising=False)
    path = tmp_path / f"a.{case[0]}"
    ODD[case][0](path)
    refused(read, path, ODD[case][1])


def test_the_same_name_twice_in_parquet_is_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    arrays, names = [pa.array(WHO), pa.array(X[:, 0]), pa.array(X[:, 1]), pa.array(X[:, 2])], ["identity", "x0", "x1"]
    pq.write_table(pa.Table.from_arrays(arrays, names=[*names, "x0"]), tmp_path / "a.parquet")
    refused(read, tmp_path / "a.parquet", "two arrays of one name")


def test_big_endian_and_half_precision_read_as_the_others_do(tmp_path):
    table = tmp_path / "a.csv"
    NUMBERED[["identity", "mood"]].to_csv(table, index=False)
    half = X.astype(np.float16)
    np.savez(tmp_path / "a.npz", x=half.astype(">f4"), identity=WHO.astype(">i8"), mood=MOOD)
    np.save(tmp_path / "a.npy", half.astype(">f8"))
    save_file({"x": torch.tensor(half)}, tmp_path / "a.safetensors")
    said = []
    for name in ("a.npz", "a.npy", "a.safetensors"):
        given = read(tmp_path / name, None if name == "a.npz" else table)
        said.append(audit(**given, attackers=("linear",), progress=False).readings.to_csv())
    assert said[0] == said[1] == said[2]


def test_what_is_finite_in_double_precision_alone_is_refused():
    x = X.astype(np.float64)
    x[3, 2] = 1e300
    with pytest.raises(InputError, match="row 3, counted from 0, holds NaN or infinity in single precision"):
        scan(x)
    assert scan(X) == 0


@pytest.mark.parametrize("kind", GOOD)
def test_damaged_embeddings_raise_nothing_foreign(tmp_path, kind):
    rng, path, raised = random.Random(17), tmp_path / f"a.{kind}", 0
    GOOD[kind](path)
    whole = path.read_bytes()
    for n in range(150):
        data = bytearray(whole)
        if n % 3 == 0:
            del data[rng.randrange(len(data)) :]
        start = max(0, len(data) - 600) if n % 2 else 0
        for _ in range(rng.choice((1, 3, 9)) if data else 0):
            data[rng.randrange(start, min(len(data), start + 600))] = rng.randrange(256)
        path.write_bytes(data)
        try:
            given = read(path)
            check(**given)
            scan(given["x"])
        except InputError as error:
            raised += "\n" not in str(error)
    assert raised > 40


TABLES = {
    "commas": (b"," * 10_000_000, ":1: has more than 1,024 columns"),
    "a row of commas": (b"identity,mood\n" + b"," * 10_000_000, ":2: has more than 1,024 columns"),
    "a quoted header": (b'"\n"' + b',"\n"' * 4_000 + b"\n1", "columns in"),
    "wide and short": (b",".join(b"c%d" % n for n in range(999)) + b"\n" + b"1\n" * 100_000, "cells at most"),
    "blank lines": (b"identity,mood\n" + b"\n" * 5_000_000, "lines, 3,000,000 at most"),
    "one open quote": (b'identity,mood\n"' + b"a" * 2_000_000, "does not read as a table"),
    "a column twice": (b"identity,mood,mood\n1,2,3\n", ":1: has two columns of one name"),
    "Latin-1": (b"identity,mood\n\xe9,a\n", "is not UTF-8"),
    **{place: (make, "") for place, make in PLACES.items()},
}


@pytest.mark.parametrize("reader", ["labels", "list"])
@pytest.mark.parametrize("case", TABLES)
def test_odd_tables_are_refused(tmp_path, case, reader):
    make, words = TABLES[case]
    make(tmp_path / "a.csv") if callable(make) else (tmp_path / "a.csv").write_bytes(make)
    np.save(tmp_path / "a.npy", X)
    if reader == "labels":
        refused(lambda path: read(tmp_path / "a.npy", path), tmp_path / "a.csv", words)
    else:
        refused(lambda path: read_table(path, "a table", ["identity"], "check it"), tmp_path / "a.csv", words)


def resnet50(change=lambda state: None, classifier=False):
    """ResNet-50's state dict by torchvision's names, small in the file: each tensor is one number, repeated."""

    def write(path):
        with torch.device("meta"):
            shapes = vggface2.ImageNetResNet50(vggface2.Bottleneck, vggface2._BLOCKS).state_dict()
        state = {n: torch.full((1,) * v.ndim, 0.5).to(v.dtype).expand(v.shape) for n, v in shapes.items()}
        if not classifier:
            del state["fc.weight"], state["fc.bias"]
        change(state)
        torch.save(state, path)

    return write


def put(name, value, classifier=False):
    return resnet50(lambda state: state.__setitem__(name, value), classifier)


def huge_h5(path):
    """A file of Keras' layout whose only kernel says that it has 4 TB, of which none are written."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"conv1/7x7_s2"])
        layer = file.create_group("conv1/7x7_s2")
        layer.attrs["weight_names"] = np.array([b"conv1/7x7_s2/kernel:0"])
        layer.create_dataset("conv1/7x7_s2/kernel:0", (1 << 20, 1 << 20), "f4", chunks=(1024, 1024))


KERNEL, VARIANCE = "conv1.weight", "bn1.running_var"
NETWORKS = {  # loader, what is odd -> how to make it, words of the message
    ("pth", "integer keys"): (lambda p: torch.save({1: torch.zeros(1), "fc6": torch.zeros(1)}, p), "state dict"),
    ("pth", "strings"): (lambda p: torch.save({"conv1.weight": "x"}, p), "state dict"),
    ("pth", "a list"): (lambda p: torch.save([torch.zeros(1)], p), "state dict"),
    ("pth", "scalar classifier"): (
        lambda p: torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7), "fc.bias": torch.tensor(1.0)}, p),
        "a network of 1 classes",
    ),
    ("pth", "integer weights"): (put(KERNEL, torch.zeros(64, 3, 7, 7, dtype=torch.int32)), "holds int32"),
    ("pth", "complex weights"): (put(KERNEL, torch.zeros(64, 3, 7, 7, dtype=torch.complex64)), "holds complex64"),
    ("pth", "sparse weights"): (put(KERNEL, torch.zeros(64, 3, 7, 7).to_sparse()), "not dense"),
    ("pth", "NaN"): (put(KERNEL, torch.full((64, 3, 7, 7), torch.nan)), "NaN or infinity"),
    ("pth", "too large for single precision"): (
        put(KERNEL, torch.full((64, 3, 7, 7), 1e300, dtype=torch.float64)),
        "NaN or infinity",
    ),
    ("pth", "a negative variance"): (put(VARIANCE, torch.full((64,), -1.0)), "a variance below 0"),
    ("pth", "wrong shape"): (put(KERNEL, torch.zeros(64, 3, 3, 3)), "(64, 3, 3, 3)"),
    ("pth", "bomb"): (zipped(("a/data.pkl", bytes(1 << 25)), kind=zipfile.ZIP_DEFLATED), "bytes of memory"),
    ("h5", "promises 4 TB"): (huge_h5, "bytes of memory"),
    ("h5", "strings"): (lambda p: h5py.File(p, "w").close(), "not Keras"),
    ("safetensors", "promises 4 TB"): (safetensors(TERABYTES), "does not read"),
    ("safetensors", "a tensor twice"): (safetensors(f'{{"x":{FLOATS},"x":{FLOATS}}}', X.tobytes()), "twice"),
    ("imagenet", "NaN"): (put(KERNEL, torch.full((64, 3, 7, 7), torch.nan), True), "NaN or infinity"),
    ("imagenet", "integer weights"): (put(KERNEL, torch.zeros(64, 3, 7, 7, dtype=torch.int32), True), ""),
    ("imagenet", "complex weights"): (put(KERNEL, torch.zeros(64, 3, 7, 7, dtype=torch.complex64), True), "complex64"),
    ("imagenet", "a negative variance"): (put(VARIANCE, torch.full((64,), -1.0), True), "a variance below 0"),
    ("imagenet", "integer keys"): (lambda p: torch.save({1: torch.zeros(1)}, p), "state dict"),
    ("compactnet", "text"): (safetensors('{"x": "hello"}'), "does not read"),
    ("compactnet", "strange names"): (lambda p: save_file({"x": torch.zeros(1)}, p), "does not hold"),
    ("compactnet", "NaN"): (lambda p: spoil_compactnet(p, torch.nan), "NaN or infinity"),
    ("compactnet", "integer weights"): (lambda p: spoil_compactnet(p, 1, torch.int64), "holds int64"),
} | {
    (kind, place): (make, "")
    for kind in ("pth", "h5", "safetensors", "imagenet", "compactnet")
    for place, make in PLACES.items()
}
LOAD = {"imagenet": load_imagenet, "compactnet": load_compactnet}


def spoil_compactnet(path, value, dtype=torch.float32):
    from safetensors.torch import load_file

    state = load_file(WEIGHTS)
    save_file({**state, "stem.0.weight": torch.full(state["stem.0.weight"].shape, value, dtype=dtype)}, path)


@pytest.mark.parametrize("case", NETWORKS, ids=" ".join)
def test_odd_weights_are_refused(tmp_path, case, monkeypatch):
    if case[1] == "bomb":
        monkeypatch.setattr("blindlib.common.tensors.LIMIT", 1 << 24)
    kind = case[0]
    path = tmp_path / f"a.{'pth' if kind == 'imagenet' else 'safetensors' if kind == 'compactnet' else kind}"
    NETWORKS[case][0](path)
    refused(LOAD.get(kind, load_vggface2), path, NETWORKS[case][1])
    assert sorted(tmp_path.iterdir()) in ([], [path]), "nothing else is left"


def test_sound_weights_load_still(tmp_path):
    resnet50(classifier=True)(tmp_path / "a.pth")
    assert load_imagenet(tmp_path / "a.pth").conv1.weight[0, 0, 0, 0] == 0.5
    resnet50()(tmp_path / "a.pth")
    assert load_vggface2(tmp_path / "a.pth").conv1.weight[0, 0, 0, 0] == 0.5
    assert load_compactnet().stem[0].weight.isfinite().all()


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads")
    settings = SensitiveNetsSettings(
        hidden=8, rounds=1, head_steps=2, detector=(4,), identities=8, per_class=8, strengths=(0.0, 1.0)
    )
    SensitiveNets(settings=settings, device="cpu").fit(X, MOOD, identity=WHO).save(folder / "sn")
    LEACE().fit(X, MOOD).save(folder / "leace")
    return {name: ((folder / f"{name}.safetensors"), (folder / f"{name}.json")) for name in ("sn", "leace")}


def described(**changes):
    return lambda weights, text: text.write_text(json.dumps(json.loads(text.read_text()) | changes))


def weighed(change):
    def write(weights, text):
        from safetensors.torch import load_file

        save_file({name: change(value) for name, value in load_file(weights).items()}, weights)

    return write


HEADS = {
    "NaN": weighed(lambda value: torch.full_like(value, torch.nan)),
    "integer weights": weighed(lambda value: value.long()),
    "scalars": weighed(lambda value: torch.tensor(1.0)),
    "a pipe": lambda weights, text: (weights.unlink(), os.mkfifo(weights)),
    "a pipe of JSON": lambda weights, text: (text.unlink(), os.mkfifo(text)),
    "a device of JSON": lambda weights, text: (text.unlink(), text.symlink_to("/dev/zero")),
    "JSON that nests": lambda weights, text: text.write_text('{"class": ' + "[" * 200_000),
    "JSON, a list": lambda weights, text: text.write_text("[]"),
    "JSON, a key twice": lambda weights, text: text.write_text('{"class": "SensitiveNets",' + text.read_text()[1:]),
    "JSON of 70 MB": lambda weights, text: text.write_text(text.read_text() + " " * 70_000_000),
    "a class that is a list": described(**{"class": []}),
    "features, text": described(features="six"),
    "features, others": described(features=7),
    "no parameters": described(parameters=[]),
    "strange parameters": described(parameters={"os": 1}),
    "strengths, none": described(strengths=None, classes=None, parameters=None),
}


@pytest.mark.parametrize("name", ["sn", "leace"])
@pytest.mark.parametrize("case", HEADS)
def test_odd_heads_are_refused(tmp_path, heads, name, case):
    for file in heads[name]:
        (tmp_path / f"head{file.suffix}").write_bytes(file.read_bytes())
    HEADS[case](tmp_path / "head.safetensors", tmp_path / "head.json")
    with pytest.raises(InputError) as error:
        load_head(tmp_path / "head")
    message = str(error.value)
    assert message.startswith(str(tmp_path / "head.")) and "\n" not in message and "→" in message


def test_sound_heads_load_still(heads):
    assert np.isfinite(load_head(heads["sn"][0]).transform(X)).all()
    assert np.isfinite(load_head(heads["leace"][0]).transform(X)).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--size", "100000"), "size: is 100000 → use a multiple of 8, from 8 to 1024"),
        (("--size", "0"), "size: is 0"),
        (("--size", "-8"), "size: is -8"),
        (("--size", "30"), "size: is 30"),
        (("--device", "x"), "device: 'x' is not here → use cpu"),
        (("--device", "meta"), "device: 'meta' is not here"),
        (("--device", "mps"), "device: 'mps' is not here"),
    ],
)
def test_rendering_of_a_size_or_on_a_device_that_there_is_not_is_refused(tmp_path, words, message):
    command = ["synth", "--out", str(tmp_path / "s"), "--identities", "1", "--images", "1", *words]
    done = CliRunner().invoke(app, command)
    assert isinstance(done.exception, InputError) and message in str(done.exception), done.exception
    assert list(tmp_path.iterdir()) == []
