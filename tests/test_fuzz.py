"""Every reader against damaged and random files: an answer, or one line that names the file; nothing foreign is raised.

Without more it is a fixed choice of cases, one minute at most. For an hour of others, from a seed of one's own:
`BLINDLIB_FUZZ_SECONDS=3600 BLINDLIB_FUZZ_SEED=7 python -m pytest tests/test_fuzz.py -m slow`; a failure says which seed
gives it again.
"""

import io
import json
import os
import re
import shutil
import struct
import tarfile
import time
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save

from blindlib.backbones import compactnet
from blindlib.backbones.vggface2 import load_imagenet, load_vggface2
from blindlib.blinders import LEACE, SensitiveNets
from blindlib.blinders.obliviator import Obliviator
from blindlib.common.errors import InputError, explain
from blindlib.data import download
from blindlib.data.checks import check_images
from blindlib.data.facetable import load_facetable, make_facetable
from blindlib.data.readers.lfw import load_lfw, read_pairs
from blindlib.data.source import LOADERS
from blindlib.data.splits import load_splits
from blindlib.evaluate.bootstrap import HITS, read_hits
from blindlib.evaluate.results import COLUMNS, load_results
from blindlib.inspection import read
from blindlib.inspection.hide import load_head
from blindlib.inspection.reading import check, scan
from blindlib.pipeline import code_key
from blindlib.presets import get_preset
from blindlib.report.compare import _read as read_table
from blindlib.settings import SensitiveNetsSettings

HOUR = float(os.environ.get("BLINDLIB_FUZZ_SECONDS", 0))
FIRST = int(os.environ.get("BLINDLIB_FUZZ_SEED", 0))
MINUTE = 20  # seconds for all readers together, with room for what they set up
EXAMPLES = 60
X = np.random.default_rng(0).normal(size=(48, 4)).astype(np.float32)
WHO, MOOD = np.repeat(np.arange(12), 4), np.tile([0, 1], 24)

# What stands in for a part of a file: bytes that are no text, numbers that are none, paths that lead out, other JSON.
WORDS = [
    *(b"", b"\0", b"\xe9", b"\xff\xfe", b"\xef\xbb\xbf", "²".encode(), "\u2028".encode(), b"\r", b"\n", b"\t", b" "),
    *(b"nan", b"NaN", b"inf", b"-Infinity", b"-1", b"0", b"1e400", b"1e30", 5000 * b"9", b"9" * 19, b"0x10", b"1_0"),
    *(b"..", b"../x", b"/etc/passwd", b"//", b"\\", b"~", b".", b"a\0b", 300 * b"x", b"CON", b"%s", b"{0}", b"{image}"),
    *(b",", b";", b'"', b"'", b'""', b",,,,", b"#", b"[]", b"{}", b"null", b"true", b'""', b"[[1]]", 3000 * b"["),
    *(b"(", 3000 * b"-", b"lambda", b"__import__", b"None", b"F16", b"BOOL", b"I64", b"|O", b">f4", b"<U5", b"c16"),
]
payload = st.sampled_from(WORDS) | st.binary(max_size=12)
place = st.floats(0, 1, exclude_max=True)
KINDS = ("word", "line", "cut", "put", "drop", "again", "flip", "swap")
edit = st.tuples(st.sampled_from(KINDS), place, place, payload)
edits = st.lists(edit, max_size=4)


def damaged(data: bytes, changes: list) -> bytes:
    """Bytes after some edits: a word, a line or a byte replaced, a slice cut out, put in or repeated."""
    for kind, first, second, word in changes:
        at, size = int(first * len(data)), 1 + int(second**3 * 64)
        if kind == "word":
            found = list(re.finditer(rb"[\w.~+-]+", data[:100_000]))
            if found:
                match = found[int(first * len(found))]
                data = data[: match.start()] + word + data[match.end() :]
        elif kind == "line":
            lines = data.split(b"\n")
            lines[int(first * len(lines))] = word
            data = b"\n".join(lines)
        elif kind == "swap":
            lines = data.split(b"\n")
            a, b = int(first * len(lines)), int(second * len(lines))
            lines[a], lines[b] = lines[b], lines[a]
            data = b"\n".join(lines)
        elif kind == "flip" and data:
            data = data[:at] + bytes([data[at] ^ (1 << int(8 * second))]) + data[at + 1 :]
        else:
            new = {"cut": data[:at], "put": data[:at] + word + data[at:], "drop": data[:at] + data[at + size :]}
            data = new.get(kind, data[:at] + data[at : at + size] + data[at:])
    return data


def plain(data: bytes, changes: list) -> bytes:
    return damaged(data, changes)


def in_safetensors(data: bytes, changes: list) -> bytes:
    """The edits in the header, whose length is told anew."""
    (size,) = struct.unpack("<Q", data[:8])
    header = damaged(data[8 : 8 + size], changes)
    return struct.pack("<Q", len(header)) + header + data[8 + size :]


def in_zip(data: bytes, changes: list) -> bytes:
    """The edits in the last member of a zip or npz, whose checksum is told anew."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        *names, last = old.namelist()
        for name in names:
            new.writestr(name, old.read(name))
        new.writestr(last, damaged(old.read(last), changes))
    return out.getvalue()


def in_frame(data: bytes, changes: list) -> bytes:
    """The edits in a table: a column dropped, repeated as another, or filled with what it does not hold."""
    frame = pd.read_parquet(io.BytesIO(data))
    for kind, first, second, word in changes:
        if not frame.shape[1]:
            break
        name, other = (frame.columns[int(at * frame.shape[1])] for at in (first, second))
        if kind in ("cut", "drop"):
            frame = frame.drop(columns=name) if kind == "drop" else frame.iloc[: int(second * len(frame))]
        elif kind == "again":
            frame[name] = frame[other].to_numpy()
        elif kind == "swap":
            frame = frame.rename(columns={name: word.decode("latin-1")})
        elif kind == "flip":
            frame.attrs = {**frame.attrs, str(name): word.decode("latin-1")}
        else:
            values = {"word": word.decode("latin-1"), "line": None, "put": -1}
            frame[name] = pd.Series([values[kind]] * len(frame), index=frame.index, dtype=object)
    out = io.BytesIO()
    frame.to_parquet(out)
    return out.getvalue()


def png(size=8, kind="PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.arange(size * size * 3, dtype=np.uint8).reshape(size, size, 3)).save(out, kind)
    return out.getvalue()


def npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, identity=WHO, mood=MOOD, x=X)
    return out.getvalue()


def npy() -> bytes:
    out = io.BytesIO()
    np.save(out, X)
    return out.getvalue()


def parquet(frame: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.to_parquet(out)
    return out.getvalue()


def archive(kind: str) -> bytes:
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr("train/1.jpg", 50 * b"a")
            opened.writestr("train/2.jpg", 50 * b"b")
    else:
        with tarfile.open(fileobj=out, mode=f"w:{kind}") as opened:
            for name in ("train/1.jpg", "train/2.jpg"):
                member = tarfile.TarInfo(name)
                member.size = 50
                opened.addfile(member, io.BytesIO(50 * b"a"))
    return out.getvalue()


def h5() -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file.attrs["layer_names"] = [b"conv1/7x7_s2"]
        file.create_group("conv1/7x7_s2").attrs["weight_names"] = [b"conv1/7x7_s2/kernel:0"]
        file["conv1/7x7_s2/conv1/7x7_s2/kernel:0"] = np.ones((2, 2, 1, 1), np.float32)
    return out.getvalue()


def pth() -> bytes:
    out = io.BytesIO()
    torch.save({"conv1.weight": torch.ones(2, 2), "fc.bias": torch.ones(3)}, out)
    return out.getvalue()


def csv_of_labels() -> bytes:
    return pd.DataFrame({"identity": WHO, "mood": MOOD}).to_csv(index=False).encode()


def facetable(folder: Path) -> bytes:
    frame = pd.DataFrame({"image": [f"p{n}.png" for n in range(4)], "identity": ["a", "a", "b", "b"]})
    frame["emotion"], frame["sha256"] = ["fear", "anger"] * 2, "0" * 64
    faces = make_facetable(frame, folder, name="some", provenance="real", parts={"some": ("emotion",)})
    return faces.save(folder / "valid.parquet").read_bytes()


def a_head(folder: Path, kind: str) -> Path:
    tiny = {"rounds": 1, "head_steps": 1, "hidden": 2, "identities": 4, "per_class": 2, "detector": (2,)}
    made = {
        "LEACE": LEACE(),
        "SN": SensitiveNets(settings=SensitiveNetsSettings(**tiny), device="cpu"),
        "Obliviator": Obliviator(rounds=1, epochs=1),
    }
    return made[kind].fit(X, MOOD, identity=WHO).save(folder / "head")


def audited(path: Path, table: Path | None = None) -> None:
    """Read, and checked as `audit` does."""
    told = read(path, table)
    check(**told)
    scan(told["x"])


def mapped(path: Path) -> None:
    """A head is loaded, and what it maps is finite."""
    head = load_head(path)
    if head.n_features_in_ == X.shape[1]:
        assert np.isfinite(head.transform(X)).all(), "a loaded head gives NaN"


def told_as_text(reader):
    return lambda path: reader(path.read_bytes().decode("utf-8", "surrogateescape"))


def preset_changes(text: str) -> None:
    get_preset("smoke", text)


CHANGES = b"seeds=[0, 1]; rotations=2; sensitivenets.rate=0.1; shares=(0.5, 0.2, 0.3); emotions=('fear', 'anger')"
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": "# x", "id": "a"},
        {
            **{"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": 'PRESET = "demo"', "id": "b"},
            **{"outputs": [], "execution_count": None},
        },
    ],
    "metadata": {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python"}},
    **{"nbformat": 4, "nbformat_minor": 5},
}
RESULTS = pd.DataFrame([dict.fromkeys(COLUMNS, 1)] * 3)
HIT_ROWS = pd.DataFrame([dict.fromkeys(HITS, 1)] * 4)
SPLITS = pd.DataFrame({"r0s0": ["head", "head", "test", "test"], "r1s1": ["test", "test", "probe", "probe"]})
TABLE2 = pd.DataFrame([dict.fromkeys(("id", *("acc", "tpr_smiling", "tpr_not_smiling", "eq_opp")), 1)] * 2)
TABLE2 = TABLE2.assign(id=[1, 2], **{f"{name}_hw": 1.0 for name in TABLE2.columns[1:]})
WEIGHTS = {"conv1.weight": torch.ones(2, 2), "fc.bias": torch.ones(3)}
FILES = {  # a reader's name -> the file that it reads, its content, how that is damaged, and how it is read
    "embeddings npz": ("e.npz", npz, plain, audited),
    "embeddings npz, a member": ("e.npz", npz, in_zip, audited),
    "embeddings npy": ("e.npy", npy, plain, lambda path: audited(path, path.with_name("labels.csv"))),
    "embeddings safetensors": (
        *("e.safetensors", lambda: save({"x": torch.tensor(X), "identity": torch.tensor(WHO)})),
        *(in_safetensors, audited),
    ),
    "embeddings parquet": (
        *("e.parquet", lambda: parquet(pd.DataFrame(X).add_prefix("x").assign(identity=WHO, mood=MOOD))),
        *(plain, audited),
    ),
    "embeddings parquet, a column": (
        *("e.parquet", lambda: parquet(pd.DataFrame({"x": list(X), "identity": WHO, "mood": MOOD}))),
        *(in_frame, audited),
    ),
    "labels csv": ("labels.csv", csv_of_labels, plain, lambda path: audited(path.with_name("x.npy"), path)),
    "picture png": ("p.png", png, plain, lambda path: check_images(path.parent, [path.name])),
    "picture jpg": ("p.jpg", lambda: png(kind="JPEG"), plain, lambda path: check_images(path.parent, [path.name])),
    "weights labelnet": (
        *("w.safetensors", lambda: compactnet.LABEL_WEIGHTS.read_bytes()),
        *(in_safetensors, compactnet.load_labelnet),
    ),
    "weights resnet50 safetensors": (
        *("w.safetensors", lambda: save(WEIGHTS, {"flavour": "keras"})),
        *(in_safetensors, load_vggface2),
    ),
    "weights resnet50 pth": ("w.pth", pth, plain, load_vggface2),
    "weights resnet50 pth, a member": ("w.pth", pth, in_zip, load_imagenet),
    "weights resnet50 h5": ("w.h5", h5, plain, load_vggface2),
    "settings": ("settings", lambda: CHANGES, plain, told_as_text(preset_changes)),
    "preset": ("preset", lambda: b"paper+dlib", plain, told_as_text(get_preset)),
    "results csv": ("results.csv", lambda: RESULTS.to_csv(index=False).encode(), plain, load_results),
    "table csv": ("table2.csv", lambda: TABLE2.to_csv(index=False).encode(), plain, read_table),
    "hits parquet": ("hits.parquet", lambda: parquet(HIT_ROWS), plain, read_hits),
    "hits parquet, a column": ("hits.parquet", lambda: parquet(HIT_ROWS), in_frame, read_hits),
    "archive zip": ("a.zip", lambda: archive("zip"), plain, lambda path: unpacked(path)),
    "archive zip, a member": ("a.zip", lambda: archive("zip"), in_zip, lambda path: unpacked(path)),
    "archive tar": ("a.tar", lambda: archive(""), plain, lambda path: unpacked(path)),
    "archive tgz": ("a.tgz", lambda: archive("gz"), plain, lambda path: unpacked(path)),
    "archive xz": ("a.txz", lambda: archive("xz"), plain, lambda path: unpacked(path)),
    "checksums": (
        *("checksums-seen.json", lambda: json.dumps({"a.zip": 64 * "0"}).encode()),
        *(plain, lambda path: download._seen(path.parent).get("a.zip")),
    ),
    "notebook": ("n.ipynb", lambda: json.dumps(NOTEBOOK).encode(), plain, code_key),
}
LISTS = [  # label files of data sets, in miniature
    *(("manifest", "faces.csv"), ("fairface", "fairface_label_train.csv"), ("cfee", "categories.csv")),
    *(("celeba", "list_attr_celeba.txt"), ("celeba", "identity_CelebA.txt"), ("celeba", "list_eval_partition.txt")),
    *(("diveface", "files/Group1_Male.txt"), ("cremad", "VideoDemographics.csv"), ("cremad", "SentenceFilenames.csv")),
]


def unpacked(path: Path) -> None:
    """Unpacked into a new folder; whatever comes of it, nothing lies elsewhere."""
    out = path.parent / "out"
    try:
        download.unpack_into("fairface", path, out)
    finally:
        shutil.rmtree(out, ignore_errors=True)


def refuses(path: Path, data: bytes, reader) -> None:
    """The reader answers, or raises one line that names what is wrong; and it leaves nothing behind."""
    path.write_bytes(data)
    before = sorted(path.parent.rglob("*"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader(path)
    except (InputError, OSError) as error:
        line = str(error if isinstance(error, InputError) else explain(error))
        assert "\n" not in line and "→" in line, line
    assert sorted(path.parent.rglob("*")) == before, "it wrote beside what it reads"


def hammer(path: Path, content: bytes, damage, reader, seconds: float, number: int | None = None) -> None:
    """The reader against examples until the time is over: always the same ones, or those of a seed."""
    end, failed = time.monotonic() + seconds, False

    @settings(
        max_examples=EXAMPLES if number is None else 500,
        derandomize=number is None,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(edits, st.binary(max_size=200), st.integers(0, 9))
    def once(changes, noise, choice):
        nonlocal failed
        if not failed and time.monotonic() > end:
            return
        try:
            data = noise if choice == 9 else damage(content, changes)
        except Exception:  # what cannot even be written, such as a table with two columns of one name
            return
        try:
            refuses(path, data, reader)
        except Exception:
            failed = True  # what failed is made smaller, however long that takes
            raise

    try:
        (once if number is None else seed(number)(once))()
    except Exception as error:
        error.add_note(f"{path.name}; again by BLINDLIB_FUZZ_SEED={number}" if number is not None else path.name)
        raise


MORE = [  # readers that need more than one file
    *(f"head {kind} {part}" for kind in ("LEACE", "SN", "Obliviator") for part in ("json", "safetensors")),
    *(f"{table} parquet {part}" for table in ("faces", "splits") for part in ("bytes", "column")),
]


def targets(folder: Path, name: str):
    """What `hammer` takes for a reader of `FILES` or `MORE`, in a folder of its own."""
    if name in MORE:
        return more_targets(folder, *name.split(" "))
    file, make, damage, reader = FILES[name]
    np.save(folder / "x.npy", X)
    (folder / "labels.csv").write_bytes(csv_of_labels())
    return folder / file, make(), damage, reader


def more_targets(folder: Path, what: str, kind: str, part: str):
    """What `hammer` takes for a saved head's two files, a face table, or its splits."""
    if what == "head":
        path = a_head(folder, kind).with_suffix(f".{part}")
        return path, path.read_bytes(), in_safetensors if part == "safetensors" else plain, mapped
    table = facetable(folder)
    faces, damage = load_facetable(folder / "valid.parquet"), plain if part == "bytes" else in_frame
    if what == "faces":
        return folder / "faces.parquet", table, damage, load_facetable
    return folder / "splits.parquet", parquet(SPLITS), damage, lambda path: load_splits(path, faces)


SHARE = MINUTE / (len(FILES) + len(MORE) + len(LISTS) + 3)


@pytest.mark.parametrize("name", [*FILES, *MORE])
def test_a_reader_raises_nothing_foreign(tmp_path, name):
    hammer(*targets(tmp_path, name), SHARE)


def without_pictures(monkeypatch) -> None:
    """Pictures are not decoded: this is about lists."""
    monkeypatch.setattr("blindlib.data.facetable.check_images", lambda _, images: [64 * "0"] * len(images))
    monkeypatch.setattr("blindlib.data.readers.cremad._apex", lambda *_, **__: None, raising=False)


def test_lfw_s_lists_raise_nothing_foreign(lfw, monkeypatch):
    without_pictures(monkeypatch)
    faces = load_lfw(lfw)
    for name in ("legend.csv", "lfw_attributes.txt", "pairs.txt"):
        content = (lfw / name).read_bytes()
        reader = (lambda path: read_pairs(path, faces)) if name == "pairs.txt" else lambda path: load_lfw(path.parent)
        hammer(lfw / name, content, plain, reader, SHARE)
        (lfw / name).write_bytes(content)


@pytest.mark.parametrize(("name", "file"), LISTS)
def test_a_data_set_s_list_raises_nothing_foreign(miniatures, tmp_path, monkeypatch, name, file):
    without_pictures(monkeypatch)
    root = tmp_path / name
    shutil.copytree(miniatures / name, root)
    hammer(root / file, (root / file).read_bytes(), plain, lambda _: LOADERS[name](root), SHARE)


@pytest.mark.slow
@pytest.mark.skipif(not HOUR, reason="BLINDLIB_FUZZ_SECONDS says for how long")
def test_for_hours_no_reader_raises_anything_foreign(tmp_path):
    end, number = time.monotonic() + HOUR, FIRST
    found: dict[str, str] = {}
    while time.monotonic() < end:
        for name in (*FILES, *MORE):
            folder = tmp_path / f"{number} {name}"
            folder.mkdir()
            try:
                hammer(*targets(folder, name), min(60.0, HOUR / (len(FILES) + len(MORE))), number)
            except Exception as error:
                told = (str(error).splitlines() or [""])[0][:200]
                found.setdefault(f"{name}: {type(error).__name__}", f"seed {number}: {told}")
            shutil.rmtree(folder)
        number += 1
    assert not found, "\n".join(f"{name}, {told}" for name, told in found.items())


def test_the_fuzz_sees_a_reader_that_raises_something_foreign(tmp_path):
    def careless(path: Path) -> None:
        if len(path.read_bytes()) < 5:
            raise KeyError("length")

    with pytest.raises(KeyError) as seen:
        hammer(tmp_path / "x", b"0123456789", plain, careless, 10)
    assert "x" in seen.value.__notes__
