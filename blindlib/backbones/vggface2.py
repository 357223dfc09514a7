"""Load the paper's backbone: ResNet-50 trained on VGGFace2 (2048-D), from the published weights in a local file.

The two published networks, the Keras port and the Caffe original, share a graph, in which the first 1 x 1 convolution
of a stage has the stride. They differ in padding and BatchNorm. Nothing is unpickled.
"""

from functools import partial
from pathlib import Path

import h5py
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet

from blindlib.common.errors import InputError, reason
from blindlib.common.files import check

SIDE = 224  # pixels
IDENTITIES = 8631  # of VGGFace2's training set: the classes of the published classifiers
MEAN_BGR = (91.4953, 103.8827, 131.0912)  # of VGGFace2's training pixels, 0..255
_BLOCKS = [3, 4, 6, 3]
_FETCH = "run `blindlib data fetch vggface2`"
_AGAIN = "delete it and run `blindlib data fetch vggface2`"
# torchvision's number of a convolution in its block, and its name of a BatchNorm's tensor -> the published name.
_LAYERS = {"1": "1x1_reduce", "2": "3x3", "3": "1x1_increase", "downsample": "1x1_proj"}
_KERAS_PARTS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
FLAVOURS = ("keras", "caffe")


class VGGFace2ResNet50(ResNet):
    """Compute pooled features (B, 2048) of (B, 3, 224, 224) by torchvision's ResNet-50, edited to the published graph.

    The features are the input of the classifier: averages after a ReLU. `flavour` is one of `FLAVOURS`.

    Source: rcmalli/keras-vggface v2.0, RESNET50; albanie/pytorch-mcn; cydonia999/VGGFace2-pytorch, models/resnet.py;
    Cao et al. 2018.
    """

    def __init__(self, flavour: str):
        keras = flavour == "keras"
        super().__init__(Bottleneck, _BLOCKS, norm_layer=partial(nn.BatchNorm2d, eps=1e-3 if keras else 1e-5))
        self.flavour = flavour
        self.conv1.padding = (0, 0)  # `forward` pads, because Keras pads asymmetrically
        self.maxpool = nn.MaxPool2d(3, 2, ceil_mode=not keras)  # Caffe keeps the last, partly filled window
        for stage in (self.layer2, self.layer3, self.layer4):
            stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
        self.fc = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute features (B, 2048) of frames (B, 3, 224, 224) by `prepare`."""
        return super().forward(nn.functional.pad(x, (2, 3, 2, 3) if self.flavour == "keras" else (3, 3, 3, 3)))

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Convert uint8 RGB frames (B, 3, 224, 224) to BGR minus the mean, float32; InputError on other frames."""
        if images.dtype != torch.uint8 or images.shape[1:] != (3, SIDE, SIDE):
            came = f"{images.dtype} {tuple(images.shape)}, planes first"
            problem = f"expected uint8 (B, {SIDE}, {SIDE}, 3), RGB; got {came}"
            raise InputError("frames", problem, f"align the faces to {SIDE} x {SIDE}")
        return images.flip(1).float() - torch.tensor(MEAN_BGR, device=images.device).view(1, 3, 1, 1)


def _published(ours: str, is_kernel: bool) -> tuple[str, str, str]:
    """Name a tensor as Keras, pytorch-mcn and torchvision do, given the last: for example `layer1.0.bn2.bias`."""
    *place, layer, tensor = ours.split(".")
    name = "conv1/7x7_s2"
    if place:
        part = _LAYERS["downsample" if "downsample" in place else layer[-1]]
        name = f"conv{int(place[0][-1]) + 1}_{int(place[1]) + 1}_{part}"
    flat = name.replace("/", "_")
    if is_kernel:
        return f"{name}/kernel", f"{flat}.weight", ours
    return f"{name}/bn/{_KERAS_PARTS[tensor]}", f"{flat}_bn.{tensor}", ours


def _read_keras(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a Keras 2 file, by name, kernels as (out, in, height, width)."""
    found = {}
    with h5py.File(path) as file:
        for layer in file.attrs["layer_names"].astype(str):
            for weight in file[layer].attrs["weight_names"].astype(str):
                value = torch.from_numpy(file[layer][weight][()])
                name = f"{layer}/{weight.rsplit('/', 1)[-1].removesuffix(':0')}"
                found[name] = value.permute(3, 2, 0, 1) if value.ndim == 4 else value
    return found


def _read(path: Path) -> tuple[dict[str, torch.Tensor], str | None]:
    """Return tensors under the file's own names, and the flavour."""
    check(path, _FETCH)
    try:
        if path.suffix == ".h5":
            return _read_keras(path), "keras"
        if path.suffix == ".pth":
            return torch.load(path, weights_only=True, map_location="cpu"), "caffe"
        with safe_open(path, "pt") as file:
            return load_file(path), (file.metadata() or {}).get("flavour")
    except Exception as error:  # damaged, a pickle of other objects, another format: each library has its own types
        problem = f"does not read as .h5, .pth or .safetensors weights ({reason(error)})"
        raise InputError(path, problem, f"use resnet50_ft_dag.pth, or {_FETCH} for the .h5 file") from None


def _to_torchvision(path: Path, found: dict[str, torch.Tensor], graph: dict[str, torch.Tensor]) -> dict:
    """Return the state dict under torchvision's names, for BGR."""
    state = {ours: torch.tensor(0) for ours in graph}  # the counts of batches, unused once frozen, stay 0
    tensors = [ours for ours in graph if not ours.endswith("num_batches_tracked")]
    layouts = zip(*(_published(ours, graph[ours].ndim == 4) for ours in tensors), strict=True)
    names = max(layouts, key=lambda names: len(found.keys() & names))
    if not found.keys() & names:
        raise InputError(path, "holds none of the known layouts (Keras, pytorch-mcn, torchvision)", _FETCH)
    for ours, theirs in zip(tensors, names, strict=True):
        if theirs not in found:
            raise InputError(path, f"lacks {theirs}", _AGAIN)
        value, shape = found[theirs], tuple(graph[ours].shape)
        if value.shape != shape:
            raise InputError(path, f"{theirs} has shape {tuple(value.shape)}, not {shape}", _AGAIN)
        state[ours] = value.float().contiguous()
    if "conv1_7x7_s2.weight" in names:  # MatConvNet's importer converted the first convolution to RGB; undo it
        state["conv1.weight"] = state["conv1.weight"].flip(1)
    return state


def load_vggface2(path: Path | str) -> VGGFace2ResNet50:
    """Load a published network, frozen, from a file; its extension and its names determine the layout.

    The file is `rcmalli_vggface_tf_notop_resnet50.h5` (or the one with the classifier, which is dropped);
    `resnet50_ft_dag.pth` or `resnet50_scratch_dag.pth`; a state dict under torchvision's names, taken for Caffe's
    network on BGR; or a file by `save_safetensors`.

    Raises
    ------
    InputError
        If the file is absent, damaged, a pickle, of an unknown layout or another network, or lacks a layer.
    """
    path = Path(path)
    found, flavour = _read(path)
    if flavour not in FLAVOURS:
        raise InputError(path, "its metadata names no flavour, keras or caffe", "write it by vggface2.save_safetensors")
    other = None
    if any("1x1_down" in name or name.endswith(".conv4.weight") for name in found):
        other = "SENet-50's weights"
    elif any(name.startswith(("conv1_1", "fc6")) for name in found):
        other = "VGG16's weights"
    for name in found.keys() & {"classifier/bias", "classifier.bias", "fc.bias"}:
        if found[name].numel() != IDENTITIES:
            other = f"a network of {found[name].numel()} classes, not of VGGFace2's {IDENTITIES} identities"
    if other:
        raise InputError(path, f"holds {other}, not ResNet-50's trained on VGGFace2", _FETCH)
    with torch.device("meta"):  # the graph alone: no random weights that would be replaced
        network = VGGFace2ResNet50(flavour)
    network.load_state_dict(_to_torchvision(path, found, network.state_dict()), assign=True)
    return network.eval().requires_grad_(False)


def save_safetensors(network: VGGFace2ResNet50, path: Path | str) -> None:
    """Write the weights under torchvision's names, with the flavour in the metadata, for `load_vggface2`."""
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, path, metadata={"flavour": network.flavour})
