"""Measure what every method costs and hides in float and in few bits, under the selected probe."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd

from blindlib.blinders.representation import Representation
from blindlib.blinders.rounding import in_bits, on_grid
from blindlib.evaluate.measure import make_tasks, measure_verification
from blindlib.evaluate.probes import ATTACKERS, SELECTED, VIEWS, run_probes
from blindlib.evaluate.results import summarise, tidy

BITS = (None, 8, 6, 4)
_KEYS = ["method", "strength", "bits"]
COLUMNS = (*_KEYS, "id", "id_hw", "emotion", "emotion_hw", "chance")


def released(z: Representation, study, bits: int | None) -> Representation:
    """Return a representation in few bits, on the grid of each split's head-training subjects; None leaves it."""
    if bits is None:
        return z

    @cache
    def peak(split: int) -> float:
        return max(float(np.abs(z.make(split, study.splits[split].head)).max()), 1e-12)

    def on_its_grid(split: int, rows: np.ndarray) -> np.ndarray:
        return on_grid(z.make(split, rows), peak(split), bits)

    return replace(z, name=in_bits(z.name, bits), make=on_its_grid, splits=len(study.splits), bits=bits)


def measure_in_bits(z: Representation, study, every: Sequence[int | None] = BITS) -> pd.DataFrame:
    """Measure verification and the selected probe of emotion, in float and in few bits; φ is computed once a split.

    Returns result rows as `measure`, with a column `bits` (`float`, or the number). Empty without emotion labels.
    """
    z, identity = z.kept(len(study.faces)), pd.factorize(study.faces.frame["identity"])[0]
    probes = tuple((kind, view) for view in VIEWS for kind in ATTACKERS)
    tables = []
    for task in (task for task in make_tasks(study.faces, study.preset) if task.name == "emotion"):
        for bits in every:
            own = released(z, study, bits)
            rows = run_probes(own, task, study.splits, study.preset.probes, probes=probes, identity=identity)
            rows = tidy([row for row in rows if row["probe"] == SELECTED], ("balanced_accuracy",))
            rows = pd.concat([rows, pd.DataFrame(measure_verification(own, study))])
            tables.append(rows.assign(method=z.method, strength=z.strength, bits=str(bits or "float")))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def frontier_points(rows: pd.DataFrame) -> pd.DataFrame:
    """Summarise rows of `measure_in_bits`: a row for each `method`, `strength` and `bits`.

    Returns `id` (verification accuracy), `emotion` (what the selected probe predicts), both balanced and in percent,
    their half-widths `id_hw` and `emotion_hw`, and `chance` of the emotion.
    """
    kept = rows[rows["metric"] == "balanced_accuracy"] if len(rows) else rows
    if not len(kept) or not {"ID", "emotion"} <= set(kept["task"]):
        return pd.DataFrame(columns=list(COLUMNS))
    cells = summarise(kept, [*_KEYS, "task"]).set_index("task")
    identity, emotion = (cells.loc[[task]].set_index(_KEYS) for task in ("ID", "emotion"))
    columns = {"id": identity["mean"], "id_hw": identity["half_width"], "emotion": emotion["mean"]}
    columns |= {"emotion_hw": emotion["half_width"], "chance": emotion["chance"]}
    return pd.DataFrame(columns).reset_index()


def advice(points: pd.DataFrame, tolerance: float) -> str:
    """Name, in one sentence, the point that hides emotion best within the identity tolerance (percent of x's Diff).

    `points` are those of `frontier_points`. A method whose interval reaches the best one's mean is named beside it.
    """
    if points.empty:
        return "no data"
    x = points[(points["method"] == "x") & (points["bits"] == "float")].iloc[0]
    points = points.assign(cost=100 * (x["id"] - points["id"]) / (x["id"] - 50))
    within = points[(points["cost"] <= tolerance) & (points["method"] != "x")].sort_values("emotion")
    if within.empty:
        return f"No method loses at most {tolerance:g} % of identity."
    best = within.iloc[0]
    name = f"{names_of(points)[best.name]}, in {best['bits']}{'' if best['bits'] == 'float' else ' bits'}"
    text = (
        f"Among methods that lose at most {tolerance:g} % of identity, {name} hides emotion best: the selected "
        f"probe predicts it with {best['emotion']:.1f} ± {best['emotion_hw']:.1f} % (x {x['emotion']:.1f}, chance "
        f"{x['chance']:.1f}), for {max(best['cost'], 0.0):.1f} % of identity."
    )
    others = within[within["method"] != best["method"]].groupby("method", sort=False).first()
    close = others[others["emotion"] - others["emotion_hw"] <= best["emotion"]]
    return text + (f" Not distinguishable from it: {', '.join(close.index)}." if len(close) else "")


def names_of(points: pd.DataFrame) -> pd.Series:
    """Name every point: its method, with λ where the method is a trained head."""
    heads = points.groupby("method")["strength"].transform("max") > 0
    return points["method"].where(~heads, points["method"] + points["strength"].map(" λ={:g}".format))
