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

UNDECIDED = "undecided"
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

    def decided_by(self, bounds: tuple[float, float]) -> str:
        """`replicated` where it holds in a whole interval, `not replicated` where in none of it, else undecided."""
        holds = {self.compare(bound, self.limit) for bound in bounds}
        if len(holds) > 1 or np.isnan(bounds[0]):
            return UNDECIDED
        return "replicated" if holds == {True} else "not replicated"


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
    """The verdicts: `replicated` where the whole interval of every cell that the claim speaks of keeps its rule, `not
    replicated` where none of the interval of some cell does, else `undecided`; `not testable` without data.

    Takes the rows of `measure` and of `measure_fairness` (which may be empty), and the bias of Table 2's biased set.
    Returns `id`, `claim`, `verdict`, `estimate`, `low`, `high` (95 % t-interval over rotations or folds), `rule`,
    `splits`, `more_people` (how many times as many test people would decide what is undecided: an interval narrows as
    the root of their number), `evidence` (the cell that decides: the worst of those with that verdict).
    """
    parts = _parts(results, fairness, bias)
    rank = results[results["metric"] == "effective_rank"].groupby("representation")["value"].mean()
    dead = {name for name in rank.index if name not in CEILINGS and rank[name] < COLLAPSED * rank.get("x", 0)}
    columns = ["id", "claim", "verdict", "estimate", "low", "high", "rule", "splits", "more_people", "evidence"]
    return pd.DataFrame([_judge(claim, parts[claim.id], dead) for claim in CLAIMS], columns=columns)


def _judge(claim: Claim, parts: list[Evidence], dead: set[str]) -> dict:
    row = {"id": claim.id, "claim": claim.words, "rule": claim.rule}
    if any(np.isnan(part.estimate) for part in parts):
        return row | {"verdict": "not testable", "splits": 0, "evidence": "no data for it"}
    kinds = [claim.decided_by(part.bounds()) for part in parts]
    kind = next(kind for kind in ("not replicated", UNDECIDED, "replicated") if kind in kinds)
    told = [part for part, own in zip(parts, kinds, strict=True) if own == kind]
    decides = (max if claim.compare is le else min)(told, key=lambda part: part.estimate)
    low, high = decides.bounds()
    row |= {"estimate": decides.estimate, "low": low, "high": high, "splits": len(decides.values)}
    dead, more, evidence = dead & set(claim.blind), np.nan, decides.cell
    if kind == UNDECIDED and not np.isnan(low):
        more = max(((p.bounds()[1] - p.estimate) / abs(p.estimate - claim.limit)) ** 2 for p in told)
    elif kind == "replicated" and dead:
        kind = "not replicated"
        evidence += f"; but {', '.join(sorted(dead))} has collapsed, and that is no blindness"
    return row | {"verdict": kind, "more_people": more, "evidence": evidence}


def scorecard(verdicts: pd.DataFrame) -> pd.DataFrame:
    """The verdicts to read, a line each: claim, verdict, estimate with interval, rule."""
    marks = {"replicated": "✓", "not replicated": "✗", UNDECIDED: "?", "not testable": "–"}
    shown = [
        "" if pd.isna(e) else f"{e:.1f} [no interval]" if pd.isna(low) else f"{e:.1f} [{low:.1f}, {high:.1f}]"
        for e, low, high in verdicts[["estimate", "low", "high"]].to_numpy()
    ]
    words = [
        f"{marks[verdict]} {verdict}" + ("" if pd.isna(more) else f"; {more:.1f} x the people would decide")
        for verdict, more in zip(verdicts["verdict"], verdicts["more_people"], strict=True)
    ]
    titles = {"id": "", "claim": "The paper claims", "verdict": "Here", "estimate": "Estimate [95 % interval]"}
    titles |= {"rule": "Holds when"}
    card = verdicts.assign(verdict=words, estimate=shown)
    return card[[*titles]].rename(columns=titles)
