"""Draw the appendix: the frontier, synthetic leaks, and adversaries beside validation probes."""

from itertools import product

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from blindlib.appendix.synthetic_leaks import Leak, strongest
from blindlib.report.names import shown
from blindlib.report.plots import (
    COLOURS,
    GREY,
    GUIDE,
    chance_line,
    colour,
    new_figure,
    none_without_data,
    shape,
)


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
