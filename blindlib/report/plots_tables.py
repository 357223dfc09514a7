"""Figures of the tables: Table 1 by Diff, Table 2 by Eq. Opp., the sweep of biases, the claims' margins."""

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blindlib.report.names import shown, typeset
from blindlib.report.plots import (
    COLOURS,
    GREY,
    GUIDE,
    POINTS,
    THE_PAPER_S,
    colour,
    label_ends,
    look,
    new_figure,
    none_without_data,
    published_point,
    shape,
)
from blindlib.settings import CEILINGS

CONTROLS = ("SN λ=0", "LNTL λ=0", "LNTL demographic", "PCA", "random")
CLAIM_COLOURS = {"replicated": COLOURS["LEACE"], "not replicated": COLOURS["LNTL"], "undecided": GREY}


def table1_figure(table: pd.DataFrame) -> Figure | None:
    """Table 1 (protocol B) by Diff: what share of x's accuracy above chance each φ loses, published values hollow.

    Panels: the paper's two methods, those without an adversary, and the controls (heads without penalty, LNTL by its
    other task, other directions dropped), with 95 % intervals, in a window around 0 to 100 that a tiny run may
    leave. What x itself reads stands under each domain's name. A ceiling is no φ and is left out.
    """
    rows = table[(table["protocol"] == "B") & table["diff"].notna() & ~table["representation"].isin(CEILINGS)]
    if rows.empty:
        return None
    names, domains = list(dict.fromkeys(rows["representation"])), list(dict.fromkeys(rows["domain"]))
    others = [name for name in names if name not in (*THE_PAPER_S, *CONTROLS)]
    panels = {"the paper's methods": THE_PAPER_S, "without an adversary": others, "controls": CONTROLS}
    panels = {title: [n for n in names if n in part] for title, part in panels.items() if set(part) & set(names)}
    ratios = [1.6 if part[0] in THE_PAPER_S else 1 for part in panels.values()]
    height = 0.45 * len(domains) + 1.3
    figure, axes = new_figure(len(panels), height=height, sharey=True, sharex=True, width_ratios=ratios)
    for axis, (title, part) in zip(axes, panels.items(), strict=True):
        _diffs(axis, rows, domains, part)
        axis.set_title(title)
    read = table[(table["protocol"] == "B") & (table["representation"] == "x")].set_index("domain")
    axes[0].set_yticks(range(len(domains)), [_with_x(domain, read) for domain in domains])
    low, high = rows["diff"].min() - 12, max(rows["diff"].max(), rows["published_diff"].max()) + 12
    axes[0].set(ylim=(len(domains) - 0.5, -0.5), xlim=(np.clip(low, -60, -12), np.clip(high, 112, 160)))
    axes[len(axes) // 2].set_xlabel("Diff, % of what $x$ has above chance:  0 as $x$,  100 at chance")
    handles = [axis.get_legend_handles_labels() for axis in axes]
    words = {label: handle for part in handles for handle, label in zip(*part, strict=True)}
    figure.legend(words.values(), words.keys(), loc="outside lower center", ncols=5)
    return figure


def _diffs(axis: Axes, rows: pd.DataFrame, domains: list[str], names: list[str]) -> None:
    """Diffs of some representations by domain, side by side, with published values hollow."""
    for middle in range(0, len(domains), 2):
        axis.axhspan(middle - 0.5, middle + 0.5, color="#f4f4f4", zorder=0, lw=0)
    for n, name in enumerate(names):
        own = rows[rows["representation"] == name]
        y = own["domain"].map(domains.index) + (n - (len(names) - 1) / 2) * 0.7 / len(names)
        axis.errorbar(own["diff"], y, xerr=own["diff_half_width"], **POINTS | {"ms": 5} | look(name))
        published_point(axis, own["published_diff"], y, colour(name), ms=6, mew=1.0)
    if rows.loc[rows["representation"].isin(names), "published_diff"].notna().any():
        published_point(axis, [], [], ms=6, label="published (other data)")
    for end in (0, 100):
        axis.axvline(end, lw=1, zorder=1, **GUIDE)
    axis.grid(axis="y", visible=False)
    axis.set_xticks([0, 50, 100])


def _with_x(domain: str, x: pd.DataFrame) -> str:
    """A domain, and under it what x reads, its published value and chance."""
    row = x.loc[domain]
    published = "" if pd.isna(row["published"]) else f" [{row['published']:.1f}]"
    return f"{domain}\n$x$ {row['mean']:.1f}{published}, chance {row['chance']:.1f}"


def equal_opportunity(table: pd.DataFrame) -> Figure | None:
    """True positive rates of the smiling and the others, and Eq. Opp., by row of Table 2; published values hollow."""
    rows = table[table["acc"].notna()].reset_index(drop=True)
    if rows.empty:
        return None
    figure, (left, right) = new_figure(2, height=0.26 * len(rows) + 1.1, sharey=True)
    for y, row in rows.iterrows():
        edge = colour(row["representation"])
        for measure, marker in (("tpr_smiling", ">"), ("tpr_not_smiling", "<")):
            points = POINTS | {"ms": 6, "color": edge, "fmt": marker, "zorder": 3}
            left.errorbar(row[measure], y, xerr=row[f"{measure}_hw"], **points)
        left.plot([row["tpr_not_smiling"], row["tpr_smiling"]], [y, y], color=edge, lw=3, alpha=0.25)
        points = POINTS | {"ms": 5, "color": edge, "fmt": shape(row["representation"])}
        right.errorbar(row["eq_opp"], y, xerr=row["eq_opp_hw"], **points)
        published_point(right, row["published_eq_opp"], y, edge, ms=6, mew=1.0)
    left.plot([], [], "<", color=GREY, label="not smiling")
    left.plot([], [], ">", color=GREY, label="smiling")
    published_point(right, [], [], label="published (CelebA)")
    right.axvline(0, lw=1, **GUIDE)
    for axis, words in ((left, "true positive rate, %"), (right, "Eq. Opp.: the difference, points")):
        axis.set(xlabel=words)
        axis.grid(axis="y", visible=False)
        axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    names = [shown(name) for name in rows["representation"]]
    left.set_yticks(rows.index, [f"{name}, {kind}" for name, kind in zip(names, rows["training"], strict=True)])
    left.set_ylim(len(rows) - 0.5, -0.5)
    right.set_xlim(left=min(0, *(rows["eq_opp"] - rows["eq_opp_hw"]).fillna(0)) - 0.5)
    return figure


@none_without_data
def bias_sweep(points: pd.DataFrame) -> Figure:
    """Gap and accuracy as the training set's bias grows: columns of `tables.sweep_points`."""
    figure, axes = new_figure(2, height=3.3)
    names = list(dict.fromkeys(points["representation"]))
    for axis, measure in zip(axes, ("gap", "acc"), strict=True):
        for n, name in enumerate(names):
            rows = points[points["representation"] == name].sort_values("bias")
            x = 100 * rows["bias"] + 0.6 * (n - (len(names) - 1) / 2)
            weight = {"lw": 1.8, "ms": 5, "zorder": 3} if name in THE_PAPER_S else {"lw": 0.8, "ms": 4, "alpha": 0.8}
            own = look(name)
            own |= {"fmt": f"{own['fmt']}-", "elinewidth": 0.7} | weight
            axis.errorbar(x, rows[measure], rows[f"{measure}_hw"], **own)
        last = points[points["bias"] == points["bias"].max()].set_index("representation")[measure]
        low, high = axis.get_ylim()
        label_ends(axis, 100 * points["bias"].max(), last.to_dict(), 0.055 * (high - low))
        axis.set_xticks(100 * points["bias"].drop_duplicates().sort_values())
    axes[0].axhline(0, lw=1, **GUIDE)
    axes[0].set(ylabel="TPR smiling − not smiling, points")
    axes[1].set(ylabel="accuracy on the unbiased test set, %")
    figure.supxlabel("bias of the training set, %: the attractive who smile, the others who do not", fontsize=9)
    return figure


@none_without_data
def claims_figure(margins: pd.DataFrame) -> Figure:
    """By how much each claim keeps its rule, with intervals and verdicts: the columns of `claims.margins`.

    A circle is the margin by the paper's probes, a triangle the one by the strongest attacker.
    """
    names = list(dict.fromkeys(margins["id"]))
    words, twice = margins.drop_duplicates("id").set_index("id")["claim"], margins["id"].value_counts() > 1
    figure, (axis,) = new_figure(height=0.42 * len(names) + 0.9)
    axis.axvspan(-1000, 0, color="#f4f4f4", zorder=0, lw=0)
    for row in margins.itertuples():
        strongest = row.attacker == "strongest"
        y = names.index(row.id) + (0.2 if strongest else -0.2 if twice[row.id] else 0)
        shade = CLAIM_COLOURS.get(row.verdict, GREY)
        error = [[row.margin - row.low], [row.high - row.margin]]
        axis.errorbar(row.margin, y, xerr=error, **POINTS | {"fmt": "^" if strongest else "o", "ms": 6, "color": shade})
        place = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 8, "color": shade}
        axis.annotate(row.verdict, (1.02, y), annotation_clip=False, **place)
    for marker, attacker in (("o", "by the paper's measures"), ("^", "by the strongest attacker")):
        axis.plot([], [], marker, color=GREY, label=attacker)
    axis.axvline(0, **GUIDE)
    axis.set_yticks(range(len(names)), [typeset(fill(f"{name}  {words[name]}", 42)) for name in names])
    limits = np.nanmin([*margins["low"], *margins["margin"], 0]), np.nanmax([*margins["high"], *margins["margin"], 0])
    room = 0.06 * (limits[1] - limits[0])
    axis.set(xlabel="margin, points (95 % interval): right of 0 the claim holds", ylim=(len(names) - 0.5, -0.5))
    axis.set_xlim(limits[0] - room, limits[1] + room)
    axis.grid(axis="y", visible=False)
    figure.legend(loc="outside upper right", ncols=2)
    return figure
