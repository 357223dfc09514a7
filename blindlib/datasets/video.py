"""One still picture of a clip: the frame in which the face is furthest from how it began."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from blindlib.cores import cores
from blindlib.errors import InputError
from blindlib.files import atomic_path, sha256
from blindlib.progress import track

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
