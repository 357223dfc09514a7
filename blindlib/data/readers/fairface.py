"""Load FairFace: gender and ethnicity of 97,698 photographs of unnamed subjects (an open substitute for DiveFace)."""

from pathlib import Path

import pandas as pd

from blindlib.common.errors import InputError
from blindlib.data.checks import read_table
from blindlib.data.facetable import FaceTable, make_facetable

LABELS = ("fairface_label_train.csv", "fairface_label_val.csv")
FOLDERS = ("fairface-img-margin025-trainval", "fairface-img-margin125-trainval", "images", ".")
ETHNICITIES = ("White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian", "Middle Eastern")
_REMEDY = "see FairFace in DATA.md: `blindlib data fetch fairface` prints where its files are"


def load_fairface(root: Path) -> FaceTable:
    """Load FairFace from a folder with one or both label files and the images. Raises InputError without them.

    `gender` and `ethnicity` (seven groups, in the annotators' words). FairFace has no identities: every photograph
    counts as a subject of its own, so it trains no triplets, and two images of one subject are not detected.

    Source: Kärkkäinen & Joo, WACV 2021; CC BY 4.0.
    """
    found = [root / name for name in LABELS if (root / name).exists()] or [root / LABELS[0]]
    folder = next((root / name for name in FOLDERS if any((root / name / s).is_dir() for s in ("train", "val"))), None)
    if folder is None:
        raise InputError(root, f"no FairFace images here (looked for train/ or val/ in {', '.join(FOLDERS)})", _REMEDY)
    parts, notes = zip(*(_read(path, folder) for path in found), strict=True)
    named = {path.stem: counted for path, counted in zip(found, notes, strict=True)}
    frame = pd.concat(parts, ignore_index=True)
    return make_facetable(frame, folder, name="FairFace", provenance="substitute", notes=named)


def _read(path: Path, folder: Path) -> tuple[pd.DataFrame, dict]:
    listing = read_table(path, "FairFace's labels", ["file", "gender", "race"], _REMEDY)
    listing.refuse_unknown("gender", ("Male", "Female"))
    listing.refuse_unknown("race", ETHNICITIES)
    listing.rows["image"] = listing.rows["file"]
    rows, notes = listing.keep_present(folder)
    ethnicity = rows["race"].str.replace("_", " ").str.lower()
    rows = rows[["image"]].assign(identity=rows["image"], gender=rows["gender"].str.lower(), ethnicity=ethnicity)
    return rows, notes
