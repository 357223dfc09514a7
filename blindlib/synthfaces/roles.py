"""Make the subjects of the paper's four data roles and of its backbone from SynthFaces; no subject has two roles.

demographics   DiveFace-like: 2 genders x 3 groups, balanced, found images; gender and group are labelled
emotion        CFEE-like: posed, frontal, one image of each expression; the expression is labelled
verification   LFW-like: found images and pairs in folds; only identity is labelled
attractive     CelebA-like: found images; `attractive` and `smiling` are labelled
backbone       found images of other subjects, each with a habitual expression, for the backbone alone
"""

from collections.abc import Callable, Iterable
from itertools import combinations

import numpy as np
import pandas as pd

from blindlib.common.files import digest
from blindlib.common.work import derive_seed
from blindlib.settings import GENDERS, SynthSettings
from blindlib.synthfaces.expressions import BASIC, draw_units, personal_style
from blindlib.synthfaces.factors import (
    FACTORS,
    GROUPS,
    POSED,
    STREET,
    TRAITS,
    UNITS,
    Studio,
    draw_identity,
    draw_photograph,
)
from blindlib.synthfaces.render import RENDERER_VERSION

EVERYDAY = {  # expressions of found images; our choice: most photographs show smiling or neutral faces
    "neutral": 0.42,
    "happiness": 0.38,
    "surprise": 0.06,
    "sadness": 0.05,
    "anger": 0.04,
    "disgust": 0.025,
    "fear": 0.025,
}
HABITS = dict.fromkeys(EVERYDAY, 0.11) | {"neutral": 0.22, "happiness": 0.23}  # of the backbone's subjects: our choice
HABIT_SHARE = 0.8  # of a subject's images that show their habit
UNSMILING = {"neutral": 0.72, "surprise": 0.08, "sadness": 0.08, "anger": 0.08, "disgust": 0.04}
# Attractiveness: weights of visible traits in s.d. of the subject's own gender and group, so that ratings favour no
# gender and no group; smiling does not count. Noise is the annotators', in s.d. of the weighted sum.
BEAUTY = {"nose_y": 1.0, "head_width": -1.0, "age": -0.8, "mottle": -0.5, "eye_size": 0.5}
ANNOTATOR_NOISE = 0.35
_BASIC = [(emotion, POSED) for emotion in BASIC]


def _album(
    role: str, people: int, shots: list[tuple[str, Studio]] | int, seed: int, habit=None, *, first: int = 0
) -> pd.DataFrame:
    """Make the rows of a role's subjects from number `first` on; genders and groups alternate.

    `shots` lists the images of every subject, or is a number of images drawn by the subject's `habit`.
    """
    rows = []
    for number in range(first, first + people):
        rng = np.random.default_rng(derive_seed(seed, "synthfaces", role, number))
        gender, group = GENDERS[number % 2], GROUPS[number // 2 % 3]
        traits = draw_identity(rng, gender, group)
        style, texture = personal_style(rng), int(rng.integers(2**32))
        wanted = shots if isinstance(shots, list) else [(show(), STREET) for show in [habit(rng)] * shots]
        for k, (emotion, studio) in enumerate(wanted):
            units = draw_units(emotion, style, rng, studio.strength)
            rows.append(
                {
                    "image": f"{role}/{number:05d}/{k:02d}.png",
                    "identity": f"{role}-{number:05d}",
                    "emotion": emotion,
                    "gender": gender,
                    "ethnicity": group,
                    **traits,
                    **draw_photograph(rng, studio),
                    **dict(zip(UNITS, units, strict=True)),
                    "person": texture,
                    "shot": int(rng.integers(2**32)),
                }
            )
    frame = pd.DataFrame(rows)
    numbers = frame[list(FACTORS)].astype(np.float32)
    return pd.concat([frame.drop(columns=list(FACTORS)), numbers], axis=1)


def _pick(rng: np.random.Generator, shares: dict[str, float]) -> str:
    return str(rng.choice(list(shares), p=list(shares.values())))


def _everyday(rng: np.random.Generator) -> Callable[[], str]:
    """Return a function that draws the expression of a found image."""
    return lambda: _pick(rng, EVERYDAY)


def _smiling_or_not(rng: np.random.Generator) -> Callable[[], str]:
    """Return a function that draws expressions, half of them happiness and the others not."""
    return lambda: "happiness" if rng.random() < 0.5 else _pick(rng, UNSMILING)


def _habitual(rng: np.random.Generator) -> Callable[[], str]:
    """Return a function that draws a subject's expressions, most of them one habitual expression."""
    habit = _pick(rng, HABITS)
    return lambda: habit if rng.random() < HABIT_SHARE else _pick(rng, EVERYDAY)


def make_roles(config: SynthSettings, seed: int) -> pd.DataFrame:
    """Make the ground truth of every image of the four roles.

    Returns
    -------
    DataFrame
        A row an image: `role`, `image`, `identity`, `emotion`, `gender`, `ethnicity`, `smiling`, `attractive` (missing
        outside their role), the columns `FACTORS`, the seeds `person` and `shot`, and `sha256` of all that the image
        depends on. It includes labels that a role's data set would not have.
    """
    verified = config.folds * config.fold_people
    parts = {
        "demographics": _album("demographics", config.demographics, config.demographics_images, seed, _everyday),
        "emotion": _album("emotion", config.emotion, _BASIC, seed),
        "verification": _album("verification", verified, config.verification_images, seed, _everyday),
        "attractive": _album("attractive", config.attractive, config.attractive_images, seed, _smiling_or_not),
    }
    album = label_attractiveness(pd.concat(parts, names=["role"]).reset_index("role").reset_index(drop=True), seed)
    rated = album["role"] == "attractive"
    return _finish(album.assign(**{name: album[name].where(rated) for name in ("smiling", "attractive")}))


def label_attractiveness(album: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Label `smiling` (shows happiness) and `attractive`: a weighted sum of visible traits and noise, above 0.

    Each image has another annotator, as in CelebA. Smiling and other expressions do not count.
    """
    side = np.where(album["gender"] == "male", 1, -1)
    group = album["ethnicity"].map(GROUPS.index).to_numpy()
    score = np.zeros(len(album))
    for name, weight in BEAUTY.items():
        trait = TRAITS[name]
        expected = side * trait.male + np.array(trait.groups)[group]  # of the subject's gender and group
        score += weight * ((album[name] - trait.mean) / trait.sd - expected)
    scale = np.sqrt(np.square(list(BEAUTY.values())).sum())
    noise = np.random.default_rng(derive_seed(seed, "synthfaces", "annotators")).normal(size=len(album))
    attractive = score / scale + ANNOTATOR_NOISE * noise > 0
    labels = {"smiling": (album["emotion"] == "happiness").to_numpy(), "attractive": np.asarray(attractive)}
    return pd.concat([album, pd.DataFrame(labels, album.index).astype("boolean")], axis=1)


def make_album(people: int, shots: list[tuple[str, Studio]] | int, seed: int) -> pd.DataFrame:
    """Make images of subjects of no role: the same `shots` of every subject, or a number of found images each."""
    album = _album("people", people, shots, seed, _everyday)
    album["image"] = album["image"].str.removeprefix("people/")
    return _finish(album)


def make_more_posed(people: int, first: int, seed: int) -> pd.DataFrame:
    """Make further subjects of the role `emotion` of `make_roles`, from number `first` on, as a larger data set has."""
    return _finish(_album("emotion", people, _BASIC, seed, first=first).assign(role="emotion"))


def make_training_people(people: int, images: int, seed: int) -> pd.DataFrame:
    """Make images of the subjects that train the backbone and have no other role; columns as in `make_roles`."""
    return _finish(_album("backbone", people, images, seed, _habitual).assign(role="backbone"))


def make_sheet(people: int, seed: int, emotions: Iterable[str] = BASIC) -> pd.DataFrame:
    """Make posed images of the expressions (the basic ones) of subjects of no role, by subject, for figures.

    `emotions` are any of `expressions.PROTOTYPES`.
    """
    return _finish(_album("sheet", people, [(emotion, POSED) for emotion in emotions], seed).assign(role="sheet"))


def _finish(album: pd.DataFrame) -> pd.DataFrame:
    """Add `sha256` to an album: of the factors and the seeds, all that an image depends on."""
    rows = zip(album[[*FACTORS]].to_numpy(np.float32), album[["person", "shot"]].to_numpy(), strict=True)
    keys = [digest(RENDERER_VERSION, factors.tobytes().hex(), seeds.tolist()) for factors, seeds in rows]
    return pd.concat([album, pd.Series(keys, album.index, name="sha256")], axis=1)


def make_pairs(album: pd.DataFrame, folds: int, pairs: int, seed: int) -> pd.DataFrame:
    """Make pairs by LFW's protocol: folds share no subject, and have equally many pairs of one and of two subjects.

    Parameters
    ----------
    album : DataFrame
        Rows of the role `verification`, with `identity`; its index numbers the face table's rows.
    folds, pairs : int
        `pairs` of each kind in each fold.

    Returns
    -------
    DataFrame
        `left`, `right` (row numbers), `same` (bool), `fold`; no pair twice.
    """
    rng = np.random.default_rng(derive_seed(seed, "synthfaces", "pairs"))
    people = [rows.to_numpy() for _, rows in album.groupby("identity", sort=True).groups.items()]
    rows = []
    for fold in range(folds):
        members = people[fold::folds]
        inside = [pair for photographs in members for pair in combinations(photographs, 2)]
        same = [inside[k] for k in rng.permutation(len(inside))[:pairs]]
        different: set[tuple[int, int]] = set()
        while len(different) < pairs:
            a, b = rng.choice(len(members), 2, replace=False)
            different.add((int(rng.choice(members[min(a, b)])), int(rng.choice(members[max(a, b)]))))
        rows += [(left, right, True, fold) for left, right in same]
        rows += [(left, right, False, fold) for left, right in sorted(different)]
    return pd.DataFrame(rows, columns=["left", "right", "same", "fold"])
