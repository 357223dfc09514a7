"""Labeled Faces in the Wild: images, the pairs of View 2, and the two public label files (both a machine's work)."""

import re
from pathlib import Path

import pandas as pd

from blindlib.common.errors import InputError
from blindlib.common.files import sha256
from blindlib.data.checks import check_images, read_csv, read_text, require_columns, require_file
from blindlib.data.facetable import FaceTable, make_facetable
from blindlib.settings import EMOTIONS

# The public legend.csv names thousands of images that a subset of LFW lacks; only that very file may do so.
PUBLIC_LEGEND = "a4be0fc5afa10e44fdc717bf2fe5b3e2c916c07335aec254111c74b40ec75eb0"
_LFW_STYLE = re.compile(r"^(.+)_\d{4}\.jpg$")
_SCORES = ("Male", "Asian", "White", "Black", "Indian", "Smiling", "Attractive Man", "Attractive Woman")


def read_expressions(path: Path, images: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
    """Read `legend.csv` of the public facial_expressions set.

    Parameters
    ----------
    path : Path
        CSV with `user.id`, `image` (a file name), `emotion` (in mixed case).
    images : DataFrame
        Column `image`: `Name/Name_0001.jpg`.

    Returns
    -------
    labels : DataFrame
        `emotion` by image. An image with two different labels gets none.
    notes : dict
        Rows read, foreign rows (no LFW name), rows for absent images, repeated rows, conflicting images.

    Raises
    ------
    InputError
        Wrong columns, an unknown emotion, or (except in the public file) an LFW image that is not here.

    Source: github.com/muxspace/facial_expressions at 5fb9c13.
    """
    require_file(path, "expression labels", "run `blindlib data fetch lfw`")
    legend = read_csv(path, keep_default_na=False)
    require_columns(path, list(legend.columns), ["user.id", "image", "emotion"])
    legend["emotion"] = legend["emotion"].str.strip().str.lower()
    unknown = ~legend["emotion"].isin(EMOTIONS)
    if unknown.any():
        row = int(unknown.idxmax())
        raise InputError(
            path, f"unknown emotion {legend['emotion'][row]!r}", f"use one of {', '.join(EMOTIONS)}", line=row + 2
        )
    known = {Path(image).name: image for image in images["image"]}
    here = legend["image"].isin(known)
    lfw_style = legend["image"].str.match(_LFW_STYLE)
    absent = lfw_style & ~here
    if absent.any() and sha256(path) != PUBLIC_LEGEND:
        row = int(absent.idxmax())
        raise InputError(
            path,
            f"labels the unknown image {legend['image'][row]!r}",
            "take the row out or add the image",
            line=row + 2,
        )
    kept = legend[here].drop_duplicates(["image", "emotion"])
    conflicting = kept["image"].duplicated(keep=False)
    labels = kept[~conflicting].assign(image=lambda rows: rows["image"].map(known)).set_index("image")[["emotion"]]
    notes = {
        "rows": len(legend),
        "foreign rows": int((~lfw_style).sum()),
        "rows for absent images": int(absent.sum()),
        "repeated rows": int(here.sum()) - len(kept),
        "conflicting images": int(kept.loc[conflicting, "image"].nunique()),
        "images labelled": len(labels),
    }
    return labels, notes


def read_attributes(path: Path, images: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
    """Read Columbia's `lfw_attributes.txt`: 73 real-valued scores of attribute classifiers.

    Parameters
    ----------
    path : Path
        Tab-separated; a comment line, then `#`, `person`, `imagenum` and the attributes' names.
    images : DataFrame
        Columns `image` and `identity`.

    Returns
    -------
    labels : DataFrame
        By image: `gender` and `ethnicity` (of the person's mean scores: one label a person), `smiling`, `attractive`
        (of the image's score; the score of 'Attractive Man' or 'Attractive Woman' by that gender).
    notes : dict
        Rows read, rows for images that are not here.

    Raises
    ------
    InputError
        Wrong columns, a score that is no number, or no row that names an image here.

    Source: Kumar et al., ICCV 2009. The scores are predictions; no one asked the people. The three ethnic groups
    follow DiveFace's coarse ones (decision): Asian, White, and Black or Indian.
    """
    lines = read_text(require_file(path, "attribute scores", "see DATA.md")).splitlines()
    header_at = next((n for n, line in enumerate(lines[:5]) if line.startswith("#\tperson\t")), None)
    if header_at is None:
        raise InputError(
            path, "no header line '#<TAB>person<TAB>imagenum…' in its first five lines", "see DATA.md", line=1
        )
    names = lines[header_at].split("\t")[1:]
    require_columns(path, names, ["person", "imagenum", *_SCORES])
    table = read_csv(path, sep="\t", skiprows=header_at + 1, names=names, index_col=False)
    for column in ("imagenum", *_SCORES):
        numbers = pd.to_numeric(table[column], errors="coerce")
        if numbers.isna().any():
            row = int(numbers.isna().idxmax())
            raise InputError(
                path,
                f"{column} is {table[column][row]!r}, not a number",
                "fetch the file again",
                line=row + header_at + 2,
            )
        table[column] = numbers
    person = table["person"].str.replace(" ", "_")
    number = table["imagenum"].astype(int).map("{:04d}".format)
    table.index = pd.Index(person + "/" + person + "_" + number + ".jpg", name="image")
    table = table[table.index.isin(images["image"]) & ~table.index.duplicated()]
    if table.empty:
        raise InputError(path, "names no image of this folder", "check that images and scores are of the same LFW")
    return _labels_of(table), {"rows": len(person), "rows for absent images": len(person) - len(table)}


def _labels_of(table: pd.DataFrame) -> pd.DataFrame:
    mean = table.groupby("person")[list(_SCORES)].transform("mean")
    male = mean["Male"] > 0
    groups = pd.DataFrame(
        {"asian": mean["Asian"], "white": mean["White"], "black or indian": mean[["Black", "Indian"]].max(axis=1)}
    )
    attractive = table["Attractive Man"].where(male, table["Attractive Woman"]) > 0
    return pd.DataFrame(
        {
            "gender": male.map({True: "male", False: "female"}),
            "ethnicity": groups.idxmax(axis=1),
            "smiling": table["Smiling"] > 0,
            "attractive": attractive,
        }
    )


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
