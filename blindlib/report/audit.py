"""The audit of the printed tables: the poster's own accuracies put into its own formulas."""

import pandas as pd

from blindlib.report.paper import table1, table2
from blindlib.report.tables import diff


def audit_table1() -> pd.DataFrame:
    """Diff recomputed from the poster's accuracies beside the printed one.

    Returns
    -------
    DataFrame
        `entry`, `printed`, `recomputed` (percent) and `follows`: whether rounding to the printed digits explains the
        difference. Nothing is corrected: what does not follow is marked.
    """
    printed = table1()
    rows = [
        {
            "entry": f"Table 1, {domain}, Diff {name}",
            "printed": row[f"{name}_diff"],
            "recomputed": diff(row["x"], row[name], row["chance"]),
            "slack": _slack(row["x"], row[name], row["chance"], row[f"{name}_diff"]),
        }
        for domain, row in printed.iterrows()
        for name in ("SN", "LNTL")
    ]
    return _judged(rows)


def audit_table2() -> pd.DataFrame:
    """Eq. Opp. recomputed from the poster's true positive rates beside the printed one; columns as `audit_table1`."""
    rows = [
        {
            "entry": f"Table 2, {name} {training}, Eq. Opp.",
            "printed": row["eq_opp"],
            "recomputed": abs(row["tpr_smiling"] - row["tpr_not_smiling"]),
            "slack": 0.005 + 0.01,
        }
        for (name, training), row in table2().iterrows()
    ]
    return _judged(rows)


def _slack(x: float, phi: float, chance: float, printed: float) -> float:
    """Largest error of Diff that rounding explains: accuracies to 0.05 either way, the entry to its last digit."""
    last = 0.5 if float(printed).is_integer() else 0.05
    corners = [diff(x + a, phi + b, chance) for a in (-0.05, 0.05) for b in (-0.05, 0.05)]
    return last + max(abs(corner - diff(x, phi, chance)) for corner in corners)


def _judged(rows: list[dict]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    frame["follows"] = (frame["printed"] - frame["recomputed"]).abs() <= frame["slack"] + 1e-9
    return frame.drop(columns="slack")
