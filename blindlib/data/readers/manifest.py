"""Anybody's photographs: a CSV of image paths and labels beside the images."""

from pathlib import Path

import pandas as pd

from blindlib.common.errors import InputError
from blindlib.data.checks import (
    check_images,
    inside,
    keep_present,
    read_csv,
    refuse_repeats,
    refuse_unknown,
    require_columns,
    require_file,
)
from blindlib.data.facetable import FaceTable, make_facetable
from blindlib.settings import ATTRIBUTES, EMOTIONS, GENDERS

MANIFEST = "faces.csv"


def load_manifest(path: Path) -> FaceTable:
    """Load a manifest.

    Parameters
    ----------
    path : Path
        A folder that holds `faces.csv`, or the CSV itself: `image` (path below the CSV's folder) and `identity`; any of
        `emotion`, `gender`, `ethnicity`, `smiling`, `attractive` (1/0 or true/false). An empty cell is a missing label.

    Returns
    -------
    FaceTable
        Named by its folder; a substitute for the paper's data. `notes` counts images listed and absent.

    Raises
    ------
    InputError
        With file and line: wrong or unknown columns, a path that leaves the folder, a repeated image, an unknown
        label, too many absent images.
    """
    path = Path(path) / MANIFEST if Path(path).is_dir() else Path(path)
    require_file(path, "manifest", "write one: image,identity[,emotion,gender,ethnicity,smiling,attractive]")
    frame = read_csv(path)
    require_columns(path, list(frame.columns), ["image", "identity"])
    unknown = [column for column in frame if column not in ("image", "identity", *ATTRIBUTES)]
    if unknown:
        known = ", ".join(("image", "identity", *ATTRIBUTES))
        raise InputError(path, f"has the unknown columns {unknown}", f"rename or drop them; known: {known}", line=1)
    empty = frame[["image", "identity"]].isna().any(axis=1)
    if empty.any():
        raise InputError(path, "no image or no identity in this row", "fill it in", line=int(empty.idxmax()) + 2)
    frame["image"] = [inside(path.parent, image, path, row + 2) for row, image in enumerate(frame["image"])]
    frame["line"] = range(2, len(frame) + 2)
    refuse_repeats(path, list(frame["image"]), "image", list(frame["line"]))
    for column in ("smiling", "attractive"):
        if column in frame:
            frame[column] = _as_boolean(path, frame[column])
    for column, allowed in (("emotion", EMOTIONS), ("gender", GENDERS)):
        if column in frame:
            refuse_unknown(path, frame[column], allowed)
    frame, notes = keep_present(path.parent, frame, path, "add the images, or take their rows out")
    frame["sha256"] = check_images(path.parent, list(frame["image"]))
    return make_facetable(frame, path.parent, name=path.parent.name, kind="substitute", notes={"manifest": notes})


def _as_boolean(path: Path, column: pd.Series) -> pd.Series:
    words = column.str.strip().str.lower()
    values = words.map({"1": True, "true": True, "0": False, "false": False})
    wrong = column.notna() & values.isna()
    if wrong.any():
        row = int(wrong.idxmax())
        raise InputError(path, f"{column.name} is {column[row]!r}", "write 1, 0, true, false or nothing", line=row + 2)
    return values.astype("boolean")
