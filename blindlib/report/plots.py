"""DataFrame -> Figure: one style, one colour a representation, intervals drawn, published values as hollow markers."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from textwrap import fill

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blindlib.common.files import atomic_path, write_csv

# Okabe & Ito's palette, told apart by colour-blind readers; then greys, and what else is far from all of them.
COLOURS = {
    "x": "#000000",
    "SN": "#0072B2",
    "LNTL": "#D55E00",
    "LEACE": "#009E73",
    "pull": "#882255",
    "INLP": "#332288",
    "NAP": "#999933",
    "SPLINCE": "#44AA99",
    "Obliviator": "#EE3377",
    "PCA": "#8C6D31",
    "random": "#C7A76C",
    "SN λ=0": "#56B4E9",
    "LNTL λ=0": "#E69F00",
    "LNTL demographic": "#CC79A7",
    "labelnet": "#666666",
    "pixels": "#999999",
}
FURTHER_COLOURS = ("#AA3377", "#661100", "#CC6677", "#AA4499", "#117733", "#88CCEE")  # of Paul Tol's muted palette
STYLE = {
    **dict.fromkeys(("font.size", "axes.titlesize", "axes.labelsize"), 9),
    **dict.fromkeys(("legend.fontsize", "xtick.labelsize", "ytick.labelsize"), 8),
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
WIDTH = 7.0  # inches: two columns of a paper
GREY = "#555555"
POINTS = {"fmt": "o", "ms": 4, "lw": 1}  # with the half-widths of their intervals
GUIDE = {"color": "#bbbbbb", "ls": ":"}  # lines to compare with: chance, a budget, zero
_assigned: dict[str, str] = {}


def colour(name: str) -> str:
    """A representation's colour: its own if it is known, else the next further one, which it keeps in this process."""
    if name in COLOURS:
        return COLOURS[name]
    return _assigned.setdefault(name, FURTHER_COLOURS[len(_assigned) % len(FURTHER_COLOURS)])


def style() -> None:
    """Use the companion's style for all figures of this process."""
    mpl.rcParams.update(STYLE)


def new_figure(columns: int = 1, rows: int = 1, height: float = 2.8, **options) -> tuple[Figure, np.ndarray]:
    """Figure of paper width and its axes, flat; `height` in inches. It belongs to no window."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False, **options)
    plt.close(figure)
    return figure, axes.ravel()


def blank() -> Figure:
    """A small figure that says `no data`: what stands where there was nothing to draw."""
    figure, (axis,) = new_figure(height=1.0)
    axis.axis("off")
    axis.text(0.5, 0.5, "no data", ha="center", va="center", color=GREY)
    return figure


def blank_without_data(plot: Callable[..., Figure]) -> Callable[..., Figure]:
    """Let a plot function that is given no rows draw the words `no data`."""

    @wraps(plot)
    def wrapped(data: pd.DataFrame, *rest) -> Figure:
        return plot(data, *rest) if len(data) else blank()

    return wrapped


def save_figure(figure: Figure, data: pd.DataFrame, folder: Path, name: str, *, pixels: bool = False) -> None:
    """Write a figure as PNG and PDF beside the CSV that it was drawn from; the same figure gives the same bytes.

    What is made of `pixels`, photographs, has nothing that a PDF would keep sharp, and gets none.
    """
    empty = {"png": {"Software": None}}
    if not pixels:
        empty["pdf"] = {"CreationDate": None, "Producer": None, "Creator": None}
    for suffix, metadata in empty.items():
        with atomic_path(folder / f"{name}.{suffix}") as temporary:
            figure.savefig(temporary, format=suffix, metadata=metadata)
            temporary.chmod(0o644)
    write_csv(folder / f"{name}.csv", data, float_format="%.4f")


def published_point(axis: Axes, x, y, edge: str = GREY, **more) -> None:
    """The hollow marker of a published value; none where it is NaN, and a legend's where `x` and `y` are empty."""
    axis.plot(x, y, "D", mfc="none", mec=edge, **more)


def pair_histogram(axis: Axes, pairs: pd.DataFrame, **options) -> None:
    """Distances of same and of different pairs: columns `distance`, `pair` (`same person`, `different people`)."""
    names, colours = ["same person", "different people"], [COLOURS["SN"], COLOURS["LNTL"]]
    sns.histplot(pairs, x="distance", hue="pair", hue_order=names, palette=colours, element="step", ax=axis, **options)


def dataset_overview(counts: pd.DataFrame) -> Figure:
    """Images by `emotion`, and people by number of `images of a person`: columns `panel`, `group`, `count`."""
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
    pair_histogram(axis, distances, bins=60)
    axis.set(xlabel="Euclidean distance of the two embeddings / threshold of the other folds", ylabel="pairs")
    return figure


@blank_without_data
def roc_curves(curves: pd.DataFrame) -> Figure:
    """ROC by representation on a logarithmic FAR: columns `representation`, `far`, `tar` (shares of 1)."""
    figure, axes = new_figure(2, height=2.9)
    for name, rows in curves.groupby("representation", sort=False):
        line = {"color": colour(name), "label": name, "lw": 1.3, "ls": "--" if "λ=0" in name else "-"}
        for axis in axes:
            axis.plot(rows["far"], rows["tar"], drawstyle="steps-post", **line)
    floor = curves.loc[curves["far"] > 0, "far"].min()
    axes[0].set(xscale="log", xlim=(floor, 1), ylim=(0, 1.01), xlabel="false accept rate", ylabel="true accept rate")
    axes[1].set(xlim=(0, 0.1), ylim=(0.85, 1.002), xlabel="false accept rate", title="")
    axes[1].plot([0, 1], [1, 0], lw=0.8, label="equal error", **GUIDE)
    axes[1].legend(loc="lower right")
    return figure


@blank_without_data
def training_curves(history: pd.DataFrame, losses: dict[str, str]) -> Figure:
    """A bank's history by round and strength: its loss columns (`losses`: column -> axis label) and the accuracies."""
    panels = {
        **losses,
        "detector": "accuracy of the method's own\nadversary, %",
        "emotion": "fresh probe, validation people:\nbalanced accuracy, %",
        "identity": "verification, validation people:\naccuracy, %",
    }
    figure, axes = new_figure(3, 2, height=4.6, sharex=True)
    strengths = sorted(history["strength"].unique())
    colours = dict(zip(strengths, sns.color_palette("viridis", len(strengths)), strict=True))
    line_style = {"hue": "strength", "palette": colours, "errorbar": "sd", "err_kws": {"alpha": 0.12}, "lw": 1.2}
    for axis, (column, label) in zip(axes, panels.items(), strict=False):
        sns.lineplot(history.dropna(subset=[column]), x="round", y=column, ax=axis, legend=False, **line_style)
        axis.set(ylabel=label, xlabel="round")
    for axis in axes[len(panels) :]:
        axis.axis("off")
    handles = [mpl.lines.Line2D([], [], color=colours[s], label=f"λ = {s:g}") for s in strengths]
    axes[-1].legend(handles=handles, loc="center", title="band: ±1 s.d. over splits", ncols=2)
    return figure


@blank_without_data
def selection(table: pd.DataFrame, budget: float) -> Figure:
    """Validation people only: what each λ costs and hides, and how often it was chosen (the columns of `choose`)."""
    figure, (left, right) = new_figure(2, height=2.6, width_ratios=(3, 2))
    by = table.groupby("strength")
    mean, spread, picks = by[["diff", "emotion"]].mean(), by[["diff", "emotion"]].std(), by["chosen"].sum()
    colours = sns.color_palette("viridis", len(mean))
    for strength, each in zip(mean.index, colours, strict=True):
        (x, y), (xerr, yerr) = mean.loc[strength], spread.loc[strength]
        left.errorbar(x, y, yerr, xerr, **POINTS | {"ms": 5, "lw": 0.8}, color=each, label=f"λ = {strength:g}")
    left.axvline(budget, lw=1, **GUIDE)
    where = {"xycoords": ("data", "axes fraction"), "ha": "right", "va": "top", "rotation": 90}
    left.annotate("budget", (budget, 0.98), fontsize=7, **where)
    left.set(xlabel="Diff of verification, % (±1 s.d. over splits)", ylabel="fresh emotion probe, %")
    left.legend(fontsize=7, ncols=2)
    right.bar([f"{s:g}" for s in picks.index], picks, color=colours)
    right.set(xlabel="λ", ylabel=f"chosen, of {int(picks.sum())} splits")
    right.grid(axis="x", visible=False)
    return figure


@blank_without_data
def planted(table: pd.DataFrame) -> Figure:
    """What attackers read of planted leaks in x and after each method, and identity: rows of `planted.calibrate`."""
    panels = {"linear": "linear attacker, %", "RBF": "RBF attacker, %", "identity": "identity: area under the ROC, %"}
    figure, axes = new_figure(3, height=3.4, sharey=True)
    names = [f"{kind} {s:g}" if s else kind for kind, s in zip(table["leak"], table["strength"], strict=True)]
    leaks, methods = list(dict.fromkeys(names)), list(table["method"].unique())
    for axis, (reading, label) in zip(axes, panels.items(), strict=True):
        for n, method in enumerate(methods):
            rows = table.assign(name=names)[(table["method"] == method) & (table["reading"] == reading)]
            y = np.array([leaks.index(name) for name in rows["name"]]) + (n - (len(methods) - 1) / 2) * 0.8 / len(
                methods
            )
            interval = np.abs(rows[["low", "high"]].to_numpy().T - rows["value"].to_numpy())
            axis.errorbar(rows["value"], y, xerr=interval, **POINTS, color=colour(method), label=method)
        axis.axvline(table.loc[table["reading"] == reading, "chance"].iloc[0], lw=1, label="chance", **GUIDE)
        axis.set(xlabel=label, ylim=(len(leaks) - 0.5, -0.5))
        axis.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(leaks)), leaks)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure


def table1_figure(table: pd.DataFrame) -> Figure:
    """Table 1 (protocol B) to look at: accuracy of every representation by domain, published values hollow."""
    shown = table[(table["protocol"] == "B") & table["mean"].notna()]
    if shown.empty:
        return blank()
    domains = shown["domain"].unique()
    names = sorted(shown["representation"].unique(), key=lambda name: [*COLOURS, name].index(name))
    figure, (axis,) = new_figure(height=0.62 * len(domains) + 1.0)
    for middle, domain in enumerate(domains):
        rows = shown[shown["domain"] == domain].set_index("representation")
        axis.plot([rows["chance"].iloc[0]] * 2, [middle - 0.42, middle + 0.42], lw=1.2, label="chance", **GUIDE)
        for n, name in enumerate(name for name in names if name in rows.index):
            row, y = rows.loc[name], middle + (n - (len(names) - 1) / 2) * 0.8 / len(names)
            axis.errorbar(row["mean"], y, xerr=row["half_width"], **POINTS, color=colour(name), label=name)
            published_point(axis, row["published"], y, colour(name), ms=5, mew=0.9)
    published_point(axis, [], [], ms=5, label="published\n(other data and chance)")
    handles, labels = axis.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    axis.legend(once.values(), once.keys(), loc="center left", bbox_to_anchor=(1, 0.5))
    kinds = shown.groupby("domain")["data"].first()
    axis.set_yticks(range(len(domains)), [f"{domain}\n({kinds[domain]} data)" for domain in domains])
    axis.set(xlabel="balanced accuracy, % (95 % interval over rotations of people)", ylim=(len(domains) - 0.5, -0.5))
    axis.grid(axis="y", visible=False)
    return figure


@blank_without_data
def attack_curves(cells: pd.DataFrame) -> Figure:
    """What the strongest attacker reads by the number of its people, and who it is: a row for each `representation`,
    `probe` and number of people (`people`), with `mean`, `half_width` and `chance`, in percent."""
    figure, (left, right) = new_figure(2, height=3.4, sharey=True, width_ratios=(3, 2))
    most = cells["people"].max()
    rungs = [name for name in cells["probe"].unique() if name != "strongest"]
    for name, rows in cells.groupby("representation", sort=False):
        curve = rows[rows["probe"] == "strongest"].sort_values("people")
        line = {"color": colour(name), "label": name, "elinewidth": 0.7}
        left.errorbar(curve["people"], curve["mean"], curve["half_width"], **POINTS | {"fmt": "o-"} | line)
        last = rows[rows["people"] == most].set_index("probe").reindex(rungs)
        right.errorbar(range(len(rungs)), last["mean"], last["half_width"], **POINTS, color=colour(name))
    for axis in (left, right):
        axis.axhline(cells["chance"].iloc[0], lw=1, label="chance" if axis is left else None, **GUIDE)
    left.set(xscale="log", xlabel="people who train the strongest attacker", ylabel="emotion: balanced accuracy, %")
    left.set_xticks(sorted(cells["people"].unique()), sorted(cells["people"].unique()))
    left.minorticks_off()
    right.set_xticks(range(len(rungs)), rungs, rotation=30)
    right.set(xlabel=f"attacker, with {most} people", xlim=(-0.5, len(rungs) - 0.5))
    figure.legend(loc="outside upper center", ncols=5)
    return figure


@blank_without_data
def collapsed_probe(cells: pd.DataFrame) -> Figure:
    """What an SVM reads by the norm of x, its default γ and the classes' balance: columns of `collapsed_probe`."""
    figure, axes = new_figure(2, height=2.8)
    styles = {"auto": ("#D55E00", "before 0.22"), "scale": ("#000000", "since")}
    for (gamma, classes), rows in cells.groupby(["gamma", "classes"], sort=False):
        by = rows.groupby("norm")[["value", "top_share"]].mean()
        shade, when = styles[gamma]
        line = {"color": shade, "ls": "-" if classes == "equal" else "--", "marker": "o", "ms": 4, "lw": 1.2}
        for axis, measure in zip(axes, by, strict=True):
            axis.plot(by.index, by[measure], label=f'γ = "{gamma}" ({when}), classes {classes}', **line)
    axes[0].axhline(cells["chance"].iloc[0], lw=1, label="chance", **GUIDE)
    for axis, words in zip(axes, ("balanced accuracy, %", "share of the most frequent answer, %"), strict=True):
        axis.set(xscale="log", xlabel="norm of x (as it comes: 1)", ylabel=words, ylim=(0, 102))
        axis.set_xticks(sorted(cells["norm"].unique()), [f"{norm:g}" for norm in sorted(cells["norm"].unique())])
        axis.minorticks_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


@blank_without_data
def frontier(points: pd.DataFrame) -> Figure:
    """λ against ID and emotion on test people: columns `method`, `strength`, `id`, `id_hw`, `emotion`, `emotion_hw`."""
    figure, (axis,) = new_figure(height=3.2)
    for method, rows in points.groupby("method", sort=False):
        swept = len(rows) > 1
        line_style = {"lw": 0.8, "elinewidth": 0.5, "fmt": "o-" if swept else "s"}
        columns = (rows[name] for name in ("id", "emotion", "emotion_hw", "id_hw"))
        axis.errorbar(*columns, **POINTS | line_style, color=colour(method), label=method)
        offset = {"xytext": (3, 4), "textcoords": "offset points", "fontsize": 7, "color": colour(method)}
        for row in rows.itertuples() if swept else ():
            axis.annotate(f"{row.strength:g}", (row.id, row.emotion), **offset)
    axis.axhline(points["chance"].iloc[0], lw=1, label="chance", **GUIDE)
    axis.set(xlabel="verification accuracy, %", ylabel="emotion read by the strongest attacker, %")
    axis.legend(title="numbers: λ", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@blank_without_data
def claims_figure(margins: pd.DataFrame) -> Figure:
    """By how much each claim keeps its rule, with intervals: the columns of `claims.margins`."""
    names = list(dict.fromkeys(margins["id"]))
    words, twice = margins.drop_duplicates("id").set_index("id")["claim"], margins["id"].value_counts() > 1
    figure, (axis,) = new_figure(height=0.42 * len(names) + 1.0)
    shades = {"replicated": COLOURS["LEACE"], "not replicated": COLOURS["LNTL"]}
    for row in margins.itertuples():
        strongest = row.attacker == "strongest"
        y = names.index(row.id) + (0.2 if strongest else -0.2 if twice[row.id] else 0)
        shade = shades.get(row.verdict, GREY)
        face = "white" if strongest else shade
        error = [[row.margin - row.low], [row.high - row.margin]]
        axis.errorbar(row.margin, y, xerr=error, **POINTS | {"ms": 6, "color": shade, "mfc": face})
    for verdict, shade in (*shades.items(), ("undecided", GREY)):
        axis.plot([], [], "o", color=shade, label=verdict)
    axis.plot([], [], "o", color=GREY, mfc="white", label="strongest attacker")
    axis.axvline(0, **GUIDE)
    axis.set_yticks(range(len(names)), [fill(f"{name}  {words[name]}", 42) for name in names])
    axis.set(xlabel="margin, points: right of 0 it holds", ylim=(len(names) - 0.5, -0.5))
    axis.grid(axis="y", visible=False)
    figure.legend(loc="outside upper right", ncols=4)
    return figure


def equal_opportunity(table: pd.DataFrame) -> Figure:
    """True positive rates of the smiling and the others, and Eq. Opp., by row of Table 2; published values hollow."""
    shown = table[table["acc"].notna()].reset_index(drop=True)
    if shown.empty:
        return blank()
    figure, (left, right) = new_figure(2, height=2.9, sharey=True)
    for y, row in shown.iterrows():
        edge = colour(row["representation"])
        for measure, face in (("tpr_smiling", edge), ("tpr_not_smiling", "white")):
            points = POINTS | {"ms": 6, "color": edge, "mfc": face, "zorder": 3}
            left.errorbar(row[measure], y, xerr=row[f"{measure}_hw"], **points)
        right.errorbar(row["eq_opp"], y, xerr=row["eq_opp_hw"], **POINTS | {"ms": 5, "color": edge})
        published_point(right, row["published_eq_opp"], y, edge, ms=6, mew=0.9)
    left.plot([], [], "o", color=GREY, label="smiling")
    left.plot([], [], "o", color=GREY, mfc="white", label="not smiling")
    published_point(right, [], [], label="published (CelebA)")
    for axis, words in ((left, "true positive rate, %"), (right, "Eq. Opp.: the difference, points")):
        axis.set(xlabel=words)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=2)
    left.set_yticks(shown.index, shown["representation"] + ", " + shown["training"])
    left.set_ylim(len(shown) - 0.5, -0.5)
    right.set_xlim(left=min(0, *(shown["eq_opp"] - shown["eq_opp_hw"]).fillna(0)) - 0.5)
    return figure


@blank_without_data
def bias_sweep(points: pd.DataFrame) -> Figure:
    """Gap and accuracy as the training set's bias grows: columns of `tables.sweep_points`."""
    figure, axes = new_figure(2, height=2.8)
    for n, (name, rows) in enumerate(points.groupby("representation", sort=False)):
        rows = rows.sort_values("bias")
        x = 100 * rows["bias"] + 0.5 * (n - 1.5)
        line_style = POINTS | {"fmt": "o-", "elinewidth": 0.7, "color": colour(name), "label": name}
        for axis, measure in zip(axes, ("gap", "acc"), strict=True):
            axis.errorbar(x, rows[measure], rows[f"{measure}_hw"], **line_style)
    axes[0].axhline(0, lw=1, **GUIDE)
    axes[0].set(ylabel="TPR smiling − not smiling, points")
    axes[1].set(ylabel="accuracy on the unbiased test set, %")
    for axis in axes:
        axis.set(xlabel="attractive who smile, unattractive who do not, %")
        axis.set_xticks(100 * points["bias"].drop_duplicates().sort_values())
    axes[0].legend()
    return figure


@blank_without_data
def adversary_and_probe(history: pd.DataFrame) -> Figure:
    """What the method's own adversary and fresh probes read by round: columns `detectors`, `round`, both accuracies."""
    kinds = list(history["detectors"].unique())
    figure, axes = new_figure(len(kinds), height=2.6, sharey=True)
    for axis, kind in zip(axes, kinds, strict=True):
        rows = history[history["detectors"] == kind]
        axis.plot(rows["round"], rows["detector"], "--", color=GREY, lw=1.2, label="the method's own adversary")
        axis.plot(rows["round"], rows["attribute"], color=COLOURS["SN"], lw=1.5, label="fresh probe, validation people")
        axis.set(title=f"detectors: {kind}", xlabel="round")
    axes[0].set_ylabel("accuracy, %")
    axes[0].legend()
    return figure
