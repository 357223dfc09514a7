"""The one door of every picture: a JPEG or PNG file becomes upright RGB of 8 bits, or is refused."""

import threading
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from blindlib.common.errors import InputError, reason
from blindlib.common.reading import require_file

FORMATS = ("JPEG", "PNG")  # as DATA.md says; Pillow's other decoders stay shut: that of EPS starts a program
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")  # in a folder none is passed over
_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK")
_SIXTEEN_BITS = ("I;16", "I;16B", "I")  # of grey PNG files, as versions of Pillow call it; colour comes with 8
_ORIENTATION = 0x0112  # the tag of EXIF
_UPRIGHT = {  # what makes a picture (H, W, 3) of such an orientation upright
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}
_ONE = threading.Lock()  # Python's filters of warnings belong to all threads


def read_picture(file: Path | BinaryIO, name: Path | str | None = None) -> np.ndarray:
    """The picture in a file as people see it: uint8 (height, width, 3), RGB.

    Grey gets three equal channels; of 16 bits the upper 8 are kept, of grey as of colour. What EXIF says of the
    orientation is done; EXIF that does not read says nothing. Of several pictures in a file it is the first.

    Parameters
    ----------
    file : path, or a binary stream
    name : path or str, optional
        What an error calls a stream.

    Returns
    -------
    array

    Raises
    ------
    InputError
        If there is no such file, it is a pipe or a device, does not decode as JPEG or PNG, has more than Pillow's
        MAX_IMAGE_PIXELS, or is partly transparent: nobody knows what lies behind it.
    """
    name = file if name is None else name
    if isinstance(file, Path):
        require_file(file, "image", "fetch the data set again, or take the row out of its list")
    try:
        with _opened(file) as image:
            image.verify()  # the sums of PNG's chunks, which decoding does not ask for; JPEG has none
        with _opened(file) as image:
            image.load()
            pixels, upright = _pixels(image), _UPRIGHT.get(_orientation(image))
    except Exception as error:  # of a damaged file Pillow raises many types
        why = reason(error).split(":")[0].replace(f" '{name}'", "")
        problem = f"does not decode as a JPEG or PNG image ({why})"
        raise InputError(name, problem, "fetch this file again or remove it; other formats: save as PNG") from None
    if pixels is None:
        raise InputError(name, "is partly transparent", "save it without transparency, on the background it is to have")
    return pixels if upright is None else np.ascontiguousarray(upright(pixels))


def _opened(file: Path | BinaryIO) -> Image.Image:
    with _ONE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(file, formats=FORMATS)


def _orientation(image: Image.Image) -> int:
    with _ONE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return image.getexif().get(_ORIENTATION, 1)
        except Exception:  # of EXIF that is damaged: viewers show such a picture as it lies
            return 1


def _pixels(image: Image.Image) -> np.ndarray | None:
    """Pixels (H, W, 3) as they lie; None where some are transparent."""
    if image.mode in _SIXTEEN_BITS:
        grey = np.asarray(image)
        if (grey == image.info.get("transparency", -1)).any():
            return None
        return np.repeat((grey >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode not in _EIGHT_BITS:
        raise ValueError(f"pixels of mode {image.mode}")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            return None
    return np.asarray(image.convert("RGB"))
