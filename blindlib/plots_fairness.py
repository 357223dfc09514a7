"""Figures of Table 2: the gap by representation beside the published one, and the gap as the bias grows."""

import pandas as pd
from matplotlib.figure import Figure

from blindlib.plotstyle import COLOURS, blank, blank_without_data, new_figure


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
