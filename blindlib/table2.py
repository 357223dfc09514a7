"""Rows of the attractiveness study -> Table 2 and the bias sweep, the published value beside ours."""

import numpy as np
import pandas as pd

from blindlib.facetable import FaceTable
from blindlib.fairness import UNBIASED
from blindlib.published import table2 as published_table2
from blindlib.results import interval
from blindlib.tables import plus_minus

MEASURES = ("acc", "tpr_smiling", "tpr_not_smiling", "eq_opp")
CELLS = (("x", "unbiased"), ("x", "biased"), ("SN", "biased"), ("LNTL", "biased"), ("LEACE", "biased"))
COLUMNS = (
    "representation",
    "training",
    *(name for measure in MEASURES for name in (measure, f"{measure}_hw")),
    *(f"published_{measure}" for measure in MEASURES),
    "n_train",
    "n_test_subjects",
    "n_test",
    "seeds",
    "data",
)


def of_cell(rows: pd.DataFrame, representation: str, bias: float) -> pd.DataFrame:
    """The study's rows of one representation and bias, by rotation and seed."""
    if rows.empty:
        return rows
    kept = rows[(rows["representation"] == representation) & np.isclose(rows["bias"], bias)]
    return kept.sort_values(["rotation", "seed"], ignore_index=True)


def summary(rows: pd.DataFrame) -> dict[str, float]:
    """Mean and half-width (95 % t-interval over rotations) of every measure of some rows, in percent.

    Eq. Opp. is the absolute value of the mean gap, with the gap's interval: the mean of absolute gaps would be above 0
    by noise alone. Rotations test other people; a rotation is the mean of its seeds.
    """
    out = {}
    for measure in MEASURES:
        mean, half = interval(rows.groupby("rotation")["gap" if measure == "eq_opp" else measure].mean())
        out |= {measure: abs(mean) if measure == "eq_opp" else mean, f"{measure}_hw": half}
    return out


def table2(rows: pd.DataFrame, bias: float, faces: FaceTable) -> pd.DataFrame:
    """Table 2: a row for each representation and training set; without data its numbers are empty.

    Parameters
    ----------
    rows : DataFrame
        Of `fairness.measure_fairness`; may be empty.
    bias : float
        Of the biased training set.
    faces : FaceTable
        Says what kind of data a number stands on.
    """
    printed, table = published_table2(), []
    for name, training in CELLS:
        own = of_cell(rows, name, bias if training == "biased" else UNBIASED)
        kind = faces.kind_of("attractive", trained=name != "x")
        row = {"representation": name, "training": training, "data": kind if len(own) else None}
        if (name, training) in printed.index:
            row |= {f"published_{m}": printed.loc[(name, training), m] for m in MEASURES}
        if len(own):
            row |= summary(own) | {
                "n_train": round(own["n_train"].mean()),
                "n_test_subjects": round(own.groupby("rotation")["n_test_subjects"].mean().sum()),
                "n_test": round(own.groupby("rotation")["n_test"].mean().sum()),
                "seeds": own["seed"].nunique(),
            }
        table.append(row)
    counts = ["n_train", "n_test_subjects", "n_test", "seeds"]
    return pd.DataFrame(table).reindex(columns=list(COLUMNS)).astype(dict.fromkeys(counts, "Int64"))


def readable2(table: pd.DataFrame) -> pd.DataFrame:
    """Table 2 as the poster lays it out, ours ± half-width and the [published] value."""
    names = {"acc": "Acc", "tpr_smiling": "TPR smiling", "tpr_not_smiling": "TPR not smiling", "eq_opp": "Eq. Opp."}
    rows = []
    for _, row in table.iterrows():
        known = pd.notna(row["n_test"])
        cells = {"Representation": row["representation"], "Training": row["training"]}
        for measure, title in names.items():
            ours = plus_minus(row[measure], row[f"{measure}_hw"])
            printed = row[f"published_{measure}"]
            cells[title] = ours if pd.isna(printed) else f"{ours} [{printed:.1f}]"
        cells["Trained"] = f"{row['n_train']:,} images" if known else "no data"
        cells["Tested"] = f"{row['n_test']:,} images of {row['n_test_subjects']:,}" if known else "no data"
        cells["Data"] = row["data"] if known else "no data"
        rows.append(cells)
    return pd.DataFrame(rows)


def sweep_points(rows: pd.DataFrame) -> pd.DataFrame:
    """The study's rows -> the gap and the accuracy at every bias, means over rotations with 95 % half-widths.

    Returns
    -------
    DataFrame
        `representation`, `bias` (share of 1), `gap`, `gap_hw` (points), `acc`, `acc_hw` (percent).
    """
    points = []
    if rows.empty:
        return pd.DataFrame(columns=["representation", "bias", "gap", "gap_hw", "acc", "acc_hw"])
    for (name, bias), own in rows.groupby(["representation", "bias"], sort=False):
        gap, gap_hw = interval(own.groupby("rotation")["gap"].mean())
        acc, acc_hw = interval(own.groupby("rotation")["acc"].mean())
        points.append(
            {"representation": name, "bias": bias, "gap": gap, "gap_hw": gap_hw, "acc": acc, "acc_hw": acc_hw}
        )
    return pd.DataFrame(points)
