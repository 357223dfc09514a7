"""Check the paper's seven claims in three columns: verdict, estimate, interval, and the cells behind them.

`paper` uses the paper's probes (NN, SVM, RF on standardised features) on φ in float. `whitened` uses the selected probe
of both views instead. `released` uses the selected probe on φ rounded to few bits.

C5b is ours, beside C5. The factor 2 and the absolute value of the paper's rule double its noise. The signed increase of
the gap, biased − unbiased of the same subjects, does not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import ge, gt, le

import numpy as np
import pandas as pd

from blindlib.blinders.rounding import in_bits
from blindlib.metrics import interval
from blindlib.report.tables import by_domain, diff_of, of_cell
from blindlib.settings import CEILINGS, UNBIASED

UNDECIDED = "undecided"
_MARKS = {"replicated": "✓", "not replicated": "✗", UNDECIDED: "?", "not testable": "–"}
_MANY = 20  # the largest factor of rotations that is printed
COLUMNS = {  # the meaning of each, in one sentence
    "paper": "The paper's probes: NN, SVM and RF on standardised features of φ in float.",
    "whitened": "A probe that whitens: the best of NN, SVM and linear on both views, selected on validation subjects.",
    "released": "Released in few bits: the same selected probe, on φ rounded to {bits} bits.",
}
COLLAPSED = 0.1  # of x's effective rank: below it a representation has collapsed, and hiding does not count


@dataclass(frozen=True)
class Evidence:
    """Hold an estimate, the values by rotation behind its interval, and its cells of the tables.

    The values are paired over the same subjects. Their mean may differ from the estimate, which is a function of means.
    """

    estimate: float  # NaN without data, or if x is at chance
    values: pd.Series
    cell: str

    def bounds(self) -> tuple[float, float]:
        """Return the estimate's 95 % t-interval; NaN for a single value."""
        half = interval(self.values)[1]
        return self.estimate - half, self.estimate + half

    def size(self) -> "Evidence":
        """Return the absolute value; the values change sign with it."""
        return Evidence(abs(self.estimate), np.sign(self.estimate) * self.values, self.cell)

    def minus(self, other: "Evidence", factor: float = 1.0) -> "Evidence":
        """Return this − factor · the other, paired by rotation."""
        values = self.values - factor * other.values
        return Evidence(self.estimate - factor * other.estimate, values, f"{self.cell} against {other.cell}")


@dataclass(frozen=True)
class Claim:
    """State a claim of the paper. Each of its parts has to satisfy `compare(value, limit)`, which `rule` states.

    It is not replicated if a representation that it calls blind (`blind`) has collapsed.
    """

    id: str
    words: str
    rule: str
    compare: Callable[[float, float], bool]
    limit: float
    blind: tuple[str, ...] = ()
    columns: tuple[str, ...] = ("paper", "released")  # those in which its numbers differ from the column before
    unit: str = "%"  # of its estimate

    def decided_by(self, bounds: tuple[float, float]) -> str:
        """Return the verdict: whether the whole interval satisfies the rule, none of it, or a part (undecided)."""
        holds = {self.compare(bound, self.limit) for bound in bounds}
        if len(holds) > 1 or np.isnan(bounds[0]):
            return UNDECIDED
        return "replicated" if holds == {True} else "not replicated"


_MORE = "φ_LNTL removes more emotion than φ_SN (NN, RF), at a cost in identity"
_EVERY = "Diff ≥ 30 for NN, SVM and RF; in the other columns for the selected probe"
_BOTH = "Diff φ_LNTL − φ_SN > 0 for NN and RF (in the other columns for the selected probe), and for ID"
CLAIMS = (
    Claim("C1", "φ_SN keeps identity", "Diff ≤ 5", le, 5),
    Claim("C2", "φ_SN keeps gender and ethnicity", "both Diff ≤ 5", le, 5),
    Claim("C3", "φ_SN removes emotion", _EVERY, ge, 30, ("SN",), tuple(COLUMNS)),
    Claim("C4", _MORE, _BOTH, gt, 0, ("LNTL",), tuple(COLUMNS), "points"),
    Claim("C5", "biased training opens a gap", "Eq. Opp. biased − 2 · unbiased ≥ 0", ge, 0, (), ("paper",), "points"),
    Claim("C5b", "the same, signed (ours)", "gap biased − unbiased > 0", gt, 0, (), ("paper",), "points"),
    Claim(
        "C6", "both blinded representations narrow it", "Eq. Opp. of x − of φ > 0", gt, 0, ("SN", "LNTL"), unit="points"
    ),
    Claim("C7", "at little cost in accuracy", "Acc of x − of φ ≤ 3, for both", le, 3, unit="points"),
)


def _parts(
    results: pd.DataFrame, fairness: pd.DataFrame, bias: float, column: str, bits: int | None
) -> dict[str, list[Evidence]]:
    """List, by claim, the evidence that has to satisfy its rule in a column."""
    rows = by_domain(results)
    three = ("NN", "SVM", "RF") if column == "paper" else ("whitened",)
    two = dict.fromkeys((three[0], three[-1]))
    sn, lntl = (in_bits(name, bits if column == "released" else None) for name in ("SN", "LNTL"))

    def lost(domain: str, name: str) -> Evidence:
        estimate, _, by_rotation = diff_of(rows, domain, name)
        return Evidence(estimate, by_rotation, f"Table 1, {domain}, Diff {name}")

    def study(name: str, share: float, measure: str, cell: str) -> Evidence:
        part = of_cell(fairness, name, share)
        values = part.groupby("rotation")[measure].mean() if len(part) else pd.Series(dtype=float)
        return Evidence(values.mean(), values, f"Table 2, {name}{cell}")

    accuracy = {name: study(name, bias, "acc", ", Acc") for name in ("x", sn, lntl)}
    gap = {name: study(name, bias, "gap", " biased, Eq. Opp.") for name in accuracy}
    unbiased = study("x", UNBIASED, "gap", " unbiased, Eq. Opp.")
    return {
        "C1": [lost("ID", sn)],
        "C2": [lost("Gender", sn), lost("Ethnicity", sn)],
        "C3": [lost(f"Emotion ({probe})", sn) for probe in three],
        "C4": [lost(domain, lntl).minus(lost(domain, sn)) for domain in (*(f"Emotion ({p})" for p in two), "ID")],
        "C5": [gap["x"].size().minus(unbiased.size(), 2.0)],
        "C5b": [gap["x"].minus(unbiased)],
        "C6": [gap["x"].size().minus(gap[name].size()) for name in (sn, lntl)],
        "C7": [accuracy["x"].minus(accuracy[name]) for name in (sn, lntl)],
    }


def judge_claims(results: pd.DataFrame, fairness: pd.DataFrame, bias: float, bits: int | None) -> pd.DataFrame:
    """Judge every claim in every column in which its numbers differ.

    `replicated`: the whole interval of every cell that the claim concerns satisfies its rule. `not replicated`: some
    cell's interval misses it entirely. `undecided`: neither. `not testable`: no data.

    The arguments are the rows of `measure` and of `measure_fairness` (which may be empty), the bias of Table 2's biased
    set, and the bits of the released φ.

    Returns
    -------
    DataFrame
        `id`, `claim`, `column`, `verdict`, `estimate`, `low`, `high` (95 % t-interval over rotations or folds), `rule`,
        `splits`, `more_rotations` (about how many times as many rotations would decide an undecided claim if the
        estimate stayed), `evidence` (the cell that decides: the worst of those with that verdict).
    """
    rank = results[results["metric"] == "effective_rank"].groupby("representation")["value"].mean()
    dead = {name for name in rank.index if name not in CEILINGS and rank[name] < COLLAPSED * rank.get("x", 0)}
    parts = {column: _parts(results, fairness, bias, column, bits) for column in COLUMNS}
    rows = [
        {"id": claim.id, "claim": claim.words, "column": column, "rule": claim.rule}
        | _judge(claim, parts[column][claim.id], dead)
        for claim in CLAIMS
        for column in claim.columns
    ]
    columns = ["id", "claim", "column", "verdict", "estimate", "low", "high", "rule", "splits", "more_rotations"]
    return pd.DataFrame(rows, columns=[*columns, "evidence"])


def _judge(claim: Claim, parts: list[Evidence], dead: set[str]) -> dict:
    if any(np.isnan(part.estimate) for part in parts):
        return {"verdict": "not testable", "splits": 0, "evidence": "no data for it"}
    kinds = [claim.decided_by(part.bounds()) for part in parts]
    kind = next(kind for kind in ("not replicated", UNDECIDED, "replicated") if kind in kinds)
    deciding = [part for part, own in zip(parts, kinds, strict=True) if own == kind]
    decides = (max if claim.compare is le else min)(deciding, key=lambda part: part.estimate)
    low, high = decides.bounds()
    row = {"estimate": decides.estimate, "low": low, "high": high, "splits": len(decides.values)}
    dead = {name for name in dead if name.partition(" ")[0] in claim.blind}
    more, evidence = np.nan, decides.cell
    if kind == UNDECIDED and not np.isnan(low):
        more = max(((p.bounds()[1] - p.estimate) / max(abs(p.estimate - claim.limit), 1e-9)) ** 2 for p in deciding)
    if kind != "not replicated" and dead:
        kind = "not replicated"
        evidence += f"; but {', '.join(sorted(dead))} has collapsed, and that is no blindness"
    return row | {"verdict": kind, "more_rotations": more, "evidence": evidence}


def scorecard(verdicts: pd.DataFrame, bits: int | None) -> pd.DataFrame:
    """Lay out the verdicts: a row for each claim, a column for each of the three kinds of evidence."""
    titles = {"paper": "Paper's probes [95 % interval]", "whitened": "A probe that whitens"}
    titles["released"] = f"Released in {bits} bits"
    lines = []
    for _, rows in verdicts.groupby("id", sort=False):
        first, own = rows.iloc[0], {row["column"]: row for row in rows.to_dict("records")}
        line = {"": first["id"], "The paper claims": first["claim"], "Holds when": first["rule"]}
        lines.append(line | {titles[name]: _words(own[name]) if name in own else "" for name in COLUMNS})
    return pd.DataFrame(lines)


def _words(row: dict) -> str:
    words = f"{_MARKS[row['verdict']]} {row['verdict']}"
    if pd.notna(row["estimate"]):
        estimate, low, high = (round(row[name], 1) + 0.0 for name in ("estimate", "low", "high"))  # no "-0.0"
        unit = next(claim.unit for claim in CLAIMS if claim.id == row["id"])
        words += f": {estimate:.1f} {'[no interval]' if pd.isna(low) else f'[{low:.1f}, {high:.1f}]'} {unit}"
    if "collapsed" in row["evidence"]:
        words += row["evidence"].partition(";")[2]
    more = row["more_rotations"]
    if pd.isna(more):
        return words
    return f"{words}; {f'{more:.1f} x the' if more <= _MANY else f'over {_MANY} x the'} rotations would decide"
