"""The paper's backbone: ResNet-50 trained on VGGFace2 (2048-D), from the published weights in a local file.

Two published networks, the Keras port and the Caffe original, share a graph (a stage's stride sits in its first 1 x 1
convolution) and differ at the border and in BatchNorm. Nothing is unpickled. For comparison, the same size of network
trained on ImageNet, where nobody's identity is taught.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet

from blindlib.common.errors import InputError

SIDE = 224  # pixels
IDENTITIES = 8631  # of VGGFace2's training set: the classes of the published classifiers
MEAN_BGR = (91.4953, 103.8827, 131.0912)  # of VGGFace2's training pixels, 0..255
IMAGENET_MEAN_SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's training pixels, RGB, 0..1
_BLOCKS = (3, 4, 6, 3)
_FETCH = "run `blindlib data fetch vggface2`"
_AGAIN = "delete it and run `blindlib data fetch vggface2`"
_KERAS_PARTS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


class Flavour(NamedTuple):
    """Where the published networks differ."""

    padding: tuple[int, int]  # zeros before and after the frame, both ways, for the 7 x 7 convolution of stride 2
    ceil: bool  # whether the max pooling (3 x 3, stride 2, no padding) keeps the last, partly filled window
    eps: float  # BatchNorm's


FLAVOURS = {"keras": Flavour((2, 3), False, 1e-3), "caffe": Flavour((3, 3), True, 1e-5)}


class VGGFace2ResNet50(ResNet):
    """torchvision's ResNet-50, edited to the published graph: (B, 3, 224, 224) -> pooled features (B, 2048).

    The features are those below the classifier: averages after a ReLU. `flavour` is a key of `FLAVOURS`.

    Source: rcmalli/keras-vggface, RESNET50; cydonia999/VGGFace2-pytorch, models/resnet.py; Cao et al. 2018.
    """

    def __init__(self, flavour: str):
        super().__init__(Bottleneck, list(_BLOCKS), norm_layer=partial(nn.BatchNorm2d, eps=FLAVOURS[flavour].eps))
        self.flavour = flavour
        self.conv1.padding = (0, 0)  # `forward` pads: not the same on both sides
        self.maxpool = nn.MaxPool2d(3, 2, ceil_mode=FLAVOURS[flavour].ceil)
        for stage in (self.layer2, self.layer3, self.layer4):
            stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
        self.fc = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps frames (B, 3, 224, 224) of `prepare` -> features (B, 2048)."""
        before, after = FLAVOURS[self.flavour].padding
        return super().forward(nn.functional.pad(x, (before, after, before, after)))

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 RGB frames (B, 3, 224, 224) -> BGR minus the mean, float32.

        Raises
        ------
        InputError
            If the frames are of another size or type.
        """
        _check(images)
        return images.flip(1).float() - torch.tensor(MEAN_BGR, device=images.device).view(1, 3, 1, 1)


class ImageNetResNet50(ResNet):
    """torchvision's ResNet-50, of `load_imagenet`: (B, 3, 224, 224) -> pooled features (B, 2048)."""

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 RGB frames (B, 3, 224, 224) -> minus ImageNet's mean, over its deviation; raises InputError."""
        _check(images)
        mean, sd = (torch.tensor(rgb, device=images.device).view(1, 3, 1, 1) for rgb in IMAGENET_MEAN_SD)
        return (images.float() / 255 - mean) / sd


def _check(images: torch.Tensor) -> None:
    if images.dtype != torch.uint8 or images.shape[1:] != (3, SIDE, SIDE):
        problem = f"expected uint8 (B, {SIDE}, {SIDE}, 3), RGB; got {images.dtype} {tuple(images.shape)}, planes first"
        raise InputError("frames", problem, f"align the faces to {SIDE} x {SIDE}")


def _layers() -> Iterator[tuple[str, str, str]]:
    """Each convolution: its published name as Keras spells it, and torchvision's for it and for its BatchNorm."""
    yield "conv1/7x7_s2", "conv1", "bn1"
    for stage, blocks in enumerate(_BLOCKS, 1):
        for block in range(blocks):
            published, ours = f"conv{stage + 1}_{block + 1}", f"layer{stage}.{block}"
            for n, part in enumerate(("1x1_reduce", "3x3", "1x1_increase"), 1):
                yield f"{published}_{part}", f"{ours}.conv{n}", f"{ours}.bn{n}"
            if block == 0:
                yield f"{published}_1x1_proj", f"{ours}.downsample.0", f"{ours}.downsample.1"


def _layouts() -> dict[str, dict[str, str]]:
    """Layout -> {torchvision's name of a tensor: the file's}."""
    keras, dag = {}, {}
    for published, conv, norm in _layers():
        flat = published.replace("/", "_")
        keras[f"{conv}.weight"], dag[f"{conv}.weight"] = f"{published}/kernel", f"{flat}.weight"
        for ours, theirs in _KERAS_PARTS.items():
            keras[f"{norm}.{ours}"], dag[f"{norm}.{ours}"] = f"{published}/bn/{theirs}", f"{flat}_bn.{ours}"
    return {"keras": keras, "dag": dag, "torchvision": {name: name for name in keras}}


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:80]


def _read_keras(path: Path) -> dict[str, torch.Tensor]:
    import h5py

    found = {}
    with h5py.File(path) as file:
        for layer in np.asarray(file.attrs["layer_names"]).astype(str):
            for weight in np.asarray(file[layer].attrs["weight_names"]).astype(str):
                value = torch.from_numpy(file[layer][weight][()])
                if value.ndim == 4:  # a kernel: (height, width, in, out) -> (out, in, height, width)
                    value = value.permute(3, 2, 0, 1)
                found[f"{layer}/{weight.rsplit('/', 1)[-1].removesuffix(':0')}"] = value
    return found


def _read(path: Path) -> tuple[dict[str, torch.Tensor], str | None]:
    """Tensors under the file's own names, and the flavour."""
    kind = path.suffix.lower()
    if not path.is_file():
        raise InputError(path, "VGGFace2's ResNet-50 weights not found", _FETCH)
    if kind == ".pkl":
        problem = "is a plain pickle; opening one runs whatever code is in it, so it is not opened"
        raise InputError(path, problem, f"use resnet50_ft_dag.pth, or {_FETCH} for the .h5 file")
    if kind not in (".h5", ".pth", ".safetensors"):
        raise InputError(path, "is of an unknown kind; known: .h5, .pth, .safetensors", _FETCH)
    try:
        if kind == ".h5":
            return _read_keras(path), "keras"
        if kind == ".pth":
            return torch.load(path, weights_only=True, map_location="cpu"), "caffe"
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            return tensors, (file.metadata() or {}).get("flavour")
    except KeyError as error:
        raise InputError(path, f"is HDF5, but not Keras 2's weights ({_reason(error)})", _AGAIN) from None
    except Exception as error:  # a damaged file, or one with more than tensors: torch raises many types
        problem = f"is no {kind} file of tensors, or a part of one ({_reason(error)})"
        raise InputError(path, problem, f"use resnet50_ft_dag.pth, or {_FETCH}") from None


def _refuse_others(path: Path, found: dict[str, torch.Tensor]) -> None:
    other = None
    if any("1x1_down" in name or name.endswith(".conv4.weight") for name in found):
        other = "SENet-50's weights"
    elif any(name.startswith(("conv1_1", "fc6")) for name in found):
        other = "VGG16's weights"
    for name in found.keys() & {"classifier/bias", "classifier.bias", "fc.bias"}:
        if len(found[name]) != IDENTITIES:
            other = f"a network of {len(found[name])} classes, not of VGGFace2's {IDENTITIES} identities"
    if other:
        raise InputError(path, f"holds {other}, not ResNet-50's trained on VGGFace2", _FETCH)


def _to_torchvision(path: Path, found: dict[str, torch.Tensor], shapes: dict[str, torch.Size]) -> dict:
    """The state dict under torchvision's names, for BGR."""
    layout, names = max(_layouts().items(), key=lambda item: len(found.keys() & item[1].values()))
    if not found.keys() & names.values():
        raise InputError(path, "holds none of the known layouts (Keras, pytorch-mcn, torchvision)", _FETCH)
    state = {}
    for ours, shape in shapes.items():
        if ours.endswith("num_batches_tracked"):  # plays no part once frozen
            state[ours] = torch.tensor(0)
            continue
        if names[ours] not in found:
            raise InputError(path, f"lacks {names[ours]}", _AGAIN)
        value = found[names[ours]]
        if value.shape != shape:
            raise InputError(path, f"{names[ours]} has shape {tuple(value.shape)}, not {tuple(shape)}", _AGAIN)
        state[ours] = value.float().contiguous()
    if layout == "dag":  # MatConvNet's importer turned the first convolution to RGB; turn it back
        state["conv1.weight"] = state["conv1.weight"].flip(1)
    return state


def load_vggface2(path: Path | str) -> VGGFace2ResNet50:
    """The published network, frozen, from a file whose layout its extension and its names tell.

    `rcmalli_vggface_tf_notop_resnet50.h5` (or the one with the classifier, which is left out); `resnet50_ft_dag.pth` or
    `resnet50_scratch_dag.pth`; a state dict under torchvision's names, taken for Caffe's network on BGR; or a file by
    `save_safetensors`.

    Raises
    ------
    InputError
        If the file is absent, damaged, a pickle, of another layout or another network, or lacks a layer.

    Source: rcmalli/keras-vggface release v2.0; albanie/pytorch-mcn; cydonia999/VGGFace2-pytorch.
    """
    path = Path(path)
    found, flavour = _read(path)
    if flavour not in FLAVOURS:
        raise InputError(path, "its metadata names no flavour, keras or caffe", "write it by vggface2.save_safetensors")
    if not isinstance(found, dict) or not all(map(torch.is_tensor, found.values())):
        raise InputError(path, "holds no state dict (names -> tensors)", f"use resnet50_ft_dag.pth, or {_FETCH}")
    _refuse_others(path, found)
    with torch.device("meta"):  # the graph alone: no numbers drawn only to be replaced
        network = VGGFace2ResNet50(flavour)
    shapes = {name: value.shape for name, value in network.state_dict().items()}
    network.load_state_dict(_to_torchvision(path, found, shapes), assign=True)
    return network.eval().requires_grad_(False)


def save_safetensors(network: VGGFace2ResNet50, path: Path | str) -> None:
    """Write the weights under torchvision's names, with the flavour in the metadata, for `load_vggface2`."""
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, path, metadata={"flavour": network.flavour})


def load_imagenet(path: Path) -> ImageNetResNet50:
    """torchvision's ResNet-50 (IMAGENET1K_V2), frozen.

    Raises
    ------
    InputError
        If the file is absent or damaged.
    """
    with torch.device("meta"):
        network = ImageNetResNet50(Bottleneck, list(_BLOCKS))
    try:
        network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"), assign=True)
    except Exception as error:  # torch raises many types of a damaged file
        remedy = "delete it and run `blindlib data fetch resnet50-imagenet`"
        raise InputError(path, f"does not hold ResNet-50's weights ({_reason(error)})", remedy) from None
    network.fc = nn.Identity()
    return network.eval().requires_grad_(False)
