"""Bad input, for every adaptor, archives and disks: one line with file, line and remedy; nothing half-written."""

import gzip
import io
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from blindlib.common.errors import InputError, explain
from blindlib.common.files import atomic_path, write_text
from blindlib.data import download as archives
from blindlib.data.source import LOADERS


def edit(path, change):
    path.write_text(change(path.read_text()))


def line(path, number, text):
    """Replace a line (1-based), or add it after the last."""
    lines = path.read_text().splitlines()
    lines[number - 1 : number] = [text]
    path.write_text("\n".join(lines) + "\n")


def again(path, number):
    """Repeat a line at the end of the file."""
    edit(path, lambda text: text + text.splitlines()[number - 1] + "\n")


def cut(path):
    path.write_bytes(path.read_bytes()[:200])


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def first(root, pattern):
    return sorted(root.rglob(pattern))[0]


def drop(root, pattern, share):
    files = sorted(root.rglob(pattern))
    for file in files[: max(1, int(share * len(files)))]:
        file.unlink()


G1, ATTR, IDS, PART = "files/Group1_Male.txt", "list_attr_celeba.txt", "identity_CelebA.txt", "list_eval_partition.txt"
FF, PEOPLE, SENT = "fairface_label_train.csv", "VideoDemographics.csv", "SentenceFilenames.csv"
HEAD = "image,identity,emotion,gender,ethnicity,smiling,attractive\n"
# data set, what is wrong -> how to make it so, the place that the message names, words of the message
BAD = {
    ("diveface", "missing list"): (lambda r: (r / G1).unlink(), "Group1_Male.txt", "not found"),
    ("diveface", "empty list"): (lambda r: (r / G1).write_text(""), G1, "is empty"),
    ("diveface", "broken line"): (lambda r: line(r / G1, 2, "no slash.jpg"), f"{G1}:2", "expected 'identity/file.jpg'"),
    ("diveface", "repeated line"): (lambda r: again(r / G1, 1), f"{G1}:9", "repeats the image"),
    ("diveface", "a person of two groups"): (
        lambda r: edit(r / G1, lambda t: t + (r / "files/Group3_Male.txt").read_text()),
        "files/Group3_Male.txt:1",
        "is in Group1_Male.txt too",
    ),
    ("diveface", "path traversal"): (lambda r: line(r / G1, 3, "../lfw.jpg"), f"{G1}:3", "leaves the folder"),
    ("diveface", "many absent"): (lambda r: shutil.rmtree(r / "images"), f"{G1}:1", "at most 1% may be"),
    ("diveface", "truncated image"): (lambda r: cut(first(r, "*.jpg")), "images", "does not decode"),
    ("diveface", "not UTF-8"): (lambda r: (r / G1).write_bytes(b"\xff\xfe"), G1, "not UTF-8"),
    ("cfee", "no photographs"): (lambda r: [p.unlink() for p in r.rglob("*.jpg")], "", "holds no photographs"),
    ("cfee", "no table of codes"): (lambda r: (r / "categories.csv").unlink(), "categories.csv", "not found"),
    ("cfee", "table without a header"): (lambda r: line(r / "categories.csv", 1, "1,2"), "categories.csv:1", "lacks"),
    ("cfee", "code that is none"): (lambda r: line(r / "categories.csv", 3, "x,Happy"), "categories.csv:3", "a code"),
    ("cfee", "code without end"): (
        lambda r: line(r / "categories.csv", 3, f"{'2' * 5000},Happy"),
        "categories.csv:3",
        "a code",
    ),
    ("cfee", "code of thirty digits"): (
        lambda r: line(r / "categories.csv", 3, f"{'2' * 30},Happy"),
        "categories.csv:3",
        "a code",
    ),
    ("cfee", "code in other digits"): (
        lambda r: first(r, "02_*.jpg").rename(r / "٠٢_111_1.jpg"),
        "٠٢_111_1.jpg",
        "is not named code_subject",
    ),
    ("cfee", "repeated code"): (lambda r: again(r / "categories.csv", 3), "categories.csv:24", "repeats the code"),
    ("cfee", "emotion nobody knows"): (
        lambda r: line(r / "categories.csv", 3, "2,glee"),
        "categories.csv",
        "happiness",
    ),
    ("cfee", "stray name"): (
        lambda r: (r / "01-04/Images1/x.jpg").write_bytes(first(r, "*.jpg").read_bytes()),
        "01-04/Images1/x.jpg",
        "is not named code_subject",
    ),
    ("cfee", "one expression twice, as PNG too"): (
        lambda r: shutil.copy(first(r, "02_*.jpg"), first(r, "02_*.jpg").with_suffix(".png")),
        "02_",
        "shows 'happiness' twice",
    ),
    ("cfee", "a TIFF file"): (
        lambda r: first(r, "02_*.jpg").rename(first(r, "02_*.jpg").with_suffix(".TIF")),
        ".TIF",
        "is not named code_subject",
    ),
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
    ("cfee", "truncated image"): (lambda r: cut(first(r, "03_*.jpg")), "03_", "does not decode"),
    ("celeba", "missing attributes"): (lambda r: (r / ATTR).unlink(), ATTR, "not found"),
    ("celeba", "missing identities"): (lambda r: (r / IDS).unlink(), IDS, "not found"),
    ("celeba", "missing partition"): (lambda r: (r / PART).unlink(), PART, "not found"),
    ("celeba", "missing images"): (lambda r: shutil.rmtree(r / "img_align_celeba"), "img_align_celeba", "not found"),
    ("celeba", "no names"): (lambda r: line(r / ATTR, 2, "Young Old"), f"{ATTR}:2", "Attractive, Smiling, Male"),
    ("celeba", "broken line"): (lambda r: line(r / ATTR, 5, "000003.jpg 1"), f"{ATTR}:5", "got 2 words"),
    ("celeba", "wrong count"): (lambda r: line(r / ATTR, 1, "9"), f"{ATTR}:1", "promises 9 images"),
    ("celeba", "count that is a power"): (lambda r: line(r / ATTR, 1, "³"), f"{ATTR}:1", "expected a count"),
    ("celeba", "count without end"): (lambda r: line(r / ATTR, 1, "9" * 5000), f"{ATTR}:1", "expected a count"),
    ("celeba", "identity without end"): (
        lambda r: line(r / IDS, 2, f"000002.jpg {'9' * 5000}"),
        f"{IDS}:2",
        "expected a file and its",
    ),
    ("celeba", "value that is none"): (lambda r: line(r / ATTR, 4, "000002.jpg 0 1 1 1"), f"{ATTR}:4", "not 1 or -1"),
    ("celeba", "repeated image"): (lambda r: line(r / ATTR, 4, "000001.jpg 1 1 1 1"), f"{ATTR}:4", "repeats"),
    ("celeba", "repeated identity"): (lambda r: again(r / IDS, 1), IDS, "repeats the image"),
    ("celeba", "broken identity"): (lambda r: line(r / IDS, 2, "000002.jpg x"), f"{IDS}:2", "expected a file and its"),
    ("celeba", "partition out of range"): (lambda r: line(r / PART, 2, "000002.jpg 7"), f"{PART}:2", "partition"),
    ("celeba", "image without identity"): (lambda r: line(r / IDS, 3, "zz.jpg 3"), f"{ATTR}:5", "is not in identity"),
    ("celeba", "path traversal"): (
        lambda r: [edit(r / f, lambda t: t.replace("000001.jpg", "../x.jpg")) for f in (ATTR, IDS, PART)],
        f"{ATTR}:3",
        "leaves the folder",
    ),
    ("celeba", "many absent"): (lambda r: drop(r, "*.jpg", 0.05), f"{ATTR}:3", "at most 1% may be"),
    ("celeba", "truncated image"): (lambda r: cut(first(r, "*.jpg")), "000001.jpg", "does not decode"),
    ("fairface", "no labels"): (lambda r: [p.unlink() for p in r.glob("*.csv")], FF, "not found"),
    ("fairface", "no images"): (lambda r: shutil.rmtree(first(r, "train").parent), "", "no FairFace images"),
    ("fairface", "wrong columns"): (lambda r: line(r / FF, 1, "a,b,c,d,e"), f"{FF}:1", "lacks the columns"),
    ("fairface", "unknown gender"): (
        lambda r: edit(r / FF, lambda t: t.replace("Male", "M", 1)),
        f"{FF}:",
        "gender is",
    ),
    ("fairface", "unknown race"): (
        lambda r: line(r / FF, 2, "train/2.jpg,20-29,Male,Martian,True"),
        f"{FF}:2",
        "race is 'Martian'",
    ),
    ("fairface", "broken line"): (lambda r: line(r / FF, 3, "a,b,c,d,e,f,g"), f"{FF}:3", "has 7 cells"),
    ("fairface", "blank labels"): (lambda r: (r / FF).write_text("\n\n"), FF, "does not read as a table"),
    ("fairface", "repeated file"): (lambda r: again(r / FF, 2), f"{FF}:", "repeats the file"),
    ("fairface", "path traversal"): (
        lambda r: line(r / FF, 2, "../../x.jpg,20-29,Male,White,True"),
        f"{FF}:2",
        "leaves the folder",
    ),
    ("fairface", "many absent"): (lambda r: drop(r, "train/*.jpg", 0.2), f"{FF}:", "at most 1% may be"),
    ("fairface", "zero-byte image"): (lambda r: first(r, "train/*.jpg").write_bytes(b""), "train", "empty (0 bytes)"),
    ("cremad", "no table of actors"): (lambda r: (r / PEOPLE).unlink(), PEOPLE, "not found"),
    ("cremad", "no clips"): (lambda r: shutil.rmtree(r / "VideoFlash"), "VideoFlash", "holds no clips"),
    ("cremad", "wrong columns"): (lambda r: line(r / PEOPLE, 1, "a,b,c,d,e"), f"{PEOPLE}:1", "lacks the columns"),
    ("cremad", "unknown sex"): (lambda r: line(r / PEOPLE, 2, "1001,30,F,Asian,x"), f"{PEOPLE}:2", "Sex is 'F'"),
    ("cremad", "repeated actor"): (lambda r: again(r / PEOPLE, 2), f"{PEOPLE}:5", "repeats the actor '1001'"),
    ("cremad", "actor without a row"): (lambda r: line(r / PEOPLE, 2, "9,30,Male,Asian,x"), "1001_", "actor 1001"),
    ("cremad", "clip without end in the list"): (
        lambda r: line(r / SENT, 2, "1," + "x" * 300),
        f"{SENT}:2",
        "a clip's name",
    ),
    ("diveface", "name without end"): (
        lambda r: line(r / G1, 2, f"a/{'x' * 300}.jpg"),
        f"{G1}:2",
        "expected 'identity",
    ),
    ("cremad", "stray clip name"): (lambda r: (r / "VideoFlash/x.flv").write_bytes(b"x"), "x.flv", "is not named"),
    ("cremad", "unknown emotion"): (
        lambda r: shutil.copy(first(r, "*_ANG_XX.flv"), r / "VideoFlash/1001_IEO_JOY_XX.flv"),
        "1001_IEO_JOY_XX.flv",
        "is not named",
    ),
    ("cremad", "many absent"): (lambda r: drop(r, "*.flv", 0.2), f"{SENT}:", "at most 1% may be"),
    ("cremad", "a pipe"): (
        lambda r: [(r / SENT).unlink(), pipe(first(r, "*_ANG_XX.flv"))],
        "1001_IEO_ANG_XX.flv",
        "is no regular file",
    ),
    ("cremad", "playlists"): (
        lambda r: [p.write_text("#EXTM3U\n#EXTINF:1,\nx.flv\n#EXT-X-ENDLIST\n") for p in r.rglob("*.flv")],
        ".flv",
        "has no picture",
    ),
    ("cremad", "a table that is a pipe"): (lambda r: pipe(r / PEOPLE), PEOPLE, "this is a named pipe"),
    ("manifest", "a picture that is a pipe"): (lambda r: pipe(first(r, "*.png")), "faces.csv:2", "absent from"),
    ("lfw", "a picture that is a pipe"): (lambda r: pipe(first(r / "lfw", "*.jpg")), "_0001.jpg", "named pipe"),
    ("cremad", "clips that do not decode"): (lambda r: [cut(p) for p in r.rglob("*.flv")], ".flv", "has no picture"),
    ("cremad", "Git LFS pointers"): (
        lambda r: first(r, "*.flv").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "1001_IEO_ANG_XX.flv",
        "git lfs pull",
    ),
    ("manifest", "no manifest"): (lambda r: (r / "faces.csv").unlink(), "faces.csv", "not found"),
    ("manifest", "wrong columns"): (lambda r: line(r / "faces.csv", 1, "a,b,c,d,e,f,g"), "faces.csv:1", "lacks"),
    ("manifest", "unknown column"): (
        lambda r: edit(r / "faces.csv", lambda t: t.replace("emotion", "expression", 1)),
        "faces.csv:1",
        "unknown columns ['expression']",
    ),
    ("manifest", "unknown emotion"): (
        lambda r: edit(r / "faces.csv", lambda t: t.replace("sadness", "glee", 1)),
        "faces.csv:4",
        "'glee'",
    ),
    ("manifest", "unknown gender"): (
        lambda r: edit(r / "faces.csv", lambda t: t.replace("female", "f", 1)),
        "faces.csv:2",
        "gender is 'f'",
    ),
    ("manifest", "repeated image"): (lambda r: again(r / "faces.csv", 2), "faces.csv:30", "repeats the image"),
    ("manifest", "path traversal"): (
        lambda r: (r / "faces.csv").write_text(HEAD + "../lfw/pairs.txt,a,,,,,\n"),
        "faces.csv:2",
        "leaves the folder",
    ),
    ("manifest", "many absent"): (lambda r: drop(r, "*.png", 0.1), "faces.csv:2", "at most 1% may be"),
    ("manifest", "truncated image"): (lambda r: cut(first(r, "*.png")), "00.png", "does not decode"),
    ("lfw", "no images"): (lambda r: shutil.rmtree(r / "lfw"), "", "no LFW images here"),
    ("lfw", "labels of another set"): (
        lambda r: line(r / "legend.csv", 2, "synth,Else_0001.jpg,FEAR"),
        "legend.csv:2",
        "unknown image",
    ),
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


def test_the_table_covers_every_adaptor():
    assert {name for name, _ in BAD} == set(LOADERS)


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


def test_a_few_clips_without_a_picture_are_counted(miniatures, tmp_path, monkeypatch):
    monkeypatch.setattr("blindlib.data.checks.ABSENT", 0.2)
    shutil.copytree(miniatures / "cremad", tmp_path / "cremad")
    cut(first(tmp_path / "cremad", "*.flv"))
    (tmp_path / "cremad/VideoFlash/1002_IEO_SAD_XX.flv").unlink()
    faces = LOADERS["cremad"](tmp_path / "cremad")
    assert (faces.notes["CREMA-D"]["without a picture"], faces.notes["CREMA-D"]["absent"], len(faces)) == (1, 1, 16)


def evil_zip(path, member, link=False):
    with zipfile.ZipFile(path, "w") as opened:
        info = zipfile.ZipInfo(member)
        if link:
            info.external_attr = 0o120777 << 16
        opened.writestr(info, "/etc/passwd")


def evil_tar(path, member):
    payload = path.parent / "payload"
    payload.write_text("x")
    with tarfile.open(path, "w") as opened:
        opened.add(payload, arcname=member)


def short_zip(path):
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("train/1.jpg", os.urandom(5000))
    path.write_bytes(path.read_bytes()[:3000])


def damaged_tar(path):
    payload = path.parent / "payload"
    payload.write_bytes(os.urandom(200_000))
    with tarfile.open(path, "w:gz") as opened:
        opened.add(payload, arcname="train/1.jpg")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


def encrypted_zip(path):
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("train/1.jpg", b"a" * 50)
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + flags] |= 1
    path.write_bytes(data)


def damaged_zip(path):
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("train/1.jpg", b"a" * 5000)
    data = bytearray(path.read_bytes())
    data[100] ^= 255
    path.write_bytes(data)


def tar(path, *members, mode="w:gz", end=b""):
    """A tar file of (name, type, link or size) and what stands after it."""
    with tarfile.open(path, mode) as opened:
        for name, kind, value in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if isinstance(value, str):
                info.linkname = value
            else:
                info.size = value
            opened.addfile(info, io.BytesIO(bytes(info.size)))
    if end:
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + end))


def damaged_header(path):
    """Of an unpacked tar file of two members the second's header; what came before it is whole."""
    tar(path, ("train/1.jpg", tarfile.REGTYPE, 512), ("train/2.jpg", tarfile.REGTYPE, 512), mode="w")
    data = bytearray(path.read_bytes())
    data[1024] ^= 255
    path.write_bytes(data)


def long_header(path):
    """A header that says that a name of 3 GB follows."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 3 << 30
    path.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)))


def zip_of(path, *names):
    """A zip file whose members hold their number each; a name may stand there twice."""
    with zipfile.ZipFile(path, "w") as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n, name in enumerate(names):
            opened.writestr(name, "" if name.endswith("/") else str(n))


def zip_bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("train/1.jpg", bytes(30_000_000))


def many_zip(path):
    with zipfile.ZipFile(path, "w") as opened:
        for n in range(60):
            opened.writestr(f"train/{n}", b"")


R = tarfile.REGTYPE
BAD_ARCHIVES = {
    "zip that unpacks to more": ("x.zip", zip_bomb, "30,000,000 bytes or more; at most 50 and 20,000,000"),
    "zip of too many": ("x.zip", many_zip, "unpacks to 60 files"),
    "tar that unpacks to more": (
        "x.tar.gz",
        lambda p: tar(p, *((c, R, 7 * 10**6) for c in "abc")),
        "21,000,000",
    ),
    "tar of too many": ("x.tar", lambda p: tar(p, *((f"a/{n}", R, 0) for n in range(60)), mode="w"), "51 files"),
    "tar with a hard link to nothing": ("x.tar", lambda p: tar(p, ("a", tarfile.LNKTYPE, "b")), "does not unpack"),
    "tar with a link to itself": ("x.tar", lambda p: tar(p, ("a", tarfile.LNKTYPE, "a")), "does not unpack"),
    "tar with a link outside": ("x.tar", lambda p: tar(p, ("a", tarfile.SYMTYPE, "../../b")), "does not unpack"),
    "tar with a pipe": ("x.tar", lambda p: tar(p, ("a", tarfile.FIFOTYPE, 0)), "does not unpack"),
    "tar with a device": ("x.tar", lambda p: tar(p, ("a", tarfile.CHRTYPE, 0)), "does not unpack"),
    "tar with a damaged header": ("x.tar", damaged_header, "goes on after its end"),
    "tar with a name of 3 GB": ("x.tar.gz", long_header, "neither a zip nor a tar"),
    "tar that goes on": ("x.tar.gz", lambda p: tar(p, ("a", R, 3), end=b"more"), "goes on after its end"),
    "tar without an end": ("x.tar.gz", lambda p: tar(p, ("a", R, 3), end=bytes(50_000_000)), "has no end"),
    "zip that climbs": ("x.zip", lambda p: evil_zip(p, "../outside.jpg"), "leaves the folder"),
    "zip with an absolute path": ("x.zip", lambda p: evil_zip(p, "/outside.jpg"), "leaves the folder"),
    "zip with a Windows path": ("x.zip", lambda p: evil_zip(p, "..\\outside.jpg"), "leaves the folder"),
    "zip with a link": ("x.zip", lambda p: evil_zip(p, "train/1.jpg", link=True), "leaves the folder"),
    "tar that climbs": ("x.tar", lambda p: evil_tar(p, "../outside.jpg"), "leaves the folder"),
    "truncated zip": ("x.zip", short_zip, "neither a zip nor a tar file, or was cut short"),
    "damaged zip": ("x.zip", damaged_zip, "does not unpack"),
    "damaged tar": ("x.tar.gz", damaged_tar, "does not unpack"),
    "encrypted zip": ("x.zip", encrypted_zip, "does not unpack"),
    "zip with a member twice": ("x.zip", lambda p: zip_of(p, "train/1.jpg", "./train//1.jpg"), "twice"),
    "zip with a name twice": ("x.zip", lambda p: zip_of(p, "train/1.jpg", "train/1.jpg"), "'train/1.jpg' twice"),
    "tar with a member twice": ("x.tar", lambda p: tar(p, *[("./1.jpg", R, 3)] * 2, mode="w"), "'./1.jpg' twice"),
    "tar with a link, then its name": (
        "x.tar",
        lambda p: tar(p, ("b", R, 1), ("a", tarfile.SYMTYPE, "b"), ("a", R, 3)),
        "'a' twice",
    ),
    "zip of nothing": ("x.zip", lambda p: zip_of(p), "holds no file"),
    "zip of folders": ("x.zip", lambda p: zip_of(p, "train/", "val/"), "holds no file"),
    "tar of nothing": ("x.tar", lambda p: tar(p), "holds no file"),
    "zip with a record of checksums": (
        "x.zip",
        lambda p: zip_of(p, "train/1.jpg", "checksums-seen.json"),
        "holds checksums-seen.json, which no data set has",
    ),
    "tar with a record of checksums": (
        "x.tar",
        lambda p: tar(p, ("train/1.jpg", R, 3), ("./checksums-seen.json", R, 3)),
        "holds checksums-seen.json, which no data set has",
    ),
    "no archive": ("x.zip", lambda p: p.write_text("<html>quota exceeded</html>"), "neither a zip nor a tar"),
    "wrong checksum": ("img_align_celeba.zip", lambda p: evil_zip(p, "a.jpg"), "is not the published file"),
    "absent": ("x.zip", lambda p: None, "no such archive"),
}


@pytest.mark.parametrize("case", BAD_ARCHIVES)
def test_a_bad_archive_leaves_nothing(tmp_path, case, monkeypatch):
    name, make, words = BAD_ARCHIVES[case]
    monkeypatch.setattr(archives, "MEMBERS", 50, raising=False)
    monkeypatch.setitem(archives.CATALOGUE, "fairface", replace(archives.CATALOGUE["fairface"], mb=20))
    make(tmp_path / name)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as error:
        archives.unpack_into("celeba" if "celeba" in name else "fairface", tmp_path / name, tmp_path / "set")
    message = str(error.value)
    assert words in message and str(tmp_path / name) in message and "\n" not in message and "→" in message
    assert [p for p in sorted(tmp_path.rglob("*")) if p != tmp_path / "set"] == before


def test_an_archive_of_no_known_data_set_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no 'imagenet'"):
        archives.unpack_into("imagenet", tmp_path / "x.zip", tmp_path)


def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path):
    """A limit on the size of files stands for the disk: the system refuses in the midst of writing."""
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("train/1.jpg", os.urandom(3_000_000))
    run = subprocess.run(
        [sys.executable, "-m", "blindlib", "data", "unpack", "fairface", str(archive)],
        env={**os.environ, "BLINDLIB_DATA": str(tmp_path / "data")},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
        capture_output=True,
        text=True,
    )
    lines = [text for text in run.stderr.splitlines() if text.startswith("error:")]
    assert run.returncode == 1 and len(lines) == 1 and "Traceback" not in run.stderr, run.stderr
    assert "fairface" in lines[0] and "→" in lines[0]
    assert not [p for p in (tmp_path / "data").rglob("*") if p.is_file()]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    folder, was = tmp_path / "locked", os.geteuid()
    (folder / "here").mkdir(parents=True)
    tmp_path.chmod(0o755), folder.chmod(0o555), (folder / "here").chmod(0o555)
    if was == 0:
        for parent in [*tmp_path.parents][:3]:
            parent.chmod(0o755)
        os.seteuid(65534)  # root may write anywhere: be nobody for a moment
    try:
        with pytest.raises(OSError) as error:
            write_text(folder / "here" / "x.txt", "x")
    finally:
        os.seteuid(was)
    message = str(explain(error.value))
    assert "Permission denied" in message and "→ give yourself the right" in message and "\n" not in message
    assert list((folder / "here").iterdir()) == []


@pytest.mark.parametrize(("code", "words"), [(28, "free some space"), (30, "BLINDLIB_DATA"), (122, "of your quota")])
def test_what_the_system_refuses_has_a_remedy(tmp_path, code, words):
    with pytest.raises(OSError) as error, atomic_path(tmp_path / "some.npy"):
        raise OSError(code, os.strerror(code))  # as a write does: it knows no file name
    message = str(explain(error.value))
    assert message.startswith(f"{tmp_path / 'some.npy'}: ") and words in message and not list(tmp_path.iterdir())


def test_the_command_line_ends_with_code_one(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "blindlib", "paper", "--preset", "paper"],
        env={**os.environ, "BLINDLIB_DATA": str(tmp_path / "none")},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1 and run.stderr.startswith("error:") and len(run.stderr.splitlines()) == 1
    assert not Path(os.environ["BLINDLIB_BUILD"]).exists()
