"""Export SynthFaces as image files beside a manifest in CSV."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from PIL import Image

from blindlib.common.errors import InputError
from blindlib.common.files import atomic_folder
from blindlib.common.work import track
from blindlib.settings import ATTRIBUTES
from blindlib.synthfaces.expressions import BASIC, PROTOTYPES
from blindlib.synthfaces.factors import POSED
from blindlib.synthfaces.render import SIZE, render
from blindlib.synthfaces.roles import label_attractiveness, make_album

_PART = 256


def compiler_lacks() -> str | None:
    """Return what `compiled` rendering on a CPU lacks, a C++ compiler or Python's headers, or None."""
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    header = Path(sysconfig.get_path("include")) / "Python.h"
    return compiler if shutil.which(compiler) is None else None if header.exists() else str(header)


def export(
    folder: Path,
    *,
    identities: int,
    images: int = 4,
    posed: bool = False,
    compound: bool = False,
    size: int = SIZE,
    seed: int = 0,
    device: str = "cpu",
    compiled: bool = False,
) -> Path:
    """Render subjects into `folder`/identity/number.png with `manifest.csv` and `factors.parquet` (the ground truth).

    The folder appears in one step when all is done. Returns the manifest for `data.readers.manifest`.

    Parameters
    ----------
    identities : int
        Number of subjects; genders and groups alternate. Another `seed` renders other subjects.
    images : int
        Found images of each subject; ignored if `posed`.
    posed, compound : bool
        Render one posed image of every basic expression instead, neutral first; `compound` adds the fifteen others.
    size, device, compiled
        As in `render`.

    Raises
    ------
    InputError
        If the folder exists, a number is out of range, `compound` lacks `posed`, or `compiled` lacks a compiler.
    """
    if identities < 1 or images < 1:
        raise InputError("identities, images", f"are {identities} and {images}", "use 1 or more")
    if folder.exists():
        raise InputError(folder, "exists already", "name a new folder: nothing is overwritten")
    if compound and not posed:
        raise InputError("compound", "is set without posed", "add --posed: found photographs show basic expressions")
    lacking = compiler_lacks() if compiled and device == "cpu" else None
    if lacking:
        raise InputError("compiled", f"{lacking} is not here", "apt install g++ python3-dev, say, or leave it out")
    shots = [(emotion, POSED) for emotion in (PROTOTYPES if compound else BASIC)]
    album = label_attractiveness(make_album(identities, shots if posed else images, seed), seed)
    with atomic_folder(folder) as partial, track((), "rendering", total=len(album), unit="face") as bar:
        for rows in (album.iloc[start : start + _PART] for start in range(0, len(album), _PART)):
            frames = render(rows, size=size, device=device, compiled=compiled, done=bar.update)
            for image, frame in zip(rows["image"], frames, strict=True):
                (partial / image).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(frame).save(partial / image)
        manifest = album[["image", "identity", *ATTRIBUTES]].astype({"smiling": int, "attractive": int})
        manifest.to_csv(partial / "manifest.csv", index=False, lineterminator="\n")
        album.to_parquet(partial / "factors.parquet")
        partial.chmod(0o755)
    return folder / "manifest.csv"
