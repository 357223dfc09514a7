"""Simulate the camera: exposure, blur, noise, JPEG, grey levels."""

import torch

from blindlib.synthfaces.fields import grain

_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)  # JPEG's standard luminance table (ITU-T T.81, annex K), here for all three planes


def expose(linear: torch.Tensor, f: dict) -> torch.Tensor:
    """Convert linear light to display values, 0 to 255, with a shoulder instead of a hard clip: (B, 3, H, W).

    Like real cameras, it meters the face: dark skin gets a longer exposure.
    """
    metered = f["exposure"] * (1 + 0.8 * (f["melanin"] - 0.3).clamp(0, 0.6))
    light = linear.clamp_min(0) * metered[:, None]
    light = light / (1 + 0.18 * light.square())
    return 255 * (light + 1e-5).clamp(0, 1) ** (1 / 2.2)


def blur(image: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Apply a Gaussian blur of five taps each way, sigma (B, 1, 1) in pixels, about 1.2 at most: (B, 3, H, W)."""
    s2 = 2 * sigma[:, None].clamp_min(0.05).square()
    near, far = torch.exp(-1 / s2), torch.exp(-4 / s2)
    total = 1 + 2 * near + 2 * far
    for axis in (2, 3):
        pad = (0, 0, 2, 2) if axis == 2 else (2, 2, 0, 0)
        wide = torch.nn.functional.pad(image, pad, mode="replicate")
        size = image.shape[axis]
        n = [wide.narrow(axis, k, size) for k in range(5)]
        image = (n[2] + near * (n[1] + n[3]) + far * (n[0] + n[4])) / total
    return image


def smooth_round(x: torch.Tensor) -> torch.Tensor:
    """Round without jumps, x − sin(2πx)/2π, so that a difference in the last bit does not change an image.

    Source: in the spirit of differentiable JPEG (Shin & Song 2017).
    """
    return x - torch.sin(x * 6.283185307) * 0.15915494


def _dct(device) -> torch.Tensor:
    k = torch.arange(8, device=device, dtype=torch.float32)
    rows = torch.cos((2 * k[None] + 1) * k[:, None] * torch.pi / 16) / 2
    rows[0] = rows[0] / 2**0.5
    return rows


def jpeg(image: torch.Tensor, quality: torch.Tensor) -> torch.Tensor:
    """Apply JPEG's loss on 8 x 8 blocks at quality (B, 1, 1), 50 to 100; height and width are multiples of 8."""
    count, _, height, width = image.shape
    y = 0.299 * image[:, 0] + 0.587 * image[:, 1] + 0.114 * image[:, 2]
    planes = torch.stack([y - 128, (image[:, 2] - y) * 0.564, (image[:, 0] - y) * 0.713], 1)
    blocks = planes.view(count, 3, height // 8, 8, width // 8, 8)
    d = _dct(image.device)
    coefficients = torch.einsum("ik,bcykxl,jl->bcyixj", d, blocks, d)
    table = torch.tensor(_LUMA, device=image.device, dtype=torch.float32).view(1, 1, 1, 8, 1, 8)
    step = (table * ((200 - 2 * quality) / 100).view(-1, 1, 1, 1, 1, 1)).clamp_min(1)
    kept = smooth_round(coefficients / step) * step
    planes = torch.einsum("ik,bcyixj,jl->bcykxl", d, kept, d).reshape(count, 3, height, width)
    y = planes[:, 0] + 128
    blue, red = y + planes[:, 1] / 0.564, y + planes[:, 2] / 0.713
    return torch.stack([red, (y - 0.299 * red - 0.114 * blue) / 0.587, blue], 1)


def photograph(
    linear: torch.Tensor,
    f: dict,
    seed: torch.Tensor,
    size: int,
    rows: slice = slice(None),
    columns: slice = slice(None),
    window: tuple[int, int, int] | None = None,
) -> torch.Tensor:
    """Convert linear light to float grey levels 0 to 255 of a stored image.

    Parameters
    ----------
    linear : Tensor (B, 3, H, W)
    seed : Tensor (B,), int64
    size : int
        Side of the whole frame; H and W unless there is a window.
    rows, columns : slice
        The window's place in `linear`: its margin is used by the blur and cut before noise and JPEG.
    window : (top, left, side) or None
        The window's place in the frame, on JPEG's grid.
    """
    image = blur(expose(linear, f), f["blur"] * (size / 112))[:, :, rows, columns]
    image = image + grain(seed, 3, size, size, window=window) * f["noise"][:, None]
    return jpeg(image, f["jpeg"]).clamp(0, 255)
