"""Result rows -> Table 1, Table 2 and the bias sweep, the published value beside ours, as CSV, Markdown and LaTeX."""

from pathlib import Path

import numpy as np
import pandas as pd

from blindlib.common.files import write_csv, write_text
from blindlib.data.facetable import FaceTable
from blindlib.evaluate.fairness import UNBIASED
from blindlib.evaluate.results import interval, summarise
from blindlib.report.paper import table1 as published_table1
from blindlib.report.paper import table2 as published_table2

DOMAINS = ("ID", "Gender", "Ethnicity", "Emotion (NN)", "Emotion (SVM)", "Emotion (RF)")
REPRESENTATIONS = ("x", "SN", "LNTL", "LNTL demographic", "LEACE", "SN λ=0", "LNTL λ=0", "pixels")
AT_CHANCE = 0.05  # points from chance: what prints as chance with one decimal
COLUMNS = (
    "domain",
    "representation",
    "mean",
    "half_width",
    "chance",
    "diff",
    "diff_half_width",
    "published",
    "published_diff",
    "n_train_subjects",
    "n_test_subjects",
    "n_test",
    "seeds",
    "data",
    "protocol",
)


def domain_of(task: str, probe: str) -> str:
    """The row of Table 1 that a result belongs to."""
    return {"ID": "ID", "gender": "Gender", "ethnicity": "Ethnicity"}.get(task, f"Emotion ({probe})")


def diff(x: float, phi: float, chance: float) -> float:
    """Share of the above-chance performance that is lost, in percent; NaN where x prints as chance.

    Source: not printed on the poster; its own columns give back its printed ones by it, within rounding.
    """
    return float("nan") if abs(x - chance) < AT_CHANCE else 100 * (x - phi) / (x - chance)


def table1(results: pd.DataFrame) -> pd.DataFrame:
    """Table 1, tidy: a row for each domain, representation and protocol.

    Parameters
    ----------
    results : DataFrame
        Result rows of `measure`.

    Returns
    -------
    DataFrame
        Percentages. `half_width`: 95 % t-interval over rotations (or folds), each of other people. `diff_half_width`:
        the same of Diff, paired by rotation. Where x, SN or LNTL have no data in a domain, a row has empty numbers.
    """
    kept = results[(results["metric"] == "balanced_accuracy") & results["representation"].isin(REPRESENTATIONS)]
    kept = kept.assign(domain=[domain_of(t, p) for t, p in zip(kept["task"], kept["probe"], strict=True)])
    cells = summarise(kept, ["domain", "representation", "protocol", "kind"])
    rows = [_row(cell, cells, kept) for _, cell in cells.iterrows()]
    known = {(row["domain"], row["representation"]) for row in rows}
    rows += [
        {"domain": domain, "representation": name, "protocol": "B", **_published(domain, name)}
        for domain in DOMAINS
        for name in ("x", "SN", "LNTL")
        if (domain, name) not in known
    ]
    table = pd.DataFrame(rows).reindex(columns=list(COLUMNS))
    order = {name: n for n, name in enumerate((*DOMAINS, *REPRESENTATIONS))}
    table = table.sort_values(
        ["domain", "protocol", "representation"],
        key=lambda c: c.map(order).fillna(0) if c.name != "protocol" else c.map({"B": 0, "A": 1}),
        ignore_index=True,
        kind="stable",
    )
    counts = ["n_train_subjects", "n_test_subjects", "n_test", "seeds"]
    return table.astype(dict.fromkeys(counts, "Int64"))


def _published(domain: str, representation: str) -> dict:
    printed = published_table1().loc[domain]
    return {
        "published": printed.get(representation, np.nan),
        "published_diff": printed.get(f"{representation}_diff", np.nan),
    }


def _row(cell: pd.Series, cells: pd.DataFrame, kept: pd.DataFrame) -> dict:
    lost, lost_half_width = np.nan, np.nan
    if cell["representation"] != "x":
        lost, lost_half_width = _paired_diff(cell, kept)
    return {
        **cell.drop("kind").to_dict(),
        "data": cell["kind"],
        "diff": lost,
        "diff_half_width": lost_half_width,
        **_published(cell["domain"], cell["representation"]),
    }


def _paired_diff(cell: pd.Series, kept: pd.DataFrame) -> tuple[float, float]:
    """Diff of the means, and the half-width over rotations of the drop, as a share of what x has above chance."""
    rows = kept[(kept["domain"] == cell["domain"]) & (kept["protocol"] == cell["protocol"])]
    by = rows.groupby(["representation", "rotation"])["value"].mean().unstack("representation")
    if "x" not in by or cell["representation"] not in by:
        return np.nan, np.nan
    paired = by[["x", cell["representation"]]].dropna()
    drop = pd.DataFrame(
        {
            "rotation": paired.index.to_numpy(),
            "seed": 0,
            "value": (paired["x"] - paired[cell["representation"]]).to_numpy(),
            "cell": 0,
            "chance": 0,
            "n_train_subjects": 0,
            "n_test_subjects": 0,
            "n_test": 0,
        }
    )
    half = summarise(drop, ["cell"])["half_width"].iloc[0]
    x = paired["x"].mean()
    lost = diff(x, paired[cell["representation"]].mean(), cell["chance"])
    return lost, np.nan if np.isnan(lost) else 100 * half / abs(x - cell["chance"])


def caption(table: str, preset: str, kind: str) -> str:
    """What stands over `table1`, `table2` or `claims`: what its numbers are, and of what kind of faces."""
    faces = {"synthetic": "Rendered faces", "substitute": "Other faces than the paper's", "real": "The paper's data"}
    words = {
        "table1": f"balanced accuracy in % ± 95 % interval [published]; protocol B. {faces[kind]}.",
        "table2": f"attractiveness, in % ± 95 % interval [published]. {faces[kind]}.",
    }
    titles = {"table1": f"Table 1, preset {preset}: ", "table2": f"Table 2, preset {preset}: "}
    text = titles[table] + words[table] if table in words else f"The paper's claims, preset {preset} ({kind} data)."
    return f"{text} A minute's run: its numbers mean nothing." if "smoke" in preset else text


def readable(table: pd.DataFrame, protocol: str = "B") -> pd.DataFrame:
    """Table 1 as the poster lays it out: domains down, representations across, ours with interval, published beside."""
    shown = table[table["protocol"] == protocol]
    rows = []
    for domain in DOMAINS:
        cells = shown[shown["domain"] == domain].set_index("representation")
        known = cells.dropna(subset=["mean"])
        row = {"Domain": domain, "Chance": _number(known["chance"].iloc[0]) if len(known) else "no data"}
        for name in [r for r in REPRESENTATIONS if r in set(shown["representation"])]:
            row[name] = _cell(cells, name)
            if name in ("SN", "LNTL"):
                row[f"Diff {name}"] = _difference(cells, name)
        row["Subjects"] = f"{known['n_test_subjects'].iloc[0]:,}" if len(known) else "no data"
        row["Tested"] = (
            f"{known['n_test'].iloc[0]:,} {'pairs' if domain == 'ID' else 'images'}" if len(known) else "no data"
        )
        row["Data"] = known["data"].iloc[0] if len(known) else "no data"
        rows.append(row)
    return pd.DataFrame(rows)


def plus_minus(mean: float, half_width: float) -> str:
    """A number with its interval's half-width, one decimal each; `no data` without it, no ± without an interval."""
    if pd.isna(mean):
        return "no data"
    return f"{mean:.1f}" if pd.isna(half_width) else f"{mean:.1f} ± {half_width:.1f}"


def _number(value: float) -> str:
    return "no data" if pd.isna(value) else f"{value:.1f}"


def _cell(cells: pd.DataFrame, name: str) -> str:
    if name not in cells.index:
        return ""
    cell = cells.loc[name]
    ours = plus_minus(cell["mean"], cell["half_width"])
    return ours if pd.isna(cell["published"]) else f"{ours} [{cell['published']:.1f}]"


def _difference(cells: pd.DataFrame, name: str) -> str:
    if name not in cells.index or pd.isna(cells.loc[name, "diff"]):
        return f"no data [{cells.loc[name, 'published_diff']:g}]" if name in cells.index else ""
    cell = cells.loc[name]
    return f"{plus_minus(cell['diff'], cell['diff_half_width'])} [{cell['published_diff']:g}]"


def save_table(table: pd.DataFrame, laid_out: pd.DataFrame, folder: Path, name: str, caption: str) -> None:
    """Write `name`.csv (tidy), `name`.md and `name`.tex (laid out, booktabs), each atomically."""
    write_csv(folder / f"{name}.csv", table, float_format="%.1f")
    write_text(folder / f"{name}.md", f"{caption}\n\n{laid_out.to_markdown(index=False, disable_numparse=True)}\n")
    swaps = {"λ": r"$\lambda$", "±": r"$\pm$"}
    tex = laid_out.to_latex(
        index=False, escape=True, caption=caption.replace("%", r"\%"), label=f"tab:{name}", position="ht"
    )
    for mark, command in swaps.items():
        tex = tex.replace(mark, command)
    write_text(folder / f"{name}.tex", tex)


MEASURES = ("acc", "tpr_smiling", "tpr_not_smiling", "eq_opp")
CELLS = (("x", "unbiased"), ("x", "biased"), ("SN", "biased"), ("LNTL", "biased"), ("LEACE", "biased"))
TABLE2_COLUMNS = (
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
    return pd.DataFrame(table).reindex(columns=list(TABLE2_COLUMNS)).astype(dict.fromkeys(counts, "Int64"))


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
