"""Define the renderer's element-wise functions on (B, H, W): bells, edges, bands and lattice noise."""

import torch

_MASK = 0xFFFFFFFF


def bell(x, y, sx, sy):
    """Return the Gaussian exp(−(x/sx)² − (y/sy)²)."""
    return _fall((x / sx).square_() + (y / sy).square_())


def hump(x, width):
    """Return the Gaussian of one coordinate, exp(−(x/width)²)."""
    return _fall((x / width).square_())


def _fall(x: torch.Tensor) -> torch.Tensor:
    """Compute exp(−x) in place, with x capped at 80: beyond 87 the result is denormal and exp ten times slower."""
    return x.clamp_max_(80).neg_().exp_()


def edge(x, width):
    """Return a smooth step: 0 below −width, 1 above +width, cubic between."""
    t = (x * (0.5 / width)).add_(0.5).clamp_(0, 1)
    square = t * t
    return t.mul_(-2).add_(3).mul_(square)


def band(x, half, width):
    """Return 1 where |x| < half, with soft borders of the given width."""
    return edge(half - x.abs(), width)


def scramble(x: torch.Tensor) -> torch.Tensor:
    """Hash int64 values below 2³² to int64 values below 2³²; the result is the same on every device.

    Source: the output function of PCG (O'Neill 2014), twice over a multiply and add.
    """
    x = (x * 747796405 + 2891336453) & _MASK
    x = (((x >> ((x >> 28) + 4)) ^ x) * 277803737) & _MASK
    return (x >> 22) ^ x


def lattice(seed: torch.Tensor, side: int, channels: int) -> torch.Tensor:
    """Draw noise textures: seed (B,) int64 -> (B, channels, side, side), about standard normal."""
    return grain(seed, channels, side, side, 0)


def grain(
    seed: torch.Tensor,
    channels: int,
    height: int,
    width: int,
    salt: int = 0x5BD1E995,
    window: tuple[int, int, int] | None = None,
) -> torch.Tensor:
    """Draw noise, independent in every cell and channel: seed (B,) int64 -> (B, channels, height, width).

    It is about standard normal, the sum of a hash's four bytes, centred and scaled. Another `salt` draws other noise.
    With a `window` (top, left, side) only these cells are returned, as in the whole: (B, channels, side, side).
    """
    cell = torch.arange(channels * height * width, device=seed.device).view(1, channels, height, width)
    if window is not None:
        top, left, side = window
        cell = cell[:, :, top : top + side, left : left + side]
    bits = scramble((cell + scramble(seed.view(-1, 1, 1, 1) ^ salt)) & _MASK)
    total = (bits & 255) + ((bits >> 8) & 255) + ((bits >> 16) & 255) + (bits >> 24)
    return (total.float() - 510) / 147.8  # variance of four uniform bytes: 4 (256² − 1) / 12


def look_up(texture: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Sample a texture (B, C, S, S) at coordinates in [−1, 1], bilinear, mirrored beyond: (B, C, H, W)."""
    grid = torch.stack([x.expand_as(y), y.expand_as(x)], -1)
    return torch.nn.functional.grid_sample(texture, grid, align_corners=True, padding_mode="reflection")
