"""LFW's loader on its true layout, and every kind of bad input: one line, file and remedy."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from blindlib.common.errors import InputError
from blindlib.data.readers import lfw as lfw_labels
from blindlib.data.readers.lfw import load_lfw, read_pairs


def test_loads_images_labels_and_says_what_it_passed_over(lfw):
    faces = load_lfw(lfw)
    by = faces.frame.set_index("image")
    assert len(faces) == 8 and by["identity"].nunique() == 4
    assert by.loc["Ann_A/Ann_A_0001.jpg", "emotion"] == "neutral"
    assert by.loc["Ann_A/Ann_A_0002.jpg", "emotion"] == "happiness"
    assert pd.isna(by.loc["Bob_B/Bob_B_0001.jpg", "emotion"]), "two labels that differ are no label"
    assert faces.notes["expressions"] == {
        "rows": 6,
        "foreign rows": 1,
        "rows for absent images": 0,
        "repeated rows": 1,
        "conflicting images": 1,
        "images labelled": 2,
    }
    assert faces.notes["attributes"] == {"rows": 4, "rows for absent images": 1}


def test_attributes_give_one_gender_a_person_and_smiling_an_image(lfw):
    by = load_lfw(lfw).frame.set_index("image")
    ann = by.loc[["Ann_A/Ann_A_0001.jpg", "Ann_A/Ann_A_0002.jpg"]]
    assert ann["gender"].tolist() == ["female", "female"], "mean score −0.3, though one image scores +0.4"
    assert ann["ethnicity"].tolist() == ["white", "white"]
    assert ann["smiling"].tolist() == [True, False]
    assert ann["attractive"].tolist() == [True, False], "a woman's score is 'Attractive Woman'"
    bob = by.loc["Bob_B/Bob_B_0001.jpg"]
    assert (bob["gender"], bob["ethnicity"], bob["attractive"]) == ("male", "black or indian", True)
    assert pd.isna(by.loc["Cy_C/Cy_C_0001.jpg", "gender"])


def test_pairs_are_row_numbers_in_folds(lfw):
    faces = load_lfw(lfw)
    pairs = read_pairs(lfw / "pairs.txt", faces)
    image = faces.frame["image"].to_numpy()
    assert pairs["fold"].tolist() == [0, 0, 1, 1] and pairs["same"].tolist() == [True, False, True, False]
    assert image[pairs["right"]].tolist() == [
        "Ann_A/Ann_A_0002.jpg",
        "Bob_B/Bob_B_0002.jpg",
        "Cy_C/Cy_C_0002.jpg",
        "Di_D/Di_D_0001.jpg",
    ]


def test_the_public_legend_may_name_images_of_a_subset(lfw, monkeypatch):
    (lfw / "lfw").rename(lfw / "lfw_funneled")
    _append(lfw, "legend.csv", "9,Elton_John_0001.jpg,happiness\n")
    monkeypatch.setattr(lfw_labels, "PUBLIC_LEGEND", lfw_labels.sha256(lfw / "legend.csv"))
    assert load_lfw(lfw).notes["expressions"]["rows for absent images"] == 1


def write_genders(root: Path) -> None:
    """People's gender labels as published: CRLF; one image in both lists, a name that is not here, one without .jpg."""
    (root / "male_names.txt").write_bytes(b"Ann_A_0001.jpg\r\nBob_B_0001.jpg\r\nZed_Z_0001.jpg\r\nDi_D_0001.jpg\r\n")
    (root / "female_names.txt").write_bytes(b"Di_D_0001.jpg\r\nDi_D_0002\r\n\r\n")


def test_people_s_gender_labels_take_the_place_of_a_machine_s(lfw):
    write_genders(lfw)
    faces = load_lfw(lfw)
    by = faces.frame.set_index("image")["gender"]
    assert by["Ann_A/Ann_A_0001.jpg"] == "male", "the scores say female"
    assert by["Bob_B/Bob_B_0001.jpg"] == "male" and by["Di_D/Di_D_0002.jpg"] == "female"
    assert pd.isna(by["Di_D/Di_D_0001.jpg"]), "in both lists"
    assert pd.isna(by["Ann_A/Ann_A_0002.jpg"]), "no one labelled it, though a machine did"
    counts = {"names": 6, "names of absent images": 1, "images in both lists": 1, "images labelled": 3}
    assert faces.notes["gender"] == counts
    assert faces.has("ethnicity") and faces.notes["attributes"]["rows"] == 4, "the scores still tell the rest"


ANN = "lfw/Ann_A/Ann_A_0001.jpg"
BAD = {
    "missing folder": (lambda r: shutil.rmtree(r / "lfw"), "", "blindlib data fetch lfw"),
    "truncated JPEG": (lambda r: (r / ANN).write_bytes((r / ANN).read_bytes()[:300]), ANN, "fetch this file again"),
    "unknown emotion": (lambda r: _append(r, "legend.csv", "1,Ann_A_0001.jpg,meh\n"), "legend.csv:8", "'meh'"),
    "unknown image": (lambda r: _append(r, "legend.csv", "1,Zed_Z_0001.jpg,fear\n"), "legend.csv:8", "Zed_Z_0001.jpg"),
    "one list of genders alone": (
        lambda r: (r / "male_names.txt").write_text("Ann_A_0001.jpg"),
        "female_names.txt",
        "not found",
    ),
    "no file name among the genders": (
        lambda r: (r / "male_names.txt").write_text("Ann_A_0001.jpg\n\nBob B\n"),
        "male_names.txt:3",
        "expected Name_0001.jpg, got 'Bob B'",
    ),
    "a score that is no number": (
        lambda r: _append(r, "lfw_attributes.txt", "\t".join(["Bob B", "2", "oops", *"1234567"]) + "\n"),
        "lfw_attributes.txt:7",
        "no number",
    ),
    "a score too few": (
        lambda r: _append(r, "lfw_attributes.txt", "\t".join(["Bob B", *"23456789"]) + "\n"),
        "lfw_attributes.txt:7",
        "no number, or missing",
    ),
}


def _append(root: Path, name: str, line: str) -> None:
    with (root / name).open("a") as stream:
        stream.write(line)


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_with_file_and_remedy(lfw, case):
    spoil, where, words = BAD[case]
    spoil(lfw)
    with pytest.raises(InputError) as error:
        load_lfw(lfw)
    message = str(error.value)
    assert "\n" not in message and str(lfw / where) in message and words in message and "→" in message


BAD_PAIRS = {
    "broken line": ("2\t1\nAnn_A\t1\nAnn_A\t1\tBob_B\t2\nCy_C\t1\t2\nCy_C\t2\tDi_D\t1\n", 2, "expected 'name i j'"),
    "different as same": ("1\t1\nAnn_A\t1\tBob_B\t2\nAnn_A\t1\tBob_B\t2\n", 2, "expected 'name i j'"),
    "absent image": ("1\t1\nAnn_A\t1\t2\nAnn_A\t1\tBob_B\t9\n", 3, "Bob_B/Bob_B_0009.jpg"),
    "wrong count": ("1\t2\nAnn_A\t1\t2\nAnn_A\t1\tBob_B\t2\n", 1, "promise 2 pairs"),
    "no header": ("Ann_A\t1\t2\n", 1, "expected 'folds<TAB>pairs'"),
}


@pytest.mark.parametrize("case", BAD_PAIRS)
def test_bad_pairs_name_their_line(lfw, case):
    text, line, words = BAD_PAIRS[case]
    faces = load_lfw(lfw)
    (lfw / "pairs.txt").write_text(text)
    with pytest.raises(InputError) as error:
        read_pairs(lfw / "pairs.txt", faces)
    message = str(error.value)
    assert f"pairs.txt:{line}:" in message and words in message and "→" in message and "\n" not in message
