"""CelebA: attractiveness, smiling, gender and identity of 202,599 aligned photographs, in torchvision's file set."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pooch

from blindlib.common.errors import InputError
from blindlib.data.checks import Listing, read_lines
from blindlib.data.facetable import FaceTable, make_facetable

ATTRIBUTES, IDENTITIES, PARTITION = "list_attr_celeba.txt", "identity_CelebA.txt", "list_eval_partition.txt"
PUBLISHED = {  # MD5, as torchvision's CelebA asks
    ATTRIBUTES: "75e246fa4810816ffd6ee81facbd244c",
    IDENTITIES: "32bd1bd63d3c78cd57e08160ec5ed1e2",
    PARTITION: "d32c9cbf5e040fd4025c592c306e6668",
}
ARCHIVE = "00d2c5bc6d35e252742224ab0c1e8fcb"  # of img_align_celeba.zip, likewise
_USED = {"Attractive": "attractive", "Smiling": "smiling", "Male": "gender"}
_REMEDY = "see CelebA in DATA.md: `blindlib data fetch celeba` prints where its files are"


def load_celeba(root: Path) -> FaceTable:
    """Load CelebA from a folder that holds its three lists and `img_align_celeba/`. Raises InputError without them.

    `attractive`, `smiling`, `gender` (of `Male`): labels that annotators gave. `notes` counts images listed,
    absent, by official partition, people who stand in two partitions, and lists that are the published ones. The
    partition itself is not used: five parts of the people bring intervals (**decision**).

    Source: Liu et al., ICCV 2015.
    """
    listing = _read_attributes(root / ATTRIBUTES)
    for name, column, allowed in ((IDENTITIES, "identity", range(1, 10**6)), (PARTITION, "partition", range(3))):
        numbers = listing.rows["image"].map(_read_numbers(root / name, column, allowed))
        listing.refuse(numbers.isna(), f"{{image}} is not in {name}", "fetch both again")
        listing.rows[column] = numbers.astype(int)
    outer = root / "img_align_celeba"
    folder = next((f for f in (outer / outer.name, outer) if f.is_dir()), None)  # some archives unpack it twice
    if folder is None:
        raise InputError(outer, "CelebA's aligned images not found", _REMEDY)
    listing.rows["image"] = listing.inside(folder)
    frame, counts = listing.keep_present(folder)
    frame = frame.astype({"identity": str})
    partition = frame.pop("partition")
    counts |= {name: int((partition == k).sum()) for k, name in enumerate(("train", "validation", "test"))}
    counts["people in two partitions"] = int((partition.groupby(frame["identity"]).nunique() > 1).sum())
    counts["lists as published"] = sum(pooch.file_hash(root / name, "md5") == md5 for name, md5 in PUBLISHED.items())
    provenance = "real" if counts["lists as published"] == len(PUBLISHED) else "substitute"
    return make_facetable(frame, folder, name="CelebA", provenance=provenance, notes={"CelebA": counts})


def _read_attributes(path: Path) -> Listing:
    lines = read_lines(path, "CelebA's attribute list", _REMEDY)
    head, words = lines.rows["text"].head(2).tolist(), lines.rows["text"].iloc[2:].str.split()
    names = head[-1].split()
    counted = re.fullmatch("[0-9]{1,9}", head[0])
    if not counted or not set(_USED) <= set(names):
        problem = f"expected a count, then a line of names with {', '.join(_USED)}"
        raise InputError(path, problem, _REMEDY, line=2 if counted else 1)
    listing = Listing(path, pd.DataFrame({"image": words.str[0], "words": words.str.len()}), _REMEDY)
    broken = listing.rows["words"] != len(names) + 1
    listing.refuse(broken, f"expected a file and {len(names)} values, got {{words}} words")
    if len(words) != int(head[0]):
        raise InputError(path, f"promises {int(head[0]):,} images, lists {len(words):,}", _REMEDY, line=1)
    listing.refuse_repeats()
    for name in _USED:
        listing.rows[name] = words.str[names.index(name) + 1]
        listing.refuse(~listing.rows[name].isin(("1", "-1")), f"{name} is {{{name}!r}}, not 1 or -1")
    labels = listing.rows[list(_USED)].rename(columns=_USED) == "1"
    labels["gender"] = np.where(labels["gender"], "male", "female")
    return Listing(path, labels.assign(image=listing.rows["image"]), _REMEDY)


def _read_numbers(path: Path, what: str, allowed: range) -> pd.Series:
    """A file name and a number a line -> numbers by file name."""
    lines = read_lines(path, f"CelebA's {what} list", _REMEDY)
    rows = lines.rows["text"].str.extract(r"^(?P<image>\S+)\s+(?P<number>[0-9]{1,9})$")
    number = pd.to_numeric(rows["number"])
    lines.refuse(~number.between(allowed[0], allowed[-1]), f"expected a file and its {what}, got {{text!r:.60}}")
    Listing(path, rows, _REMEDY).refuse_repeats()
    return number.set_axis(rows["image"])
