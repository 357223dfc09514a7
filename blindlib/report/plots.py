"""Plot DataFrames: one style, one colour and shape a representation, drawn intervals, hollow published values.

This module has what all figures share, and the figures of any embedding; the modules `plots_…` have the others. A plot
function returns None if it gets no rows.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blindlib.common.files import atomic_path, below, write_csv
from blindlib.report.alt_texts import alt_text
from blindlib.report.names import shown, without_bits

# Okabe & Ito's palette, which colour-blind readers can distinguish; then greys, and colours far from all of them.
COLOURS = {
    "x": "#000000",
    "SN": "#0072B2",
    "LNTL": "#D55E00",
    "LEACE": "#009E73",
    "centre loss": "#882255",
    "INLP": "#332288",
    "NAP": "#999933",
    "Obliviator": "#EE3377",
    "PCA": "#8C6D31",
    "random": "#C7A76C",
    "SN λ=0": "#56B4E9",
    "LNTL λ=0": "#E69F00",
    "LNTL demographic": "#CC79A7",
    "pixels": "#999999",
}
FURTHER_COLOURS = ("#AA3377", "#661100", "#CC6677", "#AA4499", "#117733", "#88CCEE")  # of Paul Tol's muted palette
# A head without its penalty, or for another task, has its method's shape.
SHAPES = {"x": "o", "SN": "s", "LNTL": "^", "LEACE": "v", "centre loss": "P", "INLP": "<", "NAP": "p"}
SHAPES |= {"Obliviator": "*", "PCA": "h", "random": "8"}
FURTHER_SHAPES = (">", "H", "d")
THE_PAPER_S = ("x", "SN", "LNTL")
STYLE = {
    **dict.fromkeys(("font.size", "axes.titlesize", "axes.labelsize"), 9),
    **dict.fromkeys(("legend.fontsize", "xtick.labelsize", "ytick.labelsize"), 8),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "figure.constrained_layout.use": True,
    "legend.frameon": False,
    "svg.hashsalt": "blindlib",
    "savefig.dpi": 200,
    "figure.dpi": 100,
}
WIDTH = 7.0  # inches: two columns of a paper
PHOTOGRAPHS = {"dpi": 100}  # in a notebook and in a file: more would only enlarge a face's pixels
GREY = "#555555"
POINTS = {"fmt": "o", "ms": 4, "lw": 1}  # with the half-widths of their intervals
GUIDE = {"color": "#999999", "ls": ":"}  # reference lines: chance, a tolerance, zero
_assigned: dict[str, int] = {}


def _further(name: str) -> int:
    return _assigned.setdefault(name, len(_assigned))


def colour(name: str) -> str:
    """Return a representation's colour: its own if known, else the next further one, fixed within this process."""
    return COLOURS.get(without_bits(name)) or FURTHER_COLOURS[_further(name) % len(FURTHER_COLOURS)]


def shape(name: str) -> str:
    """Return a representation's marker, as `colour`."""
    if name != without_bits(name):
        return "X"  # released in few bits
    family = name if name in SHAPES else name.partition(" ")[0]
    if name in COLOURS:
        return SHAPES.get(family, "d")
    return FURTHER_SHAPES[_further(name) % len(FURTHER_SHAPES)]


def look(name: str) -> dict[str, str]:
    """Return colour, marker and label of a representation, as `errorbar` takes them."""
    return {"color": colour(name), "fmt": shape(name), "label": shown(name)}


def style() -> None:
    """Set the style of all figures of this process, and show all columns of its tables."""
    mpl.rcParams.update(STYLE)
    pd.set_option("display.max_columns", None)


def new_figure(columns: int = 1, rows: int = 1, height: float = 2.8, **options) -> tuple[Figure, np.ndarray]:
    """Return a figure of paper width without a window, and its axes, flat; `height` in inches."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False, **options)
    plt.close(figure)
    return figure, axes.ravel()


def none_without_data(plot: Callable[..., Figure]) -> Callable[..., Figure | None]:
    """Make a plot function return None if it gets no rows."""

    @wraps(plot)
    def wrapped(data: pd.DataFrame, *rest) -> Figure | None:
        return plot(data, *rest) if len(data) else None

    return wrapped


def save_figure(
    figure: Figure | None,
    data: pd.DataFrame,
    folder: Path,
    name: str,
    *,
    pixels: bool = False,
    pdf: bool = False,
    absent: str = "no data",
) -> None:
    """Write a figure as PNG, and as PDF where asked, beside the CSV of its data.

    The same figure gives the same bytes, and includes its alternative text. A figure made of `pixels` is saved at their
    own resolution. For None, a figure without data, nothing is written, earlier files of this name are removed, and
    `absent`, which says what data it needs, is printed.
    """
    if figure is None:
        for suffix in ("png", "pdf", "csv"):
            below(folder, f"{name}.{suffix}", "figure").unlink(missing_ok=True)
        print(f"{name}: {absent}")
        return
    words = alt_text(name)
    kinds = {"png": {"Software": None, "Description": words or None}}
    if pdf:
        kinds["pdf"] = {"CreationDate": None, "Producer": None, "Creator": None, "Subject": words or None}
    for suffix, metadata in kinds.items():
        with atomic_path(below(folder, f"{name}.{suffix}", "figure")) as temporary:
            figure.savefig(temporary, format=suffix, metadata=metadata, **({"dpi": figure.dpi} if pixels else {}))
    write_csv(below(folder, f"{name}.csv", "figure"), data, float_format="%.4f")


def chance_line(axis: Axes, chance: float, *, vertical: bool = False, name: str = "chance") -> None:
    """Draw a dotted line at chance, with its name: below a horizontal line, above the axes for a vertical one."""
    (axis.axvline if vertical else axis.axhline)(chance, lw=1, zorder=0, **GUIDE)
    words = {"fontsize": 7, "color": GREY, "textcoords": "offset points"}
    if vertical:
        axis.annotate(name, (chance, 1.0), (0, 2), xycoords=("data", "axes fraction"), ha="center", **words)
    else:
        axis.annotate(name, (1.0, chance), (-1, -2), xycoords=("axes fraction", "data"), ha="right", va="top", **words)


def spread(values: np.ndarray, least: float) -> np.ndarray:
    """Move values (N,), the places of labels, as little as needed so that any two differ by at least `least`."""
    order = np.argsort(values, kind="stable")
    steps = least * np.arange(len(values))
    groups: list[list[float]] = []  # pools of adjacent values - steps whose means would not rise
    for value in np.asarray(values, float)[order] - steps:
        groups.append([value])
        while len(groups) > 1 and np.mean(groups[-2]) >= np.mean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    moved = np.empty(len(values))
    moved[order] = np.concatenate([np.full(len(group), np.mean(group)) for group in groups]) + steps
    return moved


def label_ends(axis: Axes, x: float, ends: dict[str, float], least: float) -> None:
    """Write the representations' names in their colours at the ends of their curves, `least` apart in y."""
    for (name, y), place in zip(ends.items(), spread(np.array([*ends.values()]), least), strict=True):
        line = {"arrowstyle": "-", "color": colour(name), "lw": 0.5, "shrinkA": 0, "shrinkB": 2, "relpos": (0, 0.5)}
        words = {"fontsize": 8, "color": colour(name), "va": "center", "annotation_clip": False}
        axis.annotate(
            shown(name), (x, y), (1.05, place), textcoords=("axes fraction", "data"), arrowprops=line, **words
        )


def pair_histogram(axis: Axes, pairs: pd.DataFrame, **options) -> None:
    """Draw distances of same and different pairs: columns `distance`, `pair` (`same person`, `different people`)."""
    colours = {"same person": COLOURS["SN"], "different people": COLOURS["LNTL"]}
    own = {"element": "step", "ax": axis, "legend": False, **options}
    sns.histplot(pairs, x="distance", hue="pair", hue_order=[*colours], palette=colours, **own)
    top = axis.get_ylim()[1]
    axis.set_ylim(0, 1.14 * top)
    middles = pairs.groupby("pair")["distance"].median().sort_values()
    for (name, side), words in zip(zip(middles.index, ("right", "left"), strict=False), ("{} ", " {}"), strict=False):
        axis.text(middles.mean(), 1.04 * top, words.format(name), color=colours[name], ha=side, fontsize=8)


def dataset_overview(counts: pd.DataFrame) -> Figure:
    """Draw images by `emotion`, and subjects by number of `images of a person`: columns `panel`, `group`, `count`."""
    figure, axes = new_figure(2, width_ratios=(3, 2))
    for axis, (panel, unit) in zip(axes, {"emotion": "images", "images of a person": "people"}.items(), strict=True):
        rows = counts[counts["panel"] == panel]
        axis.bar(rows["group"], rows["count"], color=COLOURS["SN"])
        axis.bar_label(axis.containers[0], fmt="{:,.0f}", fontsize=7, padding=1)
        axis.set(xlabel=panel, ylabel=unit)
        axis.grid(axis="x", visible=False)
        axis.tick_params(axis="x", rotation=30 if panel == "emotion" else 0)
    return figure


@none_without_data
def distance_histogram(distances: pd.DataFrame) -> Figure:
    """Draw distances of same and different pairs: columns `distance`, `pair` (`same person`, `different people`)."""
    figure, (axis,) = new_figure(height=2.4)
    pair_histogram(axis, distances, bins=60)
    axis.set(xlabel="Euclidean distance of the two embeddings / threshold of the other folds", ylabel="pairs")
    return figure


AT_FAR = 0.01  # the FAR of the TARs in the legend of `roc_curves`


@none_without_data
def roc_curves(curves: pd.DataFrame) -> Figure:
    """Draw the corner of the ROC on a logarithmic FAR: columns `representation`, `far`, `tar` (0 to 1).

    The legend is sorted by the true accept rate at a false accept rate of 1 %, and prints it.
    """
    figure, (axis,) = new_figure(height=3.2)
    groups = {name: rows.sort_values("far") for name, rows in curves.groupby("representation", sort=False)}
    read = {name: rows.loc[rows["far"] <= AT_FAR, "tar"].max() for name, rows in groups.items()}
    low = min([0.8, *(0.99 * read[name] for name in THE_PAPER_S if name in read)])
    for name in sorted(groups, key=read.get, reverse=True):
        rows, own = groups[name], look(name)
        line = {"color": own["color"], "lw": 2.0 if name in THE_PAPER_S else 1.0, "drawstyle": "steps-post"}
        label = f"{100 * read[name]:.1f}  {own['label']}{' (below)' if read[name] < low else ''}"
        axis.plot(rows["far"], rows["tar"], ls="--" if "λ=0" in name else "-", label=label, **line)
    axis.axvline(AT_FAR, lw=1, **GUIDE)
    floor = max(1e-3, curves.loc[curves["far"] > 0, "far"].min())
    axis.set(xscale="log", xlim=(floor, max(0.3, 2 * floor)), ylim=(low, 1.003))
    axis.set(xlabel="false accept rate, share of 1 (logarithmic)", ylabel="true accept rate, share of 1")
    axis.legend(title="true accept rate, %, at FAR 1 %", loc="center left", bbox_to_anchor=(1.0, 0.5), title_fontsize=8)
    return figure
