"""What every method costs and hides over its strengths, under the strongest attacker; and which one to take."""

import numpy as np
import pandas as pd

from blindlib.evaluate.results import strongest, summarise


def _kept(results: pd.DataFrame) -> pd.DataFrame:
    """Verification and the reading of the stronger of NN and ladder, of what has one strength in every split."""
    kept = results[(results["metric"] == "balanced_accuracy") & (results["protocol"] == "B")]
    kept = kept[kept["strength"].notna()]
    attacks = kept[(kept["task"] == "emotion") & kept["probe"].isin(["NN", "ladder"])]
    return pd.concat([kept[kept["task"] == "ID"], strongest(attacks, ["method", "strength"])])


def frontier_points(results: pd.DataFrame, chosen: dict[str, list[float]] | None = None) -> pd.DataFrame:
    """What every λ costs and hides: `method`, `strength`, `id`, `emotion`, `chance` and half-widths, in %.

    `chosen` has the λ that validation people chose in each split, by method; the column of that name counts them,
    0 for a method with a single λ.
    """
    kept, columns = _kept(results), ["id", "id_hw", "emotion", "emotion_hw", "chance"]
    if not {"ID", "emotion"} <= set(kept["task"]):
        return pd.DataFrame(columns=["method", "strength", *columns, "chosen"])
    points = summarise(kept, ["method", "strength", "task"]).pivot(index=["method", "strength"], columns="task")
    shown = [(number, task) for task in ("ID", "emotion") for number in ("mean", "half_width")]
    points = points[[*shown, ("chance", "emotion")]].set_axis(columns, axis=1).reset_index()
    several = points["method"].duplicated(keep=False)  # of one λ nothing was chosen
    own = [(chosen or {}).get(m, ()) if many else () for m, many in zip(points["method"], several, strict=True)]
    picks = zip(own, points["strength"], strict=True)
    return points.assign(chosen=[int(np.isclose(splits, strength).sum()) for splits, strength in picks])


def advice(points: pd.DataFrame, budget: float) -> str:
    """Which method to take, in one sentence: it leaves the strongest attacker least, of those within the budget of ID.

    `points` are those of `frontier_points`, `budget` is percent of x's verification above chance. A method whose
    interval reaches the best one's mean is named beside it.
    """
    if points.empty:
        return "no data"
    x = points[points["method"] == "x"].iloc[0]
    points = points.assign(cost=100 * (x["id"] - points["id"]) / (x["id"] - 50))
    within = points[(points["cost"] <= budget) & (points["method"] != "x")].sort_values("emotion")
    if within.empty:
        return f"No method keeps identity within {budget:g} %."
    best = within.iloc[0]
    without = points.loc[points["method"] == best["method"], "strength"].max() == 0  # an eraser: it has no λ
    name = best["method"] if without else f"{best['method']} (λ = {best['strength']:g})"
    text = (
        f"Of what costs at most {budget:g} % of identity (verification above chance), {name} leaves the strongest "
        f"attacker least: it reads emotion at {best['emotion']:.1f} ± {best['emotion_hw']:.1f} % balanced accuracy "
        f"(x {x['emotion']:.1f}, chance {x['chance']:.1f}), for {max(best['cost'], 0.0):.1f} % of identity"
    )
    others = within[within["method"] != best["method"]].groupby("method", sort=False).first()
    close = others[others["emotion"] - others["emotion_hw"] <= best["emotion"]]
    return text + (f"; {', '.join(close.index)} cannot be told from it." if len(close) else ".")
