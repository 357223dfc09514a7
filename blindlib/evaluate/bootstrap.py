"""Intervals by drawing anew the people who are tested and the trainings, of x and φ together.

The t-interval over rotations (`results.summarise`) knows nothing of people: five rotations are five numbers. How far a
number hangs on who is tested, hundreds of people tell; how far on the training, only the rotations do.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from blindlib.common import door
from blindlib.common.errors import InputError
from blindlib.common.files import made_by, parsed, write_parquet
from blindlib.common.work import derive_seed
from blindlib.metrics import diff, interval, paired_diff

HITS = ("representation", "probe", "rotation", "seed", "person", "truth", "hit")
_COLUMNS = ("representation", "probe", "mean", "t", "bootstrap", "diff", "diff_t", "diff_bootstrap", "people")

_HITS = door.columns(*HITS)


@door.takes("codes", "identity", codes=door.codes, identity=door.labels)
def hits_of(name: str, rows: list[dict], codes: np.ndarray, identity: np.ndarray) -> pd.DataFrame:
    """Which test images a representation's attackers of protocol B were right about: a row an image, columns `HITS`.

    `rows` come from `run_probes`, `climb` and `attack_by_similarity`; `codes` and `identity` (N,) are the task's and
    who is shown. `person` is a number without a name. It tells of single people, and belongs into the build folder.
    """
    person = np.unique(identity, return_inverse=True)[1]
    parts = [
        pd.DataFrame(
            {
                **{name: row[name] for name in ("probe", "rotation", "seed")},
                "person": person[row["tested"]].astype(np.int32),
                "truth": codes[row["tested"]].astype(np.int16),
                "hit": row["guess"] == codes[row["tested"]],
            }
        )
        for row in rows
        if row["protocol"] == "B"
    ]
    parts = [part.assign(representation=name) for part in parts]
    return pd.concat(parts, ignore_index=True)[list(HITS)] if parts else pd.DataFrame(columns=list(HITS))


def write_hits(hits: list[pd.DataFrame], path: Path) -> None:
    """Keep several tables of `hits_of` as one parquet file, atomically; there may be none."""
    write_parquet(path, pd.concat(hits or [pd.DataFrame(columns=list(HITS))], ignore_index=True))


def read_hits(path: Path) -> pd.DataFrame:
    """Read what `write_hits` wrote.

    Raises
    ------
    InputError
        If the file is absent or damaged.
    """
    return parsed(path, made_by("02_baseline"), pd.read_parquet)


@door.takes(phi=door.some(_HITS), x=door.some(_HITS), draws=door.number(2, 10**7, whole=True))
def bootstrap_by_person(
    phi: pd.DataFrame, x: pd.DataFrame | None = None, *, draws: int = 1000, seed: int = 0
) -> dict[str, float]:
    """A balanced accuracy with its 95 % interval; beside x, its Diff with the interval of the pair.

    In each draw every rotation's test people are drawn anew, with replacement, the same for all seeds and for x and φ.
    To that comes the trainings' part: the variance of the rotations' mean beyond what their people explain (0, where
    the rotations vary less), times a draw of Student's t, since few rotations tell it.

    Parameters
    ----------
    phi, x : DataFrame
        Of one probe, the columns `HITS` of `hits_of`; of the same test images.
    draws : int

    Returns
    -------
    dict
        `mean`, `low`, `high` in percent; with x also `diff`, `diff_low`, `diff_high`, NaN where x prints as chance.
        A single rotation tells nothing of trainings: then the interval is of people alone.

    Raises
    ------
    InputError
        If x and φ were tested on other images, or nothing was.

    Source: percentile intervals of clusters, Davison & Hinkley 1997, sections 2.4 and 3.8; the trainings' part is ours
    (**decision**): to draw five rotations and their people, both with replacement, counts people twice and trainings
    too little. With five rotations 93 to 97 % of simulated worlds' intervals cover the truth, by how much trainings
    matter; with two as few as 86 %.
    """
    both = [phi] if x is None else [phi, x]
    if any((hits["truth"] < 0).any() for hits in both):
        raise InputError("hits", "hold a class below 0", "give hits of images whose class is known")
    counted = [_counts(hits) for hits in both]
    if len({len(parts) for parts in counted}) > 1 or any(
        a["person"].tolist() != b["person"].tolist() or not np.array_equal(a["count"], b["count"])
        for a, b in zip(counted[0], counted[-1], strict=True)
    ):
        raise InputError("hits of x and φ", "are of other test images", "measure both on the same splits")
    rng = np.random.default_rng(derive_seed(seed, "bootstrap"))
    rotations, values, drawn = len(counted[0]), [], []
    for parts in zip(*counted, strict=True):  # x and φ of one rotation
        people = len(parts[0]["person"])
        weights = rng.multinomial(people, np.full(people, 1 / people), draws)
        values.append([_accuracy(part, np.ones((1, people)))[0] for part in parts])
        drawn.append([_accuracy(part, weights) for part in parts])
    values, drawn = np.array(values), np.mean(drawn, axis=0)  # (rotations, 1 or 2), (1 or 2, draws)
    student = rng.standard_t(rotations - 1, draws) if rotations > 1 else np.zeros(draws)
    result = {"mean": values[:, 0].mean()}
    result["low"], result["high"] = _ends(values[:, 0], drawn[0], student)
    if x is not None:
        chance = 100 / (counted[0][0]["count"].sum(0) > 0).sum()
        mean, of_x = values.mean(0)
        lost = diff(of_x, mean, chance)
        above = np.nan if np.isnan(lost) else of_x - chance
        linear = lost + (100 * (values[:, 1] - values[:, 0]) - lost * (values[:, 1] - chance)) / above
        result["diff"] = lost
        result["diff_low"], result["diff_high"] = _ends(
            linear, 100 * (drawn[1] - drawn[0]) / (drawn[1] - chance), student
        )
    return result


def _counts(hits: pd.DataFrame) -> list[dict[str, np.ndarray]]:
    """Of each rotation: its people (P,), how many images of each class they have (P, C), and the hits by seed."""
    classes, parts = int(hits["truth"].max()) + 1, []
    for _, own in hits.groupby("rotation"):
        people, place = np.unique(own["person"], return_inverse=True)
        seeds, of_seed = np.unique(own["seed"], return_inverse=True)
        cell = np.ravel_multi_index((of_seed, place, own["truth"]), (len(seeds), len(people), classes))
        shape, size = (len(seeds), len(people), classes), len(seeds) * len(people) * classes
        right = np.bincount(cell, own["hit"].to_numpy(float), size).reshape(shape)
        parts.append({"person": people, "count": np.bincount(cell, minlength=size).reshape(shape)[0], "right": right})
    return parts


def _accuracy(part: dict[str, np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Balanced accuracy in percent, the mean of the seeds, of people who count `weights` (draws, P) times: (draws,)."""
    count = weights @ part["count"]  # (draws, C); a class that nobody drawn shows does not count
    share = np.divide(weights @ part["right"], count, where=count > 0, out=np.zeros((len(part["right"]), *count.shape)))
    return 100 * (share.sum(-1) / (count > 0).sum(-1)).mean(0)


def _ends(values: np.ndarray, by_people: np.ndarray, student: np.ndarray) -> np.ndarray:
    """The 2.5 and 97.5 % points of the draws (draws,): of people, and of trainings by how much `values` (rotations,)
    vary beyond."""
    whole = values.var(ddof=1) / len(values) if len(values) > 1 else 0.0
    return np.quantile(by_people + np.sqrt(max(0.0, whole - by_people.var())) * student, [0.025, 0.975])


@door.takes(hits=_HITS)
def compare_intervals(hits: pd.DataFrame) -> pd.DataFrame:
    """The half-widths of both kinds of interval: a row for each representation and probe.

    `mean` and `diff` (to x) in percent, with `t`, the t-interval's half-width over rotations, and `bootstrap`, that of
    `bootstrap_by_person`; `people` are those tested. Empty without hits.
    """
    rows, of_probe = [], dict(tuple(hits.groupby(["representation", "probe"], sort=False)))
    for (name, probe), own in of_probe.items():
        x = of_probe.get(("x", probe)) if name != "x" else None
        resampled = bootstrap_by_person(own, x)
        values = [_by_rotation(each) for each in (own, x) if each is not None]
        row = {"representation": name, "probe": probe, "mean": resampled["mean"], "t": interval(values[0])[1]}
        row |= {"bootstrap": (resampled["high"] - resampled["low"]) / 2, "people": own["person"].nunique()}
        if x is not None:
            row["diff"], row["diff_t"], _ = paired_diff(values[1], values[0], 100 / own["truth"].nunique())
            row["diff_bootstrap"] = (resampled["diff_high"] - resampled["diff_low"]) / 2
        rows.append(row)
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _by_rotation(hits: pd.DataFrame) -> np.ndarray:
    recall = hits.groupby(["rotation", "seed", "truth"])["hit"].mean()
    return 100 * recall.groupby(["rotation", "seed"]).mean().groupby("rotation").mean().to_numpy()
