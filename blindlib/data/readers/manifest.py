"""Load a manifest: a CSV of image paths and labels beside the user's images."""

from pathlib import Path
from posixpath import normpath

from blindlib.common.errors import InputError
from blindlib.data.checks import read_table
from blindlib.data.facetable import FaceTable, make_facetable
from blindlib.settings import ATTRIBUTES, EMOTIONS, GENDERS

MANIFEST = "faces.csv"
_COLUMNS = ("image", "identity", *ATTRIBUTES)
_TRUTH = {"1": True, "true": True, "0": False, "false": False}


def load_manifest(path: Path) -> FaceTable:
    """Load a folder with `faces.csv`, or the CSV itself; its provenance is `substitute`, its name the folder's.

    Its columns are `image` (a path below the CSV's folder) and `identity`, and any of `emotion`, `gender`, `ethnicity`,
    `smiling`, `attractive` (1/0 or true/false). An empty cell is a missing label. Raises InputError for other columns.
    """
    path = path / MANIFEST if path.is_dir() else path
    listing = read_table(path, "manifest", ["image", "identity"], "add the images, or take their rows out")
    rows = listing.rows
    unknown = [column for column in rows if column not in _COLUMNS]
    if unknown:
        remedy = f"rename or drop them; known: {', '.join(_COLUMNS)}"
        raise InputError(path, f"has the unknown columns {unknown}", remedy, line=1)
    for column in rows:  # otherwise 'Ann' and 'Ann ' would be two subjects
        rows[column] = rows[column].str.strip()
    for column in ("image", "identity"):
        listing.refuse(rows[column] == "", f"no {column} in this row", "fill it in")
    rows["image"] = rows["image"].map(normpath)
    listing.refuse(rows["image"].str.match(r"/|\.\.?(/|$)"), "path {image!r} leaves the folder")
    listing.refuse(rows["image"].duplicated(), "repeats the image {image!r}", "keep one line of the two")
    for column in rows.columns.intersection(["smiling", "attractive"]):
        truth = rows[column].str.lower().map(_TRUTH)
        wrong = truth.isna() & (rows[column] != "")
        listing.refuse(wrong, f"{column} is {{{column}!r}}", "write 1, 0, true, false or nothing")
        rows[column] = truth
    for column, allowed in (("emotion", EMOTIONS), ("gender", GENDERS)):
        if column in rows:
            listing.refuse_unknown(column, (*allowed, ""))
    rows, notes = listing.keep_present(path.parent)
    rows = rows.mask(rows == "")
    return make_facetable(rows, path.parent, name=path.parent.name, provenance="substitute", notes={"manifest": notes})
