"""DiveFace: 24,000 people in six groups of gender and ethnicity, by the lists that its authors publish."""

import re
from pathlib import Path

import pandas as pd

from blindlib.common.errors import InputError
from blindlib.common.files import sha256
from blindlib.data.checks import check_images, inside, keep_present, read_text, refuse_repeats, require_file
from blindlib.data.facetable import FaceTable, make_facetable

LISTS = tuple(f"Group{n}_{gender}" for n in (1, 2, 3) for gender in ("Male", "Female"))
BALANCED = 3  # images of a person in the balanced set: its first three lines, as the authors' script takes them
# First digits of the SHA-256 of the lists at commit 208b53e of BiDAlab/DiveFace.
PUBLISHED = {
    "Group1_Female": "b58aa119",
    "Group1_Male": "6d934942",
    "Group2_Female": "a5b567fd",
    "Group2_Male": "7e958745",
    "Group3_Female": "818b63dc",
    "Group3_Male": "333a17d1",
}
_LINE = re.compile(r"^[^/\\]+/[^/\\]+\.jpe?g$", re.IGNORECASE)
_REMEDY = "see DiveFace in DATA.md: the lists are public, the images were MegaFace's"


def load_diveface(root: Path, *, everything: bool = False) -> FaceTable:
    """Load DiveFace.

    Parameters
    ----------
    root : Path
        Holds the six lists `Group1_Male.txt` … `Group3_Female.txt` (or in `files/`), a line `identity/file` an image;
        and the images as `images/identity/file`, `Group1_Male/identity/file` (as the authors' script sorts them) or
        `identity/file`.
    everything : bool
        All images; otherwise three of each person (the balanced set).

    Returns
    -------
    FaceTable
        `gender`, and `ethnicity` by the lists' own names `group 1` (East Asian), `group 2` (Sub-Saharan and South
        Indian), `group 3` (Caucasian, in the authors' words). `real` with all six lists as published. `notes` counts
        images listed, absent, and which lists are.

    Raises
    ------
    InputError
        With list and line: a missing list, a broken or repeated line, a person in two lists, too many absent images.

    Source: Morales et al. 2021 (arXiv 1902.00334); github.com/BiDAlab/DiveFace.
    """
    root = Path(root)
    parts, notes, list_of = [], {}, {}
    for name in LISTS:
        path = next((p for p in (root / "files" / f"{name}.txt", root / f"{name}.txt") if p.exists()), None)
        listing = require_file(path or root / f"{name}.txt", "DiveFace list", _REMEDY)
        rows = _read_list(listing, root, everything)
        for person, line in zip(rows["identity"], rows["line"], strict=True):
            if list_of.setdefault(person, name) != name:
                raise InputError(
                    listing, f"{person} is in {list_of[person]}.txt too", "keep a person in one list", line=int(line)
                )
        rows, counted = keep_present(root, rows, listing, _REMEDY)
        published = sha256(listing).startswith(PUBLISHED[name])
        notes[name] = {**counted, "people": rows["identity"].nunique(), "list as published": int(published)}
        group, gender = name.split("_")
        parts.append(rows.assign(gender=gender.lower(), ethnicity=f"group {group[-1]}"))
    frame = pd.concat(parts, ignore_index=True)
    frame["sha256"] = check_images(root, list(frame["image"]))
    kind = "real" if all(counts["list as published"] for counts in notes.values()) else "substitute"
    return make_facetable(frame, root, name="DiveFace", kind=kind, notes=notes)


def _read_list(listing: Path, root: Path, everything: bool) -> pd.DataFrame:
    lines = [(n, line.strip()) for n, line in enumerate(read_text(listing).splitlines(), 1) if line.strip()]
    for n, line in lines:
        if not _LINE.match(line):
            raise InputError(listing, f"expected 'identity/file.jpg', got {line[:60]!r}", "mend that line", line=n)
    refuse_repeats(listing, [line for _, line in lines], "image", [n for n, _ in lines])
    base = _image_folder(root, listing, [line for _, line in lines])
    rows = pd.DataFrame(
        {
            "image": [base + inside(root / base, line, listing, n) for n, line in lines],
            "identity": [line.split("/")[0] for _, line in lines],
            "line": [n for n, _ in lines],
        }
    )
    return rows if everything else rows[rows.groupby("identity").cumcount() < BALANCED]


def _image_folder(root: Path, listing: Path, images: list[str]) -> str:
    """Where a list's images start, below root: the layout in which one of its first images is there."""
    layouts = ("images/", f"{listing.stem}/", f"images/{listing.stem}/", "")
    found = (base for base in layouts if any((root / base / image).is_file() for image in images[:300]))
    return next(found, "images/")
