"""One still picture of a clip: the frame in which the face is furthest from how it began."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from blindlib.common.errors import InputError
from blindlib.common.files import atomic_path, build_root, private_dir, sha256
from blindlib.common.work import cores, track
from blindlib.data.checks import ABSENT, read_csv, refuse_repeats, refuse_unknown, require_columns, require_file
from blindlib.data.facetable import FaceTable, make_facetable

_EDGE = 0.1  # of a clip at either end: the clapper, the cut
_SMOOTH = 3  # frames: a blink is shorter than an expression
_THUMBNAIL = (64, 48)  # pixels


def apex_index(thumbnails: np.ndarray) -> int:
    """The frame that differs most from the first, the mean of three neighbours, the clip's two ends left out.

    A **decision**: an actor begins with a resting face; nobody has marked the apex of these clips.

    Parameters
    ----------
    thumbnails : array (frames, H, W)
        Grey.
    """
    moved = np.abs(thumbnails.astype(np.float32) - thumbnails[0]).mean((1, 2))
    smooth = np.convolve(moved, np.ones(_SMOOTH) / _SMOOTH, "same")
    edge = int(_EDGE * len(moved))
    return edge + int(np.argmax(smooth[edge : len(moved) - edge]))


def read_apex(clip: Path) -> Image.Image:
    """The apex frame of a video file, RGB. It is decoded twice: a clip's frames never lie in memory together.

    Raises
    ------
    InputError
        If the file is empty or holds no picture that decodes.
    """
    thumbnails = [np.asarray(f.to_image().convert("L").resize(_THUMBNAIL)) for f in _frames(clip)]
    if not thumbnails:
        raise InputError(clip, "holds no picture that decodes", "fetch this clip again")
    wanted = apex_index(np.stack(thumbnails))
    return next(f.to_image() for n, f in enumerate(_frames(clip)) if n == wanted)


def _frames(clip: Path) -> Iterator:
    import av

    try:
        with av.open(str(clip)) as container:
            if container.streams.video:
                yield from container.decode(container.streams.video[0])
    except (av.FFmpegError, OSError):
        return  # what came before the damage counts


def extract_apexes(clips: list[Path], folder: Path) -> dict[str, str]:
    """Apex frames as PNG files, named as their clips; those that are there and not older than the clip are left alone.

    Returns
    -------
    dict of str to str
        SHA-256 of the frame by the clip's name without suffix; a clip without a picture is left out.

    Raises
    ------
    InputError
        For a Git LFS pointer: nothing of the data set is there then.
    """

    def one(clip: Path) -> tuple[str, str | None]:
        target = folder / f"{clip.stem}.png"
        if not target.exists() or target.stat().st_mtime_ns < clip.stat().st_mtime_ns:
            with clip.open("rb") as stream:
                if stream.read(40).startswith(b"version https://git-lfs"):
                    raise InputError(clip, "is a Git LFS pointer, not the clip", "run `git lfs pull` in its repository")
            try:
                image = read_apex(clip)
            except InputError:
                return clip.stem, None  # counted by who asked
            with atomic_path(target) as temporary:
                image.save(temporary, format="PNG")
        return clip.stem, sha256(target)

    with ThreadPoolExecutor(cores()) as pool:
        found = dict(track(pool.map(one, clips), "one frame of every clip", total=len(clips), unit="clip"))
    return {name: digest for name, digest in found.items() if digest}


PEOPLE, SENTENCES = "VideoDemographics.csv", "SentenceFilenames.csv"
_CLIP = re.compile(r"^(?P<actor>\d{4})_[A-Z]{3}_(?P<emotion>[A-Z]{3})_(?P<level>LO|MD|HI|XX)\.flv$")
EMOTIONS = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"}
_GENDERS, _ETHNICITIES = ("Male", "Female"), ("African American", "Asian", "Caucasian", "Unknown")
_REMEDY = "see CREMA-D in DATA.md: `blindlib data fetch cremad` prints where its files are"


def load_cremad(root: Path) -> FaceTable:
    """Load CREMA-D: the apex frame of every clip is kept, once, in `build/frames/cremad`, private to the user.

    Parameters
    ----------
    root : Path
        Holds `VideoDemographics.csv` (`ActorID`, `Sex`, `Race` are read), `VideoFlash/1001_DFA_ANG_XX.flv` … and, if it
        is there, `SentenceFilenames.csv` (`Filename`: every clip that should be).

    Returns
    -------
    FaceTable
        `emotion`: what the actor was asked to act (no surprise among them), not what anybody saw; `gender`, `ethnicity`
        as the actors said (`Unknown` is missing). Its images are the frames. `notes` counts clips listed, absent,
        without a picture.

    Raises
    ------
    InputError
        With file and line: a missing file, a broken name, an actor without a row or with two, a word out of vocabulary,
        too many clips absent or without a picture.

    Source: Cao et al., IEEE Trans. Affective Computing 2014; ODbL 1.0.
    """
    root = Path(root)
    people = _read_people(require_file(root / PEOPLE, "CREMA-D's table of actors", _REMEDY))
    clips = sorted((root / "VideoFlash").glob("*.flv"))
    if not clips:
        raise InputError(root / "VideoFlash", "holds no clips (.flv)", _REMEDY)
    notes = _count_absent(root, {clip.stem for clip in clips})
    rows = []
    for clip in clips:
        match = _CLIP.match(clip.name)
        if match is None or match["emotion"] not in EMOTIONS:
            raise InputError(clip, "is not named 1001_DFA_ANG_XX.flv as CREMA-D's clips are", "rename or remove it")
        if match["actor"] not in people.index:
            raise InputError(clip, f"its actor {match['actor']} is not in {PEOPLE}", "add the actor or remove the clip")
        actor = people.loc[match["actor"]]
        rows.append(
            (f"{clip.stem}.png", match["actor"], EMOTIONS[match["emotion"]], actor["gender"], actor["ethnicity"])
        )
    frame = pd.DataFrame(rows, columns=["image", "identity", "emotion", "gender", "ethnicity"])
    frames = private_dir(private_dir(build_root() / "frames") / "cremad")
    hashes = extract_apexes(clips, frames)
    frame["sha256"] = [hashes.get(clip.stem) for clip in clips]
    blank = frame["sha256"].isna()
    if blank.sum() > ABSENT * len(frame):
        first = root / "VideoFlash" / f"{Path(frame.loc[blank.idxmax(), 'image']).stem}.flv"
        raise InputError(
            first, f"has no picture that decodes, nor have {int(blank.sum()) - 1:,} more of {len(frame):,}", _REMEDY
        )
    notes |= {"clips": len(frame), "without a picture": int(blank.sum()), "actors": frame["identity"].nunique()}
    frame = frame[~blank].reset_index(drop=True)
    return make_facetable(frame, frames, name="CREMA-D", kind="substitute", notes={"CREMA-D": notes})


def _read_people(path: Path) -> pd.DataFrame:
    table = read_csv(path, keep_default_na=False)
    require_columns(path, list(table.columns), ["ActorID", "Sex", "Race"])
    refuse_repeats(path, list(table["ActorID"]), "actor", list(range(2, len(table) + 2)))
    for column, allowed in (("Sex", _GENDERS), ("Race", _ETHNICITIES)):
        refuse_unknown(path, table[column], allowed)
    ethnicity = table["Race"].str.lower().mask(table["Race"] == "Unknown")
    return pd.DataFrame(
        {"gender": table["Sex"].str.lower().to_numpy(), "ethnicity": ethnicity.to_numpy()}, index=table["ActorID"]
    )


def _count_absent(root: Path, here: set[str]) -> dict:
    path = root / SENTENCES
    if not path.exists():
        return {}
    table = read_csv(path)
    require_columns(path, list(table.columns), ["Filename"])
    gone = table[~table["Filename"].isin(here)]
    if len(gone) > ABSENT * len(table):
        raise InputError(
            path,
            f"names {gone['Filename'].iloc[0]}, absent from VideoFlash; in all {len(gone):,} of {len(table):,} clips "
            f"are (at most {ABSENT:.0%} may be)",
            _REMEDY,
            line=int(gone.index[0]) + 2,
        )
    return {"listed": len(table), "absent": len(gone)}
