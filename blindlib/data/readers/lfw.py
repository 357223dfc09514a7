"""Load Labeled Faces in the Wild: images, the pairs of View 2, and the public label files."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from blindlib.common.errors import InputError
from blindlib.common.files import sha256
from blindlib.data.checks import Listing, read_lines, read_table, require_columns
from blindlib.data.facetable import FaceTable, make_facetable
from blindlib.settings import EMOTIONS

FOLDERS = ("lfw", "lfw_funneled", "lfw-deepfunneled")
# The public legend.csv names thousands of images that a subset of LFW lacks; no other file may.
PUBLIC_LEGEND = "a4be0fc5afa10e44fdc717bf2fe5b3e2c916c07335aec254111c74b40ec75eb0"
_SCORES = ["Male", "Asian", "White", "Black", "Indian", "Smiling", "Attractive Man", "Attractive Woman"]
_GENDER = {"male": "male_names.txt", "female": "female_names.txt"}
_SEE = "see DATA.md"
_FETCH = (
    "fetch it: `.venv/bin/blindlib data fetch lfw`; or name a copy that holds lfw/, pairs.txt and legend.csv: "
    "`make paper LFW=/path/to/it`; or run without data: `make paper`"
)


def load_lfw(root: Path) -> FaceTable:
    """Load LFW's images with the label files beside them. Raises InputError without images.

    `emotion` comes from `legend.csv` (most likely labelled by a machine); `gender`, `ethnicity`, `smiling` and
    `attractive` from `lfw_attributes.txt` (scores by a machine). With `male_names.txt` and `female_names.txt`, which
    annotators made, `gender` is theirs alone. `notes` counts what the label readers ignored.

    Source: Huang et al. 2007 (images); Kumar et al. 2009 (attributes); muxspace/facial_expressions (emotions);
    Afifi & Abdelhamed, arXiv 1706.04277 (gender).
    """
    folder = next((root / name for name in FOLDERS if (root / name).is_dir()), None)
    if folder is None:
        raise InputError(root, f"no LFW images here (looked for {', '.join(FOLDERS)})", _FETCH)
    files = sorted(folder.glob("*/*_[0-9][0-9][0-9][0-9].jpg"))
    if not files:
        raise InputError(folder, "holds no Name/Name_0001.jpg", _FETCH)
    rows = [(path.relative_to(folder).as_posix(), path.parent.name) for path in files]
    frame, notes = pd.DataFrame(rows, columns=["image", "identity"]), {}
    readers = (("expressions", "legend.csv", _read_emotions), ("attributes", "lfw_attributes.txt", _read_attributes))
    for what, file, read in readers:
        if (root / file).exists():
            labels, notes[what] = read(root / file, frame["image"])
            frame = frame.join(labels, on="image")
    if any((root / file).exists() for file in _GENDER.values()):
        labels, notes["gender"] = _read_gender(root, frame["image"])
        frame = frame.drop(columns="gender", errors="ignore").join(labels, on="image")
    return make_facetable(frame, folder, name="LFW", provenance="real", notes=notes)


def image_paths(person: pd.Series, number: pd.Series) -> pd.Series:
    """Return LFW's paths: `Aaron_Peirsol`, 3 -> `Aaron_Peirsol/Aaron_Peirsol_0003.jpg`."""
    return person + "/" + person + "_" + number.astype(int).map("{:04d}".format) + ".jpg"


def _read_emotions(path: Path, images: pd.Series) -> tuple[pd.DataFrame, dict]:
    """Read emotions by image of the public facial_expressions set, and counts of ignored rows.

    An image with two different labels gets none. Rows of other sources have no LFW name.

    Source: github.com/muxspace/facial_expressions at 5fb9c13.
    """
    listing = read_table(path, "emotion labels", ["image", "emotion"], "run `blindlib data fetch lfw`")
    legend = listing.rows
    legend["emotion"] = legend["emotion"].str.lower()
    listing.refuse_unknown("emotion", EMOTIONS)
    path_of = {Path(image).name: image for image in images}
    here = legend["image"].isin(path_of)
    of_lfw = legend["image"].str.fullmatch(r".+_[0-9]{4}\.jpg")
    absent = of_lfw & ~here
    if sha256(path) != PUBLIC_LEGEND:
        listing.refuse(absent, "labels the unknown image {image!r}", "take the row out or add the image")
    kept = legend[here].drop_duplicates(["image", "emotion"])
    conflicting = kept["image"].duplicated(keep=False)
    labels = kept[~conflicting].set_index(kept["image"][~conflicting].map(path_of))[["emotion"]]
    notes = {
        "rows": len(legend),
        "foreign rows": int((~of_lfw).sum()),
        "rows for absent images": int(absent.sum()),
        "repeated rows": int(here.sum()) - len(kept),
        "conflicting images": kept.loc[conflicting, "image"].nunique(),
        "images labelled": len(labels),
    }
    return labels, notes


def _read_attributes(path: Path, images: pd.Series) -> tuple[pd.DataFrame, dict]:
    """Read labels by image of Columbia's 73 scores (tab-separated below a comment line), and counts of rows.

    Gender and ethnicity depend on a subject's mean scores; smiling, and attractive as that gender, on the image's
    score. The three ethnic groups follow DiveFace's coarse ones (**decision**): Asian, White, and Black or Indian.

    Source: Kumar et al., ICCV 2009. The scores are predictions; the subjects did not label themselves.
    """
    text = read_lines(path, "attribute scores", _SEE).rows["text"]
    header = text.index[text.str.startswith("#\tperson\t")]
    if header.empty:
        raise InputError(path, "no header line '#<TAB>person<TAB>imagenum…'", _SEE, line=1)
    names, cells = text[header[0]].split("\t")[1:], text[text.index > header[0]].str.split("\t")
    wanted = ["person", "imagenum", *_SCORES]
    require_columns(path, names, wanted, line=header[0])
    table = pd.DataFrame({name: cells.str[names.index(name)] for name in wanted})
    for column in wanted[1:]:
        table[column] = pd.to_numeric(table[column], errors="coerce")
    Listing(path, table, "fetch the file again").refuse(table.isna().any(axis=1), "a score is no number, or missing")
    table.index = image_paths(table["person"].str.replace(" ", "_"), table["imagenum"])
    here = table[table.index.isin(images) & ~table.index.duplicated()].rename_axis("image")
    mean = here.groupby("person")[_SCORES].transform("mean")
    male = mean["Male"] > 0
    groups = mean[["Asian", "White"]].assign(**{"black or indian": mean[["Black", "Indian"]].max(axis=1)})
    labels = {
        "gender": male.map({True: "male", False: "female"}),
        "ethnicity": groups.idxmax(axis=1).str.lower(),
        "smiling": here["Smiling"] > 0,
        "attractive": here["Attractive Man"].where(male, here["Attractive Woman"]) > 0,
    }
    return pd.DataFrame(labels), {"rows": len(table), "rows for absent images": len(table) - len(here)}


def _read_gender(root: Path, images: pd.Series) -> tuple[pd.DataFrame, dict]:
    """Read gender by image of two lists of file names, and counts. An image in both lists gets none.

    Source: Afifi & Abdelhamed, arXiv 1706.04277: gender as annotators perceived it.
    """
    named = []
    for gender, file in _GENDER.items():
        listing = read_lines(root / file, "gender list", "lay both lists into the folder, or neither; see DATA.md")
        name = listing.rows["text"].str.removesuffix(".jpg") + ".jpg"  # one published name lacks it
        listing.refuse(~name.str.fullmatch(r".+_[0-9]{4}\.jpg"), "expected Name_0001.jpg, got {text!r}")
        named.append(pd.DataFrame({"name": name.unique(), "gender": gender}))
    rows = pd.concat(named)
    here = rows.assign(image=rows["name"].map({Path(image).name: image for image in images})).dropna()
    both = here["image"].duplicated(keep=False)
    labels = here[~both].set_index("image")[["gender"]]
    notes = {
        "names": len(rows),
        "names of absent images": len(rows) - len(here),
        "images in both lists": here.loc[both, "image"].nunique(),
        "images labelled": len(labels),
    }
    return labels, notes


def read_pairs(path: Path, faces: FaceTable) -> pd.DataFrame:
    """Read View 2's pairs of these faces. Raises InputError for a broken line, an absent image, a wrong count.

    `pairs.txt` is a line `folds<TAB>n`, then for each fold n lines `name i j` (one subject) and n lines
    `name i other j` (two subjects).

    Returns a row a pair: `fold` (from 0), `left`, `right` (row numbers in `faces`), `same` (bool).

    Source: Huang et al. 2007, View 2; http://vis-www.cs.umass.edu/lfw/README.txt.
    """
    text = read_lines(path, "pairs file", _FETCH).rows["text"]
    header, listed = re.fullmatch(r"([0-9]+)\s+([0-9]+)", text.iloc[0]), len(text) - 1
    if not header or 2 * int(header[1]) * int(header[2]) != listed:
        problem = f"expected 'folds<TAB>pairs' that promise {listed} pairs, got {text.iloc[0]!r}"
        raise InputError(path, problem, _FETCH, line=1)
    size = int(header[2])
    same = np.arange(listed) // size % 2 == 0
    rows = text.iloc[1:].str.extract(r"^(?P<left>\S+)\s+(?P<i>[0-9]+)\s+(?:(?P<right>\S+)\s+)?(?P<j>[0-9]+)$")
    listing = Listing(path, rows.assign(text=text, form=np.where(same, "name i j", "name i other j")), _FETCH)
    broken = rows["left"].isna() | (rows["right"].isna() != same) | (rows["right"] == rows["left"])
    listing.refuse(broken, "expected '{form}', got {text!r}")
    row_of = {image: row for row, image in enumerate(faces.frame["image"])}
    pairs = pd.DataFrame({"fold": np.arange(listed) // (2 * size)})
    for side, person, number in (("left", rows["left"], "i"), ("right", rows["right"].fillna(rows["left"]), "j")):
        image = listing.rows["image"] = image_paths(person, rows[number])
        remedy = "fetch the images again, or take the pair (and its count) out"
        listing.refuse(~image.isin(row_of), "names {image}, which is not among the images", remedy)
        pairs[side] = image.map(row_of).to_numpy()
    return pairs.assign(same=same)
