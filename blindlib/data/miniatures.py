"""Every data set in miniature: its layout, its file names, its label files, and rendered faces of nobody."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from blindlib.common.errors import InputError
from blindlib.common.files import atomic_folder
from blindlib.common.work import derive_seed, track
from blindlib.data.catalogue import SYNTHETIC
from blindlib.data.readers import celeba, cremad, diveface, fairface
from blindlib.data.readers.lfw import image_name
from blindlib.settings import COMPOUND_EMOTIONS
from blindlib.synthfaces.expressions import BASIC
from blindlib.synthfaces.factors import POSED, UNITS
from blindlib.synthfaces.render import render
from blindlib.synthfaces.roles import label_attractiveness, make_album, make_pairs

_GROUP_WORDS = {"A": "Asian", "B": "White", "C": "Black"}
_CLIP_FRAMES = 9


def write_miniatures(folder: Path, *, people: int = 8, seed: int = 0) -> Path:
    """Write all seven data sets below a folder, as their publishers lay them out; appears in one step.

    Parameters
    ----------
    folder : Path
        Must not exist. Gets `lfw/`, `diveface/`, `cfee/`, `celeba/`, `fairface/`, `cremad/`, `manifest/`: what
        `BLINDLIB_DATA` may name.
    people : int
        A measure of size: 8 gives some 1,200 pictures, enough for `paper-smoke`; 2 a quarter of it, enough to be read.
    seed : int
        Another seed is another population.

    Raises
    ------
    InputError
        If the folder exists or the size is below 2.
    """
    if folder.exists():
        raise InputError(folder, "exists already", "name a new folder: nothing is overwritten")
    if people < 2:
        raise InputError("people", f"is {people}", "use 2 or more")
    with atomic_folder(folder) as partial:
        for name, write in track(WRITERS.items(), "miniature data sets", unit="set"):
            (partial / name).mkdir()
            write(partial / name, people, derive_seed(seed, "miniature", name) % 2**31)
            words = "Rendered faces of nobody, laid out as this data set is: whatever is read from here is synthetic.\n"
            (partial / name / SYNTHETIC).write_text(words, encoding="utf-8")
    return folder


def _faces(people: int, shots, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    album = label_attractiveness(make_album(people, shots, seed), seed)
    return album.assign(number=album.groupby("identity").cumcount() + 1), render(album)


def _save(frame: np.ndarray, path: Path, width: int, height: int) -> None:
    """A square frame as a picture of another shape: edges are repeated, nothing is cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    side = min(width, height)
    square = np.asarray(Image.fromarray(frame).resize((side, side), Image.Resampling.BILINEAR))
    x, y = width - side, height - side
    whole = np.pad(square, ((y // 2, y - y // 2), (x // 2, x - x // 2), (0, 0)), mode="edge")
    Image.fromarray(whole).save(path, quality=92)


def _write_lfw(root: Path, people: int, seed: int) -> None:
    album, frames = _faces(5 * people, 3, seed)
    shuffled = np.random.default_rng(seed).permutation(5 * people)  # else a fold's people would be of one gender
    number = album["identity"].str.rsplit("-").str[-1].astype(int)
    album["person_name"] = [f"Synth_{shuffled[n]:03d}" for n in number]
    album["identity"] = album["person_name"]
    album["file"] = [image_name(p, n) for p, n in zip(album["person_name"], album["number"], strict=True)]
    for row, frame in zip(album.itertuples(), frames, strict=True):
        _save(frame, root / "lfw" / row.person_name / row.file, 250, 250)
    pairs = make_pairs(album, 4, people, seed)
    lines = [f"4\t{people}"]
    for pair in pairs.itertuples():
        a, b = album.loc[pair.left], album.loc[pair.right]
        middle = "" if pair.same else f"{b.person_name}\t"
        lines.append(f"{a.person_name}\t{a.number}\t{middle}{b.number}")
    (root / "pairs.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    legend = pd.DataFrame({"user.id": "synth", "image": album["file"], "emotion": album["emotion"].str.upper()})
    legend.to_csv(root / "legend.csv", index=False, lineterminator="\n")
    scores = {
        "#": "",
        "person": album["person_name"].str.replace("_", " "),
        "imagenum": album["number"],
        "Male": album["gender"].map({"male": 1.5, "female": -1.5}),
        **{word: (album["ethnicity"] == group) * 2.0 - 1 for group, word in _GROUP_WORDS.items()},
        "Indian": -1.0,
        "Smiling": album["smiling"] * 2.0 - 1,
        "Attractive Man": album["attractive"] * 2.0 - 1,
        "Attractive Woman": album["attractive"] * 2.0 - 1,
    }
    header = "# synthetic scores in the format of lfw_attributes.txt\n" + "\t".join(scores) + "\n"
    body = pd.DataFrame(scores).drop(columns="#").to_csv(sep="\t", index=False, header=False, lineterminator="\n")
    (root / "lfw_attributes.txt").write_text(header + body, encoding="utf-8")


def _write_diveface(root: Path, people: int, seed: int) -> None:
    album, frames = _faces(6 * people, 4, seed)
    sizes = np.random.default_rng(seed).integers(96, 161, len(album))
    name_of = dict(zip(sorted(album["ethnicity"].unique()), (1, 2, 3), strict=True))
    lines: dict[str, list[str]] = {name: [] for name in diveface.LISTS}
    for row, frame, size in zip(album.itertuples(), frames, sizes, strict=True):
        number = row.identity.rsplit("-")[-1]
        image = f"1000{number}@N0{int(number) % 9}_identity_{int(number)}/{9000000 + row.Index}_0.jpg"
        _save(frame, root / "images" / image, int(size), int(size))
        lines[f"Group{name_of[row.ethnicity]}_{row.gender.title()}"].append(image)
    for name, images in lines.items():
        path = root / "files" / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(images) + "\n", encoding="utf-8")


def _write_cfee(root: Path, people: int, seed: int) -> None:
    codes = {name: code for code, name in enumerate((*BASIC, *COMPOUND_EMOTIONS), 1)}
    album, frames = _faces(3 * people, [(emotion, POSED) for emotion in BASIC], seed)
    more, more_frames = _faces(1, [(emotion, POSED) for emotion in COMPOUND_EMOTIONS], seed)
    album, frames = pd.concat([album, more], ignore_index=True), np.concatenate([frames, more_frames])
    for row, frame in zip(album.itertuples(), frames, strict=True):
        code, subject = codes[row.emotion], 111 + int(row.identity.rsplit("-")[-1])
        part = (code - 1) // 4
        name = f"{4 * part + 1:02d}-{4 * part + 4:02d}/Images{part + 1}/{code:02d}_{subject}_{2500 + row.Index}.jpg"
        _save(frame, root / name, 400, 300)
    table = pd.DataFrame({"code": codes.values(), "emotion": [name.capitalize() for name in codes]})
    table.to_csv(root / "categories.csv", index=False, lineterminator="\n")


def _write_celeba(root: Path, people: int, seed: int) -> None:
    album, frames = _faces(30 * people, 3, seed)
    names = [f"{n:06d}.jpg" for n in range(1, len(album) + 1)]
    for name, frame in zip(names, frames, strict=True):
        _save(frame, root / "img_align_celeba" / name, 178, 218)
    person = album["identity"].str.rsplit("-").str[-1].astype(int)
    signs = album[["attractive", "smiling"]].astype(int) * 2 - 1
    male = np.where(album["gender"] == "male", 1, -1)
    rows = [
        f"{name} {a:2d} {m:2d} {s:2d} {1:2d}"
        for name, a, m, s in zip(names, signs["attractive"], male, signs["smiling"], strict=True)
    ]
    head = [str(len(rows)), "Attractive Male Smiling Young"]
    texts = {
        celeba.ATTRIBUTES: [*head, *rows],
        celeba.IDENTITIES: [f"{name} {p + 1}" for name, p in zip(names, person, strict=True)],
        celeba.PARTITION: [f"{name} {min(2, p // (10 * people))}" for name, p in zip(names, person, strict=True)],
    }
    for name, lines in texts.items():
        (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_fairface(root: Path, people: int, seed: int) -> None:
    album, frames = _faces(9 * people, 1, seed)
    split = np.where(np.arange(len(album)) % 9, "train", "val")
    album["file"] = [f"{s}/{n + 1}.jpg" for n, s in enumerate(split)]
    for file, frame in zip(album["file"], frames, strict=True):
        _save(frame, root / fairface.FOLDERS[0] / file, 224, 224)
    words = {"A": "East Asian", "B": "White", "C": "Black"}
    table = pd.DataFrame({"file": album["file"], "age": "20-29", "gender": album["gender"].str.title()})
    table = table.assign(race=album["ethnicity"].map(words), service_test="True")
    for name, part in zip(fairface.LABELS, ("train", "val"), strict=True):
        table[split == part].to_csv(root / name, index=False, lineterminator="\n")


def _write_cremad(root: Path, people: int, seed: int) -> None:
    emotions = {emotion: code for code, emotion in cremad.EMOTIONS.items()}
    album = make_album(max(2, 3 * people // 2), [(emotion, POSED) for emotion in emotions], seed)
    album["actor"] = (1001 + album["identity"].str.rsplit("-").str[-1].astype(int)).astype(str)
    people_rows = album.drop_duplicates("actor")
    words = {"A": "Asian", "B": "Caucasian", "C": "African American"}
    table = pd.DataFrame({"ActorID": people_rows["actor"], "Age": 30, "Sex": people_rows["gender"].str.title()})
    table = table.assign(Race=people_rows["ethnicity"].map(words), Ethnicity="Not Hispanic")
    table.to_csv(root / cremad.PEOPLE, index=False, lineterminator="\n")
    stems = [f"{row.actor}_IEO_{emotions[row.emotion]}_XX" for row in album.itertuples()]
    listing = pd.DataFrame({"Stimulus_Number": range(1, len(stems) + 1), "Filename": stems})
    listing.to_csv(root / cremad.SENTENCES, index=False, lineterminator="\n")
    (root / "VideoFlash").mkdir()
    rise = np.sin(np.pi * np.arange(_CLIP_FRAMES) / (_CLIP_FRAMES - 1))  # rest, apex, rest
    moments = album.loc[album.index.repeat(_CLIP_FRAMES)].reset_index(drop=True)
    strength = np.tile(rise, len(album)).astype(np.float32)[:, None]
    moments[list(UNITS)] = moments[list(UNITS)].to_numpy() * strength
    frames = render(moments)
    for n, stem in enumerate(stems):
        own = frames[n * _CLIP_FRAMES : (n + 1) * _CLIP_FRAMES]
        write_clip(root / "VideoFlash" / f"{stem}.flv", own)


def write_clip(path: Path, frames: np.ndarray, rate: int = 30) -> None:
    """Frames uint8 (T, S, S, 3) as a Flash video of 480 x 360, as CREMA-D's are."""
    import av

    with av.open(str(path), "w", format="flv") as container:
        stream = container.add_stream("flv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 480, 360, "yuv420p", 2_000_000
        for frame in frames:
            square = Image.fromarray(frame).resize((360, 360), Image.Resampling.BILINEAR)
            whole = np.pad(np.asarray(square), ((0, 0), (60, 60), (0, 0)), mode="edge")
            for packet in stream.encode(av.VideoFrame.from_ndarray(whole, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def _write_manifest(root: Path, people: int, seed: int) -> None:
    album, frames = _faces(2 * people, [(emotion, POSED) for emotion in BASIC], seed)
    for image, frame in zip(album["image"], frames, strict=True):
        _save(frame, root / image, 160, 160)
    labels = ["image", "identity", "emotion", "gender", "ethnicity", "smiling", "attractive"]
    numbers = {name: album[name].astype(int) for name in ("smiling", "attractive")}
    album[labels].assign(**numbers).to_csv(root / "faces.csv", index=False, lineterminator="\n")


WRITERS: dict[str, Callable[[Path, int, int], None]] = {
    "lfw": _write_lfw,
    "diveface": _write_diveface,
    "cfee": _write_cfee,
    "celeba": _write_celeba,
    "fairface": _write_fairface,
    "cremad": _write_cremad,
    "manifest": _write_manifest,
}
