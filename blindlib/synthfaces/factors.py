"""Define a face by named factors: those of identity belong to a subject, the others to one image."""

from dataclasses import dataclass

import numpy as np

from blindlib.synthfaces.expressions import ACTION_UNITS

GROUPS = ("A", "B", "C")


@dataclass(frozen=True)
class Trait:
    """Define an identity factor's distribution: normal, clipped at ±2.5 s.d., in the renderer's units.

    Half the width of a face is about 1. The distributions of the genders and of the groups overlap.
    """

    mean: float
    sd: float
    male: float = 0.0  # half the distance of the genders' means, in s.d.
    groups: tuple[float, float, float] = (0.0, 0.0, 0.0)  # shift of the three groups' means, in s.d.


TRAITS = {
    "head_width": Trait(0.98, 0.06, 0.6, (-0.34, 1.26, -0.92)),
    "skull": Trait(1.42, 0.05),
    "chin_y": Trait(-1.42, 0.09, -1.0, (0.6, 0.0, -0.6)),
    "jaw": Trait(0.0, 0.062, 1.2, (0.8, 0.0, -0.8)),
    "cheekbone": Trait(0.0, 0.035, -0.4, (-0.57, 1.15, -0.57)),
    "chin_width": Trait(0.24, 0.06, 0.6),
    "chin_depth": Trait(0.07, 0.03, 0.4),
    "cheek_fullness": Trait(0.05, 0.03, -0.5, (-1.15, 0.0, 1.15)),
    "eye_x": Trait(0.415, 0.035, 0.0, (-1.38, 1.49, 0.23)),
    "eye_y": Trait(0.13, 0.05, 0.0, (-1.61, 0.11, 1.49)),
    "eye_size": Trait(0.215, 0.021, -0.8, (0.69, -1.15, 0.46)),
    "eye_open": Trait(0.34, 0.05, -0.4, (0.57, -1.49, 0.57)),
    "eye_tilt": Trait(0.03, 0.06, -0.2, (-0.92, 1.38, -0.46)),
    "eye_depth": Trait(0.11, 0.03, 0.8, (1.26, -1.8, 0.8)),
    "lid_crease": Trait(0.6, 0.25, -0.3, (0.69, -1.5, 0.57)),
    "iris_melanin": Trait(0.55, 0.28, 0.0, (-1.5, 1.4, 1.4)),
    "iris_green": Trait(0.4, 0.25),
    "brow_y": Trait(0.37, 0.04, -1.0, (-0.69, 0.92, -0.23)),
    "brow_thick": Trait(0.06, 0.019, 1.2, (0.23, -0.46, 0.23)),
    "brow_arch": Trait(0.05, 0.025, -0.9, (0.0, -0.69, 0.69)),
    "brow_tilt": Trait(-0.015, 0.03, 0.0, (-0.8, 0.0, 0.8)),
    "brow_inner": Trait(0.17, 0.03, -0.3, (-0.8, 0.92, -0.11)),
    "brow_outer": Trait(0.68, 0.035, 0.3, (0.57, -1.03, 0.46)),
    "brow_density": Trait(0.84, 0.15, 0.8),
    "nose_y": Trait(-0.36, 0.055, 0.2),
    "nose_width": Trait(0.185, 0.03, 0.7, (-1.38, -0.34, 1.5)),
    "nose_bridge": Trait(0.15, 0.04, 0.4, (1.26, -1.49, -0.34)),
    "nose_tip": Trait(0.23, 0.045, 0.4, (0.92, -0.92, 0.34)),
    "nose_ridge": Trait(0.105, 0.018, 0.6, (-1.38, 0.34, 1.38)),
    "nose_bend": Trait(0.0, 0.022),
    "mouth_y": Trait(-0.765, 0.048, -0.2, (0.4, 0.5, -0.8)),
    "mouth_width": Trait(0.37, 0.04, 0.6, (0.0, -0.8, 0.6)),
    "upper_lip": Trait(0.075, 0.02, -0.6, (-1.03, 0.0, 1.38)),
    "lower_lip": Trait(0.105, 0.022, -0.5, (-1.15, 0.0, 1.38)),
    "cupid": Trait(0.3, 0.15),
    "lip_red": Trait(0.5, 0.22, -0.9),
    "melanin": Trait(0.42, 0.17, 0.2, (-1.5, -0.7, 1.7)),
    "haemoglobin": Trait(0.40, 0.13, 0.1, (0.3, -0.1, 0.0)),
    "yellow": Trait(0.0, 0.05, 0.0, (-0.2, 0.6, 0.0)),
    "mottle": Trait(0.06, 0.03),
    "freckles": Trait(-0.2, 0.5, -0.1, (0.5, -0.3, -0.4)),
    "gloss": Trait(0.33, 0.1),
    "hair_melanin": Trait(0.66, 0.24, 0.0, (-1.3, 0.8, 0.9)),
    "hair_red": Trait(0.25, 0.2, 0.0, (0.4, -0.4, -0.4)),
    "hair_length": Trait(0.0, 0.8, -1.3),
    "hair_volume": Trait(0.14, 0.06, -0.4),
    "hairline": Trait(0.93, 0.09, 0.3),
    "parting": Trait(0.0, 0.35),
    "fringe": Trait(-0.3, 0.6, -0.4),
    "curl": Trait(0.3, 0.25, 0.0, (0.0, -0.5, 1.0)),
    "sideburn": Trait(0.0, 0.12, 0.4),
    "beard": Trait(-0.9, 0.75, 1.2),
    "ear_size": Trait(0.17, 0.025, 0.3),
    "neck": Trait(0.56, 0.05, 0.7),
    "lean_eye": Trait(0.0, 0.012),
    "lean_brow": Trait(0.0, 0.016),
    "lean_mouth": Trait(0.0, 0.014),
    "lean_nose": Trait(0.0, 0.016),
    "age": Trait(38.0, 13.0),
}
IDENTITY = tuple(TRAITS)
UNITS = tuple(f"au{unit:02d}" for unit in ACTION_UNITS)
PHOTOGRAPH = (
    *("au_lean", "yaw", "pitch", "roll", "scale", "shift_x", "shift_y", "gaze_x", "gaze_y"),  # pose
    *("light_x", "light_y", "key", "ambient", "warmth"),  # light
    *("exposure", "blur", "noise", "jpeg"),  # camera
    *(f"{part}_{channel}" for part in ("back", "back2", "cloth") for channel in "rgb"),
    "back_mix",
)
FACTORS = (*IDENTITY, *UNITS, *PHOTOGRAPH)


def draw_identity(rng: np.random.Generator, gender: str, group: str) -> dict[str, float]:
    """Draw the identity factors of one subject from every trait's distribution for the gender and the group."""
    side, k = (1 if gender == "male" else -1), GROUPS.index(group)
    z = np.clip(rng.normal(size=len(TRAITS)), -2.5, 2.5)
    person = {
        name: trait.mean + trait.sd * (draw + side * trait.male + trait.groups[k])
        for (name, trait), draw in zip(TRAITS.items(), z, strict=True)
    }
    person["age"] = float(np.clip(person["age"], 19, 75))
    return person


@dataclass(frozen=True)
class Studio:
    """Define how images vary: standard deviations, angles in degrees, the rest in the renderer's units."""

    yaw: float
    pitch: float
    roll: float
    shift: float
    light: float  # of the key light's direction
    quality: float  # from 0, a studio camera, to 1, a found photograph: blur, noise, JPEG, exposure
    plain: bool  # whether the background is grey
    strength: tuple[float, float]  # range of an expression's strength


POSED = Studio(2.0, 2.0, 1.0, 0.02, 0.10, 0.15, True, (0.7, 1.0))  # CFEE: frontal, one studio light, trained posers
STREET = Studio(8.5, 5.0, 4.0, 0.05, 0.45, 1.0, False, (0.25, 1.0))  # LFW, CelebA, DiveFace: found photographs


def _clip(value: float, low: float, high: float) -> float:
    """Clip one number; np.clip takes ten times as long."""
    return min(max(value, low), high)


def draw_photograph(rng: np.random.Generator, studio: Studio) -> dict[str, float]:
    """Draw the factors of one image, without its expression."""
    q, plain = studio.quality, studio.plain
    back = rng.uniform(0.45, 0.6) * np.ones(3) if plain else rng.uniform(0.15, 0.8) + rng.normal(0, 0.09, 3)
    back2 = back + (rng.normal(0, 0.02) if plain else rng.normal(0, 0.16) + rng.normal(0, 0.05, 3))
    cloth = rng.uniform(0.03, 0.6) * np.exp(rng.normal(0, 0.35, 3))
    values = {
        "au_lean": rng.normal(0, 0.12),
        "yaw": _clip(rng.normal(0, studio.yaw), -25, 25),
        "pitch": _clip(rng.normal(0, studio.pitch), -14, 14),
        "roll": _clip(rng.normal(0, studio.roll), -12, 12),
        "scale": _clip(rng.normal(1.0, 0.02 + 0.03 * q), 0.88, 1.12),
        "shift_x": rng.normal(0, studio.shift),
        "shift_y": rng.normal(0, studio.shift),
        "gaze_x": _clip(rng.normal(0, 0.04 + 0.1 * q), -0.25, 0.25),
        "gaze_y": _clip(rng.normal(0, 0.02 + 0.05 * q), -0.12, 0.12),
        "light_x": _clip(rng.normal(0, 0.1 + 0.85 * studio.light), -0.8, 0.8),
        "light_y": _clip(rng.normal(0.4, 0.1 + 0.4 * studio.light), -0.1, 0.85),
        "key": _clip(rng.normal(0.95, 0.06 + 0.12 * q), 0.6, 1.3),
        "ambient": _clip(rng.normal(0.42, 0.03 + 0.09 * q), 0.22, 0.7),
        "warmth": rng.normal(0, 0.02 + 0.07 * q),
        "exposure": np.exp(rng.normal(0.03, 0.03 + 0.11 * q)),
        "blur": abs(rng.normal(0, 0.1 + 0.3 * q)),
        "noise": rng.uniform(0.5, 1.0 + 2.5 * q),
        "jpeg": rng.uniform(92 - 32 * q, 96),
        "back_mix": rng.uniform(0, 1) if not plain else 0.0,
    }
    for name, colour in (("back", back), ("back2", back2), ("cloth", cloth)):
        values |= {f"{name}_{channel}": value for channel, value in zip("rgb", np.clip(colour, 0.02, 0.9), strict=True)}
    return {name: float(value) for name, value in values.items()}
