"""Store embeddings, content-addressed and private to the user, shard by shard; an interruption costs one shard."""

import json
import shutil
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import torch

from blindlib.backbones.alignment import TYPICAL_BOX, shrink
from blindlib.backbones.extraction import align_files, worker_pool
from blindlib.backbones.registry import Backbone
from blindlib.common.errors import InputError
from blindlib.common.files import (
    atomic_folder,
    atomic_path,
    damage,
    digest,
    need_space,
    parsed,
    private_dir,
    store_dir,
    write_bytes,
    write_text,
)
from blindlib.common.work import cores, on_all_cores, track
from blindlib.data.facetable import FaceTable
from blindlib.data.readers.synth import read_album
from blindlib.synthfaces.render import render

# Raised when the same image would give another embedding. 2, of files: turned by EXIF, 16 bits scaled.
EXTRACTOR_VERSION = {"synthfaces": 1, "files": 2}
SHARD = 256  # images
_SET = ("x.npy", "detected.npy", "meta.json")
_REMEDY = "delete it and run again"
_CHUNK = 8  # images of a worker's task
_BATCH = 16  # aligned faces in a network's batch; larger ones are no faster on a core's caches


@dataclass(frozen=True)
class EmbeddingSet:
    """Hold the embeddings of a face table, in its row order."""

    x: np.ndarray  # float32 (N, D), memory-mapped and read-only
    detected: np.ndarray  # bool (N,): False where no face was found and the median box was used
    key: str  # of the store: by the images' bytes, the backbone, its weights and the extractor


def embedding_key(faces: FaceTable, backbone: Backbone) -> str:
    """Return a hash of what an extraction depends on, as 32 hex digits."""
    images = faces.frame[["image", "sha256"]].to_numpy().tolist()
    alignment = backbone.alignment and [backbone.alignment.size, backbone.alignment.points]
    view = [backbone.size] if backbone.window is None else [backbone.size, *backbone.window]
    return digest(images, backbone.name, *view, alignment, backbone.weights(), EXTRACTOR_VERSION[faces.source])[:32]


def embed(faces: FaceTable, backbone: Backbone) -> EmbeddingSet:
    """Return the embeddings of a face table: loaded from the store, or extracted with a progress bar and stored.

    Raises
    ------
    InputError
        If an image is absent or changed since notebook 01, or the disk has too little space.
    """
    return embed_all(faces, [backbone])[0]


def embed_all(faces: FaceTable, backbones: list[Backbone]) -> list[EmbeddingSet]:
    """Embed by several backbones as `embed`; rendered faces are rendered once for all of them."""
    missing = absent(faces, backbones)
    fill(faces, missing)
    for folder, backbone in missing.items():
        finish(faces, backbone, folder)
    sets = []
    for backbone in backbones:
        folder = store_dir() / embedding_key(faces, backbone)
        x = np.load(folder / "x.npy", allow_pickle=False, mmap_mode="r")
        x = _laid_out(folder / "x.npy", x, np.float32, (len(faces), backbone.dim))
        sets.append(EmbeddingSet(x, _load(folder / "detected.npy", np.bool_, (len(faces),)), folder.name))
    return sets


def absent(faces: FaceTable, backbones: list[Backbone]) -> dict[Path, Backbone]:
    """Return the backbones whose set is not in the store, by the set's future folder."""
    folders = {store_dir() / embedding_key(faces, backbone): backbone for backbone in backbones}
    return {folder: backbone for folder, backbone in folders.items() if not _whole(folder)}


def _whole(folder: Path) -> bool:
    """Return whether all files of a set are present."""
    return not any(damage(folder / name) for name in _SET)


def _load(path: Path, dtype: np.dtype, shape: tuple) -> np.ndarray:
    """Load an array of the store, checked."""
    return _laid_out(path, parsed(path, _REMEDY, partial(np.load, allow_pickle=False)), dtype, shape)


def _laid_out(path: Path, array: np.ndarray, dtype: np.dtype, shape: tuple) -> np.ndarray:
    if array.dtype != dtype or array.shape != shape:
        raise InputError(path, f"holds {array.shape} of another layout, not {shape}", _REMEDY)
    return array


@dataclass(frozen=True)
class Shard:
    """Hold a shard's file, which is complete once it exists, and the face table's rows in it."""

    path: Path
    rows: np.ndarray

    def save(self, rows: np.ndarray, backbone: Backbone) -> None:
        """Write the shard; raises InputError if an embedding is not finite."""
        if not np.isfinite(rows["x"]).all():
            raise InputError(self.path, f"{backbone.name} gave values that are not finite", "check its weights")
        write_bytes(self.path, _as_file(rows))


def _as_file(array: np.ndarray) -> bytes:
    """Return an array's .npy bytes; a failed write of NumPy itself would not state the reason."""
    stream = BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()  # a view would hold the stream, which then cannot be closed


def _row_type(backbone: Backbone) -> np.dtype:
    """Return the type of a shard's row: the box as shares of the padded frame (NaN without a face), and x (D,)."""
    return np.dtype([("box", "<f8", 4), ("x", "<f4", backbone.dim)])


def _shards(folder: Path, rows: np.ndarray, prefix: str = "") -> list[Shard]:
    """List the shards of some rows, in the partial folder of the future set `folder`."""
    partial, starts = folder.with_suffix(".partial"), range(0, len(rows), SHARD)
    return [Shard(partial / f"{prefix}{start:08d}.npy", rows[start : start + SHARD]) for start in starts]


def _images(shards: list[Shard]) -> int:
    return sum(len(shard.rows) for shard in shards)


def unfinished(faces: FaceTable, folder: Path) -> int:
    """Count the images of the future set `folder` that are in no shard yet."""
    return _images([shard for shard in _shards(folder, np.arange(len(faces))) if damage(shard.path)])


def fill(faces: FaceTable, sets: dict[Path, Backbone], rank: int = 0, world: int = 1) -> None:
    """Extract the missing shards into the folder `.partial` beside each set's future folder.

    Of every `world` shards, this process extracts the one at `rank`. Only rank 0 shows progress, of its own shards.

    Raises
    ------
    InputError
        As `embed`; if an embedding is not finite; or if faces are rendered and a backbone needs an alignment.
    """
    for folder in sets:
        private_dir(folder.with_suffix(".partial"))
    plans = [_shards(folder, np.arange(len(faces)))[rank::world] for folder in sets]
    if sets:  # shards that are missing, and then the sets of all shards
        todo = (_images([shard for shard in plan if not shard.path.exists()]) for plan in plans)
        rows = zip(sets.values(), todo, strict=True)
        size = sum(left * _row_type(each).itemsize + 4 * len(faces) * each.dim for each, left in rows)
        need_space(store_dir(), size, f"what {len(faces):,} images are embedded to")
    aligned = [backbone.name for backbone in sets.values() if backbone.alignment is not None]
    if faces.source != "synthfaces":
        for backbone, plan in zip(sets.values(), plans, strict=True):
            _extract(faces, backbone, plan, None, f"embedding ({backbone.name})", rank == 0)
    elif aligned:
        raise InputError("backbone", f"{aligned[0]} aligns faces from files", "export them first: blindlib synth --out")
    elif sets:
        _render(faces, list(sets.values()), plans, rank == 0)


def _render(faces: FaceTable, backbones: list[Backbone], plans: list[list[Shard]], shown: bool) -> None:
    """Render each shard's faces once, without image files, and embed them by every backbone.

    The next shard is rendered while one is embedded. If all backbones use one window, only that is rendered.
    """
    album, windows = read_album(faces), {backbone.window for backbone in backbones}
    window = windows.pop() if len(windows) == 1 else None
    todo = [shards for shards in zip(*plans, strict=True) if any(damage(shard.path) for shard in shards)]

    def begin(shards: tuple[Shard, ...]) -> Future:
        rows, options = album.iloc[shards[0].rows], {} if window is None else {"window": window}
        return pool.submit(render, rows, done=bar.update, **options)

    total, left = _images(plans[0]), _images([shards[0] for shards in todo])
    with (
        track((), "rendering and embedding", total=total, initial=total - left, unit="face", shown=shown) as bar,
        worker_pool(1, processes=False) as pool,
    ):
        renderings = map(begin, todo)  # lazily: each begins on request
        ahead = next(renderings, None)
        for shards in todo:
            frames, ahead = ahead.result(), next(renderings, None)
            for shard, backbone in zip(shards, backbones, strict=True):
                cut = backbone.window if window is None else None
                rows = np.zeros(len(frames), _row_type(backbone))
                rows["box"] = np.nan
                chips = np.stack([shrink(frame, backbone.size, cut) for frame in frames])
                size = len(chips) if torch.cuda.is_available() else _BATCH
                rows["x"] = np.concatenate(
                    [backbone.encode(part) for part in np.split(chips, range(size, len(chips), size))]
                )
                shard.save(rows, backbone)


def _extract(
    faces: FaceTable, backbone: Backbone, plan: list[Shard], box: tuple | None, what: str, shown: bool
) -> None:
    """Write the missing shards of image files; the next shard is aligned while one is encoded.

    A batch depends on its shard alone, not on the process or the number of cores. x is 0 where no face was found.
    """
    files = list(zip(map(str, faces.files), faces.frame["sha256"], strict=True))
    todo = [shard for shard in plan if damage(shard.path)]
    work = backbone.size, backbone.window, backbone.alignment, box, backbone.encode if backbone.in_worker else None

    def begin(shard: Shard) -> tuple[Shard, list[Future]]:
        parts = np.split(shard.rows, range(_CHUNK, len(shard.rows), _CHUNK))
        return shard, [pool.submit(align_files, [files[row] for row in rows], *work) for rows in parts]

    with (
        track((), what, total=_images(plan), initial=_images(plan) - _images(todo), unit="image", shown=shown) as bar,
        worker_pool(cores(), processes=backbone.alignment is not None) as pool,
    ):
        for (shard, chunks), _ in pairwise(chain(map(begin, todo), [None])):  # the next begins before one is encoded
            parts, rows = [], np.zeros(len(shard.rows), _row_type(backbone))
            while chunks:
                parts.append(chunks.pop(0).result())  # popped: a finished chunk is freed
                bar.update(len(parts[-1][0]))
            rows["box"], payload = map(np.concatenate, zip(*parts, strict=True))
            found = ~np.isnan(rows["box"][:, 0]) if backbone.alignment is not None else np.ones(len(rows), bool)
            if len(payload):
                rows["x"][found] = payload if backbone.in_worker else _encode(backbone, payload)
            shard.save(rows, backbone)


def _encode(backbone: Backbone, chips: np.ndarray) -> np.ndarray:
    """Compute the embeddings (n, D) of a shard's aligned faces, in batches that are the same on every machine."""
    size = _CHUNK if backbone.alignment is None else _BATCH
    spread = map if torch.cuda.is_available() else on_all_cores
    return np.concatenate(list(spread(backbone.encode, np.split(chips, range(size, len(chips), size)))))


def finish(faces: FaceTable, backbone: Backbone, folder: Path) -> None:
    """Embed undetected faces by the median box, and join all shards to one set; every process must end `fill` before.

    Raises
    ------
    InputError
        If a shard is absent or damaged, an image has changed, or an embedding is not finite.
    """
    partial, left = folder.with_suffix(".partial"), unfinished(faces, folder)
    if left:
        remedy = "copy the other machines' .partial folders here, and run again"
        raise InputError(partial, f"the shards of {left:,} images are not here", remedy)
    shards, boxes, row = _shards(folder, np.arange(len(faces))), np.zeros((len(faces), 4)), _row_type(backbone)
    if backbone.alignment is not None:
        for shard in shards:
            boxes[shard.rows] = _load(shard.path, row, shard.rows.shape)["box"]
    detected = ~np.isnan(boxes[:, 0])
    again = _shards(folder, np.flatnonzero(~detected), "missed-")
    if again:
        median = tuple(np.nanmedian(boxes, axis=0)) if detected.any() else TYPICAL_BOX
        _extract(faces, backbone, again, median, "faces not found: median box", True)
    if folder.exists() and not _whole(folder):
        shutil.rmtree(folder)
    with atomic_folder(folder) as temporary:
        with atomic_path(temporary / "x.npy") as path:
            _join(path, [*shards, *again], row, (len(faces), backbone.dim))
        write_bytes(temporary / "detected.npy", _as_file(detected))
        meta = {"backbone": backbone.name, "images": len(faces), "detected": int(detected.sum())}
        write_text(temporary / "meta.json", json.dumps(meta))
    shutil.rmtree(partial, ignore_errors=True)


def _join(path: Path, shards: list[Shard], row: np.dtype, shape: tuple[int, int]) -> None:
    """Write the x (N, D) of some shards as one array file; rows of later shards replace those of earlier ones.

    The file is not memory-mapped: on a full disk a process that writes to a mapping is killed without a message.
    """
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
        start = stream.tell()
        for shard in shards:
            x = _load(shard.path, row, shard.rows.shape)["x"]
            cuts = np.flatnonzero(np.diff(shard.rows) != 1) + 1
            for rows, part in zip(np.split(shard.rows, cuts), np.split(x, cuts), strict=True):
                stream.seek(start + int(rows[0]) * 4 * shape[1])
                stream.write(part.tobytes())
