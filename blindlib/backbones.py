"""Images -> x. Each backbone names its size, its alignment, its weights and their licence."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from blindlib.compactnet import CROP, DIM, INPUT, LOWER, WEIGHTS, embed_frames, load_compactnet
from blindlib.errors import InputError
from blindlib.files import digest, sha256
from blindlib.images import Alignment, arcface_alignment, dlib_alignment, model_file, vggface2_alignment
from blindlib.paths import data_dir

SFACE_SHA256 = "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79"
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


@cache
def _resnet50():
    import torch
    from torchvision.models import ResNet50_Weights, resnet50

    path = data_dir() / "weights" / "resnet50-11ad3fa6.pth"
    if not path.is_file():
        raise InputError(
            path, "torchvision's ResNet-50 weights (IMAGENET1K_V2) not found", "run `blindlib data fetch resnet50`"
        )
    network = resnet50()
    network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    network.fc = torch.nn.Identity()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return (
        network.eval().to(device, memory_format=torch.channels_last),
        ResNet50_Weights.IMAGENET1K_V2.transforms(),
        device,
    )


def _encode_resnet50(chips: np.ndarray) -> np.ndarray:
    import torch

    network, transform, device = _resnet50()
    batch = torch.from_numpy(chips).permute(0, 3, 1, 2).to(device).float() / 255  # (B, 3, 224, 224)
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (transform.mean, transform.std))
    with torch.inference_mode():
        x = network(((batch - mean) / std).contiguous(memory_format=torch.channels_last))
    return torch.nn.functional.normalize(x, dim=1).cpu().numpy()


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


def _resnet50_path() -> Path:
    _resnet50()
    return data_dir() / "weights" / "resnet50-11ad3fa6.pth"


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
            "ten-layer ResNet trained on SynthFaces people of its own; card: blindlib/weights/compactnet.md",
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
            _encode_resnet50,
            partial(_file_weights, _resnet50_path),
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
