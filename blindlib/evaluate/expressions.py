"""Does blinding help the person who smiles? A neutral picture against the same person's other expressions.

Everybody is enrolled with one neutral picture, their first; all their pictures of another expression are held against
it and against all other people's. One threshold serves all expressions, as a gate that does not know who smiles: it
lets pass a fixed share of the *validation* people's impostor pairs of all expressions, by Euclidean distance of φ(x).
"""

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from blindlib.blinders.representation import Representation
from blindlib.common import door
from blindlib.common.work import on_all_cores
from blindlib.evaluate.results import summarise
from blindlib.evaluate.verification import strict_threshold
from blindlib.metrics import interval

TASK = "ID by expression"
MEASURES = ("tar", "far")
_FARS = (1e-3, 1e-2, 1e-1)
_FEWEST = 20  # false accepts that set a threshold: fewer, and the threshold hangs on who happens to be in them
COLUMNS = (
    *("representation", "expression", "mean", "half_width", "gain", "gain_half_width", "far_wanted", "far"),
    *("n_test_subjects", "n_test", "seeds"),
)


@door.takes("identity", "emotion", identity=door.labels)
def tar_by_expression(z: Representation, splits: list, emotion: np.ndarray, identity: np.ndarray) -> list[dict]:
    """True accept rate of neutral against each other expression, of test people, and the false accept rate there.

    Parameters
    ----------
    z : Representation
    splits : list of Split
    emotion : object array (N,)
        `neutral`, another emotion, or missing.
    identity : array (N,)
        Who is shown.

    Returns
    -------
    list of dict
        A row for each split and expression (`probe`): `tar` and `far` in percent; `chance`, the false accept rate that
        the threshold was set for, in percent too: a constant φ has no higher TAR. It is 0.1 % where that is at least
        twenty of every split's impostor pairs of validation people, else 1 %, else 10 %. `n_test` counts genuine pairs.
        No rows where somebody to be compared is missing among validation or test people.
    """
    z.serves(len(splits))
    for split in splits:
        door.within("splits", np.concatenate([split.validation, split.test]), len(identity))
    sides = [[_sides(rows, emotion, identity) for rows in (split.validation, split.test)] for split in splits]
    impostors = [(identity[shown][:, None] != identity[own]).sum() for (shown, own), _ in sides]
    fewest = min(impostors, default=0)
    if not fewest or not all(len(shown) and len(own) for _, (shown, own) in sides):
        return []
    far = next((far for far in _FARS if far * fewest >= _FEWEST), _FARS[-1])
    jobs = [(number, split, *both) for number, (split, both) in enumerate(zip(splits, sides, strict=True))]
    tables = on_all_cores(lambda job: _of_split(z, far, emotion, identity, *job), jobs)
    return [row for rows in tables for row in rows]


def _sides(rows: np.ndarray, emotion: np.ndarray, identity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of some rows, those of another expression than neutral whose person is enrolled, and the enrolled ones."""
    neutral = rows[emotion[rows] == "neutral"]
    enrolled = neutral[np.unique(identity[neutral], return_index=True)[1]]
    shown = rows[pd.notna(emotion[rows]) & (emotion[rows] != "neutral")]
    return shown[np.isin(identity[shown], identity[enrolled])], enrolled


def _of_split(z, far: float, emotion, identity, number: int, split, validation: tuple, test: tuple) -> list[dict]:
    def compared(shown: np.ndarray, enrolled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance of every picture to every enrolled one, and whether they show one person: (shown, enrolled)."""
        distance = cdist(z.rows(number, shown).astype(float), z.rows(number, enrolled).astype(float))
        return distance, identity[shown][:, None] == identity[enrolled]

    distance, same = compared(*validation)
    threshold = strict_threshold(distance[~same], far)
    distance, same = compared(*test)
    accepted, probe_emotion, rows = distance < threshold, emotion[test[0]], []
    for expression in dict.fromkeys(probe_emotion):
        own = probe_emotion == expression
        row = {"rotation": split.rotation, "seed": split.seed, "probe": expression, "chance": 100 * far}
        row |= {"tar": 100 * accepted[own][same[own]].mean(), "far": 100 * accepted[own][~same[own]].mean()}
        people = {"n_test_subjects": len(np.unique(identity[test[0][own]])), "n_test": int(same[own].sum())}
        if z.trained:
            people["n_train_subjects"] = len(np.unique(identity[split.head]))
        rows.append({"task": TASK, "protocol": "B", **row, **people})
    return rows


def expression_table(results: pd.DataFrame) -> pd.DataFrame:
    """Result rows -> `COLUMNS`: TAR by representation and expression, the hardest expression of x first.

    `gain` is the representation's TAR less x's, with the interval of the difference paired by rotation, in points;
    empty for x. `far_wanted` is what the threshold was set for on validation people, `far` what it lets pass of test
    people's impostor pairs of this expression: a higher TAR at a higher `far` is no gain.
    """
    rows = results[results["task"] == TASK].rename(columns={"probe": "expression"})
    accepted = rows[rows["metric"] == "tar"]
    if accepted.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    cells = summarise(accepted, ["representation", "expression"]).rename(columns={"chance": "far_wanted"})
    far = rows[rows["metric"] == "far"].groupby(["representation", "expression"])["value"].mean().rename("far")
    by = accepted.groupby(["representation", "expression", "rotation"])["value"].mean()
    gains = []
    for name, expression in zip(cells["representation"], cells["expression"], strict=True):
        gain = (by.get((name, expression)) - by.get(("x", expression), np.nan)).dropna()
        gains.append(interval(gain) if name != "x" and len(gain) else (np.nan, np.nan))
    cells[["gain", "gain_half_width"]] = gains
    cells = cells.join(far, on=["representation", "expression"])
    order = by.groupby(level=["representation", "expression"]).mean().get("x", pd.Series(dtype=float)).sort_values()
    place = {expression: n for n, expression in enumerate(order.index)}
    cells = cells.sort_values("expression", key=lambda column: column.map(place), kind="stable", ignore_index=True)
    return cells[list(COLUMNS)]
