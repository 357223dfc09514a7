"""DataFrame -> Figure: one style, one colour a representation, intervals drawn, published values as hollow markers."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from blindlib.common.files import atomic_path, write_csv

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


def equal_opportunity(table: pd.DataFrame) -> Figure:
    """True positive rates of the smiling and the others, and Eq. Opp., by row of Table 2; published values hollow."""
    shown = table[table["acc"].notna()].reset_index(drop=True)
    if shown.empty:
        return blank()
    figure, (left, right) = new_figure(2, height=2.9, sharey=True)
    for y, row in shown.iterrows():
        colour = COLOURS[row["representation"]]
        for measure, face in (("tpr_smiling", colour), ("tpr_not_smiling", "white")):
            left.errorbar(
                row[measure], y, xerr=row[f"{measure}_hw"], fmt="o", ms=6, color=colour, mfc=face, lw=1, zorder=3
            )
        right.errorbar(row["eq_opp"], y, xerr=row["eq_opp_hw"], fmt="o", ms=5, color=colour, lw=1)
        if pd.notna(row["published_eq_opp"]):
            right.plot(row["published_eq_opp"], y, "D", mfc="none", mec=colour, ms=6, mew=0.9)
    left.plot([], [], "o", color="#555555", label="smiling")
    left.plot([], [], "o", color="#555555", mfc="white", label="not smiling")
    right.plot([], [], "D", mfc="none", mec="#555555", label="published (CelebA)")
    for axis, words in ((left, "true positive rate, %"), (right, "Eq. Opp.: the difference, points")):
        axis.set(xlabel=words)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=2)
    left.set_yticks(
        range(len(shown)), [f"{r}, {t}" for r, t in zip(shown["representation"], shown["training"], strict=True)]
    )
    left.set_ylim(len(shown) - 0.5, -0.5)
    right.set_xlim(left=min(0, *(shown["eq_opp"] - shown["eq_opp_hw"]).fillna(0)) - 0.5)
    return figure


@blank_without_data
def bias_sweep(points: pd.DataFrame) -> Figure:
    """Gap and accuracy as the training set's bias grows: columns of `table2.sweep_points`."""
    figure, axes = new_figure(2, height=2.8)
    for n, (name, rows) in enumerate(points.groupby("representation", sort=False)):
        rows = rows.sort_values("bias")
        for axis, measure in zip(axes, ("gap", "acc"), strict=True):
            axis.errorbar(
                100 * rows["bias"] + 0.5 * (n - 1.5),
                rows[measure],
                rows[f"{measure}_hw"],
                fmt="o-",
                ms=4,
                lw=1,
                elinewidth=0.7,
                color=COLOURS[name],
                label=name,
            )
    axes[0].axhline(0, color="#bbbbbb", ls=":", lw=1)
    axes[0].set(ylabel="TPR smiling − not smiling, points")
    axes[1].set(ylabel="accuracy on the unbiased test set, %")
    for axis in axes:
        axis.set(xlabel="attractive who smile, unattractive who do not, %")
        axis.set_xticks(100 * points["bias"].drop_duplicates().sort_values())
    axes[0].legend()
    return figure
