"""Draw figures of the tables: probe accuracy before and after rounding, and the gap by the classifier's penalty."""

import pandas as pd
from matplotlib.figure import Figure

from blindlib.report.names import shown, without_bits
from blindlib.report.plots import GUIDE, POINTS, chance_line, colour, label_ends, look, new_figure, none_without_data

KINDS = {  # of probe and representation: style of each
    "paper": ("the strongest of the paper's probes", {"mfc": "white", "fmt": "o"}),
    "whitened": ("a probe that whitens", {"fmt": "o"}),
    "released": ("the same, after rounding to {bits} bits", {"fmt": "X"}),
}


def tradeoff_points(table: pd.DataFrame, bits: int | None) -> pd.DataFrame:
    """Collect, for each representation of Table 1, verification accuracy and the accuracy of each kind of probe.

    Returns `representation`, `kind` (of `KINDS`), `id`, `id_hw`, `emotion`, `emotion_hw`, `chance`, in percent.
    """
    cells, points = table.dropna(subset=["mean"]).set_index(["representation", "domain"]), []
    for name in dict.fromkeys(table["representation"]):
        known = cells.loc[[name]].droplevel(0) if name in cells.index.get_level_values(0) else pd.DataFrame()
        if not {"ID", "Emotion (whitened)"} <= set(known.index):
            continue
        papers = known[known.index.isin([f"Emotion ({probe})" for probe in ("NN", "SVM", "RF")])]
        before = without_bits(name)
        rows = {"released": known.loc["Emotion (whitened)"]}
        if before == name:
            rows = {"paper": papers.loc[papers["mean"].idxmax()], "whitened": known.loc["Emotion (whitened)"]}
        verified = known.loc["ID"]
        for kind, row in rows.items():
            point = {"representation": before, "kind": kind, "id": verified["mean"], "id_hw": verified["half_width"]}
            points.append(point | {"emotion": row["mean"], "emotion_hw": row["half_width"], "chance": row["chance"]})
    columns = ["representation", "kind", "id", "id_hw", "emotion", "emotion_hw", "chance"]
    return pd.DataFrame(points, columns=columns)


@none_without_data
def tradeoff(points: pd.DataFrame, names: tuple[str, ...], bits: int | None) -> Figure:
    """Draw verification against probe accuracy for each kind of probe: columns of `tradeoff_points`."""
    figure, (axis,) = new_figure(height=3.6)
    for name in names:
        own = points[points["representation"] == name].set_index("kind")
        for kind, (_, style) in KINDS.items():
            if kind in own.index:
                row = own.loc[kind]
                drawn = POINTS | {"ms": 7, "color": colour(name)} | style
                axis.errorbar(row["id"], row["emotion"], row["emotion_hw"], row["id_hw"], **drawn)
        if len(own) > 1:
            axis.plot(own["id"], own["emotion"], color=colour(name), lw=0.8, alpha=0.5)
        top = own.loc[own["emotion"].idxmax()] if len(own) else None
        if top is not None:
            axis.annotate(
                shown(name), (top["id"], top["emotion"]), (6, 6), textcoords="offset points", color=colour(name)
            )
    for words, style in KINDS.values():
        axis.errorbar([], [], label=words.format(bits=bits), **POINTS | {"ms": 7, "color": "#555555"} | style)
    chance_line(axis, points["chance"].iloc[0])
    axis.set(xlabel="verification accuracy, %", ylabel="emotion: balanced accuracy, %")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@none_without_data
def penalty_sweep(points: pd.DataFrame) -> Figure:
    """Draw the gap by the classifier's inverse penalty C: columns of `fairness.sweep_penalties`."""
    figure, (axis,) = new_figure(height=3.0)
    for name, rows in points.groupby("representation", sort=False):
        own = look(name) | {"capsize": 0}
        own["fmt"] += "-"
        axis.errorbar(rows["penalty"], rows["gap"], rows["gap_hw"], **own)
    last = points[points["penalty"] == points["penalty"].max()].set_index("representation")["gap"]
    axis.set(xscale="log", xlabel="inverse penalty C (weaker penalty to the right)")
    axis.set(ylabel="TPR smiling − not smiling, points")
    low, high = axis.get_ylim()
    label_ends(axis, points["penalty"].max(), last.to_dict(), 0.07 * (high - low))
    axis.axhline(0, lw=1, **GUIDE)
    return figure
