"""The default backbone: a compact ResNet for 64 x 64 faces, trained on SynthFaces people whom no preset shows."""

from itertools import pairwise
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from blindlib.common.errors import InputError

WEIGHTS = Path(__file__).parent / "weights" / "compactnet.safetensors"
WIDTHS = (32, 64, 128, 256)
DIM = WIDTHS[-1]
INPUT = 64  # pixels
CROP, LOWER = 0.56, 0.09  # shares of the frame's side: of the crop from brows to chin, and how far below the middle


class _Block(nn.Module):
    """Two 3 x 3 convolutions around a shortcut (He et al. 2016)."""

    def __init__(self, inner: int, outer: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inner, outer, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outer),
            nn.ReLU(),
            nn.Conv2d(outer, outer, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outer),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps (B, inner, H, W) -> (B, outer, H / stride, W / stride)."""
        return torch.relu(self.body(x) + self.shortcut(x))


def to_input(images: torch.Tensor, shift: tuple[int, int] = (0, 0)) -> torch.Tensor:
    """uint8 frames (B, 3, S, S) -> the network's input (B, 1, 64, 64).

    The crop from the brows to the chin, moved by `shift` pixels, grey, to zero mean and unit deviation: no hair and no
    colour of the skin, so that the network must use the features of the face (**decision**).
    """
    side = images.shape[-1]
    crop = round(CROP * side)
    top, left = (side - crop) // 2 + round(LOWER * side) + shift[0], (side - crop) // 2 + shift[1]
    cut = images[..., top : top + crop, left : left + crop].float()
    grey = (cut * torch.tensor([0.299, 0.587, 0.114], device=cut.device).view(3, 1, 1)).sum(1, keepdim=True)
    scaled = nn.functional.interpolate(grey, (INPUT, INPUT), mode="bilinear", antialias=True, align_corners=False)
    mean, sd = scaled.mean((2, 3), keepdim=True), scaled.std((2, 3), keepdim=True)
    return (scaled - mean) / (sd + 1)


class CompactNet(nn.Module):
    """Ten-layer ResNet: (B, 1, 64, 64) -> the pooled last map (B, 256), the layer that the paper takes x from."""

    prepare = staticmethod(to_input)

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, WIDTHS[0], 5, 2, 2, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU())
        sizes = (WIDTHS[0], *WIDTHS)
        self.stages = nn.Sequential(*(_Block(a, b, 1 if n == 0 else 2) for n, (a, b) in enumerate(pairwise(sizes))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Faces (B, 1, 64, 64) of `to_input` -> features (B, 256), not negative."""
        return self.stages(self.stem(x)).mean((2, 3))


def load_compactnet(path: Path = WEIGHTS) -> CompactNet:
    """The trained network, frozen; raises InputError if the file is absent, damaged or of another shape."""
    network = CompactNet()
    try:
        network.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        problem = f"does not hold CompactNet's weights ({error!r:.80})"
        raise InputError(path, problem, "run `make backbone`") from None
    return network.eval().requires_grad_(False)
