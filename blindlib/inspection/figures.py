"""Draw the one figure of an audit: what hiding costs, or without hiding the leaks by label."""

from io import BytesIO

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from blindlib.inspection.probes import selected
from blindlib.report.plots import GUIDE, POINTS, STYLE, colour, new_figure


def draw(report) -> bytes:
    """Draw the figure of a `Report`, as PNG bytes."""
    out = BytesIO()
    with mpl.rc_context(STYLE):
        hidden = len(report.points)
        figure = frontier(report.points, report.hide, report.budget) if hidden else leaks(selected(report.readings))
        figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def leaks(rows: pd.DataFrame) -> Figure:
    """Draw the selected probe's accuracy for every label, with intervals, beside chance."""
    rows = rows.reset_index(drop=True)
    figure, (axis,) = new_figure(height=1.0 + 0.35 * len(rows))
    for place, row in rows.iterrows():
        error = [[row["value"] - row["low"]], [row["high"] - row["value"]]]
        axis.errorbar(row["value"], place, xerr=error, color=colour(row["representation"]), **POINTS)
        axis.plot([row["chance"]] * 2, [place - 0.4, place + 0.4], label=None if place else "chance", **GUIDE)
    axis.set(yticks=range(len(rows)), yticklabels=rows["label"])
    axis.set(xlabel="balanced accuracy of the selected probe, %")
    axis.invert_yaxis()
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def frontier(points: pd.DataFrame, label: str, budget: float) -> Figure:
    """Draw the selected probe's accuracy over verification's, for each method and λ: rows of `hide.frontier`.

    Left of the upright line a method costs more of above-chance verification than the budget, in percent.
    """
    figure, (axis,) = new_figure(height=3.4)
    for method, rows in points.groupby("method", sort=False):
        error = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
        axis.errorbar(rows["id"], rows["value"], yerr=error, color=colour(method), label=method, **POINTS)
    best = points[points["recommended"]]
    axis.plot(best["id"], best["value"], "o", ms=12, mfc="none", mec="#333333", ls="", label="recommended")
    axis.axhline(points["chance"].iloc[0], label="chance", **GUIDE)
    id_x = points["id"].iloc[0]
    axis.axvline(id_x - budget / 100 * (id_x - 50), label=f"cost of {budget:g} %", **GUIDE | {"ls": "--"})
    axis.set(xlabel="verification accuracy, %", ylabel=f"{label}: balanced accuracy, %")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
