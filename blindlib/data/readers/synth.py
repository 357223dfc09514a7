"""Load SynthFaces as a data set: an album of factors and its face table; images are rendered on demand."""

from pathlib import Path

import pandas as pd

from blindlib.common.errors import InputError
from blindlib.common.files import made_by, parsed, write_parquet
from blindlib.data.facetable import FaceTable, make_facetable
from blindlib.settings import ATTRIBUTES, DATA_ROLES, SynthSettings
from blindlib.synthfaces.roles import make_more_posed, make_pairs, make_roles


def load_synth(config: SynthSettings, root: Path) -> tuple[FaceTable, pd.DataFrame]:
    """Make the album and its face table, with the labels of each role's data set only, and the pairs.

    The folder gets `album.parquet`, the ground truth of every image. An image's name starts with its role:
    `demographics/`, `emotion/`, `verification/` or `attractive/`. The pairs are as by `readers.lfw.read_pairs`.
    """
    album = make_roles(config, config.seed).sort_values("image", ignore_index=True)
    write_parquet(root / "album.parquet", album)
    frame = album[["image", "identity", "sha256"]].copy()
    for label in ATTRIBUTES:
        has_it = [role for role, labels in DATA_ROLES.items() if label in labels]
        frame[label] = album[label].where(album["role"].isin(has_it))
    sizes = album.groupby("role")["identity"].agg(images="size", people="nunique")
    faces = make_facetable(
        frame,
        root,
        name="SynthFaces",
        provenance="synthetic",
        notes=sizes.T.to_dict(),
        source="synthfaces",
        parts={role: (role,) for role in DATA_ROLES},
    )
    pairs = make_pairs(album[album["role"] == "verification"], config.folds, config.fold_pairs, config.seed)
    return faces, pairs


def load_more_posed(config: SynthSettings, people: int, root: Path) -> FaceTable:
    """Return the posed subjects that follow those of `load_synth`, as in a larger data set; the album is in `root`."""
    album = make_more_posed(people, config.emotion, config.seed)
    write_parquet(root / "album.parquet", album)
    frame = album[["image", "identity", "emotion", "sha256"]]
    named = {"name": "SynthFaces", "provenance": "synthetic", "source": "synthfaces"}
    return make_facetable(frame, root, **named, parts={"emotion": ("emotion",)})


def read_album(faces: FaceTable) -> pd.DataFrame:
    """Return factors and ground truth of a SynthFaces table, row by row. Raises InputError without its own album."""
    path, remedy = faces.root / "album.parquet", made_by("01_data_prep")
    album = parsed(path, remedy, pd.read_parquet)
    if list(album["sha256"]) != list(faces.frame["sha256"]):
        raise InputError(path, "holds other faces than the face table", remedy)
    return album
