"""One style and one colour a representation for every figure, and how a figure is saved."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from blindlib.files import atomic_path, write_csv

# Okabe & Ito's palette: told apart by colour-blind readers, and in this order by their lightness on paper.
COLOURS = {
    "x": "#000000",
    "SN": "#0072B2",
    "LNTL": "#D55E00",
    "LEACE": "#009E73",
    "SN λ=0": "#56B4E9",
    "LNTL λ=0": "#E69F00",
    "LNTL demographic": "#CC79A7",
    "pixels": "#999999",
}
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
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
_WIDTH = 7.0  # inches: two columns of a paper


def style() -> None:
    """Use the companion's style for all figures of this process."""
    mpl.rcParams.update(STYLE)


def new_figure(columns: int = 1, rows: int = 1, height: float = 2.8, **options) -> tuple[Figure, np.ndarray]:
    """Figure of paper width and its axes, flat; `height` in inches. It belongs to no window."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(rows, columns, figsize=(_WIDTH, height), squeeze=False, **options)
    plt.close(figure)
    return figure, axes.ravel()


def blank(words: str = "no data") -> Figure:
    """A small figure that holds only words: what stands where there was nothing to draw."""
    figure, (axis,) = new_figure(height=1.0)
    axis.axis("off")
    axis.text(0.5, 0.5, words, ha="center", va="center", color="#555555")
    return figure


def blank_without_data(plot: Callable[..., Figure]) -> Callable[..., Figure]:
    """Let a plot function that is given no rows draw the words `no data`."""

    @wraps(plot)
    def wrapped(data: pd.DataFrame, *rest) -> Figure:
        return plot(data, *rest) if len(data) else blank()

    return wrapped


def save_figure(figure: Figure, data: pd.DataFrame, folder: Path, name: str) -> None:
    """Write a figure as PNG and PDF beside the CSV that it was drawn from; the same figure gives the same bytes."""
    empty = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Producer": None, "Creator": None}}
    for suffix, metadata in empty.items():
        with atomic_path(folder / f"{name}.{suffix}") as temporary:
            figure.savefig(temporary, format=suffix, metadata=metadata)
            temporary.chmod(0o644)
    write_csv(folder / f"{name}.csv", data, float_format="%.4f")
