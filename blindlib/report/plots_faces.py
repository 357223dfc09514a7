"""Figures of SynthFaces: the contact sheet, and what somebody else's face software makes of it."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from blindlib.backbones.alignment import Alignment, Steps
from blindlib.report.plots import COLOURS, new_figure


def contact_sheet(frames: np.ndarray, people: list[str], emotions: list[str]) -> Figure:
    """Faces in rows of one person and columns of one expression.

    Parameters
    ----------
    frames : uint8 array (len(people) * len(emotions), S, S, 3)
        Person by person.
    people, emotions : list of str
    """
    figure, axes = new_figure(
        len(emotions),
        len(people),
        height=7.0 * len(people) / len(emotions) * 1.02,
        gridspec_kw={"wspace": 0, "hspace": 0},
    )
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    for n, (axis, frame) in enumerate(zip(axes, frames, strict=True)):
        row, column = divmod(n, len(emotions))
        axis.imshow(frame)
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
        axis.spines[:].set_visible(False)
        if row == 0:
            axis.set_title(emotions[column], fontsize=8, pad=2)
        if column == 0:
            axis.set_ylabel(people[row], fontsize=7, labelpad=2)
    return figure


def alignment(steps: list[Steps], networks: dict[str, Alignment]) -> Figure:
    """Columns of one photograph: the padded frame with its box and five points, then every network's aligned face.

    Parameters
    ----------
    steps : list of Steps
    networks : dict of str to Alignment
    """
    rows = ["frame, box, points", *networks]
    figure, axes = new_figure(len(steps), len(rows), height=7.0 * len(rows) / len(steps) * 0.8)
    grid = axes.reshape(len(rows), len(steps))
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
        axis.spines[:].set_visible(False)
    for column, step in enumerate(steps):
        grid[0, column].imshow(step.image)
        if step.box is None:
            grid[0, column].set_xlabel("no face found", fontsize=8)
            continue
        left, top, right, bottom = step.box
        grid[0, column].plot(
            [left, right, right, left, left], [top, top, bottom, bottom, top], color=COLOURS["LNTL"], lw=1
        )
        grid[0, column].plot(*step.points.T, "+", color=COLOURS["SN λ=0"], ms=6, mew=1.2)
        for row, (name, chip) in enumerate(step.chips.items(), 1):
            grid[row, column].imshow(chip)
            grid[row, column].plot(*np.array(networks[name].points).T, "+", color=COLOURS["SN λ=0"], ms=6, mew=1.2)
    sizes = ["", *(f"\n{a.size} x {a.size}" for a in networks.values())]
    for axis, name, size in zip(grid[:, 0], rows, sizes, strict=True):
        axis.set_ylabel(name + size, fontsize=8)
    return figure


def realism(rates: pd.DataFrame, pairs: pd.DataFrame, auc: float, least: float) -> Figure:
    """Detection by expression and group beside the distances of dlib's embeddings across expressions.

    Parameters
    ----------
    rates : DataFrame
        Of `realism.detection_rates`.
    pairs : DataFrame
        Of `realism.cross_expression`.
    auc : float
    least : float
        The detection rate, in percent, that is asked of the whole.
    """
    figure, (left, right) = new_figure(2, height=3.2)
    y = np.arange(len(rates))
    middle = rates["exactly_one"]
    left.errorbar(
        middle,
        y,
        xerr=[(middle - rates["low"]).clip(lower=0), (rates["high"] - middle).clip(lower=0)],
        fmt="o",
        ms=4,
        lw=1,
        color=COLOURS["SN"],
    )
    left.axvline(least, color="#bbbbbb", ls=":", lw=1)
    left.set_yticks(y, [f"{v} (n = {n})" for v, n in zip(rates["value"], rates["n"], strict=True)])
    left.set(xlabel="dlib finds exactly one face, %", xlim=(min(84, rates["low"].min() - 1), 100.5))
    left.invert_yaxis()
    shown = pairs.assign(pair=np.where(pairs["same"], "same person", "different people"))
    sns.histplot(
        shown,
        x="distance",
        hue="pair",
        bins=40,
        element="step",
        stat="density",
        common_norm=False,
        ax=right,
        hue_order=["same person", "different people"],
        palette=[COLOURS["SN"], COLOURS["LNTL"]],
    )
    right.set(xlabel=f"dlib's distance, other expression\n(AUC {auc:.3f})", ylabel="density")
    return figure
