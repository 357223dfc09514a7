"""Define expressions as FACS action units (Du, Tao & Martínez, PNAS 2014, table 1), and how subjects vary them."""

from dataclasses import dataclass

import numpy as np

ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 17, 20, 23, 24, 25, 26)


@dataclass(frozen=True)
class Prototype:
    """Define the action units of an expression."""

    always: tuple[int, ...]  # used by more than 70 % of the subjects who posed it
    often: dict[int, float]  # each further unit, and the share of subjects who used it


BASIC = {
    "neutral": Prototype((), {}),
    "happiness": Prototype((12, 25), {6: 0.51}),
    "sadness": Prototype((4, 15), {1: 0.60, 6: 0.50, 17: 0.67}),
    "fear": Prototype((1, 4, 20, 25), {2: 0.57, 5: 0.63, 26: 0.33}),
    "anger": Prototype((4, 7, 24), {10: 0.26, 17: 0.52, 23: 0.29}),
    "surprise": Prototype((1, 2, 25, 26), {5: 0.66}),
    "disgust": Prototype((9, 10, 17), {4: 0.31, 24: 0.26}),
}
COMPOUND = {
    "happily surprised": Prototype((1, 2, 12, 25), {5: 0.64, 26: 0.67}),
    "happily disgusted": Prototype((10, 12, 25), {4: 0.32, 6: 0.61, 9: 0.59}),
    "sadly fearful": Prototype((1, 4, 20, 25), {2: 0.46, 5: 0.24, 6: 0.34, 15: 0.30}),
    "sadly angry": Prototype((4, 15), {6: 0.26, 7: 0.48, 17: 0.50}),
    "sadly surprised": Prototype((1, 4, 25, 26), {2: 0.27, 6: 0.31}),
    "sadly disgusted": Prototype((4, 10), {1: 0.49, 6: 0.61, 9: 0.20, 15: 0.54, 17: 0.47, 25: 0.43}),
    "fearfully angry": Prototype((4, 20, 25), {5: 0.40, 7: 0.39, 10: 0.30}),
    "fearfully surprised": Prototype((1, 2, 5, 20, 25), {4: 0.47, 10: 0.35, 26: 0.51}),
    "fearfully disgusted": Prototype((1, 4, 10, 20, 25), {2: 0.64, 5: 0.50, 6: 0.26, 9: 0.28, 15: 0.33}),
    "angrily surprised": Prototype((4, 25, 26), {5: 0.35, 7: 0.50, 10: 0.34}),
    "angrily disgusted": Prototype((4, 10, 17), {7: 0.60, 9: 0.57, 24: 0.36}),
    "disgustedly surprised": Prototype((1, 2, 5, 10), {4: 0.45, 9: 0.37, 17: 0.66, 24: 0.33}),
    "appalled": Prototype((4, 10), {6: 0.25, 9: 0.56, 17: 0.67, 24: 0.36}),
    "hatred": Prototype((4, 7, 10), {9: 0.29, 17: 0.63, 24: 0.37}),
    "awed": Prototype((1, 2, 5, 25), {4: 0.21, 20: 0.62, 26: 0.56}),
}
PROTOTYPES = {**BASIC, **COMPOUND}


def personal_style(rng: np.random.Generator) -> np.ndarray:
    """Draw how strongly one subject moves each action unit: factors around 1, (16,)."""
    return np.exp(rng.normal(0, 0.25, len(ACTION_UNITS)))


def draw_units(
    emotion: str, style: np.ndarray, rng: np.random.Generator, strength: tuple[float, float] = (0.45, 1.0)
) -> np.ndarray:
    """Draw the intensities (16,) of one image's action units: 0 (absent) to 1.25, in the order of `ACTION_UNITS`.

    `style` (16,) is the subject's `personal_style`, `strength` the range of the expression's overall intensity, 0 to 1
    of FACS's range A to E. Every unit also varies slightly at random, so neutral faces differ.

    Source: Du, Tao & Martínez 2014, table 1: units of more than 70 % always, rarer ones by their share. AU 11 is
    omitted: the renderer has no separate nasolabial deepener. Intensities and variation are our choice.
    """
    prototype = PROTOTYPES[emotion]
    overall = rng.uniform(*strength)
    coin, jitter, twitch = rng.random(16), rng.normal(1, 0.2, 16), np.abs(rng.normal(0, 0.06, 16))
    share = np.array([1.0 if u in prototype.always else prototype.often.get(u, 0.0) for u in ACTION_UNITS])
    return np.clip((coin < share) * overall * jitter.clip(0.3) * style + twitch, 0, 1.25)
