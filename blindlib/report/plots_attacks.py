"""Figures of who is recognised and who reads on: verification by expression, blinders on pictures of another kind."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from blindlib.report.names import shown
from blindlib.report.plots import GUIDE, POINTS, colour, new_figure, none_without_data


@none_without_data
def tar_by_expression(cells: pd.DataFrame) -> Figure:
    """TAR by expression of the probe image, and what is gained over x: columns of `expressions.expression_table`."""
    figure, (left, right) = new_figure(2, height=0.5 * cells["expression"].nunique() + 1.3, sharey=True)
    expressions, names = list(cells["expression"].unique()), list(cells["representation"].unique())
    for n, name in enumerate(names):
        rows = cells[cells["representation"] == name]
        y = rows["expression"].map(expressions.index) + (n - (len(names) - 1) / 2) * 0.8 / len(names)
        line = POINTS | {
            "ms": 3.5,
            "color": colour(name),
            "mfc": "white" if "λ=0" in name else colour(name),
            "clip_on": False,
        }
        low, high = ((rows["mean"] + side * rows["half_width"].fillna(0)).clip(0, 100) for side in (-1, 1))  # of a rate
        left.errorbar(rows["mean"], y, xerr=[rows["mean"] - low, high - rows["mean"]], **line, label=shown(name))
        right.errorbar(rows["gain"], y, xerr=rows["gain_half_width"].fillna(0), **line)
    left.set_xlim(max(0, left.get_xlim()[0]), min(100, left.get_xlim()[1]))
    far = cells["far_wanted"].iloc[0]
    left.set_xlabel(f"true accept rate, %, at a false accept\nrate of {far:g} % (of validation people)")
    right.set_xlabel("the same less x's, points\n(95 % interval, paired by rotation)")
    right.axvline(0, lw=1, **GUIDE)
    left.set_yticks(range(len(expressions)), [f"neutral vs\n{expression}" for expression in expressions])
    left.set_ylim(len(expressions) - 0.5, -0.5)
    for axis in (left, right):
        axis.grid(axis="y", visible=False)
    figure.legend(loc="outside upper center", ncols=5)
    return figure


@none_without_data
def transfer_matrix(table: pd.DataFrame) -> Figure:
    """Diff of each blinder by where it was fitted and where it is attacked: columns of `transfer.transfer`."""
    blinded = table[table["method"] != "x"]
    methods, attackers = list(blinded["method"].unique()), list(blinded["attacker"].unique())
    kinds = list(blinded["attacked_on"].unique())
    figure, axes = new_figure(len(methods), len(attackers), height=1.9 * len(attackers) + 0.6, sharex=True, sharey=True)
    for axis, (attacker, method) in zip(axes, [(a, m) for a in attackers for m in methods], strict=True):
        own = blinded[(blinded["method"] == method) & (blinded["attacker"] == attacker)]
        cells = own.pivot(index="fitted_on", columns="attacked_on").reindex(kinds)
        diff = cells["diff"].reindex(columns=kinds).to_numpy(float)
        half = cells["diff_half_width"].reindex(columns=kinds).to_numpy(float)
        image = axis.imshow(diff, cmap="cividis", vmin=0, vmax=100, aspect="auto")
        for i, j in np.ndindex(diff.shape):
            words = "–" if np.isnan(diff[i, j]) else f"{diff[i, j]:.0f}\n± {half[i, j]:.0f}"
            shade = "black" if diff[i, j] > 55 else "white"
            axis.text(j, i, words, ha="center", va="center", fontsize=7, color=shade)
        axis.set(title=f"{shown(method)}, {attacker}")
        axis.set_xticks(range(len(kinds)), kinds, rotation=30, ha="right")
        axis.set_yticks(range(len(kinds)), kinds)
        axis.grid(visible=False)
    figure.supxlabel("attacked on", fontsize=9)
    figure.supylabel("fitted on", fontsize=9)
    figure.colorbar(image, ax=list(axes), label="Diff of x's reading there, %")
    return figure
