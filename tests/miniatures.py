"""Every data set in miniature: its layout, its file names, its label files, and rendered faces of nobody."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from blindlib.common.work import derive_seed
from blindlib.data.catalogue import SYNTHETIC
from blindlib.data.readers import celeba, fairface
from blindlib.data.readers.lfw import image_paths
from blindlib.settings import ATTRIBUTES, COMPOUND_EMOTIONS
from blindlib.synthfaces.expressions import BASIC
from blindlib.synthfaces.factors import POSED
from blindlib.synthfaces.render import render
from blindlib.synthfaces.roles import label_attractiveness, make_album, make_pairs

_MARK = "Rendered faces of nobody, laid out as this data set is: whatever is read from here is synthetic.\n"


def write_miniatures(folder: Path, *, people: int = 8, seed: int = 0) -> Path:
    """Write all six data sets below a new folder, as their publishers lay them out.

    `people` is a measure of size: 8 gives some 1,200 pictures, enough for `paper-smoke`; 2 a quarter of it, enough to
    be read.
    """
    for name, write in WRITERS.items():
        (folder / name).mkdir(parents=True)
        write(folder / name, people, derive_seed(seed, "miniature", name) % 2**31)
        (folder / name / SYNTHETIC).write_text(_MARK, encoding="utf-8")
    return folder


def _album(people: int, shots, seed: int) -> pd.DataFrame:
    """An album of so many everyday shots or of posed emotions; subjects (from 0) and pictures (from 1) have numbers."""
    shots = shots if isinstance(shots, int) else [(emotion, POSED) for emotion in shots]
    album = label_attractiveness(make_album(people, shots, seed), seed)
    subject = album["identity"].str.rsplit("-").str[-1].astype(int)
    return album.assign(subject=subject, number=album.groupby("identity").cumcount() + 1)


def _groups(album: pd.DataFrame, *words: str) -> pd.Series:
    """What a data set calls the groups A, B and C."""
    return album["ethnicity"].map(dict(zip("ABC", words, strict=True)))


def _widen(frame: np.ndarray, width: int, height: int) -> np.ndarray:
    """A square frame in another shape: edges are repeated, nothing is cut."""
    side = min(width, height)
    square = np.asarray(Image.fromarray(frame).resize((side, side), Image.Resampling.BILINEAR))
    x, y = width - side, height - side
    return np.pad(square, ((y // 2, y - y // 2), (x // 2, x - x // 2), (0, 0)), mode="edge")


def _save_all(album: pd.DataFrame, folder: Path, files, width, height) -> None:
    """Write a rendered picture for every row of an album; one size for all, or an array of sizes."""
    sizes = np.broadcast_to(np.transpose([width, height]), (len(album), 2)).tolist()
    for file, frame, (w, h) in zip(files, render(album), sizes, strict=True):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(_widen(frame, w, h)).save(folder / file, quality=92)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_csv(path: Path, columns: dict) -> None:
    pd.DataFrame(columns).to_csv(path, index=False, lineterminator="\n")


def _write_lfw(root: Path, people: int, seed: int) -> None:
    album = _album(5 * people, 3, seed)
    shuffled = np.random.default_rng(seed).permutation(5 * people)  # else a fold's people would be of one gender
    album["identity"] = [f"Synth_{shuffled[n]:03d}" for n in album["subject"]]
    files = image_paths(album["identity"], album["number"])
    _save_all(album, root / "lfw", files, 250, 250)
    lines = [f"4\t{people}"]
    for pair in make_pairs(album, 4, people, seed).itertuples():
        a, b = album.loc[pair.left], album.loc[pair.right]
        other = [] if pair.same else [b["identity"]]
        lines.append("\t".join([a["identity"], str(a["number"]), *other, str(b["number"])]))
    _write_lines(root / "pairs.txt", lines)
    legend = {"user.id": "synth", "image": files.str.split("/").str[1], "emotion": album["emotion"].str.upper()}
    _write_csv(root / "legend.csv", legend)
    groups = _groups(album, "Asian", "White", "Black")
    truth = {group: groups == group for group in ("Asian", "White", "Black", "Indian")}
    truth |= {"Smiling": album["smiling"], **dict.fromkeys(("Attractive Man", "Attractive Woman"), album["attractive"])}
    scores = {
        "person": album["identity"].str.replace("_", " "),
        "imagenum": album["number"],
        "Male": album["gender"].map({"male": 1.5, "female": -1.5}),
        **{name: value * 2.0 - 1 for name, value in truth.items()},
    }
    body = pd.DataFrame(scores).to_csv(sep="\t", index=False, header=False, lineterminator="\n").rstrip()
    comment = "# synthetic scores in the format of lfw_attributes.txt"
    _write_lines(root / "lfw_attributes.txt", [comment, "\t".join(["#", *scores]), body])


def _write_diveface(root: Path, people: int, seed: int) -> None:
    album = _album(6 * people, 4, seed)
    sizes = np.random.default_rng(seed).integers(96, 161, len(album))
    album["file"] = [
        f"1000{row.subject:05d}@N0{row.subject % 9}_identity_{row.subject}/{9000000 + row.Index}_0.jpg"
        for row in album.itertuples()
    ]
    _save_all(album, root / "images", album["file"], sizes, sizes)
    lists = "Group" + _groups(album, "1", "2", "3") + "_" + album["gender"].str.title()
    for name, files in album["file"].groupby(lists):
        _write_lines(root / "files" / f"{name}.txt", files)


def _write_cfee(root: Path, people: int, seed: int) -> None:
    categories = (*BASIC, *COMPOUND_EMOTIONS)
    album = pd.concat([_album(3 * people, BASIC, seed), _album(1, COMPOUND_EMOTIONS, seed)], ignore_index=True)
    files = []
    for row in album.itertuples():
        code = categories.index(row.emotion)  # from 0; four to a folder
        folder = f"{code - code % 4 + 1:02d}-{code - code % 4 + 4:02d}/Images{code // 4 + 1}"
        files.append(f"{folder}/{code + 1:02d}_{111 + row.subject}_{2500 + row.Index}.jpg")
    _save_all(album, root, files, 400, 300)
    words = [name.capitalize() for name in categories]
    _write_csv(root / "categories.csv", {"code": range(1, len(words) + 1), "emotion": words})


def _write_celeba(root: Path, people: int, seed: int) -> None:
    album = _album(30 * people, 3, seed).assign(file=lambda rows: [f"{n:06d}.jpg" for n in range(1, len(rows) + 1)])
    _save_all(album, root / "img_align_celeba", album["file"], 178, 218)
    truth = {"Attractive": album["attractive"], "Male": album["gender"] == "male", "Smiling": album["smiling"]}
    signs = pd.DataFrame({**truth, "Young": True}).map(lambda sign: "  1" if sign else " -1")
    labels = album["file"] + signs.sum(axis=1)
    _write_lines(root / celeba.ATTRIBUTES, [str(len(album)), " ".join(signs), *labels])
    partition = (album["subject"] // (10 * people)).clip(upper=2)
    for file, number in ((celeba.IDENTITIES, album["subject"] + 1), (celeba.PARTITION, partition)):
        _write_lines(root / file, album["file"] + " " + number.astype(str))


def _write_fairface(root: Path, people: int, seed: int) -> None:
    album = _album(9 * people, 1, seed)
    split = np.where(np.arange(len(album)) % 9, "train", "val")
    files = [f"{s}/{n}.jpg" for n, s in enumerate(split, 1)]
    _save_all(album, root / fairface.FOLDERS[0], files, 224, 224)
    race, gender = _groups(album, "East Asian", "White", "Black"), album["gender"].str.title()
    table = pd.DataFrame({"file": files, "age": "20-29", "gender": gender, "race": race, "service_test": "True"})
    for name, part in zip(fairface.LABELS, ("train", "val"), strict=True):
        _write_csv(root / name, table[split == part])


def _write_manifest(root: Path, people: int, seed: int) -> None:
    album = _album(2 * people, BASIC, seed)
    _save_all(album, root, album["image"], 160, 160)
    labels = album[["image", "identity", *ATTRIBUTES]].astype({"smiling": int, "attractive": int})
    _write_csv(root / "faces.csv", labels)


_ALL = (_write_lfw, _write_diveface, _write_cfee, _write_celeba, _write_fairface, _write_manifest)
WRITERS = {write.__name__.removeprefix("_write_"): write for write in _ALL}
