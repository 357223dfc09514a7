"""Read a JPEG or PNG file as people see it: upright RGB of 8 bits."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from blindlib.common.errors import InputError, reason

FORMATS = ("JPEG", "PNG")  # Pillow opens no others: some of those start programs
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")  # in a folder none is passed over


def read_picture(file: Path | BinaryIO, name: Path | str | None = None) -> np.ndarray:
    """The picture in a file: uint8 (height, width, 3), RGB, turned as EXIF says; of 16 bits the upper 8 are kept.

    `name` is what an error calls a stream. Raises InputError if it is absent or does not decode as JPEG or PNG.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            return np.asarray(upright.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        problem = f"does not decode as a JPEG or PNG image ({reason(error)})"
        raise InputError(
            name or file, problem, "fetch this file again or remove it; other formats: save as PNG"
        ) from None
