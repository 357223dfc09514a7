"""Embeddings once: a content-addressed store, private to the user, that survives a kill at any moment."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blindlib.backbones import Backbone
from blindlib.errors import InputError
from blindlib.facetable import FaceTable
from blindlib.files import digest
from blindlib.paths import store_dir
from blindlib.shards import fill, finish

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
