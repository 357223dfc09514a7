"""Draw facial features, eyes, brows, mouth and nostrils, as masks for the composition with the skin."""

import torch

from blindlib.synthfaces.fields import band, bell, edge, hump


def eyes(f: dict, x: torch.Tensor, y: torch.Tensor, soft: float) -> dict[str, torch.Tensor]:
    """Return the masks of the eyes and their lids.

    Returns
    -------
    dict of Tensor (B, H, W)
        `open` (the visible ball), `iris`, `pupil`, `ring` (the iris's dark rim), `glint`, `lash`, `crease`, `shade`
        (the upper lid's shadow on the ball), `corner` (the red of the inner corner).

    AU 5 lifts the upper lid, AU 6 and 7 narrow the opening, AU 9 squeezes it.
    """
    side = torch.where(x > 0, 1.0, -1.0)
    size = f["eye_size"]
    lx = (x.abs() - f["eye_x"]) / size
    ly = (y - f["eye_y"] - side * f["lean_eye"]) / size - f["eye_tilt"] * lx * 1.4
    squint = 0.32 * f["au06"] + 0.52 * f["au07"] + 0.46 * f["au09"] + 0.12 * f["au04"] + 0.12 * f["au12"]
    raise_ = 0.34 * f["au05"] + 0.06 * f["au01"] + 0.05 * f["au02"]
    upper = (f["eye_open"] * 1.25 * (1 - 0.55 * squint) + raise_).clamp_min(0.08)
    lower = (0.32 + 0.05 * f["au05"] - 0.30 * squint).clamp_min(0.02)
    dome = (1 - lx * lx).clamp_min(0)
    skew = 1 + 0.18 * lx  # the lid's highest point lies a little outside
    top, bottom = upper * dome.sqrt() * dome.sqrt().sqrt() * skew, -lower * dome
    soft = soft / size
    opened = edge(top - ly, soft) * edge(ly - bottom, soft) * edge(1 - lx.abs(), soft)
    ix, iy = lx * side - f["gaze_x"] * 1.5, ly - 0.05 - f["gaze_y"]
    radius = torch.sqrt(ix * ix + iy * iy + 1e-6)
    lash = hump(ly - top - 0.02, 0.09 + 0.03 * lx.clamp(-1, 1)) * edge(1.08 - lx.abs(), 0.12)
    under = 0.35 * hump(ly - bottom, 0.06) * edge(1.0 - lx.abs(), 0.15)
    rise = top + 0.17 + 0.10 * f["lid_crease"] + 0.1 * raise_
    crease = hump(ly - rise, 0.07) * edge(1.1 - lx.abs(), 0.25)
    return {
        "open": opened,
        "iris": edge(0.47 - radius, soft),
        "pupil": edge(0.19 - radius, soft),
        "ring": hump(radius - 0.44, 0.07),
        "glint": bell(ix - 0.14 - 0.2 * f["light_x"], iy - 0.17, 0.075, 0.075),
        "lash": (lash + under).clamp(0, 1),
        "crease": crease * f["lid_crease"].clamp(0, 1),
        "shade": edge(ly - top + 0.17, 0.2),
        "corner": bell(lx + 0.93, ly, 0.13, 0.16),
    }


def brows(f: dict, x: torch.Tensor, y: torch.Tensor, soft: float) -> torch.Tensor:
    """Return the mask of the eyebrows: AU 1 lifts the inner ends, AU 2 the outer; AU 4 lowers and joins them.

    With AU 1, AU 4 joins the inner ends without lowering them: the oblique brows of sadness and fear.
    """
    side = torch.where(x > 0, 1.0, -1.0)
    inner = f["brow_inner"] - 0.07 * f["au04"] - 0.03 * f["au09"]
    t = (x.abs() - inner) / (f["brow_outer"] - inner)
    s = t.clamp(0, 1)
    arch = f["brow_arch"] * 4 * s * (1.1 - s) * (1 - 0.45 * f["au04"])
    line = f["brow_y"] + f["brow_tilt"] * (s - 0.4) + arch + side * f["lean_brow"] * (1 + 0 * s)
    line = line + f["au01"] * 0.17 * (1 - s).square() + f["au02"] * 0.13 * s * (1.4 - 0.6 * s)
    line = line - f["au04"] * (0.15 * (1 - s) * (1 - 0.8 * f["au01"].clamp(0, 1)) + 0.06)
    line = line - f["au09"] * 0.08 * (1 - 0.7 * s) - f["au06"] * 0.015 * s
    line = torch.maximum(line, f["eye_y"] + 0.05 + 0.6 * f["brow_thick"])  # brows stay above the lids
    half = f["brow_thick"] * (1 - 0.72 * s * s) * (0.75 + 0.25 * edge(s - 0.12, 0.15))
    return edge(half - (y - line).abs(), soft + 0.015) * edge(t + 0.02, 0.07) * edge(1 - t, 0.08)


def mouth(f: dict, x: torch.Tensor, y: torch.Tensor, soft: float) -> dict[str, torch.Tensor]:
    """Return the masks of the lips and the inside of the mouth.

    Returns
    -------
    dict of Tensor (B, H, W)
        `lips`, `upper` (1 on the upper lip), `inside`, `teeth`, `gaps` (between teeth), `tongue`, `line` (where closed
        lips meet), `shine` (of the lower lip), `corner` (the dimple), `below` (the lower lip's shadow).

    AU 12 pulls the corners up and out, 15 down, 20 sideways; 10 lifts the upper lip off the teeth, 17 the lower; 23 and
    24 thin and press them; 25 parts them; 26 drops the jaw.
    """
    side = torch.where(x > 0, 1.0, -1.0)
    lean = 1 + side * f["au_lean"]
    smile, droop, stretch = f["au12"] * lean, f["au15"] * lean, f["au20"]
    press = (f["au24"] + 0.6 * f["au23"]).clamp(0, 1.3)
    width = f["mouth_width"] * (1 + 0.36 * smile + 0.26 * stretch - 0.15 * f["au24"] - 0.10 * f["au23"])
    width = width * (1 - 0.20 * f["jaw_drop"] * (1 - 0.6 * f["au12"].clamp(0, 1))) * (1 - 0.06 * f["au17"])
    mx = x / width
    m2 = mx * mx
    dome = (1 - m2).clamp_min(0)
    centre = f["mouth_y"] + side * f["lean_mouth"] * mx.abs().clamp(0, 1) + 0.045 * f["au17"]
    centre = centre + m2 * (0.19 * smile - 0.165 * droop - 0.05 * stretch - 0.05 * f["au17"] + 0.015)
    snarl = f["au10"] * (1 - m2 * m2).clamp_min(0)  # lifts the middle of the lip evenly: a square mouth
    centre = centre + 0.05 * snarl
    centre = centre - 0.03 * f["au12"]
    bite = (0.95 - 0.62 * press - 0.25 * stretch).clamp_min(0.22)
    gap = (f["au25"] * 0.055 + f["jaw_drop"] * 0.06) * (1 - 0.7 * press).clamp_min(0)
    gap_up = gap + 0.06 * snarl + 0.02 * f["au12"] * f["au25"]
    gap_low = gap + 0.36 * f["jaw_drop"] + 0.035 * stretch * f["au25"] + 0.055 * f["au12"] * f["au25"]
    parted = edge(f["au25"] + 1.5 * f["jaw_drop"] + 0.6 * f["au10"] * (1 - 0.8 * press).clamp_min(0) - 0.28, 0.2)
    shape = dome.sqrt() * (0.35 + 0.65 * dome)
    in_top, in_low = centre + gap_up * parted * dome, centre - gap_low * parted * (0.45 * dome.sqrt() + 0.55 * dome)
    cupid = 1 - f["cupid"] * 0.9 * hump(mx, 0.13)
    up = f["upper_lip"] * bite * shape * cupid * (1 - 0.15 * f["au12"]) * (1 + 0.12 * f["au10"])
    low = f["lower_lip"] * bite * shape * (1 + 0.2 * f["au17"]) * (1 - 0.12 * f["au12"])
    low = low * (1 - 0.25 * f["jaw_drop"])
    inside = edge(in_top - y, soft) * edge(y - in_low, soft) * edge(1 - mx.abs(), 0.08) * parted
    outline = edge(in_top + up - y, soft) * edge(y - in_low + low, soft) * edge(1 - mx.abs(), 0.06)
    upper = edge(y - 0.5 * (in_top + in_low), 0.01 + 0.5 * (in_top - in_low).clamp_min(0))
    reach = (0.10 + 0.08 * f["au12"] - 0.03 * f["jaw_drop"]) * (0.35 + 0.65 * dome)
    teeth = edge(y - (in_top - reach), soft) * inside * (0.1 + 0.9 * edge(0.8 - mx.abs(), 0.2))
    low_teeth = edge(in_low + 0.05 + 0.03 * stretch - y, soft) * inside * (0.5 * stretch + 0.15).clamp(0, 0.8)
    return {
        "lips": outline,
        "upper": upper,
        "inside": inside,
        "teeth": (teeth + low_teeth * (1 - teeth)).clamp(0, 1),
        "gaps": band(torch.remainder(mx * 5.5 + 0.5, 1.0) - 0.5, 0.06, 0.07),
        "tongue": bell(mx, y - in_low, 0.5, 0.14) * f["jaw_drop"].clamp(0, 1),
        "line": hump(y - centre, 0.022 + 0.012 * press) * edge(1.04 - mx.abs(), 0.08) * (1 - parted),
        "shine": bell(mx, y - (in_low - 0.45 * low), 0.45, 0.03),
        "corner": bell(mx.abs() - 1.04, y - centre + 0.05 * droop, 0.10, 0.05 + 0.03 * droop.clamp_min(0))
        * (0.3 + smile + droop).clamp(0, 1.3),
        "below": bell(mx, y - in_low + low + 0.05, 0.55, 0.05),
    }


def nostrils(f: dict, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the mask of the nostrils; AU 9 and 10 lift and widen them."""
    flare = 1 + 0.18 * f["au09"] + 0.08 * f["au10"] + 0.05 * f["au12"]
    up = 0.03 * f["au09"] + 0.012 * f["au10"]
    ax = (x - 2 * f["lean_nose"]).abs()
    height = y - f["nose_y"] + 0.085 - up - 0.12 * (ax - 0.1)
    return bell(ax - f["nose_width"] * 0.52 * flare, height, 0.062 * flare, 0.032)
