"""What the build keeps is checked when it is read: damage is named, and what can be made again is."""

import contextlib
import json
import multiprocessing
import re
import shutil
from itertools import product
from pathlib import Path
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
from blindlib.common import files
from blindlib.common.errors import InputError
from blindlib.common.files import build_dir, damage, store_dir, write_bytes, write_csv, write_json, write_parquet
from blindlib.data import download
from blindlib.data.facetable import load_facetable
from blindlib.data.readers.lfw import load_lfw
from blindlib.data.readers.synth import read_album
from blindlib.data.splits import load_splits, save_splits
from blindlib.evaluate.results import load_results, save_results
from blindlib.presets import get_preset
from blindlib.stages import write_record
from blindlib.study import Study

PIXELS = get_backbone("pixels16")


@pytest.fixture
def faces(lfw):
    return load_lfw(lfw)


def flip(path):
    """Change 2,000 bytes behind the header, as a failing disk would."""
    content = bytearray(path.read_bytes())
    content[512:2512] = bytes(byte ^ 0x20 for byte in content[512:2512])
    path.write_bytes(content)


def put_nan(path):
    array = np.load(path)
    (array if array.dtype.names is None else array["x"])[2] = np.nan
    np.save(path, array)


def cut(path):
    path.write_bytes(path.read_bytes()[:-700])


def forget(path):
    """As an earlier version left it: without a checksum."""
    shutil.rmtree(path.parent / ".sums")


SPOILT = [flip, put_nan, cut, forget]


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_damaged_shard_is_named_and_made_again(faces, monkeypatch, capsys, spoil):
    expected = np.array(embed(faces, PIXELS).x)
    shutil.rmtree(store_dir())
    folder = store_dir() / embedding_key(faces, PIXELS)
    monkeypatch.setattr(store, "SHARD", 4)
    store.fill(faces, {folder: PIXELS})
    shard = folder.with_suffix(".partial") / "00000004.npy"
    spoil(shard)
    assert store.unfinished(faces, folder) == (len(faces) if spoil is forget else len(faces) - 4)
    with pytest.raises(InputError, match="are not here → copy the other machines"):
        store.finish(faces, PIXELS, folder)
    np.testing.assert_array_equal(embed(faces, PIXELS).x, expected)
    assert f"note: {shard}: " in capsys.readouterr().err


@pytest.mark.parametrize("spoil", SPOILT)
@pytest.mark.parametrize("name", ["x.npy", "detected.npy"])
def test_a_damaged_set_is_named_and_made_again(faces, capsys, spoil, name):
    before = embed(faces, PIXELS)
    expected, file = np.array(before.x), store_dir() / before.key / name
    if name == "detected.npy" and spoil in (flip, put_nan, cut):
        file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    else:
        spoil(file)
    again = embed(faces, PIXELS)
    np.testing.assert_array_equal(again.x, expected)
    assert again.detected.all() and f"note: {store_dir() / before.key}" in capsys.readouterr().err
    embed(faces, PIXELS)
    assert "note" not in capsys.readouterr().err, "once"


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
    write_json(build / "01_data_prep.json", {"seconds": 3.5})
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
        "01_data_prep.json": lambda _: write_record(get_preset("smoke")),
    }


NAMES = (
    *("faces.parquet", "splits.parquet", "pairs.parquet", "album.parquet"),
    *("results.csv", "results_baseline.csv", "history_sn.csv", "history_lntl.csv"),
    *("bank.safetensors", "bank.json", "01_data_prep.json"),
)
SPOILERS = {
    "one byte flipped": lambda path, old: path.write_bytes(old[:-9] + bytes([old[-9] ^ 1]) + old[-8:]),
    "cut at a line's end": lambda path, old: path.write_bytes(old[: old.rindex(b"\n", 0, len(old) // 2 + 20) + 1]),
    "garbage": lambda path, old: path.write_bytes(b"\xff\x00garbage" * 9),
    "emptied": lambda path, old: path.write_bytes(b""),
    "taken away": lambda path, old: path.unlink(),
    "of an earlier version": lambda path, old: (path.parent / ".sums" / path.name).unlink(),
    "its sum garbage": lambda path, old: (path.parent / ".sums" / path.name).write_bytes(b"\xff\x00"),
}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_stage_left_is_refused_in_one_line_when_it_is_not_what_was_written(kept, name):
    path = build_dir("smoke") / name
    beside, old = path.parent / ".sums" / name, path.read_bytes()
    told = beside.read_bytes()
    for how, spoil in SPOILERS.items():
        if how.startswith("cut") and old.count(b"\n") < 9:
            continue
        if name != "01_data_prep.json":  # the record wants a whole run beside it
            kept[name](path)
        spoil(path, old)
        if (name, how) != ("01_data_prep.json", "taken away"):
            with pytest.raises(InputError) as error:
                kept[name](path)
            message = str(error.value)
            assert message.startswith(f"{path}: ") and "\n" not in message, how
            assert "→" in message and "run `make paper`" in message, how
        path.write_bytes(old)
        beside.write_bytes(told)


def test_a_results_file_cut_in_the_middle_says_how_much_was_written(kept):
    path = build_dir("smoke") / "results.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) // 2]))
    with pytest.raises(InputError, match=rf"was written \({len(lines) - 1} rows\) → run"):
        load_results(path)


def test_every_product_of_the_notebooks_is_among_these_names():
    """A further file in build/ that some code reads has to come into this table."""
    code = "\n".join(path.read_text("utf-8") for path in (files.ROOT / "blindlib").rglob("*.py"))
    code += "".join(path.read_text("utf-8") for path in (files.ROOT / "notebooks").glob("0*.ipynb"))
    found = set(re.findall(r"build / \\?[\"']([\w.]+\.(?:parquet|csv|json))", code))
    assert found - {"missed.csv"} <= set(NAMES) and len(found) > 7


def test_by_hand_sha256sum_finds_what_blindlib_finds(kept):
    sums = [line.split("  ") for p in (build_dir("smoke") / ".sums").iterdir() for line in p.read_text().splitlines()]
    sums = [line for line in sums if len(line) == 2]
    assert len(sums) == len([p for p in build_dir("smoke").iterdir() if p.is_file()])
    assert all(files.sha256(build_dir("smoke") / name) == known for known, name in sums)


def test_outside_the_build_folder_nothing_is_asked_and_nothing_lies_beside(faces, tmp_path):
    """One's own heads and tables stay as they were."""
    faces.save(tmp_path / "own" / "faces.parquet")
    LEACE().fit(np.eye(8)[[0, 1, 2, 3] * 5], [0, 1] * 10).save(tmp_path / "own" / "head")
    assert sorted(p.name for p in (tmp_path / "own").iterdir()) == [*("faces.parquet", "head.json", "head.safetensors")]
    assert len(load_facetable(tmp_path / "own" / "faces.parquet")) == len(faces)


def test_figures_carry_no_sums_even_below_the_build_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BLINDLIB_FIGURES", str(tmp_path / "build" / "figures"))
    write_csv(tmp_path / "build" / "figures" / "smoke" / "table1.csv", pd.DataFrame({"a": [1]}))
    write_csv(tmp_path / "build" / "smoke" / "results.csv", pd.DataFrame({"a": [1]}))
    assert [p.parent.parent.name for p in tmp_path.rglob(".sums/*")] == ["smoke"]
    assert not (tmp_path / "build" / "figures" / "smoke" / ".sums").exists()


def killed_after(monkeypatch, renames: int, file: Path, content: bytes) -> None:
    """Write a file, and be killed before the next rename after so many of them."""
    calls, real = [], Path.replace

    def replace(self, target):
        calls.append(target)
        if len(calls) > renames:
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(Path, "replace", replace)
        write_bytes(file, content)


def test_a_kill_between_any_two_steps_and_another_one_leave_a_file_and_its_sum(monkeypatch):
    """Of a file that was there and of one that was not: killed before each rename in turn, twice."""
    file, seen = build_dir("smoke") / "results.csv", set()
    for before, first, second in product((b"old", None), range(4), range(4)):
        file.unlink(missing_ok=True)
        if before:
            write_bytes(file, before)
        for renames, content in ((first, b"new"), (second, b"newer")):
            killed_after(monkeypatch, renames, file, content)
            there = file.read_bytes() if file.exists() else None
            assert damage(file) == ("" if there else "not found"), (before, first, second)
            seen.add((before, there))
    states = {(before, after) for before in (b"old", None) for after in (before, b"new", b"newer")}
    assert seen == states, "every moment was met"
    write_bytes(file, b"newest")
    for content in (b"old", b"new", b"newer", b"none of them"):
        file.write_bytes(content)
        assert damage(file).startswith("is damaged"), "an undisturbed write forgets the earlier sums"


def write_many(names, barrier):
    barrier.wait()
    for round_ in range(5):
        for name in names:
            write_bytes(build_dir("smoke") / name, f"{name} {round_}".encode() * 500)


def test_two_stages_write_to_one_folder_at_once():
    context = multiprocessing.get_context("fork")
    barrier, names = context.Barrier(2), [[f"{stage}_{n}.bin" for n in range(20)] for stage in ("03", "04")]
    both = [context.Process(target=write_many, args=(some, barrier)) for some in names]
    [process.start() for process in both]
    [process.join() for process in both]
    assert [damage(build_dir("smoke") / name) for some in names for name in some] == [""] * 40


GARBAGE = (b"\xff\xfe", b"", b"{", b"[1]", b'{"a": 1}\n')


@pytest.mark.parametrize("content", GARBAGE)
def test_damaged_checksums_of_downloads_are_named_and_the_remedy_works(tmp_path, content):
    archive, folder = tmp_path / "a.zip", tmp_path / "data" / "fairface"
    shutil.make_archive(str(tmp_path / "a"), "zip", files.ROOT / "tests" / "fixtures")
    download.unpack_into("fairface", archive, folder)
    shutil.rmtree(folder)
    folder.mkdir()
    download._record(folder, "a.zip", archive)
    seen = folder / download.SEEN
    assert download._seen(folder) == json.loads(seen.read_text())
    seen.write_bytes(content)
    with pytest.raises(InputError) as error:
        download.unpack_into("fairface", archive, folder)
    assert str(error.value).startswith(f"{seen}: ") and "→ delete it" in str(error.value)
    seen.unlink()
    assert "recorded" in download.unpack_into("fairface", archive, folder)


@pytest.mark.parametrize("content", GARBAGE[:-1])
def test_checksums_of_an_earlier_version_are_read_and_their_garbage_is_named(tmp_path, content):
    (tmp_path / download.SEEN).write_text('{"a.zip": "00"}')
    assert download._seen(tmp_path) == {"a.zip": "00"}
    (tmp_path / download.SEEN).write_bytes(content)
    with pytest.raises(InputError, match="→ delete it"):
        download._seen(tmp_path)
