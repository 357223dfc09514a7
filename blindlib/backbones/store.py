"""Embeddings once: a content-addressed store, private to the user, filled by shards; a kill costs one shard."""

import json
import shutil
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blindlib.backbones.alignment import TYPICAL_BOX
from blindlib.backbones.extraction import row_type, run_rendered_shard, run_shards
from blindlib.backbones.registry import Backbone
from blindlib.common.errors import InputError
from blindlib.common.files import atomic_folder, atomic_path, digest, private_dir, store_dir
from blindlib.common.work import track
from blindlib.data.facetable import FaceTable
from blindlib.data.readers.synth import read_album

SHARD = 256  # images


@dataclass(frozen=True)
class Shard:
    """The file of a shard, which exists once it is finished, and the face table's rows in it."""

    path: Path
    rows: np.ndarray


def shards_of(folder: Path, rows: np.ndarray, prefix: str = "") -> list[Shard]:
    """The shards of some rows, in the partial folder of the set that will be `folder`."""
    partial = folder.with_suffix(".partial")
    return [
        Shard(partial / f"{prefix}{start:08d}.npy", rows[start : start + SHARD]) for start in range(0, len(rows), SHARD)
    ]


def unfinished(faces: FaceTable, folder: Path) -> int:
    """How many images of the set that will be `folder` are in no shard yet."""
    return sum(len(s.rows) for s in shards_of(folder, np.arange(len(faces))) if not s.path.exists())


def fill(faces: FaceTable, sets: dict[Path, Backbone], rank: int = 0, world: int = 1) -> None:
    """Extract the shards that are not there yet; a kill costs the shard that was running.

    Parameters
    ----------
    faces : FaceTable
    sets : dict of Path to Backbone
        Folder of each set when it is finished; the folder `.partial` beside it is filled. Faces that are rendered are
        rendered once for all backbones.
    rank, world : int
        Of every `world` shards, this process takes the one at `rank`. Only rank 0 shows progress: of its own shards.

    Raises
    ------
    InputError
        If an image is gone or has changed since notebook 01, or an embedding is not finite.
    """
    for folder in sets:
        private_dir(folder.with_suffix(".partial"))
    plans = [shards_of(folder, np.arange(len(faces)))[rank::world] for folder in sets]
    if faces.source == "synthfaces" and sets:
        _render(faces, list(sets.values()), plans, rank == 0)
        return
    for backbone, plan in zip(sets.values(), plans, strict=True):
        _extract(faces, backbone, plan, None, f"embedding ({backbone.name})", rank == 0)


def _extract(
    faces: FaceTable, backbone: Backbone, plan: list[Shard], box: tuple | None, what: str, shown: bool
) -> None:
    """Write the shards of files that are not there yet."""
    paths, hashes = [str(file) for file in faces.files], faces.frame["sha256"].to_numpy()
    todo = [shard for shard in plan if not shard.path.exists()]
    files = ([(paths[row], hashes[row]) for row in shard.rows] for shard in todo)
    before = _images(plan) - _images(todo)
    with (
        track((), what, total=_images(plan), initial=before, unit="image", shown=shown) as bar,
        closing(run_shards(backbone, files, box, bar.update)) as finished,  # an error here stops its workers too
    ):
        for shard, rows in zip(todo, finished, strict=True):
            _save(shard, rows, backbone)


def _render(faces: FaceTable, backbones: list[Backbone], plans: list[list[Shard]], shown: bool) -> None:
    """Render the album's shards and embed each by every backbone."""
    album = read_album(faces)
    with track((), "rendering and embedding", total=_images(plans[0]), unit="face", shown=shown) as bar:
        for shards in zip(*plans, strict=True):
            if all(shard.path.exists() for shard in shards):
                bar.update(len(shards[0].rows))
                continue
            parts = run_rendered_shard(album.iloc[shards[0].rows], backbones, bar.update)
            for shard, rows, backbone in zip(shards, parts, backbones, strict=True):
                _save(shard, rows, backbone)


def _images(shards: list[Shard]) -> int:
    return sum(len(shard.rows) for shard in shards)


def _save(shard: Shard, rows: np.ndarray, backbone: Backbone) -> None:
    if not np.isfinite(rows["x"]).all():
        raise InputError(shard.path, f"{backbone.name} gave values that are not finite", "check its weights")
    with atomic_path(shard.path) as temporary:
        np.save(temporary, rows, allow_pickle=False)


def _load(shard: Shard, backbone: Backbone) -> np.ndarray:
    """The rows of a finished shard; a copy from another machine may be damaged, so it is checked."""
    try:
        rows = np.load(shard.path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(shard.path, f"a damaged shard ({error})", "delete this file and run again") from None
    if rows.dtype != row_type(backbone.dim) or rows.shape != shard.rows.shape:
        raise InputError(shard.path, f"holds {rows.shape} of another layout", "delete this file and run again")
    return rows


def finish(faces: FaceTable, backbone: Backbone, folder: Path) -> None:
    """Give the faces that were not found the median box, and make one set of all shards; needs `fill` done by all.

    Raises
    ------
    InputError
        If a shard is not here or damaged, an image has changed, or an embedding is not finite.
    """
    absent = unfinished(faces, folder)
    if absent:
        partial, remedy = folder.with_suffix(".partial"), "copy the other machines' .partial folders here and run again"
        raise InputError(partial, f"the shards of {absent:,} images are not here", remedy)
    shards, boxes = shards_of(folder, np.arange(len(faces))), np.empty((len(faces), 4))
    for shard in shards:
        boxes[shard.rows] = _load(shard, backbone)["box"]
    missed = np.flatnonzero(np.isnan(boxes[:, 0])) if backbone.alignment is not None else np.empty(0, int)
    again = shards_of(folder, missed, "missed-")
    if again:
        median = tuple(np.nanmedian(boxes, axis=0)) if len(missed) < len(faces) else TYPICAL_BOX
        _extract(faces, backbone, again, median, "faces not found: median box", True)
    detected = np.ones(len(faces), bool)
    detected[missed] = False
    with atomic_folder(folder) as temporary:
        _assemble(temporary / "x.npy", [*shards, *again], len(faces), backbone)
        np.save(temporary / "detected.npy", detected, allow_pickle=False)
        meta = {"backbone": backbone.name, "images": len(faces), "detected": int(detected.sum())}
        (temporary / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    shutil.rmtree(folder.with_suffix(".partial"), ignore_errors=True)


def _assemble(path: Path, shards: Iterable[Shard], count: int, backbone: Backbone) -> None:
    """Write x (N, D) from its shards, later ones over earlier ones."""
    np.lib.format.open_memmap(path, "w+", np.float32, (count, backbone.dim))
    for shard in shards:
        x = np.lib.format.open_memmap(path, "r+")  # mapped anew: pages of a mapping that stays count as used memory
        x[shard.rows] = _load(shard, backbone)["x"]


EXTRACTOR_VERSION = 1  # raised whenever the same image would give another embedding


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

    Extraction goes by shards; a kill costs the one that was running. The finished set appears in one step.

    Raises
    ------
    InputError
        If an image is gone or changed since notebook 01, or the store holds a damaged set.
    """
    return embed_all(faces, [backbone])[0]


def embed_all(faces: FaceTable, backbones: list[Backbone]) -> list[EmbeddingSet]:
    """As `embed`, by several backbones; faces that are rendered are rendered once for all of them."""
    missing = absent(faces, backbones)
    fill(faces, missing)
    for folder, backbone in missing.items():
        finish(faces, backbone, folder)
    return [_read(faces, backbone) for backbone in backbones]


def absent(faces: FaceTable, backbones: list[Backbone]) -> dict[Path, Backbone]:
    """Of some backbones those whose set is not in the store, by the folder that it will have."""
    folders = {store_dir() / embedding_key(faces, backbone): backbone for backbone in backbones}
    return {folder: backbone for folder, backbone in folders.items() if not folder.exists()}


def _read(faces: FaceTable, backbone: Backbone) -> EmbeddingSet:
    key = embedding_key(faces, backbone)
    folder = store_dir() / key
    try:
        x = np.load(folder / "x.npy", mmap_mode="r", allow_pickle=False)
        detected = np.load(folder / "detected.npy", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(folder, f"a damaged embedding set ({error})", "delete this folder and run again") from None
    if x.shape != (len(faces), backbone.dim) or detected.shape != (len(faces),):
        raise InputError(folder, f"holds {x.shape}, expected {(len(faces), backbone.dim)}", "delete this folder")
    return EmbeddingSet(x, detected, key)
