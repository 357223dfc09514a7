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
_MARKS = {"replicated": "✓", "not replicated": "✗", UNDECIDED: "?", "not testable": "–"}
_MANY = 20  # what would take more rotations than this is told without the number
_TOLD = ("verdict", "estimate", "low", "high", "more_rotations", "evidence")  # of a claim, by either kind of attacker
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
    """A claim of the paper: `rule` says in words that `compare(value, limit)` is true of each of its parts.

    It is refused where a representation whose blindness it claims (`blind`) has collapsed.
    """

    id: str
    words: str
    rule: str
    compare: Callable[[float, float], bool]
    limit: float
    blind: tuple[str, ...] = ()
    attacked: bool = False  # whether it speaks of what probes read, so that a stronger attacker may overturn it
    unit: str = "%"  # of its estimate

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
    Claim("C3", "φ_SN removes emotion", "Diff ≥ 30 for NN, SVM and RF", ge, 30, ("SN",), True),
    Claim("C4", _MORE, "Diff φ_LNTL − φ_SN > 0 for NN, RF, ID", gt, 0, ("LNTL",), True, "points"),
    Claim("C5", "biased training opens a gap", "Eq. Opp. biased − 2 · unbiased ≥ 0", ge, 0, unit="points"),
    Claim("C5b", "the same, signed (ours)", "gap biased − unbiased > 0", gt, 0, unit="points"),
    Claim(
        "C6", "both blinded representations narrow it", "Eq. Opp. of x − of φ > 0", gt, 0, ("SN", "LNTL"), unit="points"
    ),
    Claim("C7", "at little cost in accuracy", "Acc of x − of φ ≤ 3, for both", le, 3, unit="points"),
)


def _parts(
    results: pd.DataFrame, fairness: pd.DataFrame, bias: float, three: tuple[str, ...]
) -> dict[str, list[Evidence]]:
    """What each claim has to hold of, by these probes in the place of NN, SVM and RF; the rest as `judge_claims`."""
    rows, two = by_domain(results), (three[0], three[-1])

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
        "C3": [diff(f"Emotion ({probe})", "SN") for probe in dict.fromkeys(three)],
        "C4": [diff(d, "LNTL").minus(diff(d, "SN")) for d in dict.fromkeys((*(f"Emotion ({p})" for p in two), "ID"))],
        "C5": [gap["x"].size().minus(unbiased.size(), 2.0)],
        "C5b": [gap["x"].minus(unbiased)],
        "C6": [gap["x"].size().minus(gap[name].size()) for name in ("SN", "LNTL")],
        "C7": [accuracy["x"].minus(accuracy[name]) for name in ("SN", "LNTL")],
    }


def judge_claims(results: pd.DataFrame, fairness: pd.DataFrame, bias: float) -> pd.DataFrame:
    """The verdicts: `replicated` where the whole interval of every cell that the claim speaks of keeps its rule, `not
    replicated` where none of the interval of some cell does, else `undecided`; `not testable` without data.

    Takes the rows of `measure` and of `measure_fairness` (which may be empty), and the bias of Table 2's biased set.
    Returns `id`, `claim`, `verdict`, `estimate`, `low`, `high` (95 % t-interval over rotations or folds), `rule`,
    `by_estimate` (whether every estimate keeps the rule: the verdict that this companion gave until November 2026),
    `splits`, `more_rotations` (about how many times as many rotations, of other people and heads, would decide what is
    undecided, if the estimate stayed: an interval narrows as the root of their number), `evidence` (the cell that
    decides: the worst of those with that verdict); and, as `strongest_…`, the same of claims about what probes read, by
    whatever reads most of each representation (`results.strongest`).
    """
    measured = _parts(results, fairness, bias, ("NN", "SVM", "RF"))
    attacked = _parts(results, fairness, bias, ("strongest",))
    rank = results[results["metric"] == "effective_rank"].groupby("representation")["value"].mean()
    dead = {name for name in rank.index if name not in CEILINGS and rank[name] < COLLAPSED * rank.get("x", 0)}
    rows = []
    for claim in CLAIMS:
        row = {"id": claim.id, "claim": claim.words, "rule": claim.rule, **_judge(claim, measured[claim.id], dead)}
        if claim.attacked:
            by_strongest = _judge(claim, attacked[claim.id], dead)
            row |= {f"strongest_{name}": by_strongest.get(name) for name in _TOLD}
        rows.append(row)
    columns = ["id", "claim", *_TOLD, "rule", "by_estimate", "splits", *(f"strongest_{name}" for name in _TOLD)]
    return pd.DataFrame(rows, columns=columns)


def _judge(claim: Claim, parts: list[Evidence], dead: set[str]) -> dict:
    if any(np.isnan(part.estimate) for part in parts):
        return {"verdict": "not testable", "splits": 0, "evidence": "no data for it"}
    kinds = [claim.decided_by(part.bounds()) for part in parts]
    kind = next(kind for kind in ("not replicated", UNDECIDED, "replicated") if kind in kinds)
    deciding = [part for part, own in zip(parts, kinds, strict=True) if own == kind]
    decides = (max if claim.compare is le else min)(deciding, key=lambda part: part.estimate)
    low, high = decides.bounds()
    row = {"estimate": decides.estimate, "low": low, "high": high, "splits": len(decides.values)}
    row["by_estimate"] = all(claim.compare(part.estimate, claim.limit) for part in parts)
    dead, more, evidence = dead & set(claim.blind), np.nan, decides.cell
    if kind == UNDECIDED and not np.isnan(low):
        more = max(((p.bounds()[1] - p.estimate) / max(abs(p.estimate - claim.limit), 1e-9)) ** 2 for p in deciding)
    if kind != "not replicated" and dead:
        kind = "not replicated"
        evidence += f"; but {', '.join(sorted(dead))} has collapsed, and that is no blindness"
    return row | {"verdict": kind, "more_rotations": more, "evidence": evidence}


def margins(verdicts: pd.DataFrame) -> pd.DataFrame:
    """By how much each claim keeps its rule (below 0: breaks it), for a figure: a row for each claim and attacker.

    `id`, `claim`, `attacker` (`the paper's probes`, `strongest`), `verdict`, `margin`, `low`, `high`, in the units of
    the claim's estimate.
    """
    rows, rules = [], {claim.id: claim for claim in CLAIMS}
    for row in verdicts.to_dict("records"):
        claim = rules[row["id"]]
        for attacker, column in (("the paper's probes", ""), ("strongest", "strongest_")):
            if pd.isna(row[f"{column}estimate"]):
                continue
            sign = -1 if claim.compare is le else 1
            ends = sorted(sign * (row[f"{column}{name}"] - claim.limit) for name in ("low", "high"))
            named = {"attacker": attacker, "verdict": row[f"{column}verdict"], "low": ends[0], "high": ends[1]}
            margin = sign * (row[f"{column}estimate"] - claim.limit)
            rows.append({"id": claim.id, "claim": claim.words, **named, "margin": margin})
    return pd.DataFrame(rows, columns=["id", "claim", "attacker", "verdict", "margin", "low", "high"])


def scorecard(verdicts: pd.DataFrame) -> pd.DataFrame:
    """The verdicts to read, a line each: claim, rule, by the paper's measures, by which cell, and by the strongest."""
    lines = []
    for row in verdicts.to_dict("records"):
        line = {"": row["id"], "The paper claims": row["claim"], "Holds when": row["rule"]}
        line["By the paper's measures [95 % interval]"] = _words(row, "")
        line["Decided by"] = row["evidence"].partition(";")[0]
        attacked = isinstance(row["strongest_verdict"], str)
        line["Against the strongest attacker"] = _words(row, "strongest_") if attacked else ""
        lines.append(line)
    return pd.DataFrame(lines)


def _words(row: dict, column: str) -> str:
    verdict, estimate, low, high, more, evidence = (row[f"{column}{name}"] for name in _TOLD)
    words = f"{_MARKS[verdict]} {verdict}"
    if pd.notna(estimate):
        estimate, low, high = (round(value, 1) + 0.0 for value in (estimate, low, high))  # no "-0.0"
        unit = next(claim.unit for claim in CLAIMS if claim.id == row["id"])
        words += f": {estimate:.1f} {'[no interval]' if pd.isna(low) else f'[{low:.1f}, {high:.1f}]'} {unit}"
    if "collapsed" in evidence:
        words += evidence.partition(";")[2]
    if pd.isna(more):
        return words
    return f"{words}; {f'{more:.1f} x the' if more <= _MANY else f'over {_MANY} x the'} rotations would decide"
