"""The manifest: anybody's images by a CSV, and what is refused."""

import pandas as pd
import pytest
from conftest import save_noise

from blindlib.common.errors import InputError
from blindlib.data.checks import read_lines
from blindlib.data.facetable import load_facetable, make_facetable
from blindlib.data.readers.manifest import load_manifest


@pytest.fixture
def folder(tmp_path):
    for n in range(3):
        save_noise(tmp_path / "mine" / "pictures" / f"{n}.jpg", n)
    return tmp_path / "mine"


def write(folder, text):
    (folder / "faces.csv").write_text(text)
    return folder / "faces.csv"


def test_reads_labels_and_leaves_missing_ones_missing(folder):
    faces = load_manifest(
        write(
            folder,
            "image,identity,emotion,smiling\npictures/1.jpg,b,fear,1\npictures/0.jpg,a,,no\n".replace("no", "false"),
        )
    )
    assert faces.frame["image"].tolist() == ["pictures/0.jpg", "pictures/1.jpg"]
    assert pd.isna(faces.frame["emotion"][0]) and faces.frame["emotion"][1] == "fear"
    assert faces.frame["smiling"].tolist() == [False, True] and not faces.has("gender")


def test_only_an_empty_cell_is_missing(folder):
    """Somebody may be called NA, null or nan, and stay it in the table that the next notebook reads."""
    text = "image,identity,ethnicity\npictures/0.jpg,NA,\npictures/1.jpg,null,nan\npictures/2.jpg,nan,null\n"
    faces = load_manifest(write(folder, text))
    for frame in (faces.frame, load_facetable(faces.save(folder / "faces.parquet")).frame):
        assert frame["identity"].tolist() == ["NA", "null", "nan"]
        assert pd.isna(frame["ethnicity"][0]) and frame["ethnicity"][1:].tolist() == ["nan", "null"]


def test_a_name_is_one_however_its_accents_are_coded(folder):
    text = "image,identity,ethnicity\npictures/0.jpg,Jos\u00e9,\u00e9\npictures/1.jpg,Jose\u0301,e\u0301\n"
    frame = load_manifest(write(folder, text)).frame
    assert frame["identity"].tolist() == ["Jos\u00e9"] * 2 and frame["ethnicity"].tolist() == ["\u00e9"] * 2


def test_survives_a_round_trip(folder, tmp_path):
    faces = load_manifest(write(folder, "image,identity\npictures/1.jpg,b\n"))
    again = load_facetable(faces.save(tmp_path / "faces.parquet"))
    pd.testing.assert_frame_equal(again.frame, faces.frame)
    assert (again.root, again.name, again.provenance) == (faces.root, faces.name, faces.provenance)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("image,identity\n../../etc/passwd,a\n", 2, "leaves the folder"),
        ("image,identity\n/etc/passwd,a\n", 2, "leaves the folder"),
        ("picture,person\npictures/0.jpg,a\n", 1, "lacks the columns"),
        ("image,identity\npictures/0.jpg,a\npictures/0.jpg,b\n", 3, "repeats the image"),
        ("image,identity\npictures/0.jpg,\n", 2, "no identity"),
        ("image,identity,smiling\npictures/0.jpg,a,maybe\n", 2, "'maybe'"),
        ("image,identity,smiling\n\npictures/1.jpg,b,1\n\npictures/0.jpg,a,maybe\n", 5, "'maybe'"),  # blank lines count
        ("image,identity\npictures/0.jpg,a,\n", 2, "has 3 cells, more than the 2 names"),
        ("image,identity\npictures/0.jpg,a\n\npictures/1.jpg,  \n", 4, "no identity"),
        ("image,identity\npictures/0.jpg,a\n ,b\n", 3, "no image"),
        ("image,identity\npictures/0.jpg,a\npictures/1.jpg,a \n", 3, "a space before or after"),  # else two people
        ("image,identity,ethnicity\npictures/0.jpg,a,  \n", 2, "a space before or after"),
        ('\nimage,identity,ethnicity\n\npictures/0.jpg,a,"two\n\nlines"\n\npictures/1.jpg,,\n', 8, "no identity"),
        ('image,identity,ethnicity\npictures/0.jpg,"a\nb",\npictures/1.jpg,"b\n"c,\n', 4, "does not read as a table"),
        ('image,identity\npictures/0.jpg,a\n"pictures/1.jpg,b\n', 3, "does not read as a table"),
        ("\n\nimage,identity,age\npictures/0.jpg,a,3\n", 3, "unknown columns ['age']"),
        ("image,identity,gender,gender\npictures/0.jpg,a,male,female\n", 1, "has two columns of one name, 'gender'"),
        ("image,identity\npictures/0.jpg,a\npictures/../pictures/0.jpg,b\n", 3, "repeats the image 'pictures/0.jpg'"),
        ("image,identity\npictures/0.jpg,a\n./pictures//0.jpg,b\n", 3, "repeats the image 'pictures/0.jpg'"),
        ("image,identity\npictures/0.jpg,a\nsame/0.jpg,b\n", 3, "repeats the image 'pictures/0.jpg'"),  # a link
        ("image,identity\npictures/..,a\n", 2, "leaves the folder"),
        (f"image,identity\n{'a' * 300}.jpg,a\n", 2, "leaves the folder"),
        ("image,identity\npictures/\0.jpg,a\n", 2, "leaves the folder"),
        ("image,identity\npictures/9.jpg,a\n", 2, "names pictures/9.jpg, absent"),
        ("image,identity\npictures/0.jpg,ana\npictures/1.jpg,ana\u200b\n", 3, "'ana\\u200b', with a character"),
        ("image,identity\npictures/0.jpg,ana\npictures/1.jpg,\ufeffana\n", 3, "'\\ufeffana', with a character"),
        ("image,identity\npictures/0.jpg,\u200b\n", 2, "with a character"),
        ("image,identity\npictures/0.jpg,a\x07\n", 2, "with a character"),
        ("image,identity,ethnicity\npictures/0.jpg,a,gr\u00adoup\n", 2, "ethnicity is 'gr\\xadoup', with a character"),
        (f"image,identity\n{'a/' * 2500}0.jpg,a\n", 2, "leaves the folder"),
        (f"image,identity,emotion\npictures/0.jpg,a,{'fear' * 25000}\n", 2, "emotion is 'fear"),
        ("image,identity,emotion\npictures/0.jpg,a,glee\n", None, "'glee'"),
    ],
)
def test_bad_manifests_are_refused_in_one_line(folder, text, line, words):
    path = write(folder, text)
    (folder / "same").symlink_to(folder / "pictures")
    with pytest.raises(InputError) as error:
        load_manifest(path)
    message = str(error.value)
    assert words in message and "\n" not in message and "→" in message and len(message) < 1000
    assert line is None or f"faces.csv:{line}:" in message


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path):
    save_noise(tmp_path / "secret.jpg", 5)
    (folder / "pictures" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(InputError, match="leaves the folder"):
        load_manifest(write(folder, "image,identity\npictures/link.jpg,a\n"))


def test_a_facetable_refuses_columns_that_it_does_not_know(folder):
    with pytest.raises(InputError, match="age"):
        make_facetable(
            pd.DataFrame({"image": ["a"], "identity": ["b"], "sha256": ["0" * 64], "age": [3]}),
            folder,
            name="mine",
            provenance="substitute",
        )


def test_an_image_has_one_name_however_its_path_is_written(folder):
    text = "image,identity\npictures/../pictures/1.jpg,a\n./pictures//0.jpg,b\n"
    assert load_manifest(write(folder, text)).frame["image"].tolist() == ["pictures/0.jpg", "pictures/1.jpg"]


def test_a_line_of_a_list_is_one_that_an_editor_counts(tmp_path):
    first = "one\x0bstill\u2028one"
    (tmp_path / "list.txt").write_text(f"{first}\n\ntwo\n", encoding="utf-8")
    assert read_lines(tmp_path / "list.txt", "list", "").rows["text"].to_dict() == {1: first, 3: "two"}
