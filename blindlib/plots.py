"""DataFrame -> Figure: one style, one colour a representation, intervals drawn, published values as hollow markers."""

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from blindlib.plotstyle import COLOURS, blank, blank_without_data, new_figure, save_figure, style

__all__ = [
    "dataset_overview",
    "distance_histogram",
    "frontier",
    "roc_curves",
    "save_figure",
    "selection",
    "style",
    "table1_figure",
    "training_curves",
]


def dataset_overview(counts: pd.DataFrame) -> Figure:
    """Images by emotion, and people by number of images.

    Parameters
    ----------
    counts : DataFrame
        `panel` (`emotion` or `images of a person`), `group`, `count`.
    """
    figure, axes = new_figure(2, width_ratios=(3, 2))
    for axis, (panel, unit) in zip(axes, {"emotion": "images", "images of a person": "people"}.items(), strict=True):
        rows = counts[counts["panel"] == panel]
        axis.bar(rows["group"], rows["count"], color=COLOURS["SN"])
        axis.bar_label(axis.containers[0], fmt="{:,.0f}", fontsize=7, padding=1)
        axis.set(xlabel=panel, ylabel=unit)
        axis.grid(axis="x", visible=False)
        axis.tick_params(axis="x", rotation=30 if panel == "emotion" else 0)
    return figure


@blank_without_data
def distance_histogram(distances: pd.DataFrame) -> Figure:
    """Distances of same and of different pairs: columns `distance`, `pair` (`same person`, `different people`)."""
    figure, (axis,) = new_figure(height=2.4)
    sns.histplot(
        distances,
        x="distance",
        hue="pair",
        bins=60,
        element="step",
        ax=axis,
        palette=[COLOURS["SN"], COLOURS["LNTL"]],
        hue_order=["same person", "different people"],
    )
    axis.set(xlabel="Euclidean distance of the two embeddings / threshold of the other folds", ylabel="pairs")
    return figure


@blank_without_data
def roc_curves(curves: pd.DataFrame) -> Figure:
    """ROC by representation on a logarithmic FAR: columns `representation`, `far`, `tar` (shares of 1)."""
    figure, axes = new_figure(2, height=2.9)
    for name, rows in curves.groupby("representation", sort=False):
        for axis in axes:
            axis.plot(
                rows["far"],
                rows["tar"],
                color=COLOURS[name],
                label=name,
                lw=1.3,
                ls="--" if "λ=0" in name else "-",
                drawstyle="steps-post",
            )
    floor = curves.loc[curves["far"] > 0, "far"].min()
    axes[0].set(xscale="log", xlim=(floor, 1), ylim=(0, 1.01), xlabel="false accept rate", ylabel="true accept rate")
    axes[1].set(xlim=(0, 0.1), ylim=(0.85, 1.002), xlabel="false accept rate", title="")
    axes[1].plot([0, 1], [1, 0], color="#bbbbbb", lw=0.8, ls=":", label="equal error")
    axes[1].legend(loc="lower right")
    return figure


@blank_without_data
def training_curves(history: pd.DataFrame, losses: dict[str, str]) -> Figure:
    """Loss curves, the adversary's accuracy, and what fresh probes read, by round and strength.

    Parameters
    ----------
    history : DataFrame
        Rows of a `fit_…` history.
    losses : dict
        Column -> axis label, for the loss panels.
    """
    panels = {
        **losses,
        "detector": "accuracy of the method's own\nadversary, %",
        "emotion": "fresh probe, validation people:\nbalanced accuracy, %",
        "identity": "verification, validation people:\naccuracy, %",
    }
    figure, axes = new_figure(3, 2, height=4.6, sharex=True)
    strengths = sorted(history["strength"].unique())
    colours = dict(zip(strengths, sns.color_palette("viridis", len(strengths)), strict=True))
    for axis, (column, label) in zip(axes, panels.items(), strict=False):
        sns.lineplot(
            history.dropna(subset=[column]),
            x="round",
            y=column,
            hue="strength",
            palette=colours,
            ax=axis,
            errorbar="sd",
            legend=False,
            lw=1.2,
            err_kws={"alpha": 0.12},
        )
        axis.set(ylabel=label, xlabel="round")
    for axis in axes[len(panels) :]:
        axis.axis("off")
    handles = [mpl.lines.Line2D([], [], color=colours[s], label=f"λ = {s:g}") for s in strengths]
    axes[-1].legend(handles=handles, loc="center", title="band: ±1 s.d. over splits", ncols=2)
    return figure


@blank_without_data
def selection(table: pd.DataFrame, budget: float) -> Figure:
    """Validation people only: what each λ costs and hides, and how often it was chosen. Columns of `banks.choose`."""
    figure, axes = new_figure(2, height=2.6, width_ratios=(3, 2))
    mean = table.groupby("strength")[["diff", "emotion"]].agg(["mean", "std"])
    picks = table.groupby("strength")["chosen"].sum()
    colours = sns.color_palette("viridis", len(mean))
    for (strength, row), colour in zip(mean.iterrows(), colours, strict=True):
        axes[0].errorbar(
            row["diff", "mean"],
            row["emotion", "mean"],
            row["emotion", "std"],
            row["diff", "std"],
            "o",
            color=colour,
            label=f"λ = {strength:g}",
            ms=5,
            lw=0.8,
        )
    axes[0].axvline(budget, color="#bbbbbb", ls=":", lw=1)
    axes[0].annotate(
        "budget", (budget, 0.98), xycoords=("data", "axes fraction"), fontsize=7, ha="right", va="top", rotation=90
    )
    axes[0].set(xlabel="Diff of verification, % (±1 s.d. over splits)", ylabel="fresh emotion probe, %")
    axes[0].legend(fontsize=7, ncols=2)
    axes[1].bar([f"{s:g}" for s in picks.index], picks, color=colours)
    axes[1].set(xlabel="λ", ylabel=f"chosen, of {int(picks.sum())} splits")
    axes[1].grid(axis="x", visible=False)
    return figure


def table1_figure(table: pd.DataFrame) -> Figure:
    """Table 1 (protocol B) to look at: accuracy of every representation by domain, published values hollow."""
    shown = table[(table["protocol"] == "B") & table["mean"].notna()]
    if shown.empty:
        return blank()
    domains = list(dict.fromkeys(shown["domain"]))
    names = [name for name in COLOURS if name in set(shown["representation"])]
    figure, (axis,) = new_figure(height=0.62 * len(domains) + 1.0)
    for d, domain in enumerate(domains):
        rows = shown[shown["domain"] == domain].set_index("representation")
        chance = rows["chance"].iloc[0]
        axis.plot(
            [chance, chance], [d - 0.42, d + 0.42], color="#bbbbbb", lw=1.2, ls=":", label="chance" if d == 0 else None
        )
        for n, name in enumerate(name for name in names if name in rows.index):
            y = d + (n - (len(names) - 1) / 2) * 0.8 / len(names)
            axis.errorbar(
                rows.loc[name, "mean"],
                y,
                xerr=rows.loc[name, "half_width"],
                fmt="o",
                ms=4,
                lw=1,
                color=COLOURS[name],
                label=name if d == 0 or name == "pixels" else None,
            )
            if pd.notna(rows.loc[name, "published"]):
                axis.plot(rows.loc[name, "published"], y, "D", mfc="none", mec=COLOURS[name], ms=5, mew=0.9)
    axis.plot([], [], "D", mfc="none", mec="#555555", ms=5, label="published\n(other data and chance)")
    handles = dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    axis.legend(handles.values(), handles.keys(), loc="center left", bbox_to_anchor=(1, 0.5))
    kinds = shown.groupby("domain")["data"].first()
    axis.set_yticks(range(len(domains)), [f"{d}\n({kinds[d]} data)" for d in domains])
    axis.set(xlabel="balanced accuracy, % (95 % interval over rotations of people)", ylim=(len(domains) - 0.5, -0.5))
    axis.grid(axis="y", visible=False)
    return figure


@blank_without_data
def frontier(points: pd.DataFrame) -> Figure:
    """λ against ID and emotion on test people: columns `method`, `strength`, `id`, `id_hw`, `emotion`, `emotion_hw`."""
    figure, (axis,) = new_figure(height=3.2)
    for method, rows in points.groupby("method", sort=False):
        axis.errorbar(
            rows["id"],
            rows["emotion"],
            rows["emotion_hw"],
            rows["id_hw"],
            color=COLOURS[method],
            ms=4,
            fmt="o-" if len(rows) > 1 else "s",
            lw=0.8,
            elinewidth=0.5,
            label=method,
        )
        if len(rows) > 1:
            for _, row in rows.iterrows():
                axis.annotate(
                    f"{row['strength']:g}",
                    (row["id"], row["emotion"]),
                    xytext=(3, 4),
                    textcoords="offset points",
                    fontsize=7,
                    color=COLOURS[method],
                )
    axis.axhline(points["chance"].iloc[0], color="#bbbbbb", ls=":", lw=1, label="chance of the probe")
    axis.set(xlabel="verification accuracy, %", ylabel="fresh NN probe of emotion, %")
    axis.legend(title="numbers: λ", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
