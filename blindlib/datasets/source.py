"""A preset's data: the face table and the pairs, whichever data set they come from."""

import pandas as pd

from blindlib.datasets.lfw import image_folder, load_lfw, read_pairs
from blindlib.datasets.synth import load_synth
from blindlib.errors import InputError
from blindlib.facetable import FaceTable
from blindlib.paths import build_dir, lfw_dir
from blindlib.presets import Preset


def load_source(preset: Preset) -> tuple[FaceTable, pd.DataFrame]:
    """Face table and verification pairs of a preset, every image file checked.

    Raises
    ------
    InputError
        Where files are missing or wrong; see the loaders.
    """
    _refuse_unread(preset)
    if preset.dataset == "synthfaces":
        return load_synth(preset.synth, build_dir(preset.name))
    root = lfw_dir()
    faces = load_lfw(root, kind=preset.kind)
    if not faces.frame["emotion"].isin(preset.emotions).any():
        raise InputError(
            root / "legend.csv", "no image here carries an expression label", "run `blindlib data fetch lfw`"
        )
    return faces, read_pairs(root / "pairs.txt", faces)


def source_state(preset: Preset) -> str:
    """Which data a preset would read, as text that changes when a folder or a label file does; opens no image.

    Raises
    ------
    InputError
        If the data set is absent: says what to fetch and where it goes.
    """
    _refuse_unread(preset)
    if preset.dataset == "synthfaces":
        return f"SynthFaces {preset.synth}\n"
    root = lfw_dir()
    files = [image_folder(root), *(root / name for name in ("pairs.txt", "legend.csv", "lfw_attributes.txt"))]
    return "".join(f"{file} {file.stat().st_mtime_ns if file.exists() else 'absent'}\n" for file in files)


def _refuse_unread(preset: Preset) -> None:
    """Say what the paper's own data ask for: they cannot be downloaded, and nothing here reads them yet."""
    if preset.dataset == "paper":
        raise InputError(
            f"preset '{preset.name}'",
            "CFEE (on request), DiveFace (withdrawn) and CelebA have no reader here yet",
            "use demo or open, or read a copy of yours through a manifest (DATA.md)",
        )
