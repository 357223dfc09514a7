"""Draw the figures of an audit, as PNG bytes: probe accuracy by label, and what hiding costs."""

from io import BytesIO

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from blindlib.report.plots import GUIDE, POINTS, STYLE, colour, new_figure

_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")


def draw(report) -> dict[str, bytes]:
    """Draw every figure for which a report has rows; return them by name."""
    with mpl.rc_context(STYLE):
        figures = {"read": leaks(report.readings)} if len(report.readings) else {}
        if len(report.points):
            figures["frontier"] = frontier(report.points, report.hide, report.budget)
        return {name: _png(figure) for name, figure in figures.items()}


def leaks(readings: pd.DataFrame) -> Figure:
    """Draw every probe's accuracy for every label, with intervals, beside chance: rows of `attack.readings`."""
    most = readings.groupby(["representation", "label"])["train_people"].transform("max")
    largest = readings[readings["train_people"] == most]
    labels, shown = list(dict.fromkeys(largest["label"])), list(dict.fromkeys(largest["representation"]))
    figure, (axis,) = new_figure(height=1.2 + 0.55 * len(labels) * len(shown))
    attackers = list(dict.fromkeys(largest["attacker"]))
    for (attacker, name), rows in largest.groupby(["attacker", "representation"], sort=False):
        at, of = attackers.index(attacker), shown.index(name)
        place = [
            labels.index(label) + 0.8 * (of + (at + 1) / (len(attackers) + 1)) / len(shown) for label in rows["label"]
        ]
        error = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
        style = POINTS | {"fmt": _MARKS[at % len(_MARKS)]}
        axis.errorbar(rows["value"], place, xerr=error, color=colour(name), label=f"{attacker}, {name}", **style)
    for number, label in enumerate(labels):
        chance = largest.loc[largest["label"] == label, "chance"].iloc[0]
        axis.plot([chance] * 2, [number, number + 0.8], label="chance" if number == 0 else None, **GUIDE)
    axis.set(yticks=[n + 0.4 for n in range(len(labels))], yticklabels=labels, xlabel="balanced accuracy, %")
    axis.invert_yaxis()
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def frontier(points: pd.DataFrame, label: str, budget: float) -> Figure:
    """Draw verification against the selected probe's accuracy, for each method and λ: rows of `hide.frontier`.

    Left of the upright line a method costs more of verification's way from chance to x than the budget, in percent.
    """
    figure, (axis,) = new_figure(height=3.4)
    for method, rows in points.groupby("method", sort=False):
        error = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
        style = POINTS | {"fmt": "o-" if len(rows) > 1 else "s", "lw": 0.8}
        side = [rows["id_hw"], rows["id_hw"].clip(upper=100 - rows["id"])]  # there is no accuracy above 100 %
        axis.errorbar(rows["id"], rows["value"], yerr=error, xerr=side, color=colour(method), label=method, **style)
        for row in rows.itertuples() if len(rows) > 1 else ():
            axis.annotate(
                f"{row.strength:g}", (row.id, row.value), xytext=(3, 4), textcoords="offset points", fontsize=7
            )
    best = points[points["recommended"]]
    axis.plot(best["id"], best["value"], "o", ms=12, mfc="none", mec="#333333", ls="", label="recommended")
    axis.axhline(points["chance"].iloc[0], label="chance", **GUIDE)
    id_x = points["id"].iloc[0]
    axis.axvline(
        id_x - budget / 100 * (id_x - 50),
        label=f"budget: {budget:g} %\nof verification\nabove chance",
        **GUIDE | {"ls": "--"},
    )
    axis.set(xlabel="verification accuracy, %", ylabel=f"{label}: balanced accuracy, %")
    axis.legend(title="numbers: λ", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _png(figure: Figure) -> bytes:
    out = BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()
