"""The paper's seven claims, each a checked statement: verdict, estimate, interval, and the cells it rests on.

C5b is ours, beside C5: the factor 2 and the absolute value of the paper's rule double its noise, the signed opening of
the gap, biased − unbiased of the same people, does not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import ge, gt, le

import numpy as np
import pandas as pd

from blindlib.metrics import interval
from blindlib.report.tables import by_domain, diff_of, of_cell
from blindlib.settings import CEILINGS, UNBIASED

COLLAPSED = 0.1  # of x's effective rank: below it a representation counts as dead, and its blindness as none


@dataclass(frozen=True)
class Evidence:
    """An estimate, the values by rotation that its interval comes from, and the cells of the tables that it stands in.

    The values are paired over the same people. Their mean need not be the estimate, which is a number of means.
    """

    estimate: float  # NaN where its data are missing, or x is at chance
    values: pd.Series
    cell: str

    def bounds(self) -> tuple[float, float]:
        """The estimate's 95 % t-interval; NaN for a single value."""
        half = interval(self.values)[1]
        return self.estimate - half, self.estimate + half

    def size(self) -> "Evidence":
        """The absolute value; the values take the same sign."""
        return Evidence(abs(self.estimate), np.sign(self.estimate) * self.values, self.cell)

    def minus(self, other: "Evidence", factor: float = 1.0) -> "Evidence":
        """Itself − factor · another, paired by rotation."""
        values = self.values - factor * other.values
        return Evidence(self.estimate - factor * other.estimate, values, f"{self.cell} against {other.cell}")


@dataclass(frozen=True)
class Claim:
    """A claim of the paper: `rule` says in words that `compare(estimate, limit)` is true of each of its parts.

    It is refused where a representation whose blindness it claims (`blind`) has collapsed.
    """

    id: str
    words: str
    rule: str
    compare: Callable[[float, float], bool]
    limit: float
    blind: tuple[str, ...] = ()

    def holds(self, estimate: float) -> bool:
        """Whether the claim holds of an estimate."""
        return self.compare(estimate, self.limit)


_MORE = "φ_LNTL removes more emotion than φ_SN (NN, RF), at a cost in identity"
CLAIMS = (
    Claim("C1", "φ_SN keeps identity", "Diff ≤ 5", le, 5),
    Claim("C2", "φ_SN keeps gender and ethnicity", "both Diff ≤ 5", le, 5),
    Claim("C3", "φ_SN removes emotion", "Diff ≥ 30 for NN, SVM and RF", ge, 30, ("SN",)),
    Claim("C4", _MORE, "each difference of Diff > 0", gt, 0, ("LNTL",)),
    Claim("C5", "biased training opens a gap", "Eq. Opp. biased − 2 · unbiased ≥ 0", ge, 0),
    Claim("C5b", "the same, signed (ours)", "gap biased − unbiased > 0", gt, 0),
    Claim("C6", "both blinded representations narrow it", "Eq. Opp. of x − of φ > 0", gt, 0, ("SN", "LNTL")),
    Claim("C7", "at little cost in accuracy", "both within 3 points of Acc of x", le, 3),
)


def _parts(results: pd.DataFrame, fairness: pd.DataFrame, bias: float) -> dict[str, list[Evidence]]:
    """What each claim has to hold of; arguments as `judge_claims`."""
    rows = by_domain(results)

    def diff(domain: str, name: str) -> Evidence:
        lost, _, by_rotation = diff_of(rows, domain, name)
        return Evidence(lost, by_rotation, f"Table 1, {domain}, Diff {name}")

    def study(name: str, share: float, column: str, cell: str) -> Evidence:
        part = of_cell(fairness, name, share)
        values = part.groupby("rotation")[column].mean() if len(part) else pd.Series(dtype=float)
        return Evidence(values.mean(), values, f"Table 2, {name}{cell}")

    accuracy = {name: study(name, bias, "acc", ", Acc") for name in ("x", "SN", "LNTL")}
    gap = {name: study(name, bias, "gap", " biased, Eq. Opp.") for name in accuracy}
    unbiased = study("x", UNBIASED, "gap", " unbiased, Eq. Opp.")
    return {
        "C1": [diff("ID", "SN")],
        "C2": [diff("Gender", "SN"), diff("Ethnicity", "SN")],
        "C3": [diff(f"Emotion ({probe})", "SN") for probe in ("NN", "SVM", "RF")],
        "C4": [diff(d, "LNTL").minus(diff(d, "SN")) for d in ("Emotion (NN)", "Emotion (RF)", "ID")],
        "C5": [gap["x"].size().minus(unbiased.size(), 2.0)],
        "C5b": [gap["x"].minus(unbiased)],
        "C6": [gap["x"].size().minus(gap[name].size()) for name in ("SN", "LNTL")],
        "C7": [accuracy[name].minus(accuracy["x"]).size() for name in ("SN", "LNTL")],
    }


def judge_claims(results: pd.DataFrame, fairness: pd.DataFrame, bias: float) -> pd.DataFrame:
    """The verdicts: `replicated`, `not replicated` or `not testable`.

    Takes the rows of `measure` and of `measure_fairness` (which may be empty), and the bias of Table 2's biased set.
    Returns `id`, `claim`, `verdict`, `estimate`, `low`, `high` (95 % t-interval over rotations or folds), `rule`,
    `splits`, `evidence` (the cell that decides: the worst of those that the claim speaks of).
    """
    parts = _parts(results, fairness, bias)
    rank = results[results["metric"] == "effective_rank"].groupby("representation")["value"].mean()
    dead = {name for name in rank.index if name not in CEILINGS and rank[name] < COLLAPSED * rank.get("x", 0)}
    columns = ["id", "claim", "verdict", "estimate", "low", "high", "rule", "splits", "evidence"]
    return pd.DataFrame([_judge(claim, parts[claim.id], dead) for claim in CLAIMS], columns=columns)


def _judge(claim: Claim, parts: list[Evidence], dead: set[str]) -> dict:
    row = {"id": claim.id, "claim": claim.words, "rule": claim.rule}
    if any(np.isnan(part.estimate) for part in parts):
        return row | {"verdict": "not testable", "splits": 0, "evidence": "no data for it"}
    decides = (max if claim.compare is le else min)(parts, key=lambda part: part.estimate)
    low, high = decides.bounds()
    held, evidence = claim.holds(decides.estimate), decides.cell
    dead = dead & set(claim.blind)
    if held and dead:
        evidence += f"; but {', '.join(sorted(dead))} has collapsed, and that is no blindness"
    else:
        undecided = [p.cell for p in parts if len({claim.holds(bound) for bound in p.bounds()}) > 1]
        evidence += "".join(f"; the interval of {cell} reaches over the limit" for cell in undecided)
    row |= {"verdict": "replicated" if held and not dead else "not replicated", "evidence": evidence}
    return row | {"estimate": decides.estimate, "low": low, "high": high, "splits": len(decides.values)}


def scorecard(verdicts: pd.DataFrame) -> pd.DataFrame:
    """The verdicts to read: one column each for the claim, verdict, estimate with interval, rule and cell."""
    marks = {"replicated": "✓ replicated", "not replicated": "✗ not replicated", "not testable": "– not testable"}
    shown = [
        "" if pd.isna(e) else f"{e:.1f} [no interval]" if pd.isna(low) else f"{e:.1f} [{low:.1f}, {high:.1f}]"
        for e, low, high in verdicts[["estimate", "low", "high"]].to_numpy()
    ]
    titles = {"id": "", "claim": "The paper claims", "verdict": "Here", "estimate": "Estimate [95 % interval]"}
    titles |= {"rule": "Holds when", "evidence": "Rests on"}
    card = verdicts.assign(verdict=verdicts["verdict"].map(marks), estimate=shown)
    return card[[*titles]].rename(columns=titles)
