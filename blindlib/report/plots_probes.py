"""Figures of synthetic leaks of known size."""

import pandas as pd
from matplotlib.figure import Figure

from blindlib.report.names import shown
from blindlib.report.plots import (
    GREY,
    GUIDE,
    POINTS,
    colour,
    new_figure,
    none_without_data,
)


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
