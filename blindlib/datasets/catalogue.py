"""Every data set that the companion reads: whether it is here, how large, under which licence, how to get it."""

from pathlib import Path

import pandas as pd

from blindlib.datasets.lfw import FOLDERS
from blindlib.paths import data_dir, lfw_dir


def _count(folder: Path) -> tuple[int, int]:
    images = list(folder.glob("*/*.jp*g"))
    return len(images), len({path.parent for path in images})


def status() -> pd.DataFrame:
    """A row for each data set, without opening an image.

    Returns
    -------
    DataFrame
        `name`, `present`, `where`, `images`, `subjects`, `licence`, `how` (to get it).
    """
    root, weights = lfw_dir(), data_dir() / "weights"
    folder = next((root / name for name in FOLDERS if (root / name).is_dir()), root / FOLDERS[0])
    images, subjects = _count(folder) if folder.is_dir() else (0, 0)
    fetch = ".venv/bin/blindlib data fetch lfw"
    rows = [
        ("LFW images", folder, images, subjects, "research use; photographs of named people", fetch),
        ("LFW pairs, View 2", root / "pairs.txt", None, None, "research use", fetch),
        ("LFW expression labels", root / "legend.csv", None, None, "Apache-2.0 (the compilation)", fetch),
        ("LFW attribute scores", root / "lfw_attributes.txt", None, None, "none stated", f"{fetch} (optional)"),
        (
            "SFace weights",
            weights / "face_recognition_sface_2021dec.onnx",
            None,
            None,
            "Apache-2.0",
            ".venv/bin/blindlib data fetch sface (optional)",
        ),
        (
            "ResNet-50 weights",
            weights / "resnet50-11ad3fa6.pth",
            None,
            None,
            "BSD-3-Clause",
            ".venv/bin/blindlib data fetch resnet50 (optional)",
        ),
        ("SynthFaces", Path("rendered by `make paper`"), None, None, "MIT; nobody's face", "nothing to fetch"),
    ]
    frame = pd.DataFrame(rows, columns=["name", "where", "images", "subjects", "licence", "how"])
    frame.insert(
        1, "present", [name == "SynthFaces" or path.exists() for name, path in frame[["name", "where"]].values]
    )
    return frame.astype({"images": "Int64", "subjects": "Int64"})
