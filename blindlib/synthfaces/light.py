"""Light the face: a directional key and an ambient as second-order spherical harmonics, gloss and soft shadows."""

import torch

from blindlib.synthfaces.fields import bell, edge
from blindlib.synthfaces.geometry import nasolabial, nasolabial_pull
from blindlib.synthfaces.skin import rgb


def direction(f: dict) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the unit vector towards the key light, camera's frame: three tensors (B, 1, 1)."""
    z = 0.8
    norm = torch.rsqrt(f["light_x"].square() + f["light_y"].square() + z * z)
    return f["light_x"] * norm, f["light_y"] * norm, z * norm


def irradiance(f: dict, nx: torch.Tensor, ny: torch.Tensor, nz: torch.Tensor) -> torch.Tensor:
    """Return the irradiance of key and ambient on normals (B, H, W), for red, green, blue: (B, 3, H, W).

    A directional light's irradiance max(0, c), c = n · l, is 1/4 + c/2 + 5/32 (3c² − 1) in spherical harmonics of
    order two (Ramamoorthi & Hanrahan 2001). Blood scatters red light under the skin: red gets the softer falloff.
    """
    lx, ly, lz = direction(f)
    c = nx * lx + ny * ly + nz * lz
    harmonic = 0.25 + 0.5 * c + 0.15625 * (3 * c * c - 1)
    soft = ((c + 0.35) / 1.35).clamp_min(0)
    key = torch.stack([0.55 * harmonic + 0.45 * soft, 0.85 * harmonic + 0.15 * soft, 0.95 * harmonic + 0.05 * soft], 1)
    sky = f["ambient"] * (0.80 + 0.22 * ny + 0.08 * nz)
    warm = f["warmth"][:, None] * rgb(1.0, 0.1, -1.0, device=nx.device)
    return key.clamp_min(0.02) * f["key"][:, None] * (1 + warm) + sky[:, None] * (1 - 0.5 * warm)


def gloss(f: dict, nx, ny, nz, shine: torch.Tensor) -> torch.Tensor:
    """Return Blinn-Phong highlights (B, H, W): broad on skin, and narrow by `shine` (lips, eyes)."""
    lx, ly, lz = direction(f)
    norm = torch.rsqrt(lx * lx + ly * ly + (lz + 1).square())
    c = ((nx * lx + ny * ly + nz * (lz + 1)) * norm).clamp(0, 1)
    c8 = c.square().square().square()
    return f["key"] * (f["gloss"].clamp(0.05, 0.6) * 0.17 * c8 * c8 + shine * c8 * c8 * c8)


def shadows(f: dict, x: torch.Tensor, y: torch.Tensor, mouth: dict, hair: torch.Tensor) -> torch.Tensor:
    """Return soft shadows as a factor (B, H, W): nose on cheek and lip, brow on lids, lip on chin, fringe, folds."""
    ax = x.abs()
    fall = f["key"] * (0.6 + 0.5 * f["light_y"].clamp_min(0))
    nose = bell(x + 0.30 * f["light_x"], y - f["nose_y"] + 0.13 + 0.1 * f["light_y"], 0.19, 0.075)
    wall = bell(x + f["light_x"].sign() * (0.15 + f["nose_width"] * 0.4), y - f["nose_y"] - 0.15, 0.11, 0.25)
    socket = bell(ax - f["eye_x"] * 0.93, y - f["eye_y"] - 0.10, 0.24, 0.085)
    inner = bell(ax - f["eye_x"] * 0.5, y - f["eye_y"] - 0.02, 0.09, 0.14)
    depth = (f["eye_depth"] / 0.11).clamp(0.35, 1.8)
    wing = bell(ax - f["nose_width"] * 1.06, y - f["nose_y"] + 0.01, 0.035, 0.07)
    dark = 0.24 * fall * nose + 0.30 * f["light_x"].abs() * wall + 0.32 * depth * socket + 0.14 * depth * inner
    dark = dark + 0.22 * wing + 0.26 * mouth["below"] + 0.30 * mouth["corner"] + 0.10 * edge(-y - 1.15, 0.25)
    dark = dark + 0.16 * nasolabial_pull(f) * nasolabial(f, ax, y, 0.05)
    dark = dark + 0.30 * f["au04"] * bell(ax - 0.07, y - f["brow_y"] + 0.02, 0.035, 0.12)
    return (1 - dark).clamp(0.25, 1) * (1 - 0.3 * hair)
