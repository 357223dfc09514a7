"""Load CelebA: attractiveness, smiling, gender and identity of 202,599 aligned photographs, as torchvision has them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pooch

from blindlib.common.errors import InputError
from blindlib.data.checks import Listing, read_lines
from blindlib.data.facetable import FaceTable, make_facetable

ATTRIBUTES, IDENTITIES, PARTITION = "list_attr_celeba.txt", "identity_CelebA.txt", "list_eval_partition.txt"
PUBLISHED = {  # MD5, as in torchvision's CelebA
    ATTRIBUTES: "75e246fa4810816ffd6ee81facbd244c",
    IDENTITIES: "32bd1bd63d3c78cd57e08160ec5ed1e2",
    PARTITION: "d32c9cbf5e040fd4025c592c306e6668",
}
ARCHIVE = "00d2c5bc6d35e252742224ab0c1e8fcb"  # of img_align_celeba.zip, likewise
_USED = {"Attractive": "attractive", "Smiling": "smiling", "Male": "gender"}
_REMEDY = "see CelebA in DATA.md: `blindlib data fetch celeba` prints where its files are"


def load_celeba(root: Path) -> FaceTable:
    """Load CelebA from a folder with its three lists and `img_align_celeba/`. Raises InputError without them.

    Annotators labelled `attractive`, `smiling` and `gender` (of `Male`). `notes` counts the images listed, absent and
    in each official partition, subjects in two partitions, and lists that equal the published ones. The partition is
    not used: five parts of the subjects yield the intervals (**decision**).

    Source: Liu et al., ICCV 2015.
    """
    listing = _read_attributes(root / ATTRIBUTES)
    for name, column in ((IDENTITIES, "identity"), (PARTITION, "partition")):
        listing.rows[column] = listing.rows["image"].map(_read_numbers(root / name))
        listing.refuse(listing.rows[column].isna(), f"{{image}} is not in {name}", "fetch both again")
    outer = root / "img_align_celeba"
    folder = next((f for f in (outer / outer.name, outer) if f.is_dir()), None)  # some archives repeat the folder
    if folder is None:
        raise InputError(outer, "CelebA's aligned images not found", _REMEDY)
    frame, counts = listing.keep_present(folder)
    partition = frame.pop("partition")
    counts |= {name: int((partition == str(k)).sum()) for k, name in enumerate(("train", "validation", "test"))}
    counts["people in two partitions"] = int((partition.groupby(frame["identity"]).nunique() > 1).sum())
    counts["lists as published"] = sum(pooch.file_hash(root / name, "md5") == md5 for name, md5 in PUBLISHED.items())
    provenance = "real" if counts["lists as published"] == len(PUBLISHED) else "substitute"
    return make_facetable(frame, folder, name="CelebA", provenance=provenance, notes={"CelebA": counts})


def _read_attributes(path: Path) -> Listing:
    """Read a count, a line of names, then a file name and a value for each name."""
    text = read_lines(path, "CelebA's attribute list", _REMEDY).rows["text"]
    names, words = text.iloc[1].split(), text.iloc[2:].str.split()
    if text.iloc[0] != str(len(words)) or not set(_USED) <= set(names):
        problem = f"expected the count {len(words)}, then a line of names with {', '.join(_USED)}"
        raise InputError(path, problem, _REMEDY, line=1)
    listing = Listing(path, pd.DataFrame({"image": words.str[0], "words": words.str.len()}), _REMEDY)
    broken = listing.rows.pop("words") != len(names) + 1
    listing.refuse(broken, f"expected {{image}} and {len(names)} values")
    for name, label in _USED.items():
        values = listing.rows[label] = words.str[names.index(name) + 1]
        listing.refuse(~values.isin(("1", "-1")), f"{name} is {{{label}!r}}, not 1 or -1")
        listing.rows[label] = values == "1"
    listing.rows["gender"] = np.where(listing.rows["gender"], "male", "female")
    return listing


def _read_numbers(path: Path) -> pd.Series:
    """Read a file name and a number a line; return the numbers, as text, by file name."""
    lines = read_lines(path, "CelebA's list", _REMEDY)
    rows = lines.rows["text"].str.extract(r"^(?P<image>\S+)\s+(?P<number>[0-9]+)$")
    lines.refuse(rows["number"].isna(), "expected a file and its number, got {text!r}")
    return rows.set_index("image")["number"]
