"""The paper's seven claims, each a checked statement: verdict, estimate, interval, and the cells it rests on."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import ge, gt, le

import numpy as np
import pandas as pd

from blindlib.metrics import interval
from blindlib.report.tables import by_domain, diff_of, of_cell
from blindlib.settings import UNBIASED

COLLAPSED = 0.1  # of x's effective rank: below it a representation counts as dead, and its blindness as none


@dataclass(frozen=True)
class Evidence:
    """An estimate, the values by rotation that its interval comes from, and the cells of the tables that it stands in.

    The values are paired over the same people. Their mean need not be the estimate, which is a number of means.
    """

    estimate: float
    values: pd.Series
    cell: str

    @property
    def bounds(self) -> tuple[float, float]:
        """The estimate's 95 % t-interval; NaN for a single value."""
        half = interval(self.values)[1]
        return self.estimate - half, self.estimate + half

    def size(self) -> "Evidence":
        """The absolute value; the values take the same sign."""
        return Evidence(abs(self.estimate), np.sign(self.estimate) * self.values, self.cell)


class Measurements:
    """What the claims ask of `judge_claims`' arguments; each answer is None where its rows are missing."""

    def __init__(self, results: pd.DataFrame, fairness: pd.DataFrame, bias: float):
        self.rows = by_domain(results)
        rank = results[results["metric"] == "effective_rank"].groupby("representation")["value"].mean()
        self.dead = {name for name in rank.index if name != "pixels" and rank[name] < COLLAPSED * rank.get("x", 0)}
        self.fairness, self.bias = fairness, bias

    def diff(self, domain: str, name: str) -> Evidence | None:
        """Diff of a representation in a domain, percent; None also where x is at chance."""
        lost, _, by_rotation = diff_of(self.rows, domain, name)
        return None if np.isnan(lost) else Evidence(float(lost), by_rotation, f"Table 1, {domain}, Diff {name}")

    def gap(self, name: str, training: str = "biased") -> Evidence | None:
        """Eq. Opp. in points: the gap, all its values with the sign that makes its mean positive."""
        gap = self._study(name, training, "gap", f"Table 2, {name} {training}, Eq. Opp.")
        return gap and gap.size()

    def accuracy(self, name: str) -> Evidence | None:
        """Accuracy after biased training, percent."""
        return self._study(name, "biased", "acc", f"Table 2, {name}, Acc")

    def _study(self, name: str, training: str, column: str, cell: str) -> Evidence | None:
        rows = of_cell(self.fairness, name, self.bias if training == "biased" else UNBIASED)
        if rows.empty:
            return None
        values = rows.groupby("rotation")[column].mean()
        return Evidence(float(values.mean()), values, cell)


def minus(a: Evidence | None, b: Evidence | None, factor: float = 1.0) -> Evidence | None:
    """a − factor · b, paired by rotation; None if either is missing."""
    if a is None or b is None:
        return None
    cell = f"{a.cell} against {b.cell}"
    return Evidence(a.estimate - factor * b.estimate, a.values - factor * b.values, cell)


@dataclass(frozen=True)
class Claim:
    """A claim of the paper: `rule` says in words that `compare(estimate, limit)` is true of each of its `parts`.

    It is refused where a representation whose blindness it claims (`blind`) has collapsed. A part is None without data.
    """

    id: str
    words: str
    rule: str
    compare: Callable[[float, float], bool]
    limit: float
    parts: Callable[[Measurements], list[Evidence | None]]
    blind: tuple[str, ...] = ()

    def holds(self, estimate: float) -> bool:
        """Whether the claim holds of an estimate."""
        return self.compare(estimate, self.limit)

    def worst(self, parts: list[Evidence]) -> Evidence:
        """The part that decides: the largest where the limit is an upper one, else the smallest."""
        return (max if self.compare is le else min)(parts, key=lambda part: part.estimate)


def _diffs_of_sn(*domains: str) -> Callable[[Measurements], list[Evidence | None]]:
    return lambda m: [m.diff(domain, "SN") for domain in domains]


def _more_removed(m: Measurements) -> list[Evidence | None]:
    return [minus(m.diff(d, "LNTL"), m.diff(d, "SN")) for d in ("Emotion (NN)", "Emotion (RF)", "ID")]


def _opened(m: Measurements) -> list[Evidence | None]:
    return [minus(m.gap("x"), m.gap("x", "unbiased"), 2.0)]


def _narrowed(m: Measurements) -> list[Evidence | None]:
    return [minus(m.gap("x"), m.gap(name)) for name in ("SN", "LNTL")]


def _cost(m: Measurements) -> list[Evidence | None]:
    losses = [minus(m.accuracy(name), m.accuracy("x")) for name in ("SN", "LNTL")]
    return [loss and loss.size() for loss in losses]


_PROBES = ("Emotion (NN)", "Emotion (SVM)", "Emotion (RF)")
_MORE = "φ_LNTL removes more emotion than φ_SN (NN, RF), at a cost in identity"

CLAIMS = (
    Claim("C1", "φ_SN keeps identity", "Diff ≤ 5", le, 5, _diffs_of_sn("ID")),
    Claim("C2", "φ_SN keeps gender and ethnicity", "both Diff ≤ 5", le, 5, _diffs_of_sn("Gender", "Ethnicity")),
    Claim("C3", "φ_SN removes emotion", "Diff ≥ 30 for NN, SVM and RF", ge, 30, _diffs_of_sn(*_PROBES), ("SN",)),
    Claim("C4", _MORE, "each difference of Diff > 0", gt, 0, _more_removed, ("LNTL",)),
    Claim("C5", "biased training opens a gap", "Eq. Opp. biased − 2 · unbiased ≥ 0", ge, 0, _opened),
    Claim("C6", "both blinded representations narrow it", "Eq. Opp. of x − of φ > 0", gt, 0, _narrowed, ("SN", "LNTL")),
    Claim("C7", "at little cost in accuracy", "both within 3 points of Acc of x", le, 3, _cost),
)


def judge_claims(results: pd.DataFrame, fairness: pd.DataFrame, bias: float) -> pd.DataFrame:
    """The verdicts: `replicated`, `not replicated` or `not testable`.

    Parameters
    ----------
    results : DataFrame
        Rows of `measure`.
    fairness : DataFrame
        Rows of `measure_fairness`; may be empty.
    bias : float
        Of Table 2's biased set.

    Returns
    -------
    DataFrame
        `id`, `claim`, `verdict`, `estimate`, `low`, `high` (95 % t-interval over rotations or folds), `rule`, `splits`,
        `evidence` (the cell that decides: the worst of those that the claim speaks of).
    """
    m = Measurements(results, fairness, bias)
    columns = ["id", "claim", "verdict", "estimate", "low", "high", "rule", "splits", "evidence"]
    return pd.DataFrame([_judge(claim, m) for claim in CLAIMS], columns=columns)


def _judge(claim: Claim, m: Measurements) -> dict:
    parts = claim.parts(m)
    row = {"id": claim.id, "claim": claim.words, "rule": claim.rule}
    if any(part is None for part in parts):
        return row | {"verdict": "not testable", "splits": 0, "evidence": "no data for it"}
    decides, dead = claim.worst(parts), m.dead & set(claim.blind)
    low, high = decides.bounds
    held, evidence = claim.holds(decides.estimate), decides.cell
    if held and dead:
        evidence += f"; but {', '.join(sorted(dead))} has collapsed, and that is no blindness"
    else:
        undecided = [p.cell for p in parts if claim.holds(p.bounds[0]) != claim.holds(p.bounds[1])]
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
