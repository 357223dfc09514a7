"""The manifest: your own images by a CSV, and what is refused."""

import pandas as pd
import pytest
from conftest import save_noise

from blindlib.common.errors import InputError
from blindlib.data.facetable import load_facetable
from blindlib.data.readers.manifest import load_manifest


@pytest.fixture
def folder(tmp_path):
    for n in range(3):
        save_noise(tmp_path / "mine" / "pictures" / f"{n}.jpg", n)
    return tmp_path / "mine"


def write(folder, text):
    (folder / "faces.csv").write_text(text, encoding="utf-8")
    return folder / "faces.csv"


def test_reads_labels_and_leaves_missing_ones_missing(folder):
    write(folder, "image,identity,emotion,smiling\n./pictures/1.jpg, b ,fear,1\npictures/0.jpg,a,,false\n")
    faces = load_manifest(folder)
    assert faces.frame["image"].tolist() == ["pictures/0.jpg", "pictures/1.jpg"]
    assert faces.frame["identity"].tolist() == ["a", "b"]
    assert pd.isna(faces.frame["emotion"][0]) and faces.frame["emotion"][1] == "fear"
    assert faces.frame["smiling"].tolist() == [False, True] and not faces.has("gender")


def test_only_an_empty_cell_is_missing(folder, tmp_path):
    """Somebody may be called NA, null or nan, and stay it in the table that the next notebook reads."""
    text = "image,identity,ethnicity\npictures/0.jpg,NA,\npictures/1.jpg,null,nan\npictures/2.jpg,nan,null\n"
    faces = load_manifest(write(folder, text))
    again = load_facetable(faces.save(tmp_path / "faces.parquet"))
    for frame in (faces.frame, again.frame):
        assert frame["identity"].tolist() == ["NA", "null", "nan"]
        assert pd.isna(frame["ethnicity"][0]) and frame["ethnicity"][1:].tolist() == ["nan", "null"]
    assert (again.root, again.name, again.provenance) == (faces.root, faces.name, faces.provenance)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("image,identity\n../../etc/passwd,a\n", 2, "leaves the folder"),
        ("image,identity\n/etc/passwd,a\n", 2, "leaves the folder"),
        ("picture,person\npictures/0.jpg,a\n", 1, "lacks the columns"),
        ("image,identity,age\npictures/0.jpg,a,3\n", 1, "unknown columns ['age']"),
        ("image,identity\npictures/0.jpg,a\n./pictures//0.jpg,b\n", 3, "repeats the image 'pictures/0.jpg'"),
        ("image,identity\npictures/0.jpg,a\n\npictures/1.jpg,  \n", 4, "no identity"),  # blank lines count
        ("image,identity,smiling\npictures/0.jpg,a,maybe\n", 2, "'maybe'"),
        ("image,identity,emotion\npictures/0.jpg,a,glee\n", 2, "'glee'"),
        ("image,identity\npictures/0.jpg,a,\n", 2, "more cells than the 2 names"),
        ("image,identity\npictures/9.jpg,a\n", 2, "names pictures/9.jpg, absent"),
    ],
)
def test_bad_manifests_are_refused_in_one_line(folder, text, line, words):
    with pytest.raises(InputError) as error:
        load_manifest(write(folder, text))
    message = str(error.value)
    assert words in message and f"faces.csv:{line}:" in message and "\n" not in message and "→" in message


@pytest.mark.parametrize("content", [b'image,identity\n"pictures/1.jpg,b\n', "image,identity\nx,é\n".encode("latin-1")])
def test_an_open_quote_and_another_encoding_are_told(folder, content):
    (folder / "faces.csv").write_bytes(content)
    with pytest.raises(InputError, match="does not read as a CSV table in UTF-8"):
        load_manifest(folder)
