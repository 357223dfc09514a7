"""Anybody's photographs: a CSV of image paths and labels beside the images."""

from pathlib import Path

import pandas as pd

from blindlib.datasets.checks import check_images, inside, read_csv, require_columns, require_file
from blindlib.errors import InputError
from blindlib.facetable import ATTRIBUTES, FaceTable, make_facetable


def load_manifest(path: Path, *, name: str | None = None, kind: str = "substitute") -> FaceTable:
    """Load a manifest.

    Parameters
    ----------
    path : Path
        CSV with `image` (path below the manifest's folder) and `identity`; any of `emotion`, `gender`, `ethnicity`,
        `smiling`, `attractive` (1/0 or true/false). An empty cell is a missing label.
    name, kind : str, optional

    Raises
    ------
    InputError
        With file and line: wrong columns, a path that leaves the folder, a repeated or absent image, an unknown label.
    """
    path = Path(path)
    require_file(path, "manifest", "write one: image,identity[,emotion,gender,ethnicity,smiling,attractive]")
    frame = read_csv(path)
    require_columns(path, list(frame.columns), ["image", "identity"])
    frame = frame[["image", "identity", *(a for a in ATTRIBUTES if a in frame)]]
    empty = frame[["image", "identity"]].isna().any(axis=1)
    if empty.any():
        raise InputError(path, "no image or no identity in this row", "fill it in", line=int(empty.idxmax()) + 2)
    frame["image"] = [inside(path.parent, image, path, row + 2) for row, image in enumerate(frame["image"])]
    repeated = frame["image"].duplicated()
    if repeated.any():
        row = int(repeated.idxmax())
        raise InputError(path, f"repeats the image {frame['image'][row]!r}", "keep one row an image", line=row + 2)
    for column in ("smiling", "attractive"):
        if column in frame:
            frame[column] = _as_boolean(path, frame[column])
    frame["sha256"] = check_images(path.parent, list(frame["image"]))
    return make_facetable(frame, path.parent, name=name or path.parent.name, kind=kind)


def _as_boolean(path: Path, column: pd.Series) -> pd.Series:
    words = column.str.strip().str.lower()
    values = words.map({"1": True, "true": True, "0": False, "false": False})
    wrong = column.notna() & values.isna()
    if wrong.any():
        row = int(wrong.idxmax())
        raise InputError(path, f"{column.name} is {column[row]!r}", "write 1, 0, true, false or nothing", line=row + 2)
    return values.astype("boolean")
