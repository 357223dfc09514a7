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


def test_funneled_folder_is_lfw_too(lfw):
    (lfw / "lfw").rename(lfw / "lfw_funneled")
    assert len(load_lfw(lfw)) == 8


def test_the_public_legend_may_name_images_of_a_subset(lfw, monkeypatch):
    with (lfw / "legend.csv").open("a") as stream:
        stream.write("9,Elton_John_0001.jpg,happiness\n")
    monkeypatch.setattr(lfw_labels, "PUBLIC_LEGEND", lfw_labels.sha256(lfw / "legend.csv"))
    assert load_lfw(lfw).notes["expressions"]["rows for absent images"] == 1


def test_a_space_after_a_name_in_the_legend_loses_no_label(lfw):
    _append(lfw, "legend.csv", "1, Di_D_0001.jpg ,fear\n")
    assert load_lfw(lfw).frame.set_index("image").loc["Di_D/Di_D_0001.jpg", "emotion"] == "fear"


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


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


ANN = "lfw/Ann_A/Ann_A_0001.jpg"
BAD = {
    "missing folder": (lambda r: shutil.rmtree(r / "lfw"), "", "blindlib data fetch lfw"),
    "truncated JPEG": (lambda r: _truncate(r / ANN), ANN, "fetch this file again"),
    "zero-byte image": (lambda r: (r / ANN).write_bytes(b""), ANN, "empty (0 bytes)"),
    "text named .jpg": (lambda r: (r / ANN).write_text("hello"), ANN, "does not decode"),
    "stray image name": (lambda r: (r / ANN).rename(r / "lfw/Ann_A/x.jpg"), "lfw/Ann_A/x.jpg", "not named"),
    "PNG image": (lambda r: _other(r, "png"), "lfw/Ann_A/Ann_A_0001.png", "not named Name/Name_0001.jpg"),
    "the same image as .jpeg": (lambda r: _other(r, "jpeg"), "lfw/Ann_A/Ann_A_0001.jpeg", "not named Name/Name"),
    "TIFF image": (lambda r: _other(r, "tif"), "lfw/Ann_A/Ann_A_0001.tif", "not named Name/Name_0001.jpg"),
    "legend: .JPG": (lambda r: _append(r, "legend.csv", "1,Di_D_0001.JPG,fear\n"), "legend.csv:8", "'Di_D_0001.JPG'"),
    "legend: .png": (lambda r: _append(r, "legend.csv", "1,Di_D_0001.png,fear\n"), "legend.csv:8", "'Di_D_0001.png'"),
    "unknown emotion": (lambda r: _append(r, "legend.csv", "1,Ann_A_0001.jpg,meh\n"), "legend.csv:8", "'meh'"),
    "legend: unknown image": (
        lambda r: _append(r, "legend.csv", "1,Zed_Z_0001.jpg,neutral\n"),
        "legend.csv:8",
        "Zed_Z_0001.jpg",
    ),
    "legend: wrong columns": (
        lambda r: (r / "legend.csv").write_text("file,mood\na,b\n"),
        "legend.csv:1",
        "lacks the columns",
    ),
    "legend: empty": (lambda r: (r / "legend.csv").write_text(""), "legend.csv", "empty (0 bytes)"),
    "legend: a line with too many cells": (
        lambda r: _append(r, "legend.csv", "1,a.jpg,neutral,extra,more\n"),
        "legend.csv:8",
        "has 5 cells",
    ),
    "legend: not UTF-8": (lambda r: (r / "legend.csv").write_bytes(b"\xff\xfe\xfa"), "legend.csv", "not UTF-8"),
    "gender: one list alone": (lambda r: _genders(r, "female_names.txt", None), "female_names.txt", "not found"),
    "gender: not a file name": (
        lambda r: _genders(r, "male_names.txt", b"Ann_A_0001.jpg\r\n\r\nBob B\r\n"),
        "male_names.txt:3",
        "expected Name_0001.jpg, got 'Bob B'",
    ),
    "gender: blank": (lambda r: _genders(r, "male_names.txt", b"\r\n"), "male_names.txt", "gender list is blank"),
    "gender: not UTF-8": (lambda r: _genders(r, "male_names.txt", b"\xff\xfe"), "male_names.txt", "not UTF-8"),
    "gender: another data set's": (
        lambda r: [_genders(r, name, b"Zed_Z_0001.jpg\r\n") for name in ("male_names.txt", "female_names.txt")],
        "male_names.txt",
        "names no image of this folder",
    ),
    "attributes: no header": (
        lambda r: (r / "lfw_attributes.txt").write_text("x\ty\n"),
        "lfw_attributes.txt:1",
        "no header line",
    ),
    "attributes: no number": (
        lambda r: _append(r, "lfw_attributes.txt", "\t".join(["Bob B", "2", "oops", *"1234567"]) + "\n"),
        "lfw_attributes.txt:7",
        "'oops', not a number",
    ),
    "attributes: infinite": (lambda r: _score(r, Male="-inf"), "lfw_attributes.txt:7", "Male is '-inf', not a number"),
    "attributes: half an image": (lambda r: _score(r, n="1.5"), "lfw_attributes.txt:7", "'1.5', not a whole number"),
    "attributes: infinitely many": (lambda r: _score(r, n="inf"), "lfw_attributes.txt:7", "'inf', not a whole number"),
    "attributes: a power": (lambda r: _score(r, n="³"), "lfw_attributes.txt:7", "'³', not a whole number"),
    "attributes: twenty digits": (lambda r: _score(r, n="9" * 20), "lfw_attributes.txt:7", "9', not a whole number"),
    "attributes: surplus cells": (lambda r: _score(r, more="\t9\t9"), "lfw_attributes.txt:7", "has 12 cells, not 10"),
    "attributes: a cell too few": (
        lambda r: _append(r, "lfw_attributes.txt", "\t".join(["Bob B", *"23456789"]) + "\n"),
        "lfw_attributes.txt:7",
        "has 9 cells, not 10",
    ),
    "attributes: other scores again": (
        lambda r: _score(r, who="Bob_B", n="01"),
        "lfw_attributes.txt:7",
        "scores Bob_B/Bob_B_0001.jpg otherwise than a line before",
    ),
    "attributes: a name twice": (
        lambda r: _replace(r, "lfw_attributes.txt", "Woman", "Woman\tMale"),
        "lfw_attributes.txt:2",
        "has two columns of one name, 'Male'",
    ),
    "attributes: missing column": (
        lambda r: (r / "lfw_attributes.txt").write_text("#\tperson\timagenum\tMale\nAnn A\t1\t1\n"),
        "lfw_attributes.txt:1",
        "lacks the columns",
    ),
}


def _other(root: Path, suffix: str) -> None:
    shutil.copy(root / ANN, (root / ANN).with_suffix(f".{suffix}"))


def _genders(root: Path, name: str, content: bytes | None) -> None:
    if not (root / "male_names.txt").exists():
        write_genders(root)
    (root / name).unlink() if content is None else (root / name).write_bytes(content)


def _score(root: Path, *, who: str = "Bob B", n: str = "2", Male: str = "1", more: str = "") -> None:
    _append(root, "lfw_attributes.txt", "\t".join([who, n, Male, *"2345678"]) + more + "\n")


def _replace(root: Path, name: str, old: str, new: str) -> None:
    (root / name).write_text((root / name).read_text().replace(old, new))


def _append(root: Path, name: str, line: str) -> None:
    with (root / name).open("a") as stream:
        stream.write(line)


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_with_file_and_remedy(lfw, case):
    spoil, where, words = BAD[case]
    spoil(lfw)
    before = sorted(lfw.rglob("*"))
    with pytest.raises(InputError) as error:
        load_lfw(lfw)
    message = str(error.value)
    assert "\n" not in message and str(lfw / where) in message and words in message and "→" in message
    assert sorted(lfw.rglob("*")) == before, "nothing is written"


BAD_PAIRS = {
    "broken line": ("2\t1\nAnn_A\t1\nAnn_A\t1\tBob_B\t2\nCy_C\t1\t2\nCy_C\t2\tDi_D\t1\n", 2, "expected 'name i j'"),
    "different as same": ("1\t1\nAnn_A\t1\tBob_B\t2\nAnn_A\t1\tBob_B\t2\n", 2, "expected 'name i j'"),
    "absent image": ("1\t1\nAnn_A\t1\t2\nAnn_A\t1\tBob_B\t9\n", 3, "Bob_B/Bob_B_0009.jpg"),
    "no number": ("1\t1\nAnn_A\tone\t2\nAnn_A\t1\tBob_B\t2\n", 2, "expected"),
    "wrong count": ("1\t2\nAnn_A\t1\t2\nAnn_A\t1\tBob_B\t2\n", 1, "promises 4 pairs, it holds 2"),
    "no header": ("Ann_A\t1\t2\n", 1, "expected 'folds<TAB>pairs'"),
    "twenty digits": (f"1\t1\nAnn_A\t{'9' * 20}\t2\nAnn_A\t1\tBob_B\t2\n", 2, "expected 'name i j'"),
    "five thousand folds": (f"{'9' * 5000}\t1\nAnn_A\t1\t2\nAnn_A\t1\tBob_B\t2\n", 1, "expected 'folds<TAB>pairs'"),
    "one person as two": ("1\t1\nAnn_A\t1\t2\nAnn_A\t1\tAnn_A\t2\n", 3, "expected 'name i other j'"),
    "an image with itself": ("1\t1\nAnn_A\t1\t01\nAnn_A\t1\tBob_B\t2\n", 2, "pairs an image with itself"),
    "a pair again": (
        "1\t2\nAnn_A\t1\t2\nBob_B\t1\t2\nAnn_A\t1\tBob_B\t2\nBob_B\t2\tAnn_A\t1\n",
        5,
        "or again as before",
    ),
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
