"""The door of pictures: ordinary ones keep their bytes, others are turned, scaled or refused; nothing foreign comes."""

import os
import random
import re
import subprocess
import warnings
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from blindlib.backbones.extraction import align_files
from blindlib.common.errors import InputError
from blindlib.common.files import ROOT, sha256
from blindlib.common.pictures import read_picture
from blindlib.data.checks import check_images

ORIENTATION = 0x0112


def noise(height=24, width=20, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def exif(orientation):
    told = Image.Exif()
    told[ORIENTATION] = orientation
    return told


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "RGBA", "LA", "CMYK"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_ordinary_pictures_keep_their_bytes(tmp_path, mode, kind):
    if (kind, mode) in {("JPEG", "P"), ("JPEG", "RGBA"), ("JPEG", "LA"), ("PNG", "CMYK")}:
        mode = "RGB"  # that kind of file has no such mode
    Image.fromarray(noise()).convert(mode).save(tmp_path / "a", kind)
    with Image.open(tmp_path / "a") as image:
        expected = np.asarray(image.convert("RGB"))
    found = read_picture(tmp_path / "a")
    assert found.dtype == np.uint8 and found.tobytes() == expected.tobytes() and found.shape == expected.shape


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(10))  # 0 and 9 mean nothing
def test_a_picture_is_turned_upright_as_pillow_turns_it(tmp_path, kind, orientation):
    Image.fromarray(noise()).save(tmp_path / "a", kind, exif=exif(orientation))
    with Image.open(tmp_path / "a") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    found = read_picture(tmp_path / "a")
    assert found.shape == expected.shape and (found == expected).all()
    assert (found.shape == (20, 24, 3)) == (orientation in (5, 6, 7, 8))


def test_a_face_on_its_side_is_embedded_as_the_upright_one(tmp_path):
    face = Image.fromarray(np.repeat(np.linspace(0, 255, 60, dtype=np.uint8)[:, None, None], 40, 1).repeat(3, 2))
    face.save(tmp_path / "upright.png")
    face.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "side.png", exif=exif(6))
    files = [(str(tmp_path / name), sha256(tmp_path / name)) for name in ("upright.png", "side.png")]
    _, (one, two) = align_files(files, 16, None, None, None, None)
    assert (one == two).all()


def test_exif_that_does_not_read_says_nothing(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "a.png", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert (read_picture(tmp_path / "a.png") == noise()).all()


def test_grey_of_sixteen_bits_is_scaled_as_colour_of_sixteen_bits_is(tmp_path):
    grey = noise()[..., 0]
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode.startswith("I"), "else this file has no 16 bits"
    assert (read_picture(tmp_path / "a.png") == grey[..., None]).all()
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "b.png", transparency=int(grey[3, 4]) * 257)
    with pytest.raises(InputError, match="partly transparent"):
        read_picture(tmp_path / "b.png")


def test_what_lies_behind_a_transparent_picture_is_not_guessed(tmp_path):
    hidden = np.dstack([noise(), np.full((24, 20), 255, np.uint8)])
    Image.fromarray(hidden).save(tmp_path / "opaque.png")
    assert (read_picture(tmp_path / "opaque.png") == noise()).all()
    hidden[2, 3, 3] = 254
    Image.fromarray(hidden).save(tmp_path / "a.png")
    Image.fromarray(noise()).quantize(8).save(tmp_path / "b.png", transparency=bytes([0, 128]))
    for name in ("a.png", "b.png"):
        with pytest.raises(InputError, match=rf"{name}: is partly transparent → save it without"):
            read_picture(tmp_path / name)


def save(kind, mode="RGB"):
    def write(path):
        Image.fromarray(noise()).convert(mode).save(path, kind)

    return write


OTHERS = {
    "TIFF of floats": save("TIFF", "F"),
    "TIFF": save("TIFF"),
    "GIF": save("GIF"),
    "EPS": save("EPS"),
    "DDS": save("DDS"),
    "AVIF, broken": lambda p: p.write_bytes(b"\0\0\0\x1cftypavif" + bytes(60)),
    "DDS, broken": lambda p: p.write_bytes(b"DDS |\0\0\0" + bytes(range(120))),
    "BLP, broken": lambda p: p.write_bytes(b"BLP2\1\0\0\0\2" + bytes(200)),
    "too many pixels": lambda p: p.write_bytes(tall()),
    "text": lambda p: p.write_text("<html>"),
    "a pipe": os.mkfifo,
    "a device": lambda p: p.symlink_to("/dev/zero"),
    "a folder": lambda p: p.mkdir(),
    "empty": lambda p: p.touch(),
    "absent": lambda p: None,
}


def tall():
    """A PNG that says it is 10,000 x 10,000."""
    stream = BytesIO()
    Image.new("1", (1, 1)).save(stream, "PNG")
    data = bytearray(stream.getvalue())
    data[16:24] = (10_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("case", OTHERS)
def test_every_other_file_is_refused_in_one_line_and_starts_no_program(tmp_path, case, monkeypatch):
    def start(*_, **__):
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", start)
    OTHERS[case](tmp_path / "a.png")
    with pytest.raises(InputError) as error:
        check_images(tmp_path, ["a.png"])
    message = str(error.value)
    assert message.startswith(f"{tmp_path / 'a.png'}: ") and "\n" not in message and len(message.split("→")[1]) > 9
    assert re.search("does not decode as a JPEG or PNG|image not found|is empty", message)


@pytest.mark.parametrize("level", [0, 6])
def test_a_png_file_of_which_a_bit_is_wrong_is_refused(tmp_path, level):
    stream, rng = BytesIO(), random.Random(3)
    Image.fromarray(noise()).save(stream, "PNG", compress_level=level)
    good = stream.getvalue()
    assert (read_picture(BytesIO(good), "x.png") == noise()).all()
    for _ in range(300):
        data = bytearray(good)
        data[rng.randrange(8, len(data))] ^= 1 << rng.randrange(8)
        (tmp_path / "x.png").write_bytes(data)
        for file in (tmp_path / "x.png", BytesIO(data)):
            with pytest.raises(InputError, match="does not decode"):
                read_picture(file, "x.png")


def test_random_bytes_raise_nothing_foreign(tmp_path):
    rng, seeds = random.Random(17), []
    for kind in ("JPEG", "PNG", "GIF", "TIFF", "DDS", "EPS", "WEBP", "PPM", "TGA", "ICO", "PCX", "SGI"):
        stream = BytesIO()
        Image.fromarray(noise()).save(stream, kind, **({"exif": exif(6)} if kind in ("JPEG", "PNG") else {}))
        seeds += [stream.getvalue()] * (5 if kind in ("JPEG", "PNG") else 1)
    seeds += [sign + rng.randbytes(120) for sign in (b"DDS |\0\0\0", b"BLP1", b"BLP2", b"8BPS", b"\0\0\0\x1cftypavif")]
    read = refused = 0
    for _ in range(1500):
        data = bytearray(rng.choice(seeds))
        if rng.random() < 0.2:
            del data[rng.randrange(1, len(data)) :]
        for _ in range(rng.choice((1, 2, 8, 40))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                read += read_picture(BytesIO(data), "x.jpg").shape[2] == 3
            except InputError as error:
                refused += str(error).count("\n") == 0
    assert read + refused == 1500 and read > 20 and refused > 1000


def test_there_is_one_door():
    opened = re.compile(r"Image\.open\(|imread|read_image|open_image")
    doors = {p.name for p in (ROOT / "blindlib").rglob("*.py") if opened.search(p.read_text(encoding="utf-8"))}
    assert doors == {"pictures.py"}
