"""What the build keeps and does not read is named, with the remedy."""

import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from report_rows import result_rows

from blindlib.backbones import store
from blindlib.backbones.registry import get_backbone
from blindlib.backbones.store import embed, embedding_key
from blindlib.blinders import LEACE
from blindlib.blinders.banks import load_banks
from blindlib.common.errors import InputError
from blindlib.common.files import build_dir, store_dir, write_bytes, write_csv, write_parquet
from blindlib.data.facetable import load_facetable
from blindlib.data.readers.lfw import load_lfw
from blindlib.data.readers.synth import read_album
from blindlib.data.splits import load_splits, save_splits
from blindlib.evaluate.results import load_results, save_results
from blindlib.study import Study

PIXELS = get_backbone("pixels16")


@pytest.fixture
def faces(lfw):
    return load_lfw(lfw)


def test_a_shard_of_another_layout_is_refused(faces):
    folder = store_dir() / embedding_key(faces, PIXELS)
    write_bytes(folder.with_suffix(".partial") / "00000000.npy", store._as_file(np.zeros((8, 260))))
    with pytest.raises(InputError, match="another layout"):
        embed(faces, PIXELS)


def test_room_is_asked_for_before_the_work(faces, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=9_000))
    monkeypatch.setattr(store, "align_files", lambda *_: pytest.fail("begun"))
    with pytest.raises(InputError, match=r"8 images are embedded to needs 17 kB, the disk has 9 kB → free some space"):
        embed(faces, PIXELS)


@pytest.fixture
def kept(faces) -> dict:
    """A made-up build folder with one of everything that is read again: how each is read, by its name."""
    build = build_dir("smoke")
    roles = pd.DataFrame({"r0s0": np.where(faces.frame["identity"] < "C", "head", "test")})
    save_splits(roles, build / "splits.parquet")
    write_parquet(build / "pairs.parquet", pd.DataFrame({"left": [0], "right": [1], "same": [True], "fold": [0]}))
    album = SimpleNamespace(root=build, frame=faces.frame)
    write_parquet(build / "album.parquet", faces.frame.assign(yaw=0.5))
    for name in ("results", "results_baseline"):
        save_results(result_rows({"x": 90.0, "SN": 80.0}), build / f"{name}.csv")
    for name in ("sn", "lntl"):
        write_csv(build / f"history_{name}.csv", pd.DataFrame({"round": range(500), "emotion": np.arange(500) / 7}))
    x = np.random.default_rng(0).normal(size=(60, 40))
    LEACE().fit(x, np.arange(60) % 2).save(build / "bank")
    faces.save(build / "faces.parquet")
    unlabelled = SimpleNamespace(faces=SimpleNamespace(has=lambda *_: False), build=build)
    return {
        "faces.parquet": load_facetable,
        "splits.parquet": lambda path: load_splits(path, faces),
        "pairs.parquet": lambda _: Study("smoke").pairs,
        "album.parquet": lambda _: read_album(album),
        "results.csv": load_results,
        "results_baseline.csv": load_results,
        "history_sn.csv": lambda _: load_banks(unlabelled),
        "history_lntl.csv": lambda _: load_banks(unlabelled),
        "bank.safetensors": LEACE.load,
        "bank.json": lambda path: LEACE.load(path.with_suffix("")),
    }


NAMES = (
    *("faces.parquet", "splits.parquet", "pairs.parquet", "album.parquet"),
    *("results.csv", "results_baseline.csv", "history_sn.csv", "history_lntl.csv"),
    *("bank.safetensors", "bank.json"),
)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_stage_left_is_refused_in_one_line_when_it_does_not_read(kept, name):
    path = build_dir("smoke") / name
    kept[name](path)
    path.write_bytes(b"\xff\x00garbage" * 9 if not name.startswith("history") else b"")
    with pytest.raises(InputError) as error:
        kept[name](path)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and "→" in message
