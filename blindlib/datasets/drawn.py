"""A tiny data set of drawn faces in LFW's layout, quirks of its label files included: nobody's face, for smoke runs."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from blindlib.files import atomic_folder

_SIDE = 64
_HAIR = ((40, 30, 25), (120, 80, 40), (200, 170, 90), (90, 90, 95))
EMOTIONS = ("neutral", "happiness", "surprise")


def make_drawn(root: Path, *, people: int, pairs: int, folds: int, seed: int) -> Path:
    """Draw the data set, unless it is there.

    Parameters
    ----------
    root : Path
        Becomes the folder that holds `lfw/`, `pairs.txt`, `legend.csv` and `lfw_attributes.txt`.
    people : int
        Six images each: two of every emotion.
    pairs, folds : int
        Same and different pairs of each fold; the folds share no person.
    seed : int

    Returns
    -------
    Path
        `root`. The same arguments give the same bytes.
    """
    if root.exists():
        return root
    rng = np.random.default_rng(seed)
    names = [f"Drawn_Person_{n:03d}" for n in range(people)]
    with atomic_folder(root) as folder:
        legend, scores = [], []
        for name in names:
            traits = _traits(rng)
            for number in range(1, 7):
                emotion = EMOTIONS[(number - 1) % 3]
                file = folder / "lfw" / name / f"{name}_{number:04d}.jpg"
                file.parent.mkdir(parents=True, exist_ok=True)
                _draw(traits, emotion, rng).save(file, quality=92)
                legend.append((1, file.name, emotion.upper() if number == 2 else emotion))
                scores.append(_scores(name, number, traits, emotion))
        _write_labels(folder, legend, scores)
        (folder / "pairs.txt").write_text(_pairs(names, pairs, folds, rng))
    return root


def _traits(rng: np.random.Generator) -> dict:
    male, group = rng.random() < 0.5, int(rng.integers(3))
    skin = np.array([(235, 200, 170), (205, 160, 120), (130, 90, 65)][group]) + rng.normal(0, 8, 3)
    return {
        "male": male,
        "group": group,
        "skin": tuple(np.clip(skin, 0, 255).astype(int)),
        "hair": _HAIR[rng.integers(4)],
        "long": not male and rng.random() < 0.8,
        "width": rng.normal(17 + 2 * male, 1.5),
        "height": rng.normal(23, 1.5),
        "eyes": rng.normal(8, 0.9),
        "eye_y": rng.normal(28, 1.2),
        "nose": rng.normal(6, 1.2),
        "mouth": rng.normal(7, 1),
        "mouth_y": rng.normal(44, 1.2),
        "brow": rng.normal(5, 0.9),
        "lip": int(rng.integers(120, 220)),
    }


def _draw(t: dict, emotion: str, rng: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", (_SIDE, _SIDE), tuple(rng.integers(90, 200, 3)))
    pen = ImageDraw.Draw(image)
    cx, cy = 32 + rng.normal(0, 0.7), 34 + rng.normal(0, 0.7)
    w, h = t["width"], t["height"]
    drop = 26 if t["long"] else 2
    pen.ellipse((cx - w - 3, cy - h - 5, cx + w + 3, cy + drop), fill=t["hair"])
    pen.ellipse((cx - w, cy - h, cx + w, cy + h), fill=t["skin"])
    pen.pieslice((cx - w, cy - h - 3, cx + w, cy + h - 14), 190, 350, fill=t["hair"])
    strength = rng.uniform(0.4, 1.1)
    lift = {"neutral": 0, "happiness": 0.5, "surprise": 3}[emotion] * strength
    top = cy - 34 + t["eye_y"]
    for side in (-1, 1):
        x = cx + side * t["eyes"]
        pen.ellipse((x - 3, top - 1.5 - lift / 3, x + 3, top + 1.5 + lift / 3), fill=(245, 245, 245))
        pen.ellipse((x - 1.3, top - 1.3, x + 1.3, top + 1.3), fill=(40, 30, 20))
        pen.line((x - 4, top - t["brow"] - lift, x + 4, top - t["brow"] - lift), fill=t["hair"], width=1 + t["male"])
    pen.line((cx, top + 3, cx - 1.5, top + 3 + t["nose"]), fill=tuple(int(c * 0.75) for c in t["skin"]), width=1)
    lip, y, half = (t["lip"], 60, 60), cy - 34 + t["mouth_y"], t["mouth"]
    if emotion == "surprise":
        pen.ellipse((cx - 3, y - 3 * strength, cx + 3, y + 5 * strength), fill=(70, 20, 20), outline=lip)
    elif emotion == "happiness":
        pen.chord(
            (cx - half, y - 5 * strength, cx + half, y + 5 * strength), 10, 170, fill=(250, 245, 240), outline=lip
        )
    else:
        pen.line((cx - half, y, cx + half, y + rng.normal(0, 0.5)), fill=lip, width=2)
    pixels = np.asarray(image, np.float32) * rng.uniform(0.8, 1.15) + rng.normal(0, 5, (_SIDE, _SIDE, 1))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _scores(name: str, number: int, t: dict, emotion: str) -> list:
    groups = [1.0 if t["group"] == g else -1.0 for g in (1, 0, 2)]  # Asian, White, Black
    return [
        name.replace("_", " "),
        number,
        1.2 if t["male"] else -1.2,
        *groups,
        -1.5,
        0.8 if emotion == "happiness" else -0.8,
        0.3,
        -0.3,
    ]


def _write_labels(folder: Path, legend: list, scores: list) -> None:
    legend = [*legend, legend[0], (2, "facial-expressions_2868588k.jpg", "anger")]
    pd.DataFrame(legend, columns=["user.id", "image", "emotion"]).to_csv(folder / "legend.csv", index=False)
    names = (
        "#",
        "person",
        "imagenum",
        "Male",
        "Asian",
        "White",
        "Black",
        "Indian",
        "Smiling",
        "Attractive Man",
        "Attractive Woman",
    )
    lines = ["# drawn faces in the format of lfw_attributes.txt", "\t".join(names)]
    lines += ["\t".join(map(str, row)) for row in scores]
    (folder / "lfw_attributes.txt").write_text("\n".join(lines) + "\n")


def _pairs(names: list[str], pairs: int, folds: int, rng: np.random.Generator) -> str:
    lines = [f"{folds}\t{pairs}"]
    for people in np.array_split(rng.permutation(names), folds):
        for _ in range(pairs):
            i, j = sorted(rng.choice(6, 2, replace=False) + 1)
            lines.append(f"{rng.choice(people)}\t{i}\t{j}")
        for _ in range(pairs):
            a, b = rng.choice(people, 2, replace=False)
            lines.append(f"{a}\t{rng.integers(1, 7)}\t{b}\t{rng.integers(1, 7)}")
    return "\n".join(lines) + "\n"
