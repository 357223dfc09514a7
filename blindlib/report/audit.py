"""The audit of the printed tables: the poster's own accuracies put into its own formulas."""

from itertools import product

import pandas as pd

from blindlib.metrics import diff
from blindlib.report.paper import table1, table2


def audit_table1() -> pd.DataFrame:
    """Diff recomputed from the poster's accuracies beside the printed one: `entry`, `printed`, `recomputed` (percent).

    `follows` says whether rounding to the printed digits explains the difference: nothing is corrected.
    """
    rows = []
    for domain, row in table1().iterrows():
        for name in ("SN", "LNTL"):
            printed, recomputed = row[f"{name}_diff"], diff(row["x"], row[name], row["chance"])
            corners = [diff(row["x"] + a, row[name] + b, row["chance"]) for a, b in product((-0.05, 0.05), repeat=2)]
            last_digit = 0.5 if printed.is_integer() else 0.05
            slack = last_digit + max(abs(corner - recomputed) for corner in corners)
            rows.append(_audited(f"Table 1, {domain}, Diff {name}", printed, recomputed, slack))
    return pd.DataFrame(rows)


def audit_table2() -> pd.DataFrame:
    """Eq. Opp. recomputed from the poster's true positive rates beside the printed one; columns as `audit_table1`."""
    rows = []
    for (name, training), row in table2().iterrows():
        recomputed = abs(row["tpr_smiling"] - row["tpr_not_smiling"])
        rows.append(_audited(f"Table 2, {name} {training}, Eq. Opp.", row["eq_opp"], recomputed, 0.005 + 0.01))
    return pd.DataFrame(rows)


def _audited(entry: str, printed: float, recomputed: float, slack: float) -> dict:
    """One line of the audit; `slack` is the largest difference that rounding explains."""
    follows = abs(printed - recomputed) <= slack + 1e-9
    return {"entry": entry, "printed": printed, "recomputed": recomputed, "follows": follows}
