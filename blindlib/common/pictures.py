"""Read JPEG and PNG files as upright RGB images of 8 bits."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from blindlib.common.errors import InputError, reason

FORMATS = ("JPEG", "PNG")  # Pillow opens no others: some of those start programs
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")  # a folder's files that are not skipped


def read_picture(file: Path | BinaryIO, name: Path | str | None = None) -> np.ndarray:
    """Read an image: uint8 (height, width, 3), RGB, turned by its EXIF tag; of 16 bits the upper 8 are kept.

    Errors call a stream by `name`. Raises InputError if the file is absent or does not decode as JPEG or PNG.
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
