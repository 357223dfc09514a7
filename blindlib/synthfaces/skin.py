"""Compute reflectance, skin from melanin and haemoglobin, hair, lips, iris, as linear RGB (B, 3, H, W)."""

import torch

from blindlib.synthfaces.fields import band, bell, edge, look_up

# Optical densities of bare skin and of one unit of each pigment, for red, green, blue. Two pigments span the colour of
# skin: Tsumura, Haneishi & Miyake 1999. Values: our choice, by eye, to cover realistic skin colours.
_BARE = (0.20, 0.40, 0.60)
_MELANIN = (1.75, 2.30, 2.85)
_HAEMOGLOBIN = (0.10, 0.75, 0.52)
_LIP = (0.22, 0.95, 0.62)
_BLOND, _BLACK = (0.45, 0.75, 1.30), (3.45, 3.65, 3.75)
_RED = (-0.10, 0.55, 0.75)
_BLUE, _GREEN, _BROWN = (0.16, 0.27, 0.42), (0.17, 0.22, 0.10), (0.085, 0.040, 0.016)  # irises, as linear RGB


def rgb(*values: float, device) -> torch.Tensor:
    """Return three numbers as a colour that broadcasts: (1, 3, 1, 1)."""
    return torch.tensor(values, device=device).view(1, 3, 1, 1)


def hair_colour(f: dict, late: float = 0.0) -> torch.Tensor:
    """Return the linear colour of the hair, grey with age, or `late` years later for brows: (B, 3, 1, 1)."""
    device = f["hair_melanin"].device
    blond, black, red = (rgb(*c, device=device) for c in (_BLOND, _BLACK, _RED))
    dark = f["hair_melanin"][:, None].clamp(0, 1.15)
    colour = torch.exp(-(blond + (black - blond) * dark + red * f["hair_red"][:, None].clamp(0, 1)))
    grey = ((f["age"][:, None] - 46 - late) / 26).clamp(0, 0.9)
    return colour + (rgb(0.42, 0.42, 0.44, device=device) - colour) * grey


def plain(f: dict) -> torch.Tensor:
    """Return a subject's skin without its variation, for neck and ears: (B, 3, 1, 1)."""
    device = f["melanin"].device
    density = rgb(*_BARE, device=device) + f["melanin"][:, None].clamp(0.06, 0.85) * rgb(*_MELANIN, device=device)
    return torch.exp(-density - f["haemoglobin"][:, None].clamp(0.1, 0.9) * rgb(*_HAEMOGLOBIN, device=device))


def skin_colour(f: dict, x, y, texture: torch.Tensor, brow: torch.Tensor, beard: torch.Tensor) -> torch.Tensor:
    """Return skin with blood, mottling, freckles, stubble and brows: (B, 3, H, W).

    x, y (B, H, W) are face coordinates, `texture` is from `skin_texture`, `brow` and `beard` (B, H, W) are hair masks.
    """
    device = x.device
    ax = x.abs()
    coarse, middle, fine = texture[:, 0], texture[:, 1], texture[:, 2]
    blush = 0.30 * bell(ax - 0.55, y + 0.32, 0.26, 0.2) + 0.30 * bell(x, y - f["nose_y"], 0.16, 0.14)
    blush = blush + 0.12 * bell(x, y + 1.2, 0.3, 0.2) - 0.10 * bell(x, y - 0.75, 0.6, 0.25)
    spots = edge(fine + 0.6 * middle - 1.7, 0.5) * f["freckles"].clamp(0, 1.2)
    spots = spots * bell(ax - 0.25, y + 0.15, 0.45, 0.35)
    eyelid = 0.20 * bell(ax - f["eye_x"], y - f["eye_y"] - 0.02, 0.30, 0.19)  # thin skin is darker
    old = ((f["age"] - 35) / 40).clamp(0, 1)
    melanin = f["melanin"].clamp(0.06, 0.85) + f["mottle"] * (0.6 * coarse + 0.4 * middle) + 0.35 * spots + eyelid
    melanin = melanin + 0.06 * old * edge(middle + coarse - 1.2, 0.4)
    blood = f["haemoglobin"].clamp(0.1, 0.9) * (1 + blush) + 0.08 * middle + 0.05 * fine
    density = (
        rgb(*_BARE, device=device)
        + melanin[:, None] * rgb(*_MELANIN, device=device)
        + blood[:, None] * rgb(*_HAEMOGLOBIN, device=device)
        + f["yellow"][:, None] * rgb(-0.2, 0.0, 1.6, device=device)
    )
    colour = torch.exp(-density)
    hair, strand = hair_colour(f), (0.85 + 0.25 * fine).clamp(0.3, 1.5)[:, None]
    cover = (brow * f["brow_density"].clamp(0.45, 0.97))[:, None]
    colour = colour + (hair_colour(f, 14.0) * 0.45 * strand - colour) * cover
    shade = (beard * (0.75 + 0.25 * fine).clamp(0.2, 1))[:, None]
    return colour + (hair * 0.9 + 0.012 - colour) * shade


def stubble(f: dict, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the density of the beard: (B, H, W)."""
    ax = x.abs()
    low = y - f["mouth_y"]
    jaw = edge(-low + 0.05 + 0.65 * (ax - 0.35).clamp_min(0), 0.16)
    moustache = band(low - 0.14, 0.07, 0.06) * edge(f["mouth_width"] * 1.05 - ax, 0.08)
    soul = 1 - bell(ax, low + 0.18, 0.3, 0.07) * 0.6
    free = 1 - bell(ax, low, f["mouth_width"] * 0.95, 0.11)
    return (jaw * free * soul + moustache).clamp(0, 1) * (f["beard"] * 0.55).clamp(0, 0.92)


def lip_colour(f: dict, skin: torch.Tensor, mouth: dict) -> torch.Tensor:
    """Draw lips over skin: redder, the upper one darker: (B, 3, H, W)."""
    red = (f["lip_red"].clamp(0, 1.1) * 0.75 + 0.25)[:, None]
    deeper = (0.14 * mouth["upper"] + 0.26)[:, None]
    lips = skin * torch.exp(-red * rgb(*_LIP, device=skin.device) * 0.8 - deeper)
    return skin + (lips - skin) * (mouth["lips"] * 0.92)[:, None]


def mouth_colour(colour: torch.Tensor, mouth: dict) -> torch.Tensor:
    """Draw the open mouth over the lips: dark, with tongue and teeth: (B, 3, H, W)."""
    device = colour.device
    dark, tongue = rgb(0.030, 0.010, 0.010, device=device), rgb(0.28, 0.085, 0.085, device=device)
    teeth = rgb(0.70, 0.66, 0.59, device=device) * (1 - 0.20 * mouth["gaps"][:, None])
    hole = dark + (tongue - dark) * mouth["tongue"][:, None]
    hole = hole + (teeth - hole) * mouth["teeth"][:, None]
    return colour + (hole - colour) * mouth["inside"][:, None]


def eye_colour(f: dict, colour: torch.Tensor, eye: dict) -> torch.Tensor:
    """Draw the eyeball over the skin: sclera, iris by its melanin, pupil, shadow of the lid: (B, 3, H, W)."""
    device = colour.device
    blue, green, brown = (rgb(*c, device=device) for c in (_BLUE, _GREEN, _BROWN))
    light = blue + (green - blue) * f["iris_green"][:, None].clamp(0, 1)
    iris = light + (brown - light) * f["iris_melanin"][:, None].clamp(0.01, 1) ** 0.6
    white = rgb(0.46, 0.43, 0.41, device=device) - rgb(0.0, 0.16, 0.16, device=device) * eye["corner"][:, None]
    ball = white + (iris - white) * eye["iris"][:, None]
    ball = ball * (1 - 0.6 * (eye["ring"] * eye["iris"]))[:, None]
    ball = ball * (1 - 0.96 * eye["pupil"])[:, None]
    ball = ball * (1 - 0.62 * eye["shade"])[:, None]
    return colour + (ball - colour) * eye["open"][:, None]


def skin_texture(noise: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Sample the subject's three noise channels at face coordinates: blotches, patches, pores: (B, 3, H, W)."""
    coarse = look_up(noise[:, :1], x / 6.5, y / 6.5)
    middle = look_up(noise[:, 1:2], x / 2.4, y / 2.4)
    fine = look_up(noise[:, 2:3], x / 1.15 - 0.1, y / 1.15)
    return torch.cat([coarse, middle, fine], 1)
