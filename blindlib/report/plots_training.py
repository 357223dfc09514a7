"""Draw training: what each λ hides and costs by epoch, and which λ is selected on validation subjects."""

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from blindlib.report.plots import GREY, chance_line, new_figure, none_without_data


@none_without_data
def training_curves(history: pd.DataFrame, chance: float) -> Figure:
    """Draw a bank's history by epoch and λ, mean over splits: adversary, validation probes, verification.

    Parameters
    ----------
    history : DataFrame
        `split`, `strength`, `round`, `detector`, `emotion`, `identity` (percent), `kept` (the kept checkpoint of a
        split's head); its losses are in the CSV and not drawn.
    chance : float
        Of the adversary's classes, percent.
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
