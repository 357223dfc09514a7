"""Load DiveFace: 24,000 subjects in six groups of gender and ethnicity, by its authors' published lists."""

from pathlib import Path

import pandas as pd

from blindlib.common.files import sha256
from blindlib.data.checks import Listing, read_lines
from blindlib.data.facetable import FaceTable, make_facetable

BALANCED = 3  # images of a subject in the balanced set: the first three lines, as in the authors' script
# First digits of the SHA-256 of the lists at commit 208b53e of BiDAlab/DiveFace.
PUBLISHED = {
    "Group1_Male": "6d934942",
    "Group1_Female": "b58aa119",
    "Group2_Male": "7e958745",
    "Group2_Female": "a5b567fd",
    "Group3_Male": "333a17d1",
    "Group3_Female": "818b63dc",
}
_REMEDY = "see DiveFace in DATA.md: the lists are public, the images were MegaFace's"


def load_diveface(root: Path, *, everything: bool = False) -> FaceTable:
    """Load DiveFace from a folder with the six lists (or with them in `files/`) and the images.

    By default three images of each subject are loaded (the balanced set), with `everything` all.

    `gender`, and `ethnicity` by the lists' own names `group 1` (East Asian), `group 2` (Sub-Saharan and South Indian),
    `group 3` (Caucasian, in the authors' words). The provenance is `real` with all six lists as published. `notes`
    counts images listed and absent, and published lists.

    Source: Morales et al. 2021 (arXiv 1902.00334); github.com/BiDAlab/DiveFace.
    """
    parts, notes = [], {}
    for name in PUBLISHED:
        listing = _read_list(name, root, everything)
        rows, counted = listing.keep_present(root)
        published = sha256(listing.path).startswith(PUBLISHED[name])
        notes[name] = {**counted, "people": rows["identity"].nunique(), "list as published": int(published)}
        group, gender = name.split("_")
        parts.append(rows.assign(gender=gender.lower(), ethnicity=f"group {group[-1]}"))
    provenance = "real" if all(counts["list as published"] for counts in notes.values()) else "substitute"
    frame = pd.concat(parts, ignore_index=True)
    return make_facetable(frame, root, name="DiveFace", provenance=provenance, notes=notes)


def _read_list(name: str, root: Path, everything: bool) -> Listing:
    inner, outer = root / "files" / f"{name}.txt", root / f"{name}.txt"
    path = inner if inner.exists() else outer
    listing = read_lines(path, "DiveFace list", _REMEDY)
    lines = listing.rows["text"]
    broken = ~lines.str.fullmatch(r"[^/\\]+/[^/\\]+\.jpe?g", case=False)
    listing.refuse(broken, "expected 'identity/file.jpg', got {text!r}", "mend that line")
    layouts = ("images/", f"{name}/", f"images/{name}/", "")  # the first that has one of the first images is used
    base = next((b for b in layouts if any((root / b / line).is_file() for line in lines.head(300))), "images/")
    rows = pd.DataFrame({"image": base + lines, "identity": lines.str.split("/").str[0]})
    return Listing(path, rows if everything else rows[rows.groupby("identity").cumcount() < BALANCED], _REMEDY)
