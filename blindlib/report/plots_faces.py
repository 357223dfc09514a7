"""Draw figures of SynthFaces: the contact sheet, and the output of dlib's networks on its faces."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blindlib.backbones.alignment import Alignment, Steps
from blindlib.report.plots import (
    COLOURS,
    PHOTOGRAPHS,
    POINTS,
    WIDTH,
    chance_line,
    new_figure,
    pair_histogram,
)


def contact_sheet(frames: np.ndarray, people: list[str], emotions: list[str]) -> Figure:
    """Draw faces, one subject a row and one emotion a column; `frames` (subjects * emotions, S, S, 3) by subject."""
    no_gaps = {"wspace": 0, "hspace": 0}
    height = WIDTH * len(people) / len(emotions) * 1.02
    figure, axes = new_figure(len(emotions), len(people), height=height, gridspec_kw=no_gaps, **PHOTOGRAPHS)
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, **no_gaps)
    for axis, frame in zip(axes, frames, strict=True):
        _for_picture(axis)
        axis.imshow(frame)
    for axis, emotion in zip(axes, emotions, strict=False):
        axis.set_title(emotion, fontsize=8, pad=2)
    for axis, person in zip(axes[:: len(emotions)], people, strict=True):
        axis.set_ylabel(person, fontsize=7, labelpad=2)
    return figure


def compound_gallery(frames: np.ndarray, emotions: list[str]) -> Figure:
    """Draw one subject's compound expressions, five a row, each under its name; `frames` (E, S, S, 3)."""
    rows = -(-len(emotions) // 5)
    figure, axes = new_figure(5, rows, height=1.15 * WIDTH * rows / 5, **PHOTOGRAPHS)
    for axis in axes:
        axis.axis("off")
    for axis, frame, emotion in zip(axes, frames, emotions, strict=False):
        axis.imshow(frame)
        axis.set_title(emotion, fontsize=8, pad=2)
    return figure


def _for_picture(axis: Axes) -> None:
    """Remove the ticks, grid and frame of axes."""
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)


def alignment(steps: list[Steps], networks: dict[str, Alignment]) -> Figure:
    """Draw photographs as columns: the padded frame with its box and five points, then every network's aligned face."""
    rows = ["frame, box, points", *(f"{name}\n{a.size} x {a.size}" for name, a in networks.items())]
    figure, axes = new_figure(len(steps), len(rows), height=WIDTH * len(rows) / len(steps) * 0.8, **PHOTOGRAPHS)
    grid = axes.reshape(len(rows), len(steps))
    cross = {"marker": "+", "ls": "", "color": COLOURS["SN λ=0"], "ms": 6, "mew": 1.2}
    for axis in axes:
        _for_picture(axis)
    for column, step in zip(grid.T, steps, strict=True):
        column[0].imshow(step.image)
        if step.box is None:
            column[0].set_xlabel("no face found", fontsize=8)
            continue
        left, top, right, bottom = step.box
        box = [left, right, right, left, left], [top, top, bottom, bottom, top]
        column[0].plot(*box, color=COLOURS["LNTL"], lw=1)
        column[0].plot(*step.points.T, **cross)
        for axis, (name, chip) in zip(column[1:], step.chips.items(), strict=True):
            axis.imshow(chip)
            axis.plot(*np.array(networks[name].points).T, **cross)
    for axis, row in zip(grid[:, 0], rows, strict=True):
        axis.set_ylabel(row, fontsize=8)
    return figure


def realism(rates: pd.DataFrame, pairs: pd.DataFrame, auc: float, least: float) -> Figure:
    """Draw detection by emotion and group beside the distances of dlib's embeddings across emotions.

    `rates` and `pairs` come from `detection_rates` and `cross_expression` of `appendix.synthfaces_validation`; `least`
    is the required detection rate of all faces together, in percent.
    """
    figure, (left, right) = new_figure(2, height=3.2)
    y, middle = np.arange(len(rates)), rates["exactly_one"]
    errors = [(middle - rates["low"]).clip(lower=0), (rates["high"] - middle).clip(lower=0)]
    left.errorbar(middle, y, xerr=errors, **POINTS, color=COLOURS["SN"])
    chance_line(left, least, vertical=True, name=f"asked of all: {least:g}")
    left.set_yticks(y, [f"{v} (n = {n})" for v, n in zip(rates["value"], rates["n"], strict=True)])
    left.set(xlabel="dlib finds exactly one face, %", xlim=(min(84, rates["low"].min() - 1), 100.5))
    left.invert_yaxis()
    shown = pairs.assign(pair=np.where(pairs["same"], "same person", "different people"))
    pair_histogram(right, shown, bins=40, stat="density", common_norm=False)
    right.set(xlabel=f"dlib's distance, other expression\n(AUC {auc:.3f})", ylabel="density")
    return figure
