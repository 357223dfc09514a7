"""A few pairs of rendered faces and how far apart each representation puts them, beside the threshold of verification.

The pairs are chosen by a rule that looks at no embedding: of the people whom the first split tests, posed in every
expression, in the order of their names, each pair of `RULE` takes the first who is in no pair before it, and, where it
wants two people, the first of the others who fits. Photographs of people are not shown: of them there are no pairs.
"""

import numpy as np
import pandas as pd

from blindlib.blinders.representation import Representation
from blindlib.data.facetable import FaceTable
from blindlib.data.readers.synth import read_album
from blindlib.evaluate.verification import best_threshold, pair_distances
from blindlib.synthfaces.render import render

SAME, ALIKE, UNLIKE = "one person", "two people of one gender and group", "two people of other gender and group"
RULE = (
    (SAME, "neutral", "happiness"),
    (SAME, "anger", "surprise"),
    (SAME, "happiness", "sadness"),
    (ALIKE, "neutral", "neutral"),
    (ALIKE, "happiness", "surprise"),
    (UNLIKE, "happiness", "happiness"),
)
COLUMNS = (
    *("pair", "left", "right", "who", "left_emotion", "right_emotion", "same"),
    *("representation", "distance", "threshold", "accepted"),
)


def choose_pairs(album: pd.DataFrame, tested: np.ndarray) -> pd.DataFrame:
    """The pairs of `RULE` among the posed people of an album of rendered faces.

    Parameters
    ----------
    album : DataFrame
        `role`, `identity`, `gender`, `ethnicity`, `emotion`, a row an image.
    tested : int array
        Rows of the people who may be shown.

    Returns
    -------
    DataFrame
        `pair` (from 1), `left` and `right` (rows of the album), `who`, `left_emotion`, `right_emotion` and `same`. A
        pair that nobody is left for is left out.
    """
    posed = album.iloc[tested]
    posed = posed[posed["role"] == "emotion"].assign(row=lambda rows: album.index.get_indexer(rows.index))
    shown = posed.pivot_table(index="identity", columns="emotion", values="row", aggfunc="min")
    shown = shown.reindex(columns=list({emotion for _, *both in RULE for emotion in both})).dropna().sort_index()
    group = posed.groupby("identity")[["gender", "ethnicity"]].first().loc[shown.index]
    free, pairs = list(shown.index), []
    for number, (who, *emotions) in enumerate(RULE, 1):
        if not free:
            break
        first = free[0]
        differs = (group.loc[free] != group.loc[first]).sum(axis=1)
        fits = differs.index[differs == (0 if who == ALIKE else 2)].drop(first, errors="ignore")
        second = first if who == SAME else next(iter(fits), None)
        if second is None:
            continue
        free = [person for person in free if person not in (first, second)]
        rows = int(shown.at[first, emotions[0]]), int(shown.at[second, emotions[1]])
        pairs.append((number, *rows, who, *emotions, who == SAME))
    return pd.DataFrame(pairs, columns=list(COLUMNS[:7]))


def cosine_distances(z: np.ndarray, pairs: pd.DataFrame) -> np.ndarray:
    """1 − cosine of every pair: z (N, D), pairs with rows `left` and `right` -> float64 (pairs,), 0 to 2.

    Where z keeps one norm, as x and the heads do, it orders pairs as the Euclidean distance of Table 1 does.
    """
    unit = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    return pair_distances(unit, pairs) ** 2 / 2


def example_pairs(representations: list[Representation], study) -> pd.DataFrame:
    """The pairs of `RULE`, their distance in every representation, and whether it takes them for one person.

    Returns
    -------
    DataFrame
        `COLUMNS`: `left` and `right` as names of images; `distance` and `threshold` as cosine distances by the first
        split's head; `accepted` where the distance is at most the threshold. That is the one with the best balanced
        accuracy over the study's verification pairs of people who are not shown and did not train the head. Empty where
        the faces are not rendered, nobody can be shown, or no such pairs are there.
    """
    faces, pairs = study.faces, study.pairs
    empty = pd.DataFrame(columns=list(COLUMNS))
    if faces.source != "synthfaces" or pairs.empty:
        return empty
    split, identity = study.splits[0], faces.frame["identity"].to_numpy()
    chosen = choose_pairs(read_album(faces), split.test)
    if chosen.empty:
        return empty
    known = [*identity[split.head], *identity[chosen[["left", "right"]].to_numpy().ravel()]]
    pairs = pairs[~np.isin(identity[pairs[["left", "right"]]], known).any(axis=1)]
    if pairs["same"].nunique() < 2:
        return empty
    ends = pd.concat([chosen[["left", "right"]], pairs[["left", "right"]]])
    rows, place = np.unique(ends.to_numpy(), return_inverse=True)
    moved = pd.DataFrame(place.reshape(-1, 2), columns=["left", "right"])
    tables = []
    for z in representations:
        distance = cosine_distances(z.rows(0, rows), moved)
        threshold = best_threshold(distance[len(chosen) :], pairs["same"].to_numpy())
        own = distance[: len(chosen)]
        judged = {"distance": own, "threshold": threshold, "accepted": own <= threshold}
        tables.append(chosen.assign(representation=z.name, **judged))
    table, image = pd.concat(tables, ignore_index=True)[list(COLUMNS)], faces.frame["image"]
    return table.assign(left=image[table["left"]].to_numpy(), right=image[table["right"]].to_numpy())


def pictures(pairs: pd.DataFrame, faces: FaceTable) -> np.ndarray:
    """The rendered faces of `example_pairs`, left and right of each pair in turn: uint8 (2 * pairs, S, S, 3)."""
    shown = pairs.drop_duplicates("pair")[["left", "right"]].to_numpy().ravel()
    if not len(shown):
        return np.empty((0, 0, 0, 3), np.uint8)
    return render(read_album(faces).set_index("image").loc[shown].reset_index())
