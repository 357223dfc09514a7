"""CelebA: attractiveness, smiling, gender and identity of 202,599 aligned photographs, in torchvision's file set."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from blindlib.common.errors import InputError
from blindlib.data.checks import check_images, inside, keep_present, read_text, refuse_repeats, require_file
from blindlib.data.facetable import FaceTable, make_facetable

ATTRIBUTES, IDENTITIES, PARTITION = "list_attr_celeba.txt", "identity_CelebA.txt", "list_eval_partition.txt"
PUBLISHED = {  # MD5, as torchvision's CelebA asks
    ATTRIBUTES: "75e246fa4810816ffd6ee81facbd244c",
    IDENTITIES: "32bd1bd63d3c78cd57e08160ec5ed1e2",
    PARTITION: "d32c9cbf5e040fd4025c592c306e6668",
}
_USED = {"Attractive": "attractive", "Smiling": "smiling", "Male": "gender"}
_REMEDY = "see CelebA in DATA.md: `blindlib data fetch celeba` prints where its files are"


def load_celeba(root: Path) -> FaceTable:
    """Load CelebA.

    Parameters
    ----------
    root : Path
        Holds `img_align_celeba/000001.jpg` …, `list_attr_celeba.txt` (a line with the count, one with the 40 names,
        then a file and 40 values of 1 or -1 a line), `identity_CelebA.txt`, `list_eval_partition.txt` (a file and a
        number).
    Returns
    -------
    FaceTable
        `attractive`, `smiling`, `gender` (of `Male`): labels that annotators gave. `notes` counts images listed,
        absent, by official partition, people who stand in two partitions, and lists that are the published ones. The
        partition itself is not used: five parts of the people bring intervals (**decision**).

    Raises
    ------
    InputError
        With file and line: a missing file or column, a broken or repeated line, a value that is none, an image without
        identity or partition, too many absent images.

    Source: Liu et al., ICCV 2015.
    """
    root = Path(root)
    frame = _read_attributes(require_file(root / ATTRIBUTES, "CelebA's attribute list", _REMEDY))
    identity = _read_numbers(root / IDENTITIES, "identity", range(1, 10**6))
    partition = _read_numbers(root / PARTITION, "partition", range(3))
    for name, numbers in ((IDENTITIES, identity), (PARTITION, partition)):
        missing = ~frame["image"].isin(numbers.index)
        if missing.any():
            row = frame[missing].iloc[0]
            raise InputError(
                root / ATTRIBUTES, f"{row['image']} is not in {name}", "fetch both again", line=int(row["line"])
            )
    folder = _image_folder(root)
    frame["identity"] = identity.reindex(frame["image"]).astype(str).to_numpy()
    frame["partition"] = partition.reindex(frame["image"]).to_numpy()
    frame["image"] = [
        inside(folder, i, root / ATTRIBUTES, n) for i, n in zip(frame["image"], frame["line"], strict=True)
    ]
    frame, counts = keep_present(folder, frame, root / ATTRIBUTES, _REMEDY)
    of_image = frame.pop("partition")
    parts = of_image.groupby(frame["identity"]).nunique()
    counts |= {name: int((of_image == k).sum()) for k, name in enumerate(("train", "validation", "test"))}
    counts["people in two partitions"] = int((parts > 1).sum())
    counts["lists as published"] = sum(_md5(root / name) == known for name, known in PUBLISHED.items())
    frame["sha256"] = check_images(folder, list(frame["image"]))
    kind = "real" if counts["lists as published"] == len(PUBLISHED) else "substitute"
    return make_facetable(frame, folder, name="CelebA", kind=kind, notes={"CelebA": counts})


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()


def _image_folder(root: Path) -> Path:
    folder = root / "img_align_celeba"
    nested = folder / "img_align_celeba"  # as some archives unpack
    folder = nested if nested.is_dir() else folder
    if not folder.is_dir():
        raise InputError(folder, "CelebA's aligned images not found", _REMEDY)
    return folder


def _read_attributes(path: Path) -> pd.DataFrame:
    lines = read_text(path).splitlines()
    names = lines[1].split() if len(lines) > 1 else []
    missing = [name for name in _USED if name not in names]
    if missing or not lines[0].strip().isdigit():
        raise InputError(path, f"expected a count, then a line of names with {', '.join(_USED)}", _REMEDY, line=2)
    rows = [(n, line.split()) for n, line in enumerate(lines[2:], 3) if line.strip()]
    for n, words in rows:
        if len(words) != len(names) + 1:
            raise InputError(path, f"expected a file and {len(names)} values, got {len(words)} words", _REMEDY, line=n)
    if len(rows) != int(lines[0]):
        raise InputError(path, f"promises {int(lines[0]):,} images, lists {len(rows):,}", _REMEDY, line=1)
    refuse_repeats(path, [words[0] for _, words in rows], "image", [n for n, _ in rows])
    frame = pd.DataFrame({"image": [words[0] for _, words in rows], "line": [n for n, _ in rows]})
    for name, label in _USED.items():
        values = np.array([words[names.index(name) + 1] for _, words in rows])
        wrong = ~np.isin(values, ("1", "-1"))
        if wrong.any():
            row = int(wrong.argmax())
            raise InputError(path, f"{name} is {values[row]!r}, not 1 or -1", _REMEDY, line=rows[row][0])
        frame[label] = np.where(values == "1", "male", "female") if label == "gender" else values == "1"
    return frame


def _read_numbers(path: Path, what: str, allowed: range) -> pd.Series:
    """A file name and a number a line -> numbers by file name."""
    lines = read_text(require_file(path, f"CelebA's {what} list", _REMEDY)).splitlines()
    rows = [(n, line.split()) for n, line in enumerate(lines, 1) if line.strip()]
    for n, words in rows:
        if len(words) != 2 or not words[1].isdigit() or int(words[1]) not in allowed:
            raise InputError(path, f"expected a file and its {what}, got {' '.join(words)[:60]!r}", _REMEDY, line=n)
    refuse_repeats(path, [words[0] for _, words in rows], "image", [n for n, _ in rows])
    return pd.Series({words[0]: int(words[1]) for _, words in rows}, dtype=int)
