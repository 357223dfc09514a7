"""Draw the appendix: the frontier, synthetic leaks, adversaries beside fresh probes, stronger and degenerate probes."""

from itertools import product

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from blindlib.appendix.synthetic_leaks import Leak, strongest
from blindlib.metrics import interval
from blindlib.report.names import shown
from blindlib.report.plots import (
    COLOURS,
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
    shape,
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
def frontier(points: pd.DataFrame, coloured: tuple[str, ...]) -> Figure:
    """Draw verification accuracy against the selected probe, a panel for float and each number of bits.

    `points` are those of `frontier_points`. The methods named in `coloured` (at most four) have their colours, all
    others are grey; λ of one method are joined.
    """
    panels = list(dict.fromkeys(points["bits"]))
    rows = -(-len(panels) // 2)
    figure, axes = new_figure(min(2, len(panels)), rows, height=2.7 * rows + 0.2, sharex=True, sharey=True)
    reach, chance = points["id_hw"].fillna(0), points["chance"].iloc[0]
    low, high = (points["id"] - reach).min() - 1.0, min(100.0, (points["id"] + reach).max() + 0.25)
    for axis, bits in zip(axes, panels, strict=False):
        own = points[points["bits"] == bits].reset_index(drop=True)
        for method, part in own.groupby("method", sort=False):
            part, shade = part.sort_values("strength"), colour(method) if method in coloured else "#AAAAAA"
            style = {"fmt": f"{shape(method)}-", "ms": 5, "lw": 0.8, "elinewidth": 0.5, "color": shade}
            axis.errorbar(part["id"], part["emotion"], part["emotion_hw"], part["id_hw"], **style)
        _accuracy_axis(axis, low, high)
        axis.set_ylim(chance - 6, min(102.0, points["emotion"].max() + 8))
        chance_line(axis, chance)
        axis.set_title(bits if bits == "float" else f"{bits} bits")
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    for axis in axes[::2]:
        axis.set_ylabel("emotion, selected probe, %")
    for axis in axes[-2:]:
        axis.set_xlabel("verification accuracy, %")
    figure.draw_without_rendering()  # sets the places of the axes, which labels are counted from
    for axis, bits in zip(axes, panels, strict=False):
        own = points[points["bits"] == bits]
        own = own.loc[own.groupby("method", sort=False)["emotion"].idxmin()]
        shades = [colour(m) if m in coloured else GREY for m in own["method"]]
        sizes = [8.0 if m in coloured else 6.0 for m in own["method"]]
        place_labels(axis, own[["id", "emotion"]].to_numpy(), [shown(m) for m in own["method"]], shades, sizes)
    return figure


@none_without_data
def synthetic_leaks(table: pd.DataFrame, coloured: tuple[str, ...]) -> Figure:
    """Draw the highest accuracy of all attackers by leak and method, in float (hollow) and in few bits (filled).

    `table` has the rows of `calibrate`. The methods named in `coloured` (at most four) have their colours, all others
    are grey. The last panel is the lowest identity score of each method in few bits.
    """
    best = strongest(table)
    best = best.assign(name=[str(Leak(k, s)) for k, s in zip(best["leak"], best["strength"], strict=True)])
    leaks, methods = list(dict.fromkeys(best["name"])), list(table["method"].unique())
    figure, axes = new_figure(len(leaks) + 1, height=0.24 * len(methods) + 1.3, sharey=True)
    kept = table[(table["reading"] == "identity") & (table["bits"] != "float")]
    kept = kept.loc[kept.groupby("method", sort=False)["value"].idxmin()]
    for axis, rows in zip(axes, [*(best[best["name"] == leak] for leak in leaks), kept], strict=True):
        for row in rows.itertuples():
            shade = colour(row.method) if row.method in coloured else "#999999"
            face = "none" if row.bits == "float" else shade
            axis.plot(row.value, methods.index(row.method), "o", ms=5, mec=shade, mfc=face)
        axis.grid(axis="y", visible=False)
    for axis, leak in zip(axes, leaks, strict=False):
        axis.axvline(table["chance"].min(), lw=1, zorder=0, **GUIDE)
        axis.set(xlim=(0, 108), xticks=[0, 50, 100])
        axis.set_title(leak, size=8)
    axes[-1].set(xlabel="AUC, %", xlim=(min(90, kept["value"].min() - 1), 101))
    axes[-1].set_title("identity", size=8)
    axes[len(leaks) // 2].set_xlabel("emotion: the strongest attacker's accuracy, %, by leak")
    axes[0].set_yticks(range(len(methods)), [shown(method) for method in methods])
    axes[0].set_ylim(len(methods) - 0.5, -0.5)
    axes[0].plot([], [], "o", mfc="none", color=GREY, label="float")
    axes[0].plot([], [], "o", color=GREY, label="in few bits")
    axes[0].plot([], [], label="chance", **GUIDE)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@none_without_data
def adversary_and_probe(history: pd.DataFrame) -> Figure:
    """Draw the adversary's and the validation probes' accuracy by epoch: a panel for each `variant` of the history."""
    variants = list(history["variant"].unique())
    figure, axes = new_figure(len(variants), height=2.6, sharey=True)
    for axis, variant in zip(axes, variants, strict=True):
        rows = history[history["variant"] == variant]
        axis.plot(rows["round"], rows["detector"], "--", color=GREY, lw=1.2, label="the adversary")
        axis.plot(rows["round"], rows["attribute"], color=COLOURS["SN"], lw=1.5, label="validation probes")
        axis.set_title(variant, size=8)
        axis.set_xlabel("epoch")
    axes[0].set_ylabel("accuracy, %")
    axes[0].legend()
    return figure


def _spread_errors(accuracy: np.ndarray) -> np.ndarray:
    """Map accuracy in percent to minus the logarithm of the errors, which spreads what lies close to 100."""
    return -np.log(np.maximum(100.5 - np.asarray(accuracy, float), 1e-2))


def _accuracy_axis(axis: Axes, low: float, high: float) -> None:
    """Set up an axis of verification accuracy, %, on a logarithmic scale of its errors."""
    axis.set_xscale("function", functions=(_spread_errors, lambda place: 100.5 - np.exp(-np.asarray(place))))
    ticks = [t for t in (50, 60, 70, 80, 90, 95, 98, 99, 100) if low <= t <= high]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_xlim(low, high)


_SIDES = ((1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0))  # diagonals are free of intervals


def place_labels(axis: Axes, points: np.ndarray, words: list[str], colours: list[str], sizes: list[float]) -> None:
    """Put words beside their points (N, 2), in data units, each at the first of sixteen places that is still free.

    The limits and the scales of the axis have to be set. A place is free where it meets no other point and no word that
    already stands; where none is, the least crowded one is taken.
    """
    pixel = axis.figure.dpi / 72  # a point of type
    at = axis.transData.transform(points)
    inside = axis.get_window_extent()
    halo = [withStroke(linewidth=2, foreground="white")]
    taken = [mpl.transforms.Bbox.from_bounds(x - 7 * pixel, y - 7 * pixel, 14 * pixel, 14 * pixel) for x, y in at]
    for n, (word, shade, size) in enumerate(zip(words, colours, sizes, strict=True)):
        visible = len(word.replace("\\varphi", "φ").replace("\\mathrm", "")) - 2 * word.count("$")
        width, height = 0.56 * size * visible * pixel, 1.15 * size * pixel
        options = []
        for far, (side, up) in product((4, 12), _SIDES):
            x = at[n][0] + side * (far * pixel + width / 2) - width / 2
            y = at[n][1] + up * (far * pixel + height / 2) - height / 2
            box = mpl.transforms.Bbox.from_bounds(x, y, width, height)
            others = sum(bool(box.overlaps(other)) for k, other in enumerate(taken) if k != n)
            outside = x < inside.x0 or box.x1 > inside.x1 or y < inside.y0 or box.y1 > inside.y1
            options.append((others + 9 * outside, far, len(options), box))
        box = min(options)[-1]
        taken.append(box)
        offset = ((box.x0 - at[n][0]) / pixel, (box.y0 - at[n][1]) / pixel)
        axis.annotate(
            word,
            points[n],
            offset,
            textcoords="offset points",
            fontsize=size,
            color=shade,
            va="bottom",
            path_effects=halo,
        )
