"""Figures of training: what each λ hides and costs by round, which λ is chosen, and the frontier on test people."""

from itertools import product

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from blindlib.report.names import shown
from blindlib.report.plots import (
    COLOURS,
    GREY,
    GUIDE,
    POINTS,
    chance_line,
    colour,
    new_figure,
    none_without_data,
    shape,
)


@none_without_data
def training_curves(history: pd.DataFrame, chance: float) -> Figure:
    """A bank's history by round and strength, the mean over splits: the adversary, fresh probes, verification.

    Parameters
    ----------
    history : DataFrame
        `split`, `strength`, `round`, `detector`, `emotion`, `identity` (percent), `kept` (the state that was kept of a
        split's head); its losses are in the CSV and not drawn.
    chance : float
        Of the emotions that the detectors tell apart, percent.
    """
    panels = {
        "detector": ("the method's own adversary", "emotion read, accuracy, %"),
        "emotion": ("fresh probe, validation people", ""),
        "identity": ("verification, validation people", "accuracy, %"),
    }
    figure, axes = new_figure(3, height=2.9)
    strengths = sorted(history["strength"].unique())
    colours = dict(zip(strengths, sns.color_palette("viridis_r", len(strengths) + 1)[1:], strict=True))
    line_style = {"hue": "strength", "palette": colours, "errorbar": "sd", "err_kws": {"alpha": 0.15}, "lw": 1.4}
    kept = history[history["kept"].astype(bool)]
    for axis, (column, (title, label)) in zip(axes, panels.items(), strict=True):
        sns.lineplot(history.dropna(subset=[column]), x="round", y=column, ax=axis, legend=False, **line_style)
        for strength, rows in kept.groupby("strength"):
            axis.plot(rows["round"].mean(), rows[column].mean(), "*", ms=10, mec="white", mew=0.7, c=colours[strength])
        axis.set(title=title, ylabel=label, xlabel="round")
    for axis in axes[:2]:
        axis.set_ylim(0, 102)
        chance_line(axis, chance)
    handles = [mpl.lines.Line2D([], [], color=colours[s], label=f"λ = {s:g}") for s in strengths]
    star = {"ls": "", "marker": "*", "ms": 9, "color": GREY}
    handles.append(mpl.lines.Line2D([], [], **star, label="the states that are kept, mean"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), columnspacing=1.2)
    return figure


@none_without_data
def selection(table: pd.DataFrame, budget: float) -> Figure:
    """Validation people only: what each λ costs and hides, and how often it was chosen (the columns of `choose`)."""
    figure, (left, right) = new_figure(2, height=2.6, width_ratios=(3, 2))
    by = table.groupby("strength")
    mean, spread, picks = by[["diff", "emotion"]].mean(), by[["diff", "emotion"]].std(), by["chosen"].sum()
    colours = sns.color_palette("viridis", len(mean))
    for strength, each in zip(mean.index, colours, strict=True):
        (x, y), (xerr, yerr) = mean.loc[strength], spread.loc[strength]
        left.errorbar(x, y, yerr, xerr, **POINTS | {"ms": 5, "lw": 0.8}, color=each, label=f"λ = {strength:g}")
    left.axvline(budget, lw=1, **GUIDE)
    where = {"xycoords": ("data", "axes fraction"), "ha": "right", "va": "top", "rotation": 90}
    left.annotate("budget", (budget, 0.98), fontsize=7, **where)
    left.set(xlabel="Diff of verification, % (±1 s.d. over splits)", ylabel="fresh emotion probe, %")
    left.legend(fontsize=7, ncols=2)
    right.bar([f"{s:g}" for s in picks.index], picks, color=colours)
    right.set(xlabel="λ", ylabel=f"chosen, of {int(picks.sum())} splits")
    right.grid(axis="x", visible=False)
    return figure


@none_without_data
def adversary_and_probe(history: pd.DataFrame) -> Figure:
    """What the method's own adversary and fresh probes read by round: columns `detectors`, `round`, both accuracies."""
    kinds = list(history["detectors"].unique())
    figure, axes = new_figure(len(kinds), height=2.6, sharey=True)
    for axis, kind in zip(axes, kinds, strict=True):
        rows = history[history["detectors"] == kind]
        axis.plot(rows["round"], rows["detector"], "--", color=GREY, lw=1.2, label="the method's own adversary")
        axis.plot(rows["round"], rows["attribute"], color=COLOURS["SN"], lw=1.5, label="fresh probe, validation people")
        axis.set(title=f"detectors: {kind}", xlabel="round")
    axes[0].set_ylabel("accuracy, %")
    axes[0].legend()
    return figure


def _spread_errors(accuracy: np.ndarray) -> np.ndarray:
    """Accuracy, % -> minus the logarithm of the errors: what lies close to 100 comes apart."""
    return -np.log(np.maximum(100.5 - np.asarray(accuracy, float), 1e-2))


def _accuracy_axis(axis: Axes, low: float, high: float) -> None:
    """Verification accuracy, %, on a logarithmic scale of its errors."""
    axis.set_xscale("function", functions=(_spread_errors, lambda place: 100.5 - np.exp(-np.asarray(place))))
    ticks = [t for t in (50, 60, 70, 80, 85, 90, 92, 94, 95, 96, 97, 98, 99, 100) if low <= t <= high]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_xlim(low, high)


_SIDES = ((1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0))  # diagonals are free of intervals


def place_labels(axis: Axes, points: np.ndarray, words: list[str], colours: list[str], sizes: list[float]) -> None:
    """Words beside their points (N, 2), in data units, each at the first of sixteen places that is still free.

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


@none_without_data
def frontier(points: pd.DataFrame) -> Figure:
    """λ against ID and emotion on test people: the columns of `frontier_points`.

    What validation people chose has a ring; a method that has one strength stands by its name alone.
    """
    figure, (axis,) = new_figure(height=3.9)
    for method, rows in points.groupby("method", sort=False):
        axis.plot(rows["id"], rows["emotion"], lw=1, color=colour(method), alpha=0.5)
        columns = (rows[name] for name in ("id", "emotion", "emotion_hw", "id_hw"))
        bars = {"fmt": shape(method), "ms": 6, "elinewidth": 0.6, "alpha": 0.9}
        axis.errorbar(*columns, color=colour(method), **bars)
    chosen = points[points["chosen"] > 0]
    axis.plot(chosen["id"], chosen["emotion"], "o", ms=12, mfc="none", mec=GREY, mew=1.2)
    reach = points["id_hw"].fillna(0)
    _accuracy_axis(axis, (points["id"] - reach).min() - 1.0, min(100.0, (points["id"] + reach).max() + 0.25))
    chance = points["chance"].iloc[0]
    axis.set_ylim(chance - 6, min(102.0, (points["emotion"] + points["emotion_hw"].fillna(0)).max() + 6))
    chance_line(axis, chance)
    axis.set(xlabel="verification accuracy, % (logarithmic in the errors)", ylabel="emotion, strongest attacker, %")
    axis.plot([], [], "o", ms=10, mfc="none", mec=GREY, label="chosen by validation people (in how many splits)")
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1.0))
    axis.annotate(
        "better", (0.97, 0.12), (0.88, 0.3), xycoords="axes fraction", arrowprops={"arrowstyle": "->", "color": GREY}
    )
    figure.draw_without_rendering()  # sets the place of the axes, which the labels are counted from
    _name_points(axis, points)
    return figure


def _name_points(axis: Axes, points: pd.DataFrame) -> None:
    """λ beside swept points, the method's name beside the one that was most often chosen, or its only one."""
    words, sizes = [], []
    for row in points.itertuples():
        own = points[points["method"] == row.method]
        leads = row.Index == own["chosen"].idxmax()
        word = f"λ={row.strength:g}" if len(own) > 1 else ""
        if leads:
            word = f"{shown(row.method)} {word}".strip()
        if row.chosen and len(own) > 1:
            word += f" ({row.chosen})"
        words.append(word)
        sizes.append(9.0 if leads else 7.0)
    order = np.argsort([-size for size in sizes], kind="stable")
    where = points[["id", "emotion"]].to_numpy()[order]
    shades = [colour(method) for method in points["method"]]
    place_labels(axis, where, [words[k] for k in order], [shades[k] for k in order], [sizes[k] for k in order])
