"""Audit the printed tables: put the paper's accuracies into its own formulas."""

from itertools import product

import pandas as pd

from blindlib.metrics import diff
from blindlib.report.paper import printed1, table2


def audit_table1() -> pd.DataFrame:
    """Recompute Diff from the paper's accuracies, beside the printed one: `entry`, `printed`, `recomputed` (percent).

    `follows` says whether rounding to the printed digits explains the difference. Nothing is corrected.
    """
    rows = []
    for domain, row in printed1().iterrows():
        x, chance = float(row["x"]), float(row["chance"])
        for name in ("SN", "LNTL"):
            printed, phi = float(row[f"{name}_diff"]), float(row[name])
            recomputed = diff(x, phi, chance)
            corners = product(*((-_rounding(entry), _rounding(entry)) for entry in (row["x"], row[name])))
            off = max(abs(diff(x + a, phi + b, chance) - recomputed) for a, b in corners)
            slack = _rounding(row[f"{name}_diff"]) + off
            rows.append(_audited(f"Table 1, {domain}, Diff {name}", printed, recomputed, slack))
    return pd.DataFrame(rows)


def _rounding(printed: str) -> float:
    """Return half a unit of the last printed digit: 0.5 for `25`, 0.05 for `88.2`."""
    return 0.5 * 10.0 ** -len(printed.partition(".")[2])


def audit_table2() -> pd.DataFrame:
    """Recompute Eq. Opp. from the paper's true positive rates, beside the printed one; columns as in `audit_table1`."""
    rows = []
    for (name, training), row in table2().iterrows():
        recomputed = abs(row["tpr_smiling"] - row["tpr_not_smiling"])
        rows.append(_audited(f"Table 2, {name} {training}, Eq. Opp.", row["eq_opp"], recomputed, 0.005 + 0.01))
    return pd.DataFrame(rows)


def _audited(entry: str, printed: float, recomputed: float, slack: float) -> dict:
    """Return one row of the audit; `slack` is the largest difference that rounding explains."""
    follows = abs(printed - recomputed) <= slack + 1e-9
    return {"entry": entry, "printed": printed, "recomputed": recomputed, "follows": follows}
