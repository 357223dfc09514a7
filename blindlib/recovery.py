"""What the generator's own factors tell of the labels, by linear probes: ground truth, before any picture."""

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from blindlib.synthfaces.factors import IDENTITY, PHOTOGRAPH, UNITS

_TASKS = (  # role, label, what the probe is given
    ("emotion", "emotion", "action units", UNITS),
    ("emotion", "emotion", "identity factors", IDENTITY),  # chance by design: everybody shows every expression once
    ("emotion", "emotion", "camera and light", PHOTOGRAPH),
    ("demographics", "gender", "identity factors", IDENTITY),
    ("demographics", "ethnicity", "identity factors", IDENTITY),
    ("attractive", "attractive", "identity factors", IDENTITY),
    ("attractive", "attractive", "action units", UNITS),
    ("attractive", "smiling", "action units", UNITS),
    ("attractive", "smiling", "identity factors", IDENTITY),
)


def recoverability(album: pd.DataFrame, folds: int = 5) -> pd.DataFrame:
    """Accuracy of linear probes on true factors, people disjoint between training and test.

    Parameters
    ----------
    album : DataFrame
        As `synthfaces.roles.make_roles`.
    folds : int

    Returns
    -------
    DataFrame
        `role`, `label`, `given`, `accuracy` and `sd` over folds, `chance` (balanced), in percent, `n`.
    """
    rows = []
    for role, label, given, columns in _TASKS:
        own = album[(album["role"] == role) & ~((label == "emotion") & (album["emotion"] == "neutral"))]
        target = own[label].astype(str)
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        scores = 100 * cross_val_score(
            probe,
            own[list(columns)],
            target,
            groups=own["identity"],
            cv=GroupKFold(folds, shuffle=True, random_state=0),
            scoring="balanced_accuracy",
        )
        rows.append(
            {
                "role": role,
                "label": label,
                "given": given,
                "accuracy": scores.mean().round(1),
                "sd": scores.std(ddof=1).round(1),
                "chance": round(100 / target.nunique(), 1),
                "n": len(own),
            }
        )
    return pd.DataFrame(rows)
