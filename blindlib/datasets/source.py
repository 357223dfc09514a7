"""A preset's data: the face table and the pairs, whichever data set they come from."""

import pandas as pd

from blindlib.datasets.drawn import make_drawn
from blindlib.datasets.lfw import image_folder, load_lfw, read_pairs
from blindlib.facetable import FaceTable
from blindlib.paths import build_dir, lfw_dir
from blindlib.presets import Preset


def load_source(preset: Preset) -> tuple[FaceTable, pd.DataFrame]:
    """Face table and verification pairs of a preset, every image checked.

    Raises
    ------
    InputError
        Where files are missing or wrong; see the loaders.
    """
    root = lfw_dir()
    if preset.dataset == "drawn":
        root = make_drawn(
            build_dir(preset.name) / "drawn",
            people=preset.drawn_people,
            pairs=preset.drawn_pairs,
            folds=preset.rotations,
            seed=0,
        )
    faces = load_lfw(root, kind=preset.kind)
    return faces, read_pairs(root / "pairs.txt", faces)


def require_source(preset: Preset) -> None:
    """Raise InputError, saying what to fetch and where it goes, if the preset's data set is absent."""
    if preset.dataset == "lfw":
        image_folder(lfw_dir())
