"""Images -> x. Each backbone names its size, its alignment, its weights and their licence."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from blindlib.backbones.alignment import Alignment, arcface_alignment, dlib_alignment, model_file, vggface2_alignment
from blindlib.backbones.compactnet import CROP, DIM, INPUT, LOWER, WEIGHTS, embed_frames, load_compactnet
from blindlib.backbones.imagenet import IMAGENET_FILE, load_imagenet
from blindlib.backbones.imagenet import embed_frames as imagenet_frames
from blindlib.common.errors import InputError
from blindlib.common.files import data_dir, digest, sha256

SFACE_SHA256 = "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79"
VGGFACE2_FILES = (  # in data/weights: the first that is there is used
    "vggface2.safetensors",
    "rcmalli_vggface_tf_notop_resnet50.h5",
    "resnet50_ft_dag.pth",
    "resnet50_scratch_dag.pth",
)
_SFACE_FILE = "face_recognition_sface_2021dec.onnx"


@dataclass(frozen=True)
class Backbone:
    """A frozen network from aligned faces to embeddings.

    Attributes
    ----------
    name : str
    dim, size : int
        Width D of the embedding; side of its input, pixels.
    alignment : Alignment or None
        None takes the whole image as it is.
    encode : callable
        uint8 (B, size, size, 3), RGB -> float32 (B, D).
    weights : callable
        () -> a string that identifies the weights; raises InputError where they are absent.
    in_worker : bool
        Whether `encode` runs in the alignment's processes (a network of its own, one core) or after, in batches.
    source, licence : str
    """

    name: str
    dim: int
    size: int
    alignment: Alignment | None
    encode: Callable[[np.ndarray], np.ndarray]
    weights: Callable[[], str]
    in_worker: bool
    source: str
    licence: str


@cache
def _dlib_network():
    import dlib

    return dlib.face_recognition_model_v1(str(model_file("dlib_face_recognition_resnet_model_v1.dat")))


def _encode_dlib(chips: np.ndarray) -> np.ndarray:
    return np.array([_dlib_network().compute_face_descriptor(np.ascontiguousarray(chip)) for chip in chips], np.float32)


def _encode_pixels(chips: np.ndarray) -> np.ndarray:
    grey = chips.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / 255  # ITU-R BT.601 luma
    return grey.reshape(len(chips), -1)


@cache
def _compactnet():
    import torch

    return load_compactnet().to("cuda" if torch.cuda.is_available() else "cpu", memory_format=torch.channels_last)


def _vggface2_path() -> Path:
    """The first of the known files of weights that is in data/weights."""
    folder = data_dir() / "weights"
    return next((folder / name for name in VGGFACE2_FILES if (folder / name).is_file()), folder / VGGFACE2_FILES[1])


@cache
def _vggface2():
    import torch

    from blindlib.backbones.vggface2 import load_vggface2

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return load_vggface2(_vggface2_path()).to(device, memory_format=torch.channels_last)


def _encode_vggface2(chips: np.ndarray) -> np.ndarray:
    from blindlib.backbones.vggface2 import embed_frames

    return embed_frames(_vggface2(), chips)


def _vggface2_weights() -> str:
    _vggface2()  # refuses what is no such network before its bytes are trusted
    return sha256(_vggface2_path())


def _imagenet_path() -> Path:
    return data_dir() / "weights" / IMAGENET_FILE


@cache
def _imagenet():
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return load_imagenet(_imagenet_path()).to(device, memory_format=torch.channels_last)


@cache
def _onnx_session(path: Path):
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=onnxruntime.get_available_providers())


def encode_onnx(chips: np.ndarray, path: Path) -> np.ndarray:
    """Embeddings by an ONNX network with SFace's interface: RGB 0..255, (B, 3, 112, 112) -> unit-norm (B, 128).

    Source: OpenCV's FaceRecognizerSF feeds RGB planes without scaling, one image at a time.
    """
    session = _onnx_session(path)
    name = session.get_inputs()[0].name
    planes = chips.transpose(0, 3, 1, 2).astype(np.float32)
    x = np.concatenate([session.run(None, {name: plane[None]})[0] for plane in planes])
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def _sface_path() -> Path:
    path = data_dir() / "weights" / _SFACE_FILE
    if not path.is_file():
        raise InputError(path, "SFace's weights not found", "run `blindlib data fetch sface`")
    if sha256(path) != SFACE_SHA256:
        raise InputError(path, "is not the published file (another SHA-256)", "delete it; `blindlib data fetch sface`")
    return path


def _file_weights(path: Callable[[], Path]) -> str:
    return sha256(path())


BACKBONES = {
    b.name: b
    for b in (
        Backbone(
            "compactnet",
            DIM,
            112,
            None,
            lambda frames: embed_frames(_compactnet(), frames),
            lambda: digest(sha256(WEIGHTS), INPUT, CROP, LOWER),
            False,
            "ten-layer ResNet trained on SynthFaces people of its own; card: blindlib/backbones/weights/compactnet.md",
            "MIT",
        ),
        Backbone(
            "dlib",
            128,
            150,
            dlib_alignment(150, 0.25),
            _encode_dlib,
            partial(_file_weights, partial(model_file, "dlib_face_recognition_resnet_model_v1.dat")),
            True,
            "dlib's ResNet, package face_recognition_models; 99.38 % on LFW as published",
            "CC0",
        ),
        Backbone(
            "resnet50",
            2048,
            224,
            vggface2_alignment(),
            _encode_vggface2,
            _vggface2_weights,
            False,
            "ResNet-50 trained on VGGFace2: the paper's",
            "weights: Oxford's terms; port by keras-vggface (MIT) or pytorch-mcn",
        ),
        Backbone(
            "resnet50-imagenet",
            2048,
            224,
            dlib_alignment(224, 0.25),
            lambda frames: imagenet_frames(_imagenet(), frames),
            lambda: _imagenet() and sha256(_imagenet_path()),
            False,
            "torchvision's ResNet-50, ImageNet (IMAGENET1K_V2): not trained on faces",
            "BSD-3-Clause",
        ),
        Backbone(
            "sface",
            128,
            112,
            arcface_alignment(112),
            lambda chips: encode_onnx(chips, _sface_path()),
            partial(_file_weights, _sface_path),
            False,
            "OpenCV Zoo's SFace, ONNX",
            "Apache-2.0",
        ),
        Backbone(
            "pixels16", 256, 16, None, _encode_pixels, lambda: "none", False, "grey pixels of the whole image", "none"
        ),
        Backbone(
            "pixels32",
            1024,
            32,
            None,
            _encode_pixels,
            lambda: "none",
            False,
            "grey pixels of the whole image: what a probe reads before any network",
            "none",
        ),
    )
}


def get_backbone(name: str) -> Backbone:
    """A backbone by its name.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in BACKBONES:
        raise InputError("backbone", f"there is no backbone {name!r}", f"use one of {', '.join(BACKBONES)}")
    return BACKBONES[name]
