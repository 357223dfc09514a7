"""On the real photographs, where they are: dlib's network recognises, and finds the faces."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from blindlib.backbones.registry import get_backbone
from blindlib.backbones.store import embed
from blindlib.data.readers.lfw import _GENDER, load_lfw, read_pairs
from blindlib.evaluate.verification import best_threshold

pytestmark = pytest.mark.realdata


def test_dlib_verifies_real_pairs_and_finds_their_faces(real_lfw):
    faces = load_lfw(real_lfw)
    pairs = read_pairs(real_lfw / "pairs.txt", faces)
    some = pairs.groupby(["fold", "same"]).head(10)
    rows = np.unique(some[["left", "right"]])
    subset = dataclasses.replace(faces, frame=faces.frame.iloc[rows].reset_index(drop=True))
    result = embed(subset, get_backbone("dlib"))
    at = {row: n for n, row in enumerate(rows)}
    left, right = (result.x[[at[r] for r in some[side]]] for side in ("left", "right"))
    distance = np.linalg.norm(left - right, axis=1)
    same = some["same"].to_numpy()
    odd = (some["fold"] % 2 == 1).to_numpy()
    accuracy = np.mean((distance[odd] <= best_threshold(distance[~odd], same[~odd])) == same[odd])
    assert accuracy >= 0.93, "97.5 % is asked of all pairs; 0.93 is four standard errors below on these few"
    assert result.detected.mean() > 0.93


def test_the_label_file_s_quirks_are_counted(real_lfw):
    notes = load_lfw(real_lfw).notes["expressions"]
    assert notes["rows"] == 13690 and notes["foreign rows"] == 925
    assert notes["images labelled"] + notes["conflicting images"] <= notes["rows"]


def test_people_s_gender_labels_of_the_real_images(real_lfw, tmp_path):
    """The two public lists lie in the folder, or in another that BLINDLIB_LFW_GENDER names; the counts are theirs."""
    lists = Path(os.environ.get("BLINDLIB_LFW_GENDER", real_lfw))
    if not all((lists / name).exists() for name in _GENDER.values()):
        pytest.skip(f"no {' and '.join(_GENDER.values())} in {lists}: set BLINDLIB_LFW_GENDER")
    for path in (*real_lfw.iterdir(), *(lists / name for name in _GENDER.values())):
        if not (tmp_path / path.name).exists():
            (tmp_path / path.name).symlink_to(path)
    faces = load_lfw(tmp_path)
    notes, gender = faces.notes["gender"], faces.frame["gender"]
    assert notes["names"] == 13_234
    assert (
        notes["images labelled"]
        == gender.notna().sum()
        == notes["names"] - notes["names of absent images"] - (2 * notes["images in both lists"])
    )
    assert gender.notna().mean() > 0.999 and 0.15 < (gender == "female").mean() < 0.3
    if len(faces) == 5838:  # the public subset
        assert notes["images labelled"] == 5836 and (gender == "female").sum() == 1333
