"""The paper's seven claims, each a checked statement: verdict, estimate, interval, and the cells it rests on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from blindlib.evaluate.fairness import UNBIASED
from blindlib.evaluate.results import interval
from blindlib.report.tables import AT_CHANCE, domain_of, of_cell

COLLAPSED = 0.1  # of x's effective rank: below it a representation counts as dead, and its blindness as none


@dataclass(frozen=True)
class Evidence:
    """An estimate with its values by split, which bring the interval.

    Attributes
    ----------
    estimate : float
    values : float array (splits,)
        Paired over the same people; their mean need not be the estimate (which is of means).
    cell : str
    """

    estimate: float
    values: np.ndarray
    cell: str


class Measurements:
    """What the claims ask of result rows.

    Parameters
    ----------
    results : DataFrame
        Rows of `measure`.
    fairness : DataFrame
        Rows of `measure_fairness`; may be empty.
    bias : float
        Of Table 2's biased set.
    """

    def __init__(self, results: pd.DataFrame, fairness: pd.DataFrame, bias: float):
        kept = results[(results["metric"] == "balanced_accuracy") & (results["protocol"] == "B")]
        self.rows = kept.assign(domain=[domain_of(t, p) for t, p in zip(kept["task"], kept["probe"], strict=True)])
        rank = results[results["metric"] == "effective_rank"].groupby("representation")["value"].mean()
        self.dead = {name for name in rank.index if name != "pixels" and rank[name] < COLLAPSED * rank.get("x", 0)}
        self.fairness, self.bias = fairness, bias

    def diff(self, domain: str, name: str) -> Evidence | None:
        """Diff of a representation in a domain, percent, by rotation (fold); None without rows, or x at chance."""
        rows = self.rows[(self.rows["domain"] == domain) & self.rows["representation"].isin(["x", name])]
        if rows["representation"].nunique() < 2:
            return None
        by = rows.groupby(["representation", "rotation"])["value"].mean().unstack("representation")
        above = by["x"].mean() - rows["chance"].iloc[0]
        lost = 100 * (by["x"] - by[name]) / above
        known = Evidence(float(lost.mean()), lost.to_numpy(), f"Table 1, {domain}, Diff {name}")
        return known if abs(above) >= AT_CHANCE else None

    def gap(self, name: str, bias: float) -> Evidence | None:
        """Eq. Opp. in points, by rotation: the gap with the sign of its mean; None without its rows."""
        rows = of_cell(self.fairness, name, bias)
        if not len(rows):
            return None
        gap = rows.groupby("rotation")["gap"].mean()
        training = "unbiased" if bias == UNBIASED else "biased"
        cell = f"Table 2, {name} {training}, Eq. Opp."
        return Evidence(abs(gap.mean()), (np.sign(gap.mean()) * gap).to_numpy(), cell)

    def accuracy(self, name: str) -> Evidence | None:
        """Accuracy after biased training, percent, by rotation; None without its rows."""
        rows = of_cell(self.fairness, name, self.bias)
        if not len(rows):
            return None
        acc = rows.groupby("rotation")["acc"].mean()
        return Evidence(float(acc.mean()), acc.to_numpy(), f"Table 2, {name}, Acc")


def minus(a: Evidence, b: Evidence, factor: float = 1.0) -> Evidence:
    """a − factor · b, paired by split."""
    cell = f"{a.cell} against {b.cell}"
    return Evidence(a.estimate - factor * b.estimate, a.values - factor * b.values, cell)


@dataclass(frozen=True)
class Claim:
    """A claim of the paper.

    Attributes
    ----------
    id, words, rule : str
        `rule` says of the estimate when the claim holds.
    parts : callable
        Measurements -> the evidences, each of which has to hold.
    holds : callable
        Estimate -> bool.
    worst : callable
        `max` or `min`: which of the parts decides.
    blind : tuple of str
        Representations whose blindness it claims: refused where they have collapsed.
    """

    id: str
    words: str
    rule: str
    parts: Callable[[Measurements], list]
    holds: Callable[[float], bool]
    worst: Callable
    blind: tuple[str, ...] = ()


_PROBES = ("Emotion (NN)", "Emotion (SVM)", "Emotion (RF)")


def _more_removed(m: Measurements) -> list:
    pairs = [(m.diff(d, "LNTL"), m.diff(d, "SN")) for d in ("Emotion (NN)", "Emotion (RF)", "ID")]
    return [minus(a, b) if a and b else None for a, b in pairs]


def _opened(m: Measurements) -> list:
    biased, unbiased = m.gap("x", m.bias), m.gap("x", UNBIASED)
    return [minus(biased, unbiased, 2.0) if biased and unbiased else None]


def _narrowed(m: Measurements) -> list:
    x = m.gap("x", m.bias)
    return [minus(x, phi) if x and phi else None for phi in (m.gap(n, m.bias) for n in ("SN", "LNTL"))]


def _cost(m: Measurements) -> list:
    x = m.accuracy("x")
    parts = [minus(phi, x) if x and phi else None for phi in (m.accuracy(n) for n in ("SN", "LNTL"))]
    return [p and Evidence(abs(p.estimate), np.sign(p.estimate) * p.values, p.cell) for p in parts]


CLAIMS = (
    Claim("C1", "φ_SN keeps identity", "Diff ≤ 5", lambda m: [m.diff("ID", "SN")], lambda v: v <= 5, max),
    Claim(
        "C2",
        "φ_SN keeps gender and ethnicity",
        "both Diff ≤ 5",
        lambda m: [m.diff(d, "SN") for d in ("Gender", "Ethnicity")],
        lambda v: v <= 5,
        max,
    ),
    Claim(
        "C3",
        "φ_SN removes emotion",
        "Diff ≥ 30 for NN, SVM and RF",
        lambda m: [m.diff(d, "SN") for d in _PROBES],
        lambda v: v >= 30,
        min,
        ("SN",),
    ),
    Claim(
        "C4",
        "φ_LNTL removes more emotion than φ_SN (NN, RF), at a cost in identity",
        "each difference of Diff > 0",
        _more_removed,
        lambda v: v > 0,
        min,
        ("LNTL",),
    ),
    Claim("C5", "biased training opens a gap", "Eq. Opp. biased − 2 · unbiased ≥ 0", _opened, lambda v: v >= 0, min),
    Claim(
        "C6",
        "both blinded representations narrow it",
        "Eq. Opp. of x − of φ > 0",
        _narrowed,
        lambda v: v > 0,
        min,
        ("SN", "LNTL"),
    ),
    Claim("C7", "at little cost in accuracy", "both within 3 points of Acc of x", _cost, lambda v: v <= 3, max),
)


def judge_claims(results: pd.DataFrame, fairness: pd.DataFrame, bias: float) -> pd.DataFrame:
    """The verdicts: `replicated`, `not replicated` or `not testable`.

    Parameters
    ----------
    results, fairness, bias
        As `Measurements`.

    Returns
    -------
    DataFrame
        `id`, `claim`, `verdict`, `estimate`, `low`, `high` (95 % t-interval over rotations or folds), `rule`, `splits`,
        `evidence` (the cell that decides: the worst of those that the claim speaks of).
    """
    m = Measurements(results, fairness, bias)
    return pd.DataFrame([_judge(claim, m) for claim in CLAIMS])


def _judge(claim: Claim, m: Measurements) -> dict:
    parts = claim.parts(m)
    row = {"id": claim.id, "claim": claim.words, "verdict": "not testable", "estimate": np.nan, "low": np.nan}
    row |= {"high": np.nan, "rule": claim.rule, "splits": 0, "evidence": "no data for it"}
    if any(part is None for part in parts):
        return row
    decides = claim.worst(parts, key=lambda part: part.estimate)
    half = interval(decides.values)[1]
    low, high = decides.estimate - half, decides.estimate + half
    held, dead = claim.holds(decides.estimate), m.dead & set(claim.blind)
    evidence = decides.cell
    if held and dead:
        evidence += f"; but {', '.join(sorted(dead))} has collapsed, and that is no blindness"
    else:
        open_ones = [part.cell for part in parts if _crosses(claim, part)]
        evidence += "".join(f"; the interval of {cell} reaches over the limit" for cell in open_ones)
    verdict = "replicated" if held and not dead else "not replicated"
    return row | {
        "verdict": verdict,
        "estimate": decides.estimate,
        "low": low,
        "high": high,
        "splits": len(decides.values),
        "evidence": evidence,
    }


def _crosses(claim: Claim, part: Evidence) -> bool:
    """Whether one end of a cell's interval holds and the other does not."""
    half = interval(part.values)[1]
    return claim.holds(part.estimate - half) != claim.holds(part.estimate + half)


def scorecard(verdicts: pd.DataFrame) -> pd.DataFrame:
    """The verdicts to read: one column each for the claim, verdict, estimate with interval, rule and cell."""
    marks = {"replicated": "✓ replicated", "not replicated": "✗ not replicated", "not testable": "– not testable"}
    shown = [
        "" if pd.isna(e) else f"{e:.1f} [no interval]" if pd.isna(low) else f"{e:.1f} [{low:.1f}, {high:.1f}]"
        for e, low, high in verdicts[["estimate", "low", "high"]].to_numpy()
    ]
    return pd.DataFrame(
        {
            "": verdicts["id"],
            "The paper claims": verdicts["claim"],
            "Here": verdicts["verdict"].map(marks),
            "Estimate [95 % interval]": shown,
            "Holds when": verdicts["rule"],
            "Rests on": verdicts["evidence"],
        }
    )
