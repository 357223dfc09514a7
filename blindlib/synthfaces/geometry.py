"""Map pixels to the face: camera, pose, the head's surface, its bumps and its normals.

Coordinates. Camera: p right, q up, in units of half a face's width. Face: X to the viewer's right, Y up, Z towards the
viewer, origin between the eyes' height and the nose's root. A pixel's ray meets the head's ellipsoid in closed form.
Its relief (nose, brow, cheeks, lips, chin) moves the meeting point along the ray, so that noses turn with the head.
"""

import math

import torch

from blindlib.synthfaces.fields import bell, edge, hump

HALF_VIEW = 1.98  # units from the image's centre to its border


def camera(
    f: dict, size: int, device: torch.device, rows: slice = slice(None), columns: slice = slice(None)
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return camera coordinates p, q of a frame's pixels, without shift, scale and roll: (B, size, size) each.

    With `rows` and `columns`, return only those.
    """
    line = ((torch.arange(size, device=device) + 0.5) / size * 2 - 1) * HALF_VIEW
    u, v = line[columns].view(1, 1, -1) - f["shift_x"], -line[rows].view(1, -1, 1) - f["shift_y"]
    c, s = torch.cos(f["roll"] * math.pi / 180) / f["scale"], torch.sin(f["roll"] * math.pi / 180) / f["scale"]
    return u * c + v * s, v * c - u * s


def meet(f: dict, p: torch.Tensor, q: torch.Tensor) -> dict[str, torch.Tensor]:
    """Intersect rays with the head.

    Returns
    -------
    dict of Tensor (B, H, W)
        `X`, `Y` on the face, camera `depth` of the surface with its bumps, `head` (1 inside the silhouette), and
        `chin`, the chin's height (B, 1, 1).
    """
    yaw, pitch = f["yaw"] * math.pi / 180, f["pitch"] * math.pi / 180
    cy, sy, ct, st = torch.cos(yaw), torch.sin(yaw), torch.cos(pitch), torch.sin(pitch)
    # A point at camera (p, q, r) is x = x0 − r ct sy, y = q ct + r st, z = z0 + r ct cy in the face's frame.
    x0, z0 = p * cy + q * (st * sy), p * sy - q * (st * cy)
    level = q * ct + 0.75 * st
    below = edge(-level, 0.08)
    chin = f["chin_y"] - 0.2 * f["jaw_drop"]
    b = f["skull"] + below * (-chin - f["skull"])
    a = (
        f["head_width"] * (1 - 0.03 * below)
        + 0.10 * hump(level - 0.95, 0.45)
        + f["jaw"] * hump(level + 0.95, 0.38)
        + f["cheekbone"] * hump(level + 0.25, 0.3)
        + (f["chin_width"] - 0.24) * edge(-level - 1.15, 0.2)
    )
    c = 1.02
    qa = (ct * sy / a).square() + (st / b).square() + (ct * cy / c).square()
    qb = -x0 * ct * sy / (a * a) + q * ct * st / (b * b) + z0 * ct * cy / (c * c)
    qc = (x0 / a).square() + (q * ct / b).square() + (z0 / c).square() - 1
    disc = (qb * qb - qa * qc) * (c * c)
    r = (-qb + torch.sqrt(disc.clamp_min(1e-6)) / c) / qa
    dx, dy = -sy / cy, st / (ct * cy)
    x, y = x0 - r * ct * sy, q * ct + r * st
    height = _protrusion(f, x, y)
    x, y = x + height * dx, y + height * dy
    return {
        "X": x,
        "Y": y,
        "depth": r + bumps(f, x, y) * (ct * cy),
        "head": edge(disc - 0.02, 0.045),
        "chin": chin,
    }


def _protrusion(f: dict, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the large part of the relief, nose and brows, for the parallax: (B, H, W)."""
    along = ((y - 0.25) / (f["nose_y"] - 0.25)).clamp(0, 1.15)
    return (f["nose_bridge"] + (f["nose_tip"] - f["nose_bridge"]) * along) * bell(x, y + 0.15, 0.2, 0.34)


def bumps(f: dict, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the relief over the ellipsoid, towards the viewer: (B, H, W)."""
    ax = x.abs()
    along = ((y - 0.3) / (f["nose_y"] - 0.3)).clamp(0, 1)
    under = edge(y - f["nose_y"] + 0.05, 0.14)
    top = edge(0.42 - y, 0.2)
    ridge = (f["nose_bridge"] * 0.55 + (f["nose_tip"] - 0.3 * f["nose_bridge"]) * along * along) * under * top
    bend = f["nose_bend"] * hump(y + 0.02, 0.12)
    nose = (ridge + bend) * hump(x - f["lean_nose"] * along * 2, f["nose_ridge"] + 0.07 * along)
    wings = 0.085 * bell(ax - f["nose_width"] * 0.82, y - f["nose_y"] + 0.01, 0.07, 0.085)
    tip = 0.05 * bell(x - f["lean_nose"] * 2, y - f["nose_y"] - 0.015, 0.1, 0.09)
    sockets = -f["eye_depth"] * bell(ax - f["eye_x"], y - f["eye_y"] - 0.03, 0.27, 0.16)
    balls = 0.075 * bell(ax - f["eye_x"], y - f["eye_y"], 0.17, 0.12)
    brow = 0.05 * bell(ax - 0.36, y - f["brow_y"] - 0.05, 0.3, 0.1)
    lift = 0.10 * f["au12"] + 0.05 * f["au06"]
    apples = (f["cheek_fullness"] + lift * 0.9) * bell(ax - 0.55, y + 0.36 - 0.6 * lift, 0.26, 0.24 - 0.5 * lift)
    fold_deep = 0.012 + 0.055 * nasolabial_pull(f) + 0.0007 * (f["age"] - 25).clamp_min(0)
    folds = -fold_deep * nasolabial(f, ax, y, 0.065)
    muzzle = 0.07 * bell(x, y - (f["mouth_y"] - 0.1 * f["jaw_drop"]), 0.38, 0.3)
    low, drop = y - f["mouth_y"], 0.2 * f["jaw_drop"]
    upper_lip = 0.04 * bell(x, low - 0.06, f["mouth_width"] * 0.8, 0.05)
    lips = upper_lip + 0.05 * bell(x, low + 0.09 + 0.24 * f["jaw_drop"], f["mouth_width"] * 0.62, 0.07)
    groove = -0.05 * bell(x, low + 0.23 + drop, 0.26, 0.06)
    chin_at = low + 0.42 + drop - 0.05 * f["au17"]
    chin = (f["chin_depth"] + 0.06 * f["au17"]) * bell(x, chin_at, f["chin_width"] * 0.95, 0.17)
    philtrum = -0.015 * bell(x, low - 0.19, 0.035, 0.08)
    relief = nose + wings + tip + sockets + balls + brow + apples + folds
    return relief + muzzle + lips + groove + chin + philtrum + _wrinkles(f, ax, y)


def nasolabial(f: dict, ax: torch.Tensor, y: torch.Tensor, width: float) -> torch.Tensor:
    """Return the folds from the nose's wings past the mouth's corners, 1 at their bottom: (B, H, W)."""
    at = f["nose_width"] + 0.08 + (f["nose_y"] - y).clamp(0, 0.6) * (0.42 + 0.22 * f["au12"])
    return hump(ax - at, width) * hump(y - f["nose_y"] + 0.22, 0.24)


def nasolabial_pull(f: dict) -> torch.Tensor:
    """Return the activity of the units that deepen these folds, about 0 to 2: (B, 1, 1)."""
    return f["au12"] + 1.3 * f["au09"] + f["au10"]


def _wrinkles(f: dict, ax: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return wrinkles: forehead (AU 1, 2, age), between the brows (AU 4), nose root (AU 9), crow's feet (AU 6)."""
    old = ((f["age"] - 30) / 45).clamp(0, 1)
    fore = (0.5 * old + 0.75 * f["au01"] + 0.5 * f["au02"]) * torch.cos((y - 0.3 * ax * ax) * 48)
    fore = fore * bell(ax, y - f["brow_y"] - 0.34, 0.5, 0.16)
    frown = -(f["au04"] * 1.8 + 0.3 * old) * bell(ax - 0.075, y - f["brow_y"] + 0.02, 0.032, 0.13)
    root = f["au09"] * torch.cos((y - 0.35 * ax) * 46) * bell(ax - 0.07, y - 0.08, 0.14, 0.16)
    ex, ey = ax - f["eye_x"], y - f["eye_y"]
    crow = (f["au06"] + 0.4 * old) * torch.cos(ey * 62 + ax * 6) * bell(ex - 0.31, ey + 0.02, 0.08, 0.13)
    bags = -(0.8 * old + 0.5 * f["au06"]) * bell(ex, ey + 0.17 + 0.3 * ex.square(), 0.2, 0.03)
    return 0.013 * (fore + 1.6 * frown + 1.9 * root + 0.8 * crow + 1.2 * bags)


def normals(depth: torch.Tensor, step: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the unit normals nx, ny, nz of a height field in the camera's frame, (B, H, W) each."""
    padded = torch.nn.functional.pad(depth[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    gx = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / (2 * step)
    gy = (padded[:, :-2, 1:-1] - padded[:, 2:, 1:-1]) / (2 * step)
    nz = torch.rsqrt(1 + gx * gx + gy * gy)
    return -gx * nz, -gy * nz, nz
