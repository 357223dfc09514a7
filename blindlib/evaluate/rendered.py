"""SynthFaces under test: are they faces to other software, and do their true factors tell the labels they should?"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from blindlib.backbones.alignment import chip_of, find_faces
from blindlib.backbones.registry import get_backbone
from blindlib.common.work import cores, track
from blindlib.synthfaces.factors import IDENTITY, PHOTOGRAPH, UNITS


def inspect_frames(frames: np.ndarray, *, embed: bool, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Show frames to dlib on all cores.

    Parameters
    ----------
    frames : uint8 array (N, S, S, 3)
    embed : bool
        Whether to embed the faces too (a tenth of a second each).
    what : str
        The words of the progress bar.

    Returns
    -------
    found : int array (N,)
        How many faces dlib's frontal detector finds, the frame doubled in size once.
    x : float32 array (N, 128)
        dlib's embedding of the first face; NaN where none was found or `embed` is false.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores(), context) as pool:
        answers = pool.map(_inspect, frames, [embed] * len(frames), chunksize=8)
        answers = list(track(answers, what, total=len(frames), unit="face"))
    return np.array([count for count, _ in answers]), np.stack([x for _, x in answers])


def _inspect(frame: np.ndarray, embed: bool) -> tuple[int, np.ndarray]:
    backbone, nothing = get_backbone("dlib"), np.full(128, np.nan, np.float32)
    boxes = find_faces(frame, 1)
    if not embed or not boxes:
        return len(boxes), nothing
    return len(boxes), backbone.encode(chip_of(frame, boxes[0], backbone.alignment)[None])[0]


def detection_rates(found: np.ndarray, labels: pd.DataFrame) -> pd.DataFrame:
    """Share of frames with exactly one face, in percent: over all and by each value of some labels.

    Parameters
    ----------
    found : int array (N,)
        Of `inspect_frames`.
    labels : DataFrame (N rows)

    Returns
    -------
    DataFrame
        `by`, `value`, `exactly_one`, `low`, `high` (95 % Wilson interval), `n`.
    """
    hit = found == 1
    rows = [("all", "all", hit)]
    rows += [(by, value, hit[labels[by] == value]) for by in labels for value in sorted(labels[by].unique())]
    return pd.DataFrame([{"by": by, "value": value, **_wilson(own)} for by, value, own in rows])


def _wilson(hit: np.ndarray) -> dict:
    n, p, z = len(hit), hit.mean(), 1.959964
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    return {"exactly_one": 100 * p, "low": 100 * low, "high": 100 * high, "n": n}


def cross_expression(x: np.ndarray, identity: np.ndarray, emotion: np.ndarray) -> pd.DataFrame:
    """All pairs of frames with different expressions: columns `distance` (Euclidean) and `same` (the same person).

    Parameters
    ----------
    x : float array (N, 128)
        Of `inspect_frames`; frames without a face (NaN) are left out.
    identity, emotion : arrays (N,)
    """
    rows = np.flatnonzero(np.isfinite(x[:, 0]))
    i, j = np.triu_indices(len(rows), 1)
    left, right = rows[i], rows[j]
    apart = emotion[left] != emotion[right]
    left, right = left[apart], right[apart]
    distance = np.linalg.norm(x[left] - x[right], axis=1)
    return pd.DataFrame({"distance": distance, "same": identity[left] == identity[right]})


def auc(pairs: pd.DataFrame) -> float:
    """Area under the ROC of `cross_expression`'s pairs, 0 to 1: 0.5 is chance."""
    return float(roc_auc_score(pairs["same"], -pairs["distance"]))


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
