"""List the data sets: use, layout, licence, terms, and the way to get each."""

from dataclasses import dataclass

import pandas as pd

from blindlib.common.errors import InputError
from blindlib.common.files import data_dir, dataset_dir, dataset_place
from blindlib.common.pictures import SUFFIXES
from blindlib.data.facetable import FaceTable
from blindlib.presets import PAPER
from blindlib.settings import DATA_ROLES

SYNTHETIC = "SYNTHETIC.txt"  # a file that marks a folder of rendered faces in a data set's layout
_FETCH = ".venv/bin/blindlib data fetch"


@dataclass(frozen=True)
class Entry:
    """Describe a data set."""

    title: str
    use: str
    needs: tuple[str, ...]  # globs, each of which matches a file in the folder
    licence: str
    address: str  # the publisher's page, or the form to request access
    how: str  # how to get it; the command, where it can be downloaded
    terms: str = ""  # the publisher's terms of use; empty where there are none


CATALOGUE = {
    "lfw": Entry(
        "LFW",
        "identity, verification; emotion, gender, ethnicity, attractiveness by machines; gender by people",
        ("lfw*/", "pairs.txt"),
        "research use; photographs of named people",
        "https://ndownloader.figshare.com/files/5976018 (its own site is gone since 2025)",
        f"{_FETCH} lfw",
    ),
    "diveface": Entry(
        "DiveFace",
        "identity, gender, ethnicity (the paper's)",
        ("**/Group1_Male.txt",),
        "non-commercial research",
        "https://github.com/BiDAlab/DiveFace",
        "the lists are at its address; the images were MegaFace's, which is withdrawn: a copy of yours is read",
        "Downloading it implies agreement to use it for non-commercial research only, as its README says; MegaFace's "
        "photographs were withdrawn by their publisher.",
    ),
    "cfee": Entry(
        "CFEE",
        "posed emotions (the paper's)",
        ("*/",),
        "on request, for research",
        "https://cbcsl.ece.ohio-state.edu/compound.html",
        "ask for it with the form at its address, unpack it, and save the table of codes (DATA.md)",
        "Its subjects agreed to research use; the Ohio State University gives it to those who sign its form. Do not "
        "pass it on, do not print faces whose subjects have not agreed to it.",
    ),
    "celeba": Entry(
        "CelebA",
        "attractiveness, smiling (the paper's)",
        ("list_attr_celeba.txt", "img_align_celeba/"),
        "non-commercial research",
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        "read the agreement at its address, download img_align_celeba.zip and the three lists, then "
        ".venv/bin/blindlib data unpack celeba img_align_celeba.zip",
        "For non-commercial research only; the images are not the publisher's, who may ask for their deletion; no part "
        "may be sold, traded or passed on.",
    ),
    "fairface": Entry(
        "FairFace",
        "gender, ethnicity (a substitute for DiveFace)",
        ("fairface_label_*.csv",),
        "CC BY 4.0",
        "https://github.com/joojs/fairface",
        "download fairface-img-margin025-trainval.zip and the two label files from its address (Google Drive), then "
        ".venv/bin/blindlib data unpack fairface fairface-img-margin025-trainval.zip",
        "CC BY 4.0: name its authors (Kärkkäinen & Joo 2021).",
    ),
    "manifest": Entry(
        "your own photographs",
        "whatever faces.csv labels",
        ("faces.csv",),
        "yours to know",
        "DATA.md",
        "write data/manifest/faces.csv beside the images (DATA.md)",
    ),
}


@dataclass(frozen=True)
class Weights:
    """Describe a published file of weights, which is stored in `weights/` of the data folder."""

    title: str
    file: str
    address: str
    sha256: str | None  # None where the publisher states none
    licence: str
    others: tuple[str, ...] = ()  # alternative published files; the first available one is used


WEIGHTS = {  # by name in `data fetch`
    "vggface2": Weights(
        "ResNet-50, VGGFace2 (the paper's)",
        "rcmalli_vggface_tf_notop_resnet50.h5",
        "https://github.com/rcmalli/keras-vggface/releases/download/v2.0/rcmalli_vggface_tf_notop_resnet50.h5",
        None,
        "Oxford's terms",
        ("vggface2.safetensors", "resnet50_ft_dag.pth", "resnet50_scratch_dag.pth"),
    ),
    "sface": Weights(
        "SFace",
        "face_recognition_sface_2021dec.onnx",
        "https://github.com/opencv/opencv_zoo/raw/main/models/"
        "face_recognition_sface/face_recognition_sface_2021dec.onnx",
        "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        "Apache-2.0",
    ),
}


def is_here(name: str) -> bool:
    """Return whether a data set's folder has any file; hidden files do not count."""
    folder = dataset_dir(name)
    return folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())


def require_layout(name: str) -> None:
    """Raise InputError if a data set's folder is incomplete."""
    folder = dataset_dir(name)
    missing = [need for need in CATALOGUE[name].needs if next(folder.glob(need), None) is None]
    if missing:
        problem = f"is no folder of {CATALOGUE[name].title}: it lacks {', '.join(missing)}"
        raise InputError(folder, problem, f"complete it or take it away. {how_to_get(name)}")


def how_to_get(name: str) -> str:
    """Return one line: a data set's title, how to get it, the address, and its folder."""
    entry = CATALOGUE[name]
    return f"{entry.title}: {entry.how}; its address: {entry.address}; its folder: {dataset_place(name)}"


def no_data(faces: FaceTable, label: str) -> str:
    """Return the message of a cell where too few faces have a label (or `pairs`)."""
    role = next((role for role, labels in DATA_ROLES.items() if label in labels), "verification")
    what = "has too few faces that tell" if label in faces.frame and faces.has(label) else "tells no"
    return f"no data: {faces.name} {what} {label}. The paper's: {how_to_get(PAPER[role])}"


def status() -> pd.DataFrame:
    """Return a row for each data set and each file of weights; `images` counts files."""
    columns = ["name", "present", "folder", "images", "use", "licence", "address", "how"]
    rows = []
    for name, entry in CATALOGUE.items():
        folder, here = dataset_dir(name), is_here(name)
        images = sum(path.suffix.lower() in SUFFIXES for path in folder.rglob("*")) if here else None
        rows.append((entry.title, here, folder, images, entry.use, entry.licence, entry.address, entry.how))
    for name, weights in WEIGHTS.items():
        path, how = data_dir() / "weights" / weights.file, f"{_FETCH} {name}"
        rows.append((weights.title, path.exists(), path, None, "a backbone", weights.licence, weights.address, how))
    return pd.DataFrame(rows, columns=columns).astype({"images": "Int64"})
