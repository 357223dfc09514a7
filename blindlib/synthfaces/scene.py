"""Draw what surrounds the face: background, neck, clothes, ears, hair."""

import torch

from blindlib.synthfaces.fields import bell, edge, look_up
from blindlib.synthfaces.skin import rgb


def background(f: dict, p: torch.Tensor, q: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Draw two colours out of focus, a slope and soft shapes: (B, 3, H, W), linear."""
    one, two = (torch.stack([f[f"{n}_{c}"] for c in "rgb"], 1) for n in ("back", "back2"))
    shapes = look_up(noise[:, :1, :9, :9].contiguous(), p / 2.6, q / 2.6)[:, 0]
    share = (0.5 - 0.22 * q + 0.65 * f["back_mix"] * shapes).clamp(0, 1)[:, None]
    return (one + (two - one) * share).square()


def body(f: dict, p: torch.Tensor, q: torch.Tensor, back: torch.Tensor, skin: torch.Tensor, chin: torch.Tensor):
    """Draw neck and clothes over the background: (B, 3, H, W). `skin` (B, 3, 1, 1) is already lit."""
    off = 0.25 * f["yaw"] * 0.0174533
    ap = (p - off).abs()
    neck = edge(f["neck"] + 0.10 * (-q - 1.5).clamp_min(0) - ap, 0.04) * edge(-q - 0.6, 0.1)
    round_ = (1 - (ap / f["neck"]).square()).clamp(0.05, 1).sqrt()
    lit = 1 + 0.45 * f["light_x"] * (p - off) / f["neck"]
    shadow = 1 - 0.55 * edge(q - chin + 0.32, 0.3)
    throat = skin * ((0.25 + 0.75 * round_) * lit.clamp(0.25, 1.6) * shadow * 0.8)[:, None]
    back = back + (throat - back) * neck[:, None]
    cloth = torch.stack([f[f"cloth_{c}"] for c in "rgb"], 1)
    collar = -1.66 - 0.16 * (ap - f["neck"]).clamp_min(0) - 0.28 * (f["neck"] - ap).clamp(0, 0.35)
    folds = 0.85 + 0.1 * torch.cos(ap * 9 + q * 4)
    cloth = cloth * (folds * lit.clamp(0.35, 1.5) * (f["key"] * 0.6 + f["ambient"]))[:, None]
    return back + (cloth - back) * edge(collar - q, 0.035)[:, None]


def ears(f: dict, p: torch.Tensor, q: torch.Tensor, back: torch.Tensor, skin: torch.Tensor) -> torch.Tensor:
    """Draw ears beside the head: (B, 3, H, W)."""
    yaw = f["yaw"] * 0.0174533
    side = torch.where(p > 0, 1.0, -1.0)
    at = f["head_width"] + 0.015 - 0.15 * yaw.abs() - side * yaw * 0.2
    ex, ey = (p.abs() - at) / (f["ear_size"] * 0.62), (q + 0.05 - 0.25 * f["pitch"] * 0.0174533) / (f["ear_size"] * 1.5)
    radius = ex.square() + ey.square()
    tone = (0.62 + 0.3 * edge(radius - 0.5, 0.25)) * (1 + 0.4 * f["light_x"] * side).clamp(0.3, 1.6)
    ear = skin * tone[:, None] * rgb(1.0, 0.86, 0.84, device=p.device)
    return back + (ear - back) * edge(1 - radius, 0.15)[:, None]


def hair_masks(f: dict, p, q, x, y, head: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the masks of hair behind the head and on it: (B, H, W) each."""
    length, volume = f["hair_length"], f["hair_volume"].clamp(0.02, 0.4)
    long = edge(length - 0.1, 0.25)
    yaw = f["yaw"] * 0.0174533
    wave = 1 + 0.035 * f["curl"] * torch.sin(q * 11 + 2 * torch.sin(p * 7))
    wide = (f["head_width"] * 0.97 + volume * 0.75) * wave
    over, up = ((p + 0.25 * yaw) / wide).abs(), (q / (f["skull"] + 0.8 * volume)).abs()
    dome = edge(1 - over * over * (0.6 + 0.4 * over) - up * up * (0.6 + 0.4 * up), 0.06)
    end = -0.12 - long * (0.35 + 0.75 * length.clamp(0, 1.6))
    fall = edge((wide + 0.10 * long * (-q).clamp(0, 1.2)) - (p + 0.3 * yaw).abs(), 0.05) * edge(0.1 - q, 0.1)
    behind = dome * edge(q - end, 0.1) + fall * edge(q - end + 0.12 * torch.cos(p * 4), 0.08) * (1 - dome)
    bangs = edge(f["fringe"] - 0.25, 0.35)
    sweep = 0.10 * torch.sin((x - f["parting"]) * 4.5)
    line = f["hairline"] - 0.25 * bangs - 0.16 * (x - 0.4 * f["parting"]).square() - sweep * (0.4 + bangs)
    line = line + 0.05 * torch.cos(x * 21 + 3 * f["parting"]) * (0.35 + bangs)
    temple = 0.90 * f["head_width"] - 0.10 * long + 0.05 * edge(0.3 - y, 0.3) * (1 - long)
    lowest = -0.12 - f["sideburn"] - long * 0.6
    sides = edge(x.abs() - temple + 0.08 * f["sideburn"], 0.05) * edge(y - lowest, 0.15)
    front = torch.maximum(edge(y - line, 0.05), sides) * torch.maximum(head, behind)
    thin = edge(f["hair_length"] + 2.75, 0.3)  # the shortest are bald
    return behind.clamp(0, 1) * thin, front * thin


def hair_shade(f: dict, p, q, noise: torch.Tensor) -> torch.Tensor:
    """Return the light on hair: strands, a bright band on top, darkness near the neck: (B, H, W), a factor."""
    curl = f["curl"].clamp(0, 1)
    angle = torch.atan2(p, q + 0.6)
    radius = torch.sqrt(p * p + (q + 0.3).square())
    straight = look_up(noise[:, 1:2], angle * 0.62 + 0.02 * torch.sin(radius * 9), radius * 0.22 - 0.4)[:, 0]
    curly = look_up(noise[:, 2:3], p / 1.3, q / 1.3)[:, 0]
    strand = straight + (curly - straight) * curl
    top = bell(q - 1.12 - 0.2 * f["light_y"], p - 0.5 * f["light_x"], 0.28, 0.75) * (1 - 0.6 * curl)
    side = (1 + 0.5 * f["light_x"] * p).clamp(0.3, 1.7)
    low = 0.45 + 0.55 * edge(q + 0.5, 0.9)
    lit = (0.75 + 0.26 * strand).clamp(0.25, 1.5) * side * low * (f["key"] * 0.7 + f["ambient"])
    return (lit + 0.55 * top).clamp(0.05, 3)
