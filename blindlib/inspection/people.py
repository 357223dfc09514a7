"""Which people serve for what: samples of them, folds and parts in which nobody stands twice, and pairs."""

import numpy as np
import pandas as pd

FOLDS = 5  # of pairs
EACH = 20  # pictures of a person, at most: nobody dominates
_PAIRS = 4_000  # of each kind in a fold, at most
_FEWEST = 2  # people with several pictures in a fold, at least


def sample(wanted: np.ndarray, who: np.ndarray, limit: int, rng: np.random.Generator, each: int = EACH) -> np.ndarray:
    """Rows of whole people, drawn until so many rows are reached: sorted, int64.

    `wanted` (N,) bool are the rows that may be taken, `who` (N,) is who is shown; a person brings `each` rows at most.
    """
    rows = rng.permutation(np.flatnonzero(wanted))
    rows = pd.Series(rows).groupby(who[rows]).head(each).to_numpy()
    people = rng.permutation(np.unique(who[rows]))
    place = np.empty(who.max() + 1, int)
    place[people] = np.arange(len(people))
    size = np.bincount(place[who[rows]], minlength=len(people))
    taken = people[: max(1, int((np.cumsum(size) <= limit).sum()))]
    return np.sort(rows[np.isin(who[rows], taken)])


def deal(codes: np.ndarray, who: np.ndarray, shares: tuple[float, ...], rng: np.random.Generator) -> np.ndarray:
    """The part of every row, int64 (n,): people are dealt by the shares, those of every class in proportion.

    A person who shows several classes (`codes` (n,), −1 is none) counts for the one that fewest people show.
    """
    people, own = np.unique(who, return_inverse=True)
    shown = np.zeros((len(people), codes.max() + 1), bool)
    shown[own[codes >= 0], codes[codes >= 0]] = True
    rarity = np.where(shown, shown.sum(0), len(people) + 1)
    order = rng.permutation(len(people))
    order = order[np.argsort(rarity.argmin(1)[order], kind="stable")]
    part = np.empty(len(people), int)
    # The first person of every part's share goes where most is still owed, and so on.
    owed = np.zeros(len(shares))
    for person in order:
        owed += shares
        part[person] = owed.argmax()
        owed[part[person]] -= 1
    return part[own]


def draw_pairs(who: np.ndarray, rng: np.random.Generator) -> tuple[pd.DataFrame, bool]:
    """Pairs of rows of one person and of two: `left`, `right`, `same`, `fold`; and whether they are all that there are.

    Both people of a pair are of one fold, so that a threshold that is set by other folds has not seen them. Empty where
    fewer than `FOLDS` * 2 people have several pictures.
    """
    several = np.flatnonzero(np.bincount(who) > 1)
    if len(several) < FOLDS * _FEWEST:
        return pd.DataFrame({"left": [], "right": [], "same": [], "fold": []}), True
    of_fold = np.empty(who.max() + 1, int)
    of_fold[several] = rng.permutation(len(several)) % FOLDS
    single = np.setdiff1d(np.unique(who), several)
    of_fold[single] = rng.permutation(len(single)) % FOLDS
    every, tables = True, []
    for fold in range(FOLDS):
        rows = np.flatnonzero(of_fold[who] == fold)
        if len(rows) * (len(rows) - 1) // 2 <= 4 * _PAIRS:
            left, right = rows[np.stack(np.triu_indices(len(rows), 1))]
        else:
            left, right, every = *_some_pairs(rows, who, rng), False
        tables.append(pd.DataFrame({"left": left, "right": right, "same": who[left] == who[right], "fold": fold}))
    return pd.concat(tables, ignore_index=True), every


def _some_pairs(rows: np.ndarray, who: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    rows = rows[np.argsort(who[rows], kind="stable")]
    most = np.bincount(who[rows]).max()
    starts = [(lag, np.flatnonzero(who[rows[lag:]] == who[rows[:-lag]])) for lag in range(1, most)]
    same = np.concatenate([np.stack([rows[first], rows[first + lag]]) for lag, first in starts], axis=1)
    same = same[:, rng.permutation(same.shape[1])[:_PAIRS]]
    others = rng.choice(rows, (2, 3 * _PAIRS))
    others = others[:, who[others[0]] != who[others[1]]]
    others = np.unique(np.sort(others, axis=0), axis=1)
    others = others[:, rng.permutation(others.shape[1])[:_PAIRS]]
    return tuple(np.concatenate([same, others], axis=1))
