"""The two public label files for LFW: expressions (a machine's, very probably) and attribute scores (a machine's)."""

import re
from pathlib import Path

import pandas as pd

from blindlib.datasets.checks import read_csv, read_text, require_columns, require_file
from blindlib.errors import InputError
from blindlib.facetable import EMOTIONS
from blindlib.files import sha256

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
