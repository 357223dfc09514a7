"""Figures of notebook A2: the probe suite, learning curves, inversion, twice the subjects, a degenerate SVM."""

import pandas as pd
from matplotlib.figure import Figure

from blindlib.evaluate.probes import SELECTED
from blindlib.metrics import interval
from blindlib.report.names import shown, without_bits
from blindlib.report.plots import (
    COLOURS,
    GREY,
    POINTS,
    chance_line,
    colour,
    label_ends,
    look,
    new_figure,
    none_without_data,
)

_LIGHT = "#BBBBBB"
_SHAPES = ("o", "s", "^", "D", "v", "P")  # of the kinds of probe
_ACCURACY = "emotion: balanced accuracy, %"


@none_without_data
def probe_suite(cells: pd.DataFrame) -> Figure:
    """Draw every probe's accuracy, a row a representation: rows of `probe_suite.suite_cells` with most subjects.

    Grey marks are the kinds, open on standardised and filled on whitened features. The coloured mark is the selected
    probe with its interval. The name of the maximum over test subjects stands beside it.
    """
    names = list(dict.fromkeys(cells["representation"]))
    kinds = list(dict.fromkeys(name.partition(" ")[0] for name in cells["probe"] if name != SELECTED))
    figure, (axis,) = new_figure(height=0.5 * len(names) + 1.2)
    for kind, marker in zip(kinds, _SHAPES, strict=False):
        axis.plot([], [], marker, color=_LIGHT, mfc="none", label=kind)
        for probe, face in ((kind, "none"), (f"{kind} whitened", _LIGHT)):
            rows = cells[cells["probe"] == probe]
            axis.plot(rows["mean"], rows["representation"].map(names.index), marker, color=_LIGHT, mfc=face, ms=5)
    for row in cells[cells["probe"] == SELECTED].itertuples():
        axis.errorbar(row.mean, names.index(row.representation), xerr=row.half_width, **_mark(row.representation))
    most = cells.loc[cells[cells["probe"] != SELECTED].groupby("representation")["mean"].idxmax()]
    for row in most.itertuples():
        words = {"fontsize": 7, "color": GREY, "xytext": (7, 5), "textcoords": "offset points"}
        axis.annotate(f"maximum: {row.probe}", (row.mean, names.index(row.representation)), **words)
    axis.plot([], [], POINTS["fmt"], color=GREY, label="selected on validation")
    axis.set_yticks(range(len(names)), [shown(name) for name in names])
    axis.set(xlabel=_ACCURACY, ylim=(len(names) - 0.5, -0.6))
    axis.set_xlim(max(0, axis.get_xlim()[0]), min(105, axis.get_xlim()[1]))
    axis.set_title("Probes: open standardised, filled whitened", pad=14)
    axis.grid(axis="y", visible=False)
    chance_line(axis, cells["chance"].iloc[0], vertical=True)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=len(kinds) + 1)
    return figure


def _mark(name: str) -> dict:
    return POINTS | {"color": colour(name), "ms": 6, "mfc": colour(name) if name == without_bits(name) else "white"}


@none_without_data
def learning_curves(cells: pd.DataFrame) -> Figure:
    """Draw the selected probe's accuracy by its number of training subjects: rows of `probe_suite.suite_cells`."""
    cells = cells[cells["probe"] == SELECTED]
    most, ends = cells["subjects"].max(), {}
    figure, (axis,) = new_figure(height=3.2)
    for name, curve in cells.groupby("representation", sort=False):
        curve, own = curve.sort_values("subjects"), look(name)
        line = {"fmt": f"{own['fmt']}{'-' if name == without_bits(name) else '--'}", "ms": 4, "lw": 1.2}
        axis.errorbar(curve["subjects"], curve["mean"], curve["half_width"], color=own["color"], **line)
        ends[name] = curve["mean"].iloc[-1]
    low, high = cells["chance"].min() - 5, min(102, cells["mean"].max() + 8)
    axis.set(xscale="log", ylim=(low, high), xlabel="subjects who train the probe (logarithmic)", ylabel=_ACCURACY)
    axis.set(title="Selected probe by its number of training subjects")
    axis.set_xticks(sorted(cells["subjects"].unique()), sorted(cells["subjects"].unique()))
    axis.minorticks_off()
    label_ends(axis, most, ends, 0.06 * (high - low))
    chance_line(axis, cells["chance"].iloc[0])
    return figure


@none_without_data
def inversion(table: pd.DataFrame) -> Figure:
    """Draw R² of the reconstructed x beside the emotion predicted from it: a row for each `representation` and split.

    Takes `r2` and `balanced_accuracy`, as `inversion.invert` gives them, and `chance`.
    """
    names = list(dict.fromkeys(table["representation"]))
    figure, axes = new_figure(2, height=0.32 * len(names) + 1.1, sharey=True)
    for axis, measure in zip(axes, ("r2", "balanced_accuracy"), strict=True):
        for place, name in enumerate(names):
            mean, half = interval(table.loc[table["representation"] == name, measure])
            axis.errorbar(mean, place, xerr=half, **_mark(name))
            words = {"fontsize": 8, "color": colour(name), "xytext": (0, 5), "textcoords": "offset points"}
            axis.annotate(f"{mean:.2f}" if measure == "r2" else f"{mean:.0f}", (mean, place), ha="center", **words)
        axis.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(names)), [shown(name) for name in names])
    axes[0].set(xlabel="R² of the reconstructed x", xlim=(min(0, table["r2"].min()) - 0.05, 1.05))
    axes[0].set_ylim(len(names) - 0.5, -0.7)
    axes[1].set(xlabel="emotion from it: balanced accuracy, %")
    chance_line(axes[1], table["chance"].iloc[0], vertical=True)
    return figure


@none_without_data
def more_subjects(table: pd.DataFrame) -> Figure:
    """Draw the selected probe with as many training subjects as in the run, and with twice as many.

    Takes rows of `sample_size.compare_probes`. Grey is the run's value with its interval, black is the one with twice
    the subjects, and the number is the difference in points.
    """
    table = table[table["probe"] == SELECTED]
    figure, (axis,) = new_figure(height=0.28 * len(table) + 1.1)
    for place, row in enumerate(table.itertuples()):
        axis.errorbar(row.mean, place, xerr=row.half_width, **POINTS | {"color": _LIGHT, "ms": 6})
        axis.plot(row.twice, place, POINTS["fmt"], color=COLOURS["x"], ms=4)
        words = {"fontsize": 7, "xytext": (6, 3), "textcoords": "offset points"}
        axis.annotate(f"{row.moved:+.1f}", (max(row.twice, row.mean), place), **words)
    axis.set_yticks(range(len(table)), [shown(name) for name in table["representation"]])
    axis.set(xlabel=_ACCURACY, ylim=(len(table) - 0.5, -0.5), title="Selected probe: run (grey), twice the subjects")
    axis.set_xlim(max(0, axis.get_xlim()[0]), min(105, axis.get_xlim()[1]))
    axis.grid(axis="y", visible=False)
    return figure


@none_without_data
def degenerate_svm(cells: pd.DataFrame) -> Figure:
    """Draw an SVM's accuracy and most predicted class by the norm of x: columns of `degenerate_svm.COLUMNS`."""
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
    for axis, words in zip(axes, ("balanced accuracy, %", "share of the most\npredicted class, %"), strict=True):
        axis.set(xscale="log", xlabel="norm of $x$ (as it comes: 1)", ylabel=words, ylim=(0, 106))
        axis.set_xticks(norms, [f"{norm:g}" for norm in norms])
        axis.minorticks_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
