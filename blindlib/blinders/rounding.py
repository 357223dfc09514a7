"""Round a representation to few bits on one uniform grid for all its numbers.

A continuous head does not remove an attribute: it shrinks the attribute into directions of tiny variance, and a probe
on whitened features finds it there. Rounding adds an equal error to every direction, which removes what was shrunk:

    q(v) = m / L · clip(round(v · L / m), −L, L),  L = 2^(b−1) − 1,

with b bits and m the largest absolute value of φ over the training subjects. Rounding is deterministic: unlike random
noise, it cannot be averaged out by repeated queries.
"""

import numpy as np
import torch

BITS = (None, 4, 6, 8)


def levels(bits: int) -> int:
    """Return L, the largest integer of the grid: 31 for 6 bits."""
    return 2 ** (bits - 1) - 1


def to_integers(z: np.ndarray, peak: float, bits: int) -> np.ndarray:
    """Round z (N, D) to the grid's integers, from −L to L, with m = `peak`: int8 (N, D)."""
    most = levels(bits)
    return np.rint(z * (most / peak)).clip(-most, most).astype(np.int8)


def from_integers(integers: np.ndarray, peak: float, bits: int) -> np.ndarray:
    """Scale integers (N, D) back to the range of φ: float32 (N, D)."""
    return integers.astype(np.float32) * np.float32(peak / levels(bits))


def rounded(z: torch.Tensor, peak: torch.Tensor, bits: int | None) -> torch.Tensor:
    """Round z (H, B, D) on each head's grid, of peak (H,); with `bits` None return z unchanged."""
    if bits is None:
        return z
    step = (peak / levels(bits))[:, None, None]
    return (z / step).round().clamp(-levels(bits), levels(bits)) * step


def on_grid(z: np.ndarray, peak: float, bits: int | None) -> np.ndarray:
    """Round z (N, D) on the grid of m = `peak`: float32 (N, D); with `bits` None return z unchanged."""
    return z if bits is None else from_integers(to_integers(z.astype(np.float64), peak, bits), peak, bits)


def in_bits(name: str, bits: int | None) -> str:
    """Append the bits to a representation's name: `SN 6 bits`; with `bits` None return the name unchanged."""
    return name if bits is None else f"{name} {bits} bits"
