"""On the real photographs, where they are: dlib's network recognises, and finds the faces."""

import dataclasses

import numpy as np
import pytest

from blindlib.backbones.registry import get_backbone
from blindlib.backbones.store import embed
from blindlib.data.readers.lfw import load_lfw, read_pairs
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
