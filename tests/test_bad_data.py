"""Bad input, for every reader and archive: one line with file, line and remedy; nothing half-written."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from blindlib.common.errors import InputError
from blindlib.data import download as archives
from blindlib.data.source import LOADERS


def line(path, number, text):
    """Replace a line (1-based)."""
    lines = path.read_text().splitlines()
    lines[number - 1 : number] = [text]
    path.write_text("\n".join(lines) + "\n")


def cut(path):
    path.write_bytes(path.read_bytes()[:200])


def first(root, pattern):
    return sorted(root.rglob(pattern))[0]


def drop(root, pattern, share):
    files = sorted(root.rglob(pattern))
    for file in files[: max(1, int(share * len(files)))]:
        file.unlink()


G1, ATTR, IDS, FF = "files/Group1_Male.txt", "list_attr_celeba.txt", "identity_CelebA.txt", "fairface_label_train.csv"
# data set, what is wrong -> how to make it so, the place that the message names, words of the message
BAD = {
    ("diveface", "missing list"): (lambda r: (r / G1).unlink(), "Group1_Male.txt", "not found"),
    ("diveface", "broken line"): (lambda r: line(r / G1, 2, "no slash.jpg"), f"{G1}:2", "expected 'identity/file.jpg'"),
    ("diveface", "many absent"): (lambda r: shutil.rmtree(r / "images"), f"{G1}:1", "at most 1% may be"),
    ("diveface", "truncated image"): (lambda r: cut(first(r, "*.jpg")), "images", "does not decode"),
    ("cfee", "no table of codes"): (lambda r: (r / "categories.csv").unlink(), "categories.csv", "not found"),
    ("cfee", "code that is none"): (lambda r: line(r / "categories.csv", 3, "x,Happy"), "categories.csv:3", "a code"),
    ("cfee", "unknown emotion"): (lambda r: line(r / "categories.csv", 3, "2,glee"), "categories.csv", "happiness"),
    ("cfee", "unknown code"): (
        lambda r: first(r, "01_*.jpg").rename(r / "99_111_1.jpg"),
        "99_111_1.jpg",
        "is not named code_subject",
    ),
    ("cfee", "one expression twice"): (
        lambda r: shutil.copy(first(r, "02_*.jpg"), r / "02_111_1.jpg"),
        ".jpg",
        "shows 'happiness' twice",
    ),
    ("celeba", "missing images"): (lambda r: shutil.rmtree(r / "img_align_celeba"), "img_align_celeba", "not found"),
    ("celeba", "broken line"): (lambda r: line(r / ATTR, 5, "000003.jpg 1"), f"{ATTR}:5", "and 4 values"),
    ("celeba", "wrong count"): (lambda r: line(r / ATTR, 1, "9"), f"{ATTR}:1", "expected the count 180"),
    ("celeba", "value that is none"): (lambda r: line(r / ATTR, 4, "000002.jpg 0 1 1 1"), f"{ATTR}:4", "not 1 or -1"),
    ("celeba", "broken identity"): (lambda r: line(r / IDS, 2, "000002.jpg x"), f"{IDS}:2", "expected a file and its"),
    ("celeba", "image without identity"): (lambda r: line(r / IDS, 3, "zz.jpg 3"), f"{ATTR}:5", "is not in identity"),
    ("fairface", "no images"): (lambda r: shutil.rmtree(first(r, "train").parent), "", "no FairFace images"),
    ("fairface", "wrong columns"): (lambda r: line(r / FF, 1, "a,b,c,d,e"), f"{FF}:1", "lacks the columns"),
    ("fairface", "unknown race"): (
        lambda r: line(r / FF, 2, "train/2.jpg,20-29,Male,Martian,True"),
        f"{FF}:2",
        "race is 'Martian'",
    ),
    ("manifest", "no manifest"): (lambda r: (r / "faces.csv").unlink(), "faces.csv", "not found"),
    ("manifest", "many absent"): (lambda r: drop(r, "*.png", 0.1), "faces.csv:2", "at most 1% may be"),
    ("lfw", "truncated image"): (lambda r: cut(first(r / "lfw", "*.jpg")), "_0001.jpg", "does not decode"),
}


@pytest.mark.parametrize("case", BAD, ids=" ".join)
def test_bad_input_is_one_line_with_place_and_remedy(miniatures, tmp_path, case):
    name, (spoil, where, words) = case[0], BAD[case]
    root = tmp_path / name
    shutil.copytree(miniatures / name, root)
    spoil(root)
    before = sorted(tmp_path.glob(f"{name}/**/*"))
    with pytest.raises(InputError) as error:
        LOADERS[name](root)
    message = str(error.value)
    place, remedy = message.split(": ", 1)[0], message.rsplit("→", 1)[-1]
    assert "\n" not in message and place.startswith(str(root)) and where in place, message
    assert words in message and len(remedy.strip()) > 5, message
    assert sorted(tmp_path.glob(f"{name}/**/*")) == before, "nothing is written beside the data"


@pytest.mark.parametrize("name", ["diveface", "celeba", "fairface", "manifest"])
def test_a_few_absent_images_are_counted_and_the_rest_is_read(miniatures, tmp_path, name, monkeypatch):
    monkeypatch.setattr("blindlib.data.checks.ABSENT", 0.2)  # a miniature's hundredth is less than one image
    shutil.copytree(miniatures / name, tmp_path / name)
    whole = len(LOADERS[name](tmp_path / name))
    gone = first(tmp_path / name, "*.png" if name == "manifest" else "*.jpg")
    gone.unlink()
    faces = LOADERS[name](tmp_path / name)
    assert len(faces) == whole - 1 and gone not in faces.files
    assert sum(counts["absent"] for counts in faces.notes.values()) == 1


def pack(path, member="train/1.jpg"):
    """A zip or tar file of one member."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as opened:
            opened.writestr(member, os.urandom(5000))
    else:
        with tarfile.open(path, "w:gz") as opened:
            opened.add(__file__, arcname=member)


def half(path):
    pack(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BAD_ARCHIVES = {
    "tar that climbs": ("x.tar.gz", lambda p: pack(p, "../outside.jpg"), "does not unpack"),
    "half a tar": ("x.tar.gz", half, "does not unpack"),
    "half a zip": ("x.zip", half, "does not unpack"),
    "a page in place of an archive": (
        "x.zip",
        lambda p: p.write_text("<html>quota exceeded</html>"),
        "does not unpack",
    ),
    "wrong checksum": ("img_align_celeba.zip", pack, "is not the published file"),
    "absent": ("x.zip", lambda p: None, "no such archive"),
}


@pytest.mark.parametrize("case", BAD_ARCHIVES)
def test_a_bad_archive_leaves_nothing(tmp_path, case):
    name, make, words = BAD_ARCHIVES[case]
    make(tmp_path / name)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as error:
        archives.unpack_into("celeba" if "celeba" in name else "fairface", tmp_path / name, tmp_path / "set")
    message = str(error.value)
    assert words in message and str(tmp_path / name) in message and "\n" not in message and "→" in message
    assert [p for p in sorted(tmp_path.rglob("*")) if p != tmp_path / "set"] == before


def test_a_zip_that_climbs_writes_nothing_outside(tmp_path):
    pack(tmp_path / "x.zip", "../outside.jpg")
    archives.unpack_into("fairface", tmp_path / "x.zip", tmp_path / "in" / "set")
    assert not list(tmp_path.rglob("outside.jpg"))


@pytest.mark.parametrize("kind", ["set.zip", "set.tar.gz"])
def test_an_archive_is_unpacked_into_place_and_overwrites_nothing(tmp_path, kind):
    pack(tmp_path / kind)
    archives.unpack_into("fairface", tmp_path / kind, tmp_path / "fairface")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.jpg")] == ["fairface/train/1.jpg"]
    with pytest.raises(InputError, match="is there already"):
        archives.unpack_into("fairface", tmp_path / kind, tmp_path / "fairface")


def test_the_command_line_ends_with_code_one(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "blindlib", "paper", "--preset", "paper"],
        env={**os.environ, "BLINDLIB_DATA": str(tmp_path / "none")},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1 and run.stderr.startswith("error:") and len(run.stderr.splitlines()) == 1
    assert not Path(os.environ["BLINDLIB_BUILD"]).exists()
