"""CREMA-D: clips of 91 actors who act emotions, and of each clip one picture: the face furthest from how it began."""

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from blindlib.common.errors import InputError
from blindlib.common.files import atomic_path, damage, digest, frames_dir, sha256
from blindlib.common.work import cores, track
from blindlib.data import checks
from blindlib.data.facetable import FaceTable, make_facetable

PEOPLE, SENTENCES = "VideoDemographics.csv", "SentenceFilenames.csv"
EMOTIONS = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"}
_CLIP = re.compile(rf"^(?P<actor>[0-9]{{4}})_[A-Z]{{3}}_(?P<emotion>{'|'.join(EMOTIONS)})_(LO|MD|HI|XX?)\.flv$")
_PIXELS, _FRAMES = 1 << 22, 10_000  # of a frame, and of a clip, at most: CREMA-D's have 480 x 360, and 150
_REMEDY = "see CREMA-D in DATA.md: `blindlib data fetch cremad` prints where its files are"


def load_cremad(root: Path) -> FaceTable:
    """Load CREMA-D: the apex frame of every clip is kept, once, in `build/frames/cremad-…`, private to the user.

    `emotion`: what the actor was asked to act (no surprise among them), not what anybody saw; `gender`, `ethnicity` as
    the actors said (`Unknown` is missing). Its images are the frames. `notes` counts clips listed, absent, without a
    picture. Raises InputError for a clip of another name or an unknown actor, and if too many have no picture.

    Source: Cao et al., IEEE Trans. Affective Computing 2014; ODbL 1.0.
    """
    listing = checks.read_table(root / PEOPLE, "CREMA-D's table of actors", ["ActorID", "Sex", "Race"], _REMEDY)
    listing.refuse_repeats("ActorID", "actor")
    listing.refuse_unknown("Sex", ("Male", "Female"))
    listing.refuse_unknown("Race", ("African American", "Asian", "Caucasian", "Unknown"))
    people = listing.rows.set_index("ActorID")[["Sex", "Race"]].set_axis(["gender", "ethnicity"], axis=1)
    people = people.apply(lambda words: words.str.lower()).replace("unknown", None)
    clips = sorted((root / "VideoFlash").glob("*.flv"))
    if not clips:
        raise InputError(root / "VideoFlash", "holds no clips (.flv)", _REMEDY)
    rows, notes = [], {}
    if (root / SENTENCES).exists():  # names every clip that should be here
        listing = checks.read_table(root / SENTENCES, "CREMA-D's list of clips", ["Filename"], _REMEDY)
        listing.refuse(
            ~listing.rows["Filename"].str.fullmatch(r"\w{1,60}"), "expected a clip's name, got {Filename!r:.60}"
        )
        listing.rows["image"] = "VideoFlash/" + listing.rows["Filename"] + ".flv"
        _, notes = listing.keep_present(root)
    for clip in clips:
        match = _CLIP.match(clip.name)
        if match is None:
            raise InputError(clip, "is not named 1001_DFA_ANG_XX.flv as CREMA-D's clips are", "rename or remove it")
        if match["actor"] not in people.index:
            raise InputError(clip, f"its actor {match['actor']} is not in {PEOPLE}", "add the actor or remove the clip")
        rows.append((f"{clip.stem}.png", match["actor"], EMOTIONS[match["emotion"]]))
    frame = pd.DataFrame(rows, columns=["image", "identity", "emotion"]).join(people, on="identity")
    folder = frames_dir(f"cremad-{digest(str(root.resolve()))[:12]}")  # other data have clips of the same names
    frame["sha256"] = _extract_apexes(clips, folder)
    blank = frame["sha256"].isna()
    if blank.mean() > checks.ABSENT:
        problem = f"has no picture that decodes, nor have {blank.sum() - 1:,} more of {len(frame):,}"
        raise InputError(clips[blank.idxmax()], problem, _REMEDY)
    notes |= {"clips": len(frame), "without a picture": int(blank.sum()), "actors": frame["identity"].nunique()}
    return make_facetable(frame[~blank], folder, name="CREMA-D", provenance="substitute", notes={"CREMA-D": notes})


def _extract_apexes(clips: list[Path], folder: Path) -> list[str | None]:
    """Write every clip's apex frame, unless it is there, whole and of this clip; return its SHA-256 (None: no picture).

    A frame gets the time of the clip that it was taken from: a clip in its place with another time, to the second, is
    read anew.
    """

    def one(clip: Path) -> str | None:
        target = folder / f"{clip.stem}.png"
        if not clip.is_file():
            raise InputError(clip, "is no regular file", "fetch this clip again or remove it")
        time = clip.stat().st_mtime_ns
        if damage(target) or target.stat().st_mtime_ns // 10**9 != time // 10**9:
            with clip.open("rb") as stream:
                if stream.read(40).startswith(b"version https://git-lfs"):
                    raise InputError(clip, "is a Git LFS pointer, not the clip", "run `git lfs pull` in its repository")
            image = read_apex(clip)
            if image is None:
                return None
            with atomic_path(target) as temporary:
                image.save(temporary, format="PNG")
                os.utime(temporary, ns=(time, time))
        return sha256(target)

    with ThreadPoolExecutor(cores()) as pool:
        return list(track(pool.map(one, clips), "one frame of every clip", total=len(clips), unit="clip"))


def read_apex(clip: Path) -> Image.Image | None:
    """The apex frame of a video file, RGB; None if no picture in it decodes.

    It is decoded twice: a clip's frames never lie in memory together.
    """
    thumbnails = [np.asarray(f.to_image().convert("L").resize((64, 48))) for f in _frames(clip)]
    if not thumbnails:
        return None
    wanted = apex_index(np.stack(thumbnails))
    return next(f.to_image() for n, f in enumerate(_frames(clip)) if n == wanted)


def apex_index(thumbnails: np.ndarray) -> int:
    """Of grey frames (T, H, W) the one that differs most from the first, as a mean of three, the two ends left out.

    A **decision**: an actor begins with a resting face; nobody has marked the apex of these clips.
    """
    moved = np.abs(thumbnails.astype(np.float32) - thumbnails[0]).mean((1, 2))
    smooth = np.convolve(moved, np.ones(3) / 3, "same")  # a blink is shorter than an expression
    edge = len(moved) // 10  # the clapper, the cut
    return edge + int(np.argmax(smooth[edge : len(moved) - edge]))


def _frames(clip: Path) -> Iterator:
    import av  # of another format, a playlist say, FFmpeg would open whatever files and addresses it names

    try:
        with av.open(str(clip), format="flv") as container:
            if container.streams.video:
                container.streams.video[0].codec_context.options = {"max_pixels": str(_PIXELS)}
                yield from islice(container.decode(container.streams.video[0]), _FRAMES)
    except (av.FFmpegError, OSError):
        return  # what came before the damage counts
