"""FairFace: gender and ethnicity of 97,698 photographs of unnamed people (an open substitute for DiveFace)."""

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

LABELS = ("fairface_label_train.csv", "fairface_label_val.csv")
FOLDERS = ("fairface-img-margin025-trainval", "fairface-img-margin125-trainval", "images", ".")
ETHNICITIES = (
    "White",
    "Black",
    "Latino_Hispanic",
    "East Asian",
    "Southeast Asian",
    "Indian",
    "Middle Eastern",
)
_REMEDY = "see FairFace in DATA.md: `blindlib data fetch fairface` prints where its files are"


def load_fairface(root: Path) -> FaceTable:
    """Load FairFace.

    Parameters
    ----------
    root : Path
        Holds `fairface_label_train.csv`, `fairface_label_val.csv` (one of them is enough; columns `file`, `gender`,
        `race` are read) and the images, as `fairface-img-margin025-trainval/train/1.jpg` or `train/1.jpg`.

    Returns
    -------
    FaceTable
        `gender` and `ethnicity` (seven groups, in the annotators' words). FairFace names nobody: every photograph
        counts as a person of its own, so it can train no triplets, and a person photographed twice is not noticed.

    Raises
    ------
    InputError
        With file and line: no label file, a wrong column or label, a repeated or outside path, too many absent images.

    Source: Kärkkäinen & Joo, WACV 2021; CC BY 4.0.
    """
    root = Path(root)
    found = [root / name for name in LABELS if (root / name).exists()]
    if not found:
        require_file(root / LABELS[0], "FairFace's labels", _REMEDY)
    folder = next((root / name for name in FOLDERS if any((root / name / s).is_dir() for s in ("train", "val"))), None)
    if folder is None:
        raise InputError(root, f"no FairFace images here (looked for train/ or val/ in {', '.join(FOLDERS)})", _REMEDY)
    parts, notes = zip(*(_read(path, folder) for path in found), strict=True)
    frame = pd.concat(parts, ignore_index=True)
    frame["identity"] = frame["image"]
    frame["sha256"] = check_images(folder, list(frame["image"]))
    named = {path.stem: counted for path, counted in zip(found, notes, strict=True)}
    return make_facetable(frame, folder, name="FairFace", kind="substitute", notes=named)


def _read(path: Path, folder: Path) -> tuple[pd.DataFrame, dict]:
    table = read_csv(require_file(path, "FairFace's labels", _REMEDY), keep_default_na=False)
    require_columns(path, list(table.columns), ["file", "gender", "race"])
    lines = list(range(2, len(table) + 2))
    for column, allowed in (("gender", ("Male", "Female")), ("race", ETHNICITIES)):
        refuse_unknown(path, table[column], allowed)
    refuse_repeats(path, list(table["file"]), "file", lines)
    rows = pd.DataFrame(
        {
            "image": [inside(folder, file, path, n) for file, n in zip(table["file"], lines, strict=True)],
            "gender": table["gender"].str.lower(),
            "ethnicity": table["race"].str.replace("_", " ").str.lower(),
            "line": lines,
        }
    )
    return keep_present(folder, rows, path, _REMEDY)
