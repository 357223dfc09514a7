"""Figures of attackers: by the number of their people, by planted answers, and a probe that has given up."""

import pandas as pd
from matplotlib.figure import Figure

from blindlib.metrics import interval
from blindlib.report.names import shown
from blindlib.report.plots import (
    GREY,
    GUIDE,
    POINTS,
    THE_PAPER_S,
    chance_line,
    colour,
    label_ends,
    look,
    new_figure,
    none_without_data,
)

RUNG_SHAPES = ("o", "s", "^", "D", "v", "P", "X")


@none_without_data
def attack_curves(cells: pd.DataFrame) -> Figure:
    """What the attacker chosen on the ladder reads by the number of its people, and who it is: a row for each
    `representation`, `probe` and number of people (`people`), with `mean`, `half_width` and `chance`, in percent."""
    figure, (left, right) = new_figure(2, height=3.6, width_ratios=(3, 2))
    most = cells["people"].max()
    rungs = [name for name in cells["probe"].unique() if name != "strongest"]
    best = cells[(cells["probe"] == "strongest") & (cells["people"] == most)].set_index("representation")["mean"]
    best = best.sort_values(ascending=False)
    for name in best.index[::-1]:
        curve = cells[(cells["representation"] == name) & (cells["probe"] == "strongest")].sort_values("people")
        own = look(name)
        own |= {"fmt": f"{own['fmt']}-", "elinewidth": 0.7, "ms": 4, "lw": 1.8 if name in THE_PAPER_S else 0.9}
        left.errorbar(curve["people"], curve["mean"], curve["half_width"], **own)
    low, high = min(0, cells["chance"].min() - 5), min(102, cells["mean"].max() + 8)
    left.set(xscale="log", xlabel="people who train the attacker chosen", ylabel="emotion: balanced accuracy, %")
    left.set(ylim=(low, high))
    left.set_xticks(sorted(cells["people"].unique()), sorted(cells["people"].unique()))
    left.minorticks_off()
    label_ends(left, most, best.to_dict(), 0.055 * (high - low))
    for n, (rung, marker) in enumerate(zip(rungs, RUNG_SHAPES, strict=False)):
        last = cells[(cells["people"] == most) & (cells["probe"] == rung)].set_index("representation")
        last = last.reindex(best.index)
        apart = (n - (len(rungs) - 1) / 2) * min(0.2, 0.8 / len(rungs))
        for row, (name, value, half) in enumerate(zip(best.index, last["mean"], last["half_width"], strict=True)):
            shade = colour(name)
            right.errorbar(value, row + apart, xerr=half, **POINTS | {"fmt": marker, "color": shade, "lw": 0.8})
        right.plot([], [], marker, color=GREY, label=rung)
    right.set_yticks(range(len(best)), [shown(name) for name in best.index])
    right.set(xlabel="balanced accuracy, %", ylim=(len(best) - 0.5, -0.5))
    right.grid(axis="y", visible=False)
    legend = {"title": f"attackers with {most} people", "title_fontsize": 8, "ncols": len(rungs), "handletextpad": 0.2}
    figure.legend(*right.get_legend_handles_labels(), loc="outside upper right", **legend)
    chance_line(left, cells["chance"].iloc[0])
    chance_line(right, cells["chance"].iloc[0], vertical=True)
    return figure


@none_without_data
def collapsed_probe(cells: pd.DataFrame) -> Figure:
    """What an SVM reads by the norm of x, its default γ and the classes' balance: columns of `collapsed_probe`."""
    figure, axes = new_figure(2, height=3.0)
    styles = {"auto": ("#D55E00", "before 0.22", "o"), "scale": ("#000000", "since 0.22", "s")}
    for (gamma, classes), rows in cells.groupby(["gamma", "classes"], sort=False):
        shade, when, marker = styles[gamma]
        equal = classes == "equal"
        line = {"color": shade, "ls": "-" if equal else "--", "marker": marker, "ms": 5 if equal else 8, "lw": 1.2}
        line |= {"mfc": shade if equal else "none", "label": f'γ = "{gamma}" ({when}), classes {classes}'}
        by = rows.groupby("norm")
        for axis, measure in zip(axes, ("value", "top_share"), strict=True):
            numbers = [interval(part) for _, part in by[measure]]
            axis.errorbar([*by.groups], [n[0] for n in numbers], [n[1] for n in numbers], elinewidth=0.7, **line)
    chance_line(axes[0], cells["chance"].iloc[0])
    norms = sorted(cells["norm"].unique())
    for axis, words in zip(axes, ("balanced accuracy, %", "share of the most\nfrequent answer, %"), strict=True):
        axis.set(xscale="log", xlabel="norm of $x$ (as it comes: 1)", ylabel=words, ylim=(0, 106))
        axis.set_xticks(norms, [f"{norm:g}" for norm in norms])
        axis.minorticks_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


@none_without_data
def planted(table: pd.DataFrame) -> Figure:
    """What attackers read of planted leaks in x and after each method, and identity: rows of `planted.calibrate`.

    A row a method, a panel a leak: a dot for the linear attacker, a square for the RBF one.
    """
    names = [f"{kind} {s:g}" if s else kind for kind, s in zip(table["leak"], table["strength"], strict=True)]
    table = table.assign(name=names)
    leaks, methods = list(dict.fromkeys(names)), list(table["method"].unique())
    figure, axes = new_figure(len(leaks) + 1, height=0.24 * len(methods) + 1.3, sharey=True)
    readings = {"linear": ("o", -0.15, "linear attacker"), "RBF": ("s", 0.15, "RBF attacker")}
    for axis, leak in zip(axes, leaks, strict=False):
        for reading, (marker, shift, _) in readings.items():
            _by_method(axis, table[(table["name"] == leak) & (table["reading"] == reading)], methods, marker, shift)
        chance = table.loc[table["reading"] == "linear", "chance"].iloc[0]
        axis.axvline(chance, lw=1, zorder=0, label="chance" if axis is axes[0] else None, **GUIDE)
        axis.set(title=leak, xlim=(0, 108), xticks=[0, 50, 100])
    kept = table[table["reading"] == "identity"]
    worst = kept.loc[kept.groupby("method", sort=False)["value"].idxmin()]
    _by_method(axes[-1], worst, methods, "D", 0)
    axes[-1].set(title="ID, worst", xlim=(min(90, worst["low"].min() - 1), 101), xlabel="AUC, %")
    axes[len(leaks) // 2].set_xlabel("emotion read, %, by planted leak")
    for axis in axes:
        axis.title.set_size(8)
        axis.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(methods)), [shown(method) for method in methods])
    axes[0].set_ylim(len(methods) - 0.5, -0.5)
    for marker, _, words in readings.values():
        axes[0].plot([], [], marker, color=GREY, label=words)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _by_method(axis, rows: pd.DataFrame, methods: list[str], marker: str, shift: float) -> None:
    """Values with intervals, a row a method, in the methods' colours."""
    for row in rows.itertuples():
        error = [[abs(row.value - row.low)], [abs(row.high - row.value)]]
        points = POINTS | {"fmt": marker, "color": colour(row.method)}
        axis.errorbar(row.value, methods.index(row.method) + shift, xerr=error, **points)
