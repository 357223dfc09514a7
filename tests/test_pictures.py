"""Pictures: ordinary ones keep their bytes, others are turned, scaled or refused."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from blindlib.backbones.extraction import align_files
from blindlib.common.errors import InputError
from blindlib.common.files import sha256
from blindlib.common.pictures import read_picture

ORIENTATION = 0x0112  # of EXIF


def noise():
    return np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)


def exif(orientation):
    told = Image.Exif()
    told[ORIENTATION] = orientation
    return told


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "P")]
)
def test_ordinary_pictures_keep_their_bytes(tmp_path, kind, mode):
    Image.fromarray(noise()).convert(mode).save(tmp_path / "a", kind)
    with Image.open(tmp_path / "a") as image:
        expected = np.asarray(image.convert("RGB"))
    found = read_picture(tmp_path / "a")
    assert found.dtype == np.uint8 and found.shape == expected.shape and found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_picture_is_turned_upright(tmp_path, orientation):
    Image.fromarray(noise()).save(tmp_path / "a", "PNG", exif=exif(orientation))
    with Image.open(tmp_path / "a") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    found = read_picture(tmp_path / "a")
    assert (found == expected).all() and (found.shape == (20, 24, 3)) == (orientation == 6)


def test_a_face_on_its_side_is_embedded_as_the_upright_one(tmp_path):
    face = Image.fromarray(np.repeat(np.linspace(0, 255, 60, dtype=np.uint8)[:, None, None], 40, 1).repeat(3, 2))
    face.save(tmp_path / "upright.png")
    face.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "side.png", exif=exif(6))
    files = [(str(tmp_path / name), sha256(tmp_path / name)) for name in ("upright.png", "side.png")]
    _, (one, two) = align_files(files, 16, None, None, None, None)
    assert (one == two).all()


def test_grey_of_sixteen_bits_keeps_the_upper_eight(tmp_path):
    grey = noise()[..., 0]
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "a.png")
    assert (read_picture(tmp_path / "a.png") == grey[..., None]).all()


def test_a_truncated_an_absent_and_a_file_of_another_kind_are_refused_in_one_line(tmp_path):
    stream = BytesIO()
    Image.fromarray(noise()).save(stream, "PNG")
    (tmp_path / "half.png").write_bytes(stream.getvalue()[:200])
    (tmp_path / "text.png").write_text("<html>")
    Image.fromarray(noise()).save(tmp_path / "gif.png", "GIF")
    for name in ("half.png", "text.png", "gif.png", "absent.png"):
        with pytest.raises(InputError, match="does not decode") as error:
            read_picture(tmp_path / name)
        assert str(error.value).startswith(f"{tmp_path / name}: ") and "\n" not in str(error.value)
