"""Deal subjects into samples, parts and folds, so that none has two roles; and draw pairs of their images."""

import numpy as np
import pandas as pd

FOLDS = 5  # of pairs
EACH = 20  # images of a subject, at most: none dominates
_PAIRS = 4_000  # of each kind in a fold, at most
_FEWEST = 2  # subjects with several images in a fold, at least


def sample(wanted: np.ndarray, who: np.ndarray, limit: int, rng: np.random.Generator, each: int = EACH) -> np.ndarray:
    """Draw whole subjects until `limit` rows are reached: sorted rows, int64.

    `wanted` (N,) bool marks the rows to draw from, `who` (N,) has subjects; each brings at most `each` rows.
    """
    rows = rng.permutation(np.flatnonzero(wanted))
    rows = pd.Series(rows).groupby(who[rows]).head(each).to_numpy()
    subjects = rng.permutation(np.unique(who[rows]))
    size = np.bincount(who[rows])[subjects]
    taken = subjects[: max(1, int((np.cumsum(size) <= limit).sum()))]
    return np.sort(rows[np.isin(who[rows], taken)])


def deal(codes: np.ndarray, who: np.ndarray, shares: tuple[float, ...], rng: np.random.Generator) -> np.ndarray:
    """Deal subjects into parts by the shares, those of each class in proportion: the part of each row, int64 (n,).

    A subject with several classes (`codes` (n,), −1 is none) counts for the one that fewest subjects show.
    """
    subjects, own = np.unique(who, return_inverse=True)
    shown = np.zeros((len(subjects), codes.max() + 1), bool)
    shown[own[codes >= 0], codes[codes >= 0]] = True
    rarity = np.where(shown, shown.sum(0), len(subjects) + 1)
    order = rng.permutation(len(subjects))
    order = order[np.argsort(rarity.argmin(1)[order], kind="stable")]
    part, owed = np.empty(len(subjects), int), np.zeros(len(shares))
    for subject in order:  # each goes where most is owed
        owed += shares
        part[subject] = owed.argmax()
        owed[part[subject]] -= 1
    return part[own]


def draw_pairs(who: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Draw pairs of rows of one subject and of two: `left`, `right`, `same`, `fold`.

    Both subjects of a pair are of one fold: no threshold set on other folds has seen them. The table is empty where
    fewer than 10 subjects have several images.
    """
    count = np.bincount(who)
    several = np.flatnonzero(count > 1)
    if len(several) < FOLDS * _FEWEST:
        return pd.DataFrame({"left": [], "right": [], "same": [], "fold": []})
    of_fold = np.empty(len(count), int)
    for subjects in (several, np.flatnonzero(count == 1)):
        of_fold[subjects] = rng.permutation(len(subjects)) % FOLDS
    tables = []
    for fold in range(FOLDS):
        rows = np.flatnonzero(of_fold[who] == fold)
        if len(rows) * (len(rows) - 1) // 2 <= 4 * _PAIRS:
            left, right = rows[np.stack(np.triu_indices(len(rows), 1))]
        else:
            left, right = _some_pairs(rows, who, rng)
        tables.append(pd.DataFrame({"left": left, "right": right, "same": who[left] == who[right], "fold": fold}))
    return pd.concat(tables, ignore_index=True)


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
