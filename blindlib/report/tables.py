"""Build Table 1 and Table 2 from result rows, published values beside ours, as CSV, Markdown and LaTeX."""

from pathlib import Path

import numpy as np
import pandas as pd

from blindlib.blinders.rounding import in_bits
from blindlib.common.files import below, write_csv, write_text
from blindlib.data.facetable import FaceTable
from blindlib.evaluate.probes import PROBES, SELECTED
from blindlib.evaluate.results import summarise
from blindlib.metrics import interval, paired_diff
from blindlib.report import paper
from blindlib.report.latex import as_latex
from blindlib.report.names import meanings, printed_name
from blindlib.settings import CEILINGS, UNBIASED

DOMAINS = (
    *("ID", "Gender", "Ethnicity", "Emotion (NN)", "Emotion (SVM)", "Emotion (RF)"),
    "Emotion (whitened)",  # the probe selected on validation subjects from NN, SVM and linear on both views
)
_METHODS = ("x", "SN", "LNTL", "LNTL demographic", "LEACE", "INLP", "NAP", "Obliviator", "PCA", "random", "centre loss")
REPRESENTATIONS = (
    *("x", "SN", "LNTL"),
    *(in_bits(name, bits) for bits in (8, 6, 4) for name in ("SN", "LNTL", "x")),
    *("LEACE", "SN λ=0", "LNTL λ=0"),
    *(in_bits(f"{name} λ=0", bits) for bits in (8, 6, 4) for name in ("SN", "LNTL")),
    *(name for name in _METHODS if name not in ("x", "SN", "LNTL", "LEACE")),
    *CEILINGS,
)
ORDER = {"domain": DOMAINS, "representation": REPRESENTATIONS}
MEASURES = {"acc": "Acc", "tpr_smiling": "TPR smiling", "tpr_not_smiling": "TPR not smiling", "eq_opp": "Eq. Opp."}
CELLS = (("x", "unbiased"), ("x", "biased"), ("SN", "biased"), ("LNTL", "biased"), ("LEACE", "biased"))
TABLE1_COLUMNS = (
    *("domain", "representation", "mean", "half_width", "chance", "diff", "diff_half_width"),
    *("published", "published_diff", "n_train_subjects", "n_test_subjects", "n_test", "seeds", "data", "protocol"),
    *("top_share", "effective_rank"),
)
TABLE2_COLUMNS = (
    *("representation", "training"),
    *(name for measure in MEASURES for name in (measure, f"{measure}_hw")),
    *(f"published_{measure}" for measure in MEASURES),
    *("n_train", "n_test_subjects", "n_test", "seeds", "data"),
)


_PER_DOMAIN = ["domain", "representation"]
_KEYS = ["representation", "task", "probe", "protocol", "rotation", "seed"]


def by_domain(results: pd.DataFrame) -> pd.DataFrame:
    """Select the balanced accuracies of Table 1, with the row of each as `domain`.

    `top_share` is the share of a probe's most frequent prediction, in percent; empty for verification.
    """
    share = results[results["metric"] == "top_share"].set_index(_KEYS)["value"].rename("top_share")
    kept = results[(results["metric"] == "balanced_accuracy") & (results["protocol"] == "B")]
    names = {("ID", "verification"): "ID", ("emotion", SELECTED): "Emotion (whitened)"}
    names |= {("emotion", probe): f"Emotion ({probe})" for probe in PROBES}
    names |= {(task, SELECTED): task.capitalize() for task in ("gender", "ethnicity")}
    domains = [names.get(cell) for cell in zip(kept["task"], kept["probe"], strict=True)]
    kept = kept.assign(domain=pd.Series(domains, kept.index, dtype=object))
    return kept.dropna(subset=["domain"]).join(share, on=_KEYS)


def diff_of(rows: pd.DataFrame, domain: str, name: str) -> tuple[float, float, pd.Series]:
    """Return `metrics.paired_diff` of a representation in a domain: Diff, its half-width, and the values by rotation.

    `rows` come from `by_domain`. Only rotations with both x and the representation count; without any, and for x
    itself, the numbers are NaN.
    """
    cells = rows[rows["domain"] == domain]
    by = cells.groupby(["representation", "rotation"])["value"].mean().unstack("representation")
    by = by.reindex(columns=["x", name]).dropna()
    if name == "x" or by.empty:
        return np.nan, np.nan, pd.Series(dtype=float)
    chance = cells.loc[cells["representation"] == name, "chance"].mean()
    lost, half, by_rotation = paired_diff(by["x"], by[name], chance)
    return lost, half, pd.Series(by_rotation, by.index)


def table1(results: pd.DataFrame) -> pd.DataFrame:
    """Build Table 1, tidy, from result rows of `measure`: a row for each representation and domain, in percent.

    `half_width`: 95 % t-interval over rotations (or folds), each of other subjects; `diff_half_width`: that of Diff,
    paired by rotation. A score near chance may be a collapse, which `top_share`, the share of the probe's most frequent
    prediction, and `effective_rank` of the representation, in dimensions, show. Where x, SN or LNTL have no data in a
    domain, a row has empty numbers.
    """
    rows = by_domain(results)
    cells = summarise(rows, ["domain", "representation", "protocol", "provenance"])
    cells = cells.join(rows.groupby(_PER_DOMAIN)["top_share"].mean(), on=_PER_DOMAIN)
    rank = results[results["metric"] == "effective_rank"].groupby("representation")["value"].mean()
    cells["effective_rank"] = cells["representation"].map(rank)
    cells = cells.rename(columns={"provenance": "data"})
    diffs = [diff_of(rows, c.domain, c.representation)[:2] for c in cells.itertuples()]
    cells[["diff", "diff_half_width"]] = np.reshape(diffs, (-1, 2))
    published = paper.table1()
    diffs = published[["SN_diff", "LNTL_diff"]].set_axis(["SN", "LNTL"], axis=1)
    printed = pd.DataFrame(
        {"published": published[["x", "SN", "LNTL"]].T.unstack(), "published_diff": diffs.T.unstack()}
    )
    printed.index.names = ["domain", "representation"]
    cells = cells.set_index(printed.index.names)
    absent = printed[~printed.index.isin(cells.index)].assign(protocol="B")
    table = pd.concat([cells.join(printed), absent]).reset_index()
    table = table.sort_values([*ORDER], key=lambda column: column.map(_place(column.name)), kind="stable")
    return _with_counts(table, TABLE1_COLUMNS)


def _place(column: str):
    """Return a map of values to their place in a column's order; unknown values share the place after the last."""
    return lambda value: [*ORDER[column], value].index(value)


def _with_counts(table: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return the table with these columns; counts are integers that may be missing."""
    counts = [name for name in columns if name.startswith("n_") or name == "seeds"]
    return table.reindex(columns=list(columns)).astype(dict.fromkeys(counts, "Int64")).reset_index(drop=True)


def cell(mean: float, half_width: float, published: float, digits: str = ".1f") -> str:
    """Format `mean ± half-width [published]`: `no data` for a missing mean; other missing parts are omitted."""
    ours = "no data" if pd.isna(mean) else f"{mean:.1f}" if pd.isna(half_width) else f"{mean:.1f} ± {half_width:.1f}"
    return ours if pd.isna(published) else f"{ours} [{published:{digits}}]"


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Lay out Table 1 as in the paper: domains down, representations across, with intervals and published values.

    The last two rows show a collapse: of the representation (effective rank), and of a probe (the largest share of
    predictions of one class in any emotion probe, in %).
    """
    names = sorted(table["representation"].unique(), key=_place("representation"))
    lines = []
    for domain in DOMAINS:
        cells = table[table["domain"] == domain].set_index("representation").to_dict("index")
        line = {"Domain": domain, "Chance": "no data"}
        for name in names:
            row = cells.get(name)
            line[printed_name(name)] = cell(row["mean"], row["half_width"], row["published"]) if row else ""
            if name.partition(" ")[0] in ("SN", "LNTL") and "λ" not in name:
                numbers = [row[column] for column in ("diff", "diff_half_width", "published_diff")] if row else []
                line[f"Diff {printed_name(name)}"] = cell(*numbers, digits="g") if row else ""
        line |= dict.fromkeys(("Subjects", "Tested", "Data"), "no data")
        counted = next((row for row in cells.values() if pd.notna(row["mean"])), None)
        if counted:
            line["Chance"], line["Data"] = f"{counted['chance']:.1f}", counted["data"]
            line["Subjects"] = f"{counted['n_test_subjects']:,}"
            line["Tested"] = f"{counted['n_test']:,} {'pairs' if domain == 'ID' else 'images'}"
        lines.append(line)
    return pd.DataFrame([*lines, *_collapse(table, lines[0])])


def _collapse(shown: pd.DataFrame, like: dict) -> list[dict]:
    """Return the rows of `readable` that show a collapse, with the columns of `like`; none without measurements."""
    emotion = shown["domain"].str.startswith("Emotion")
    collapse = {
        "Effective rank": shown.groupby("representation")["effective_rank"].first(),
        "Most frequent emotion answer": shown[emotion].groupby("representation")["top_share"].max(),
    }
    return [
        dict.fromkeys(like, "")
        | {"Domain": domain}
        | {printed_name(name): f"{value:.1f}" for name, value in values.dropna().items()}
        for domain, values in collapse.items()
        if values.notna().any()
    ]


def of_cell(rows: pd.DataFrame, representation: str, bias: float) -> pd.DataFrame:
    """Return the study's rows of one representation and bias, by rotation and seed, each with its draws."""
    if rows.empty:
        return rows
    kept = rows[(rows["representation"] == representation) & np.isclose(rows["bias"], bias)]
    return kept.sort_values(["rotation", "seed"], ignore_index=True)


def _means(rows: pd.DataFrame, *columns: str) -> dict[str, float]:
    """Return mean and half-width (`…_hw`, 95 % t-interval) over rotations, each the mean of its seeds and draws."""
    rotations, means = rows.groupby("rotation")[list(columns)].mean(), {}
    for name in columns:
        means[name], means[f"{name}_hw"] = interval(rotations[name])
    return means


def summary(rows: pd.DataFrame) -> dict[str, float]:
    """Return mean and half-width of every measure of Table 2 over some rows of the study, in percent.

    Eq. Opp. is the absolute value of the mean gap, with the gap's interval: noise alone makes mean absolute gaps
    positive.
    """
    means = _means(rows, "acc", "tpr_smiling", "tpr_not_smiling", "gap")
    return means | {"eq_opp": abs(means["gap"]), "eq_opp_hw": means["gap_hw"]}


def table2(rows: pd.DataFrame, bias: float, faces: FaceTable) -> pd.DataFrame:
    """Build Table 2: a row for each representation and training set; without data its numbers are empty.

    `rows` come from `fairness.measure_fairness` (representations that the paper lacks come last), `bias` is that of the
    biased set, and `faces` has the provenance of the numbers.
    """
    known = {name for name, _ in CELLS}
    others = [name for name in dict.fromkeys(rows.get("representation", ())) if name not in known]
    table = []
    for name, training in (*CELLS, *((name, "biased") for name in others)):
        part = of_cell(rows, name, bias if training == "biased" else UNBIASED)
        row = {"representation": name, "training": training}
        if len(part):
            tested = part.groupby("rotation")[["n_test_subjects", "n_test"]].mean().sum().round()
            provenance = faces.provenance_of("attractive", trained=name != "x")
            row |= {"n_train": round(part["n_train"].mean()), "seeds": part["seed"].nunique(), "data": provenance}
            row |= summary(part) | tested.to_dict()
        table.append(row)
    table = pd.DataFrame(table).join(paper.table2().add_prefix("published_"), on=["representation", "training"])
    return _with_counts(table, TABLE2_COLUMNS)


def readable2(table: pd.DataFrame) -> pd.DataFrame:
    """Lay out Table 2 as in the paper, ours ± half-width and the [published] value."""
    lines = []
    for _, row in table.iterrows():
        line = {"Representation": printed_name(row["representation"]), "Training": row["training"]}
        line |= {title: cell(row[m], row[f"{m}_hw"], row[f"published_{m}"]) for m, title in MEASURES.items()}
        line |= dict.fromkeys(("Trained", "Tested", "Data"), "no data")
        if pd.notna(row["n_test"]):
            line["Trained"] = f"{row['n_train']:,} images"
            line["Tested"] = f"{row['n_test']:,} images of {row['n_test_subjects']:,}"
            line["Data"] = row["data"]
        lines.append(line)
    return pd.DataFrame(lines)


def caption(table: str, preset: str, provenance: str) -> str:
    """Return the caption of `table1`, `table2` or `claims`: the meaning of its numbers, and the faces behind them."""
    words = {"synthetic": "Rendered faces", "substitute": "Other faces than the paper's", "real": "The paper's data"}
    faces = words[provenance]
    texts = {
        "table1": f"Table 1, preset {preset}: balanced accuracy in % ± 95 % interval [published]. {faces}.",
        "table2": f"Table 2, preset {preset}: attractiveness, in % ± 95 % interval [published]. {faces}. Eq. Opp. is "
        "how far the two TPRs are apart, without sign; its ± is that of the gap with its sign.",
        "claims": f"The paper's claims, preset {preset} ({provenance} data). Replicated: the whole 95 % interval "
        "satisfies the rule in every cell of the claim; not replicated: in some cell no part does; else undecided. "
        "Shown is the worst cell.",
    }
    return texts[table] + (" It tests the software: its numbers mean nothing." if "smoke" in preset else "")


COUNTS = ("Subjects", "Trained", "Tested", "Data")  # columns of a laid-out table that its LaTeX note states


def _note(laid_out: pd.DataFrame) -> str:
    """State the columns of counts in a sentence: which rows have which."""
    columns = [name for name in COUNTS if name in laid_out]
    groups = laid_out.groupby(columns, sort=False) if columns else ()
    parts = []
    for counts, rows in groups:
        who = "All rows" if len(rows) == len(laid_out) else ", ".join(dict.fromkeys(rows.iloc[:, 0]))
        parts.append(f"{who}: " + ", ".join(f"{n.lower()} {c}" for n, c in zip(columns, counts, strict=True)))
    return "; ".join(parts) + "." * bool(parts)


def _pages(laid_out: pd.DataFrame) -> list[pd.DataFrame]:
    """Split a laid-out table, without its counts: of Table 1 the paper's columns, then all others."""
    rest = laid_out.drop(columns=[name for name in COUNTS if name in laid_out])
    if "Domain" not in rest:
        return [rest]
    first = [n for n in rest if n in ("Domain", "Chance", "x") or n.removeprefix("Diff ") in ("φ_SN", "φ_LNTL")]
    others = [name for name in rest if name not in first]
    return [rest[first], *(rest[["Domain", *others[k : k + 4]]] for k in range(0, len(others), 4))]


def _screens(laid_out: pd.DataFrame) -> list[pd.DataFrame]:
    """Split a laid-out table for a screen: of Table 1 the paper's columns, then all others as rows."""
    if "Domain" not in laid_out:
        return [laid_out]
    paper_s = _pages(laid_out)[0].join(laid_out[[name for name in COUNTS if name in laid_out]])
    ours = [name for name in laid_out if name == "Chance" or name not in paper_s]
    others = laid_out.set_index("Domain")[ours].T.rename_axis("Representation").reset_index()
    return [paper_s, others] if len(others) > 1 else [paper_s]


def paper_part(laid_out: pd.DataFrame) -> pd.DataFrame:
    """Select the columns of the laid-out Table 1 that the paper has: x, φ_SN, φ_LNTL and their Diff."""
    return _screens(laid_out)[0]


def other_part(laid_out: pd.DataFrame) -> pd.DataFrame:
    """Lay out the representations of Table 1 that the paper lacks, a row each."""
    return _screens(laid_out)[-1]


def thinned(curves: pd.DataFrame) -> pd.DataFrame:
    """Select the points of ROC curves at which the true accept rate changes, enough for a figure."""
    return curves[curves.groupby("representation")["tar"].diff() != 0]


def save_table(table: pd.DataFrame, laid_out: pd.DataFrame, folder: Path, name: str, caption: str) -> None:
    """Write `name`.csv (tidy), `name`.md and `name`.tex (laid out; see `latex`), each atomically.

    The Markdown ends with the meaning of each representation.
    """
    file = {suffix: below(folder, f"{name}.{suffix}", "table") for suffix in ("csv", "md", "tex")}
    write_csv(file["csv"], table, float_format="%.1f")
    key = "\n".join(f"* {shown}: {words}." for shown, words in meanings(table.get("representation", ())).items())
    parts = [caption, *(part.to_markdown(index=False, disable_numparse=True) for part in _screens(laid_out)), key]
    write_text(file["md"], "\n\n".join(filter(None, parts)) + "\n")
    write_text(file["tex"], as_latex(_pages(laid_out), caption, name, _note(laid_out)))
