"""Labeled Faces in the Wild: images and the pairs of View 2, in the layout that its authors distribute."""

import re
from pathlib import Path

import pandas as pd

from blindlib.datasets.checks import check_images, read_text, require_file
from blindlib.datasets.lfw_labels import read_attributes, read_expressions
from blindlib.errors import InputError
from blindlib.facetable import FaceTable, make_facetable

FOLDERS = ("lfw", "lfw_funneled", "lfw-deepfunneled")
_IMAGE = re.compile(r"^(?P<name>.+)_(?P<number>\d{4})\.jpe?g$", re.IGNORECASE)
_FETCH = (
    "fetch it: `.venv/bin/blindlib data fetch lfw`; or name a copy that holds lfw/, pairs.txt and legend.csv: "
    "`make paper LFW=/path/to/it`; or run without data: `make paper`"
)


def image_name(person: str, number: int) -> str:
    """LFW's own file name: `Aaron_Peirsol`, 3 -> `Aaron_Peirsol_0003.jpg`."""
    return f"{person}_{number:04d}.jpg"


def image_folder(root: Path) -> Path:
    """The folder of persons below `root`.

    Raises
    ------
    InputError
        If none of LFW's folder names is there.
    """
    found = [root / name for name in FOLDERS if (root / name).is_dir()]
    if not found:
        raise InputError(root, f"no LFW images here (looked for {', '.join(FOLDERS)})", _FETCH)
    return found[0]


def _find_images(folder: Path) -> pd.DataFrame:
    rows = []
    for path in sorted(folder.glob("*/*")):
        if path.suffix.lower() not in (".jpg", ".jpeg"):
            continue
        match = _IMAGE.match(path.name)
        if not match or match["name"] != path.parent.name:
            raise InputError(path, "not named Name/Name_0001.jpg as LFW's images are", "rename or remove it")
        rows.append((path.relative_to(folder).as_posix(), path.parent.name))
    if not rows:
        raise InputError(folder, "holds no Name/Name_0001.jpg", _FETCH)
    return pd.DataFrame(rows, columns=["image", "identity"])


def load_lfw(root: Path) -> FaceTable:
    """Load LFW's images with whatever label files lie beside them.

    Parameters
    ----------
    root : Path
        Holds `lfw/Name/Name_0001.jpg`; optionally `legend.csv` (expressions; most likely a machine's labels) and
        `lfw_attributes.txt` (gender, ethnicity, Smiling, attractiveness; a machine's scores, not labels).

    Returns
    -------
    FaceTable
        `notes` says what the label readers ignored.

    Raises
    ------
    InputError
        For a missing folder, an image that does not decode, or a label file that is not in its true format.

    Source: Huang et al. 2007 (images); Kumar et al. 2009 (attributes); muxspace/facial_expressions (expressions).
    """
    root = Path(root)
    folder = image_folder(root)
    frame = _find_images(folder)
    frame["sha256"] = check_images(folder, list(frame["image"]))
    notes = {}
    if (root / "legend.csv").exists():
        labels, notes["expressions"] = read_expressions(root / "legend.csv", frame)
        frame = frame.join(labels, on="image")
    if (root / "lfw_attributes.txt").exists():
        labels, notes["attributes"] = read_attributes(root / "lfw_attributes.txt", frame)
        frame = frame.join(labels, on="image")
    return make_facetable(frame, folder, name="LFW", kind="real", notes=notes)


def read_pairs(path: Path, faces: FaceTable) -> pd.DataFrame:
    """Read View 2's pairs.

    Parameters
    ----------
    path : Path
        `pairs.txt`: a line `folds<TAB>n`, then for each fold n lines `name i j` (same person) and n lines
        `name i other j` (different persons).
    faces : FaceTable
        The images that the pairs may name.

    Returns
    -------
    DataFrame
        `fold` (from 0), `left`, `right` (row numbers in `faces`), `same` (bool); one row a pair.

    Raises
    ------
    InputError
        With file and line: broken line, absent image, wrong count.

    Source: Huang et al. 2007, View 2; http://vis-www.cs.umass.edu/lfw/README.txt.
    """
    lines = read_text(require_file(path, "pairs file", _FETCH)).splitlines()
    try:
        folds, size = (int(word) for word in lines[0].split())
    except ValueError:
        raise InputError(path, f"expected 'folds<TAB>pairs', got {lines[0][:60]!r}", _FETCH, line=1) from None
    body = lines[1:]
    while body and not body[-1].strip():
        body.pop()
    if min(folds, size) < 1 or len(body) != 2 * folds * size:
        raise InputError(
            path, f"its first line promises {2 * folds * size} pairs, it holds {len(body)}", _FETCH, line=1
        )
    row_of = {image: row for row, image in enumerate(faces.frame["image"])}
    pairs = [_parse_pair(path, number + 2, line, (number // size) % 2 == 0, row_of) for number, line in enumerate(body)]
    frame = pd.DataFrame(pairs, columns=["left", "right", "same"])
    frame.insert(0, "fold", frame.index // (2 * size))
    return frame


def _parse_pair(path: Path, line: int, text: str, same: bool, row_of: dict[str, int]) -> tuple[int, int, bool]:
    words = text.split("\t") if "\t" in text else text.split()
    wanted = 3 if same else 4
    numbers = words[1::2] if not same else words[1:]
    if len(words) != wanted or not all(number.strip().isdigit() for number in numbers):
        form = "name i j" if same else "name i other j"
        raise InputError(path, f"expected '{form}', got {text[:60]!r}", _FETCH, line=line)
    sides = [(words[0], words[1]), (words[0] if same else words[2], words[-1])]
    rows = []
    for person, number in sides:
        image = f"{person}/{image_name(person, int(number))}"
        if image not in row_of:
            raise InputError(
                path,
                f"names {image}, which is not among the images",
                "fetch the images again, or take the pair (and its count) out",
                line=line,
            )
        rows.append(row_of[image])
    return rows[0], rows[1], same
