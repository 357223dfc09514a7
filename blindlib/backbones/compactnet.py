"""Define the default backbone: a compact ResNet for 64 x 64 faces, trained on SynthFaces subjects of no preset.

x combines its last two maps along the principal directions of faces. The last map is pooled over the whole face, like
the paper's 2048 numbers, and the one below over parts of the face. The last map alone leaks less emotion. The paper's x
leaks nearly all of gender, ethnicity and emotion, so ours has to (**decision**; the card lists what was tried).
"""

from itertools import pairwise
from pathlib import Path

import safetensors.torch
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from blindlib.common.errors import InputError
from blindlib.common.files import parsed

WEIGHTS = Path(__file__).parent / "weights" / "compactnet.safetensors"
WIDTHS = (32, 64, 128, 256)
GRID, SHARE = 4, 0.55  # of the map below the last: parts along a side, and weight beside the last
POOLED = WIDTHS[-1] + WIDTHS[-2] * GRID**2
DIM = 256  # of x: the leading principal components of POOLED numbers, fitted on the backbone's training subjects
INPUT = 64  # pixels


class _Block(nn.Module):
    """Apply two 3 x 3 convolutions with a shortcut (He et al. 2016)."""

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
        """Map (B, inner, H, W) to (B, outer, H / stride, W / stride)."""
        return torch.relu(self.body(x) + self.shortcut(x))


def to_input(images: torch.Tensor, shift: tuple[int, int] = (0, 0)) -> torch.Tensor:
    """Crop uint8 images (B, 3, S, S), S ≥ 64, to the network's input (B, 1, 64, 64): the middle, moved by `shift`.

    The input is grey, of zero mean and unit deviation. The window from brows to chin has no hair and no skin colour, so
    the network must use facial features (**decision**).
    """
    top, left = ((images.shape[-1] - INPUT) // 2 + by for by in shift)
    cut = images[..., top : top + INPUT, left : left + INPUT].float()
    grey = (cut * torch.tensor([0.299, 0.587, 0.114], device=cut.device).view(3, 1, 1)).sum(1, keepdim=True)
    mean, sd = grey.mean((2, 3), keepdim=True), grey.std((2, 3), keepdim=True)
    return (grey - mean) / (sd + 1)


class CompactNet(nn.Module):
    """Embed faces by a ten-layer ResNet: (B, 1, 64, 64) -> x (B, 256)."""

    prepare = staticmethod(to_input)

    def __init__(self):
        super().__init__()
        first = WIDTHS[0]
        self.stem = nn.Sequential(nn.Conv2d(1, first, 5, 2, 2, bias=False), nn.BatchNorm2d(first), nn.ReLU())
        sizes = (first, *WIDTHS)
        self.stages = nn.Sequential(*(_Block(a, b, 1 if n == 0 else 2) for n, (a, b) in enumerate(pairwise(sizes))))
        self.register_buffer("centre", torch.zeros(POOLED))
        self.register_buffer("directions", torch.zeros(POOLED, DIM))

    def maps(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the last two maps of `to_input` faces (B, 1, 64, 64): (B, 128, 8, 8), (B, 256, 4, 4), not negative."""
        below = self.stages[:-1](self.stem(x))
        return below, self.stages[-1](below)

    def pooled(self, x: torch.Tensor) -> torch.Tensor:
        """Pool both maps of `to_input` faces (B, 1, 64, 64), each to unit norm: (B, 2304)."""
        below, last = self.maps(x)
        parts = nn.functional.adaptive_avg_pool2d(below, GRID).flatten(1)  # (B, 2048)
        whole = last.mean((2, 3))  # (B, 256)
        unit = nn.functional.normalize
        return torch.cat([unit(whole), SHARE * unit(parts)], 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Embed `to_input` faces (B, 1, 64, 64) along the principal directions: (B, 256)."""
        return (self.pooled(x) - self.centre) @ self.directions


def fold_norms(network: nn.Module) -> nn.Module:
    """Fold each BatchNorm of a frozen network into the convolution before it; the output is equal up to rounding.

    In float32 it saves a tenth (ResNet-50) to a third (CompactNet) of the time. In bfloat16 the output is also closer
    to float32, because the norms are folded before rounding.
    """
    for parent in list(network.modules()):
        for (place, conv), (after, norm) in pairwise(list(parent.named_children())):
            if isinstance(norm, nn.BatchNorm2d):
                setattr(parent, place, fuse_conv_bn_eval(conv, norm))
                setattr(parent, after, nn.Identity())
    return network.requires_grad_(False)


def load_compactnet(path: Path = WEIGHTS) -> CompactNet:
    """Load a trained network, frozen, with its norms folded.

    Raises InputError if the file is absent, damaged or of another shape.
    """
    network, remedy = CompactNet(), "run `make backbone`"
    state = parsed(path, remedy, lambda content: safetensors.torch.load(content.read()))
    try:
        network.load_state_dict({name: value.float() for name, value in state.items()})
    except RuntimeError as error:
        problem = f"does not hold CompactNet's weights ({' '.join(str(error).split())[:90]})"
        raise InputError(path, problem, remedy) from None
    return fold_norms(network.eval())
