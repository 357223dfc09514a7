"""Embeddings once: a content-addressed store, private to the user, that survives a kill at any moment."""

import json
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from blindlib.backbones import Backbone
from blindlib.datasets.synth import read_album
from blindlib.errors import InputError
from blindlib.extraction import run_rendered_shard, run_shard, workers
from blindlib.facetable import FaceTable
from blindlib.files import atomic_folder, atomic_path, digest, sha256
from blindlib.images import TYPICAL_BOX
from blindlib.paths import private_dir, store_dir
from blindlib.progress import track

EXTRACTOR_VERSION = 1  # raised whenever the same image would give another embedding
SHARD = 256


@dataclass(frozen=True)
class EmbeddingSet:
    """Embeddings of a face table.

    Attributes
    ----------
    x : float32 array (N, D)
        Memory-mapped, read-only, in the face table's row order.
    detected : bool array (N,)
        False where no face was found and the set's median box stood in.
    key : str
        The store's key: of the images' bytes, the backbone, its weights and the extractor.
    """

    x: np.ndarray
    detected: np.ndarray
    key: str


def embedding_key(faces: FaceTable, backbone: Backbone) -> str:
    """What an extraction depends on, as 32 hex digits."""
    images = faces.frame[["image", "sha256"]].to_numpy().tolist()
    alignment = backbone.alignment and [backbone.alignment.size, backbone.alignment.points]
    return digest(images, backbone.name, backbone.size, alignment, backbone.weights(), EXTRACTOR_VERSION)[:32]


def embed(faces: FaceTable, backbone: Backbone) -> EmbeddingSet:
    """Embeddings of a face table: read from the store, or extracted with a progress bar and stored.

    Extraction goes by shards; a kill costs the shard that was running. The finished set appears in one step.

    Raises
    ------
    InputError
        If an image is gone or changed since notebook 01, or the store holds a damaged set.
    """
    key = embedding_key(faces, backbone)
    folder = store_dir() / key
    if not folder.exists():
        if faces.source == "synthfaces":
            _render_and_extract(faces, [backbone])
        else:
            _extract(faces, backbone, folder)
    try:
        x = np.load(folder / "x.npy", mmap_mode="r", allow_pickle=False)
        detected = np.load(folder / "detected.npy", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(folder, f"a damaged embedding set ({error})", "delete this folder and run again") from None
    if x.shape != (len(faces), backbone.dim) or detected.shape != (len(faces),):
        raise InputError(folder, f"holds {x.shape}, expected {(len(faces), backbone.dim)}", "delete this folder")
    return EmbeddingSet(x, detected, key)


def embed_all(faces: FaceTable, backbones: list[Backbone]) -> list[EmbeddingSet]:
    """As `embed`, by several backbones; faces that are rendered are rendered once for all of them."""
    missing = [b for b in backbones if not (store_dir() / embedding_key(faces, b)).exists()]
    if faces.source == "synthfaces" and missing:
        _render_and_extract(faces, missing)
    return [embed(faces, backbone) for backbone in backbones]


def _render_and_extract(faces: FaceTable, backbones: list[Backbone]) -> None:
    """Render the album shard by shard and embed it by every backbone; a kill costs the shard that was running."""
    album = read_album(faces)
    folders = [store_dir() / embedding_key(faces, backbone) for backbone in backbones]
    partials = [private_dir(folder.with_suffix(".partial")) for folder in folders]
    with track((), "rendering and embedding", total=len(album), unit="face") as bar:
        for start in range(0, len(album), SHARD):
            shards, rows = [p / f"{start:08d}.npy" for p in partials], album.iloc[start : start + SHARD]
            if all(shard.exists() for shard in shards):
                bar.update(len(rows))
                continue
            for shard, x in zip(shards, run_rendered_shard(rows, backbones, bar.update), strict=True):
                with atomic_path(shard) as temporary:
                    np.save(temporary, x, allow_pickle=False)
    for backbone, folder, part in zip(backbones, folders, partials, strict=True):
        x = np.concatenate([np.load(shard, allow_pickle=False) for shard in sorted(part.glob("*.npy"))])
        _store(folder, x.astype(np.float32), np.ones(len(x), bool), backbone)
        shutil.rmtree(part, ignore_errors=True)


def _extract(faces: FaceTable, backbone: Backbone, folder: Path) -> None:
    _require_unchanged(faces)
    partial_folder = private_dir(folder.with_suffix(".partial"))
    files = [str(file) for file in faces.files]
    boxes = np.full((len(files), 4), np.nan)
    x = np.zeros((len(files), backbone.dim), np.float32)
    starts = list(range(0, len(files), SHARD))
    with workers(backbone) as pool, track((), f"embedding ({backbone.name})", total=len(files), unit="image") as bar:
        for start in starts:
            rows = slice(start, start + SHARD)
            shard = partial_folder / f"{start:08d}.npy"
            if not shard.exists():
                with atomic_path(shard) as temporary:
                    np.save(temporary, run_shard(pool, backbone, files[rows], None, bar.update), allow_pickle=False)
            else:
                bar.update(len(files[rows]))
            block = np.load(shard, allow_pickle=False)  # (n, 4 + D): box, then embedding
            boxes[rows], x[rows] = block[:, :4], block[:, 4:]
        missed = np.flatnonzero(np.isnan(boxes[:, 0]))
        if backbone.alignment is not None and len(missed):
            median = tuple(np.nanmedian(boxes, axis=0)) if len(missed) < len(files) else TYPICAL_BOX
            block = run_shard(pool, backbone, [files[m] for m in missed], median, lambda _: None)
            x[missed] = block[:, 4:]
    _store(folder, x, np.ones(len(x), bool) if backbone.alignment is None else ~np.isnan(boxes[:, 0]), backbone)
    shutil.rmtree(partial_folder, ignore_errors=True)


def _require_unchanged(faces: FaceTable) -> None:
    """Raise InputError unless every image still holds the bytes that the face table was made from."""
    for file, expected in zip(faces.files, faces.frame["sha256"], strict=True):
        if not file.is_file() or sha256(file) != expected:
            raise InputError(
                file, "is gone or has changed since notebook 01", "run 01_data_prep again: touch its notebook"
            )


def _store(folder: Path, x: np.ndarray, detected: np.ndarray, backbone: Backbone) -> None:
    if not np.isfinite(x).all():
        raise InputError(folder, f"{backbone.name} gave values that are not finite", "check its weights")
    with atomic_folder(folder) as temporary:
        save = partial(np.save, allow_pickle=False)
        save(temporary / "x.npy", x)
        save(temporary / "detected.npy", detected)
        meta = {"backbone": backbone.name, "images": len(x), "detected": int(detected.sum())}
        (temporary / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
