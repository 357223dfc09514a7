"""The store: extracted once, private, safe against a kill; and the backbones behind one interface."""

import dataclasses
import os
import pickle
import shutil
import stat
import threading

import dlib
import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from conftest import many_faces, save_noise
from onnx import TensorProto, helper
from PIL import Image

from blindlib.backbones import store
from blindlib.backbones.alignment import (
    FRAME,
    _detector,
    align,
    arcface_alignment,
    detect,
    dlib_alignment,
    shrink,
)
from blindlib.backbones.extraction import worker_pool
from blindlib.backbones.registry import encode_onnx, get_backbone
from blindlib.backbones.store import embed, embedding_key
from blindlib.common.errors import InputError
from blindlib.common.files import store_dir
from blindlib.common.pictures import read_picture
from blindlib.data.readers.lfw import load_lfw
from blindlib.synthfaces.render import SIZE

PIXELS = get_backbone("pixels16")
WINDOW = dataclasses.replace(PIXELS, name="window", size=64, dim=4096, window=(32, 24, 64))


@pytest.fixture
def faces(lfw):
    return load_lfw(lfw)


def test_extracted_once_then_read_memory_mapped(faces, monkeypatch):
    first = embed(faces, PIXELS)
    monkeypatch.setattr(store, "fill", lambda _, sets: sets and pytest.fail("extracted a second time"))
    again = embed(faces, PIXELS)
    assert isinstance(again.x, np.memmap) and not again.x.flags.writeable
    np.testing.assert_array_equal(first.x, again.x)
    whole = np.asarray(Image.open(faces.files[3]).convert("L").resize((16, 16), Image.Resampling.BILINEAR)) / 255
    assert np.abs(again.x[3] - whole.ravel()).max() < 0.02


def test_only_the_owner_reads_the_store(faces):
    folder = store_dir() / embed(faces, PIXELS).key
    assert stat.S_IMODE(store_dir().stat().st_mode) == stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not list(store_dir().glob("*.partial")), "nothing half-written stays"


def test_the_key_speaks_of_bytes_backbone_and_weights(faces):
    key = embedding_key(faces, PIXELS)
    assert key == embedding_key(faces, PIXELS) != embedding_key(faces, get_backbone("pixels32"))
    assert key != embedding_key(faces, dataclasses.replace(PIXELS, weights=lambda: "others"))
    frame = faces.frame.assign(sha256=faces.frame["sha256"].iloc[::-1].to_numpy())
    assert key != embedding_key(dataclasses.replace(faces, frame=frame), PIXELS)


def test_a_window_is_cut_from_a_file_s_frame_and_is_part_of_the_key(faces):
    x = embed(faces, WINDOW).x
    frame = Image.open(faces.files[3]).convert("RGB").resize((112, 112), Image.Resampling.BILINEAR)
    top, left, side = WINDOW.window
    cut = frame.crop((left, top, left + side, top + side))
    np.testing.assert_array_equal(x[3], WINDOW.encode(np.asarray(cut)[None])[0])
    assert SIZE == FRAME, "a window of a file is that of a rendered frame"
    keys = {embedding_key(faces, dataclasses.replace(WINDOW, window=w)) for w in (None, WINDOW.window, (24, 32, 64))}
    assert len(keys) == 3


def embed_rendered(tmp_path, monkeypatch, backbones, render):
    """Embeddings of 40 faces in three shards, by a renderer that takes the album's rows, numbered from 0."""
    monkeypatch.setattr(store, "SHARD", 16)
    monkeypatch.setattr(store, "render", render)
    monkeypatch.setattr(store, "read_album", lambda faces: pd.DataFrame(index=range(len(faces))))
    faces = dataclasses.replace(many_faces(tmp_path, 40), source="synthfaces")
    return [z.x for z in store.embed_all(faces, backbones)]


def rendered(tmp_path, monkeypatch, backbones):
    """Frames of noise, some backbones' embeddings of them, and the options of each call of the renderer."""
    calls, whole = [], np.random.default_rng(0).integers(0, 256, (40, FRAME, FRAME, 3), np.uint8)

    def render(rows, *, done, **options):
        calls.append(options)
        top, left, side = options.get("window", (0, 0, FRAME))
        done(len(rows))
        return whole[rows.index, top : top + side, left : left + side]

    return whole, embed_rendered(tmp_path, monkeypatch, backbones, render), calls


def test_the_window_alone_is_rendered_where_every_backbone_takes_it(tmp_path, monkeypatch):
    small = dataclasses.replace(WINDOW, name="small", size=16, dim=256)  # brought to 16 pixels after the cut
    whole, (x, y), calls = rendered(tmp_path, monkeypatch, [WINDOW, small])
    assert calls == [{"window": WINDOW.window}] * 3
    np.testing.assert_array_equal(x, WINDOW.encode(whole[:, 32:96, 24:88]))
    np.testing.assert_array_equal(y[7], PIXELS.encode(shrink(whole[7, 32:96, 24:88], 16)[None])[0])


def test_the_whole_frame_is_rendered_and_cut_where_backbones_differ(tmp_path, monkeypatch):
    whole, (x, y), calls = rendered(tmp_path, monkeypatch, [WINDOW, PIXELS])
    assert calls == [{}] * 3
    np.testing.assert_array_equal(x, WINDOW.encode(whole[:, 32:96, 24:88]))
    np.testing.assert_array_equal(y[7], PIXELS.encode(shrink(whole[7], 16)[None])[0])


def test_the_next_shard_is_rendered_while_one_is_embedded(tmp_path, monkeypatch):
    second, waited = threading.Event(), []

    def encode(frames):
        waited.append(second.wait(30))
        return PIXELS.encode(frames)

    def render(rows, *, done):
        if 16 in rows.index:
            second.set()
        return np.zeros((len(rows), FRAME, FRAME, 3), np.uint8)

    embed_rendered(tmp_path, monkeypatch, [dataclasses.replace(PIXELS, encode=encode)], render)
    assert waited == [True] * 3


def test_an_interrupted_extraction_goes_on_where_it_stopped(faces, monkeypatch):
    expected = np.array(embed(faces, PIXELS).x)
    (store_dir() / embedding_key(faces, PIXELS)).rename(store_dir() / "undisturbed")
    monkeypatch.setattr(store, "SHARD", 3)
    calls, real = [], store.Shard.save

    def dies_at_the_third(*words):
        calls.append(words)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(*words)

    monkeypatch.setattr(store.Shard, "save", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        embed(faces, PIXELS)
    assert not (store_dir() / embedding_key(faces, PIXELS)).exists()
    np.testing.assert_array_equal(embed(faces, PIXELS).x, expected)
    assert len(calls) == 4, "two shards were kept, one was lost, and that one alone is done again"


def test_the_finished_set_is_a_plain_array_file(faces, monkeypatch, tmp_path):
    monkeypatch.setattr(store, "SHARD", 3)
    result = embed(faces, PIXELS)
    np.save(tmp_path / "x.npy", np.array(result.x))
    assert (store_dir() / result.key / "x.npy").read_bytes() == (tmp_path / "x.npy").read_bytes()


def test_a_network_sees_batches_of_one_shard_on_one_thread_each():
    seen = []

    def encode(chips):
        seen.append((len(chips), torch.get_num_threads()))
        return chips[:, :1].astype(np.float32)

    threads, chips = torch.get_num_threads(), np.arange(70)[:, None]
    aligned = dataclasses.replace(PIXELS, alignment=dlib_alignment(16), encode=encode)
    x = store._encode(aligned, chips)
    np.testing.assert_array_equal(x[:, 0], np.arange(70))
    assert sorted(seen) == [(6, 1)] + [(16, 1)] * 4 and torch.get_num_threads() == threads
    seen.clear()
    store._encode(dataclasses.replace(aligned, alignment=None), chips)
    assert sorted(seen) == [(6, 1)] + [(8, 1)] * 8


def test_folders_filled_apart_merge_by_a_copy(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SHARD", 16)
    faces = many_faces(tmp_path, 100)
    whole = embed(faces, PIXELS)
    expected, here = (store_dir() / whole.key / "x.npy").read_bytes(), store_dir()
    parts = []
    for rank in (0, 1):
        monkeypatch.setenv("BLINDLIB_BUILD", str(tmp_path / f"machine{rank}"))
        folder = store_dir() / whole.key
        store.fill(faces, {folder: PIXELS}, rank, 2)
        parts.append(folder.with_suffix(".partial"))
    with pytest.raises(InputError, match="the shards of 52 images are not here"):
        store.finish(faces, PIXELS, folder)
    assert [len(list(part.glob("*.npy"))) for part in parts] == [4, 3] and store_dir() != here
    (parts[1] / ".00000000.npy.left-by-a-kill.tmp.npy").write_bytes(b"half")
    shutil.copytree(parts[0], parts[1], dirs_exist_ok=True)
    monkeypatch.setattr(store, "align_files", lambda *_: pytest.fail("again"))
    embed(faces, PIXELS)
    assert (store_dir() / whole.key / "x.npy").read_bytes() == expected


def test_embeddings_that_are_not_finite_stop_at_their_shard(faces):
    broken = dataclasses.replace(PIXELS, encode=lambda chips: np.full((len(chips), 256), np.nan, np.float32))
    with pytest.raises(InputError, match="pixels16 gave values that are not finite"):
        embed(faces, broken)


@pytest.mark.parametrize("spoil", [lambda f: f.unlink(), lambda f: save_noise(f, 99)])
def test_an_image_that_is_gone_or_changed_stops_the_extraction(faces, spoil):
    spoil(faces.files[3])
    with pytest.raises(InputError, match=r"Bob_B_0002\.jpg: is gone or has changed"):
        embed(faces, PIXELS)
    assert not [path for path in store_dir().iterdir() if path.suffix != ".partial"]


def test_a_worker_process_names_the_changed_image_too(faces):
    save_noise(faces.files[3], 99)
    with pytest.raises(InputError, match=r"Bob_B_0002\.jpg: is gone or has changed since notebook 01 → run"):
        embed(faces, get_backbone("dlib"))


def test_a_worker_that_is_ended_from_outside_is_told_in_one_line():
    with pytest.raises(InputError, match="ended from outside"), worker_pool(1) as pool:
        pool.submit(os._exit, 1).result()


def test_an_input_error_survives_the_way_between_processes():
    error = InputError("faces.csv", "is short", "mend it", line=3)
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is InputError and str(copied) == str(error) == "faces.csv:3: is short → mend it"


def test_no_face_is_counted_and_gets_the_typical_box(faces):
    some = dataclasses.replace(faces, frame=faces.frame.iloc[:2])
    result = embed(some, get_backbone("dlib"))
    assert result.x.shape == (2, 128) and not result.detected.any()
    assert 0.5 < np.linalg.norm(result.x[0]) < 3, "the fall-back box was embedded, not left empty"


def test_alignment_is_dlib_s_own(tmp_path):
    save_noise(tmp_path / "a.png", 1, side=200)
    box = (0.2, 0.25, 0.8, 0.85)
    image = read_picture(tmp_path / "a.png")
    chip, _ = align(image, dlib_alignment(150), box)
    image = np.pad(image, ((40, 40), (40, 40), (0, 0)), mode="edge")
    shape = _detector()[1](image, dlib.rectangle(*(round(280 * share) for share in box)))
    reference = dlib.get_face_chip(image, shape, 150, 0.25)
    assert np.abs(chip.astype(int) - reference.astype(int)).mean() < 1


def test_arcface_alignment_puts_the_eyes_where_arcface_does():
    points = np.array(arcface_alignment().points)
    assert points[0:2].mean(0) == pytest.approx([73.5318, 51.5014], abs=0.15)
    assert points[2:4].mean(0) == pytest.approx([38.2946, 51.6963], abs=0.15)


def test_a_plain_field_holds_no_face_and_grey_becomes_three_channels(tmp_path):
    Image.new("L", (80, 60), 90).save(tmp_path / "grey.png")
    image = read_picture(tmp_path / "grey.png")
    assert image.shape == (60, 80, 3) and (image == 90).all() and detect(image) is None


@pytest.fixture
def onnx_file(tmp_path):
    """A network with SFace's interface: the mean of each colour, times one to 128."""
    nodes = [
        helper.make_node("ReduceMean", ["data"], ["m"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["m", "w"], ["fc1"]),
    ]
    weight = helper.make_tensor("w", TensorProto.FLOAT, [3, 128], np.arange(384, dtype=np.float32).ravel())
    graph = helper.make_graph(
        nodes,
        "sface",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 112, 112])],
        [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, 128])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "sface.onnx")
    return tmp_path / "sface.onnx"


def test_onnx_gets_rgb_planes_of_0_to_255_and_gives_unit_vectors(onnx_file):
    chips = np.random.default_rng(0).integers(0, 255, (3, 112, 112, 3), dtype=np.uint8)
    expected = chips.mean((1, 2)) @ np.arange(384).reshape(3, 128)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(encode_onnx(chips, onnx_file), expected, rtol=1e-4)


def test_absent_weights_say_how_to_fetch_them(faces, tmp_path, monkeypatch):
    monkeypatch.setenv("BLINDLIB_DATA", str(tmp_path / "none"))
    with pytest.raises(InputError, match="blindlib data fetch sface"):
        embed(faces, get_backbone("sface"))


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("BLINDLIB_DATA", str(tmp_path))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "face_recognition_sface_2021dec.onnx").write_bytes(b"x")
    with pytest.raises(InputError, match="another SHA-256"):
        get_backbone("sface").weights()


def test_an_unknown_backbone_is_refused_by_name():
    with pytest.raises(InputError, match="no backbone 'vgg'"):
        get_backbone("vgg")
