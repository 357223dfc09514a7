"""Release a representation in few bits: one uniform grid for all its numbers.

A continuous head cannot remove an attribute. It shrinks the attribute into directions of tiny variance, where a probe
that whitens its features finds it. Rounding puts the same error on every direction, and so removes what was shrunk:

    q(v) = m / L · clip(round(v · L / m), −L, L),  L = 2^(b−1) − 1,

with b bits and m the largest absolute value of φ over the training subjects. The grid is deterministic: asking twice
gives nothing new, as asking twice for fresh noise would.
"""

import numpy as np
import torch

BITS = (None, 4, 6, 8)


def levels(bits: int) -> int:
    """Return L, the largest integer of a grid: 31 for 6 bits."""
    return 2 ** (bits - 1) - 1


def to_integers(z: np.ndarray, peak: float, bits: int) -> np.ndarray:
    """Round z (N, D) to integers from −L to L: int8 (N, D)."""
    most = levels(bits)
    return np.rint(z * (most / peak)).clip(-most, most).astype(np.int8)


def from_integers(integers: np.ndarray, peak: float, bits: int) -> np.ndarray:
    """Bring integers (N, D) back to the scale of φ: float32 (N, D)."""
    return integers.astype(np.float32) * np.float32(peak / levels(bits))


def rounded(z: torch.Tensor, peak: torch.Tensor, bits: int | None) -> torch.Tensor:
    """Round z (H, B, D) on each head's grid, of peak (H,); `bits` None leaves it as it is."""
    if bits is None:
        return z
    step = (peak / levels(bits))[:, None, None]
    return (z / step).round().clamp(-levels(bits), levels(bits)) * step


def on_grid(z: np.ndarray, peak: float, bits: int | None) -> np.ndarray:
    """Release z (N, D) in few bits, on the grid of a largest absolute value: float32 (N, D); None leaves z."""
    return z if bits is None else from_integers(to_integers(z.astype(np.float64), peak, bits), peak, bits)


def in_bits(name: str, bits: int | None) -> str:
    """Name a representation with the bits that it is released in: `SN 6 bits`."""
    return name if bits is None else f"{name} {bits} bits"
