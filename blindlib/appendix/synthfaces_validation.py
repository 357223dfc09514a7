"""Validate the renderer: does other software find faces in SynthFaces, and do labels follow from their true factors?"""

from itertools import repeat

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from blindlib.backbones.alignment import inspect_frame
from blindlib.backbones.extraction import worker_pool
from blindlib.common.work import cores, track
from blindlib.synthfaces.factors import IDENTITY, PHOTOGRAPH, UNITS


def inspect_frames(frames: np.ndarray, *, embed: bool, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Run dlib's detector on frames: few of them in this process, many on all cores.

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
    many = len(frames) >= 100
    with worker_pool(cores() if many else 1, processes=many) as pool:
        answers = pool.map(inspect_frame, frames, repeat(embed), chunksize=8)
        found, x = zip(*track(answers, what, total=len(frames), unit="face"), strict=True)
    return np.array(found), np.stack(x)


def detection_rates(found: np.ndarray, labels: pd.DataFrame) -> pd.DataFrame:
    """Count frames with exactly one face, in percent: over all and by each value of some labels (N rows).

    Returns
    -------
    DataFrame
        `by`, `value`, `exactly_one`, `low`, `high` (95 % Wilson interval), `n`.
    """
    groups = [("all", "all", found)]
    groups += [(by, value, found[labels[by] == value]) for by in labels for value in sorted(labels[by].unique())]
    rows = []
    for by, value, counts in groups:
        hits, n = int((counts == 1).sum()), len(counts)
        low, high = binomtest(hits, n).proportion_ci(method="wilson")
        rows.append((by, value, 100 * hits / n, 100 * low, 100 * high, n))
    return pd.DataFrame(rows, columns=["by", "value", "exactly_one", "low", "high", "n"])


def cross_expression(x: np.ndarray, identity: np.ndarray, emotion: np.ndarray) -> pd.DataFrame:
    """Pair all frames with different expressions: columns `distance` (Euclidean) and `same` (the same subject).

    `x` (N, 128) is `inspect_frames`' answer; frames without a face (NaN) are left out.
    """
    x = np.asarray(x, np.float64)
    rows = np.flatnonzero(np.isfinite(x[:, 0]))
    i, j = np.triu_indices(len(rows), 1)
    left, right = rows[i], rows[j]
    apart = emotion[left] != emotion[right]
    left, right = left[apart], right[apart]
    distance = np.linalg.norm(x[left] - x[right], axis=1)
    return pd.DataFrame({"distance": distance, "same": identity[left] == identity[right]})


def auc(pairs: pd.DataFrame) -> float:
    """Compute the area under the ROC of `cross_expression`'s pairs, from 0 to 1; 0.5 is chance."""
    return float(roc_auc_score(pairs["same"], -pairs["distance"]))


_TASKS = (  # role, label, name of the probe's features, their columns
    ("emotion", "emotion", "action units", UNITS),
    ("emotion", "emotion", "identity factors", IDENTITY),  # chance by design: every subject shows every expression once
    ("emotion", "emotion", "camera and light", PHOTOGRAPH),
    ("demographics", "gender", "identity factors", IDENTITY),
    ("demographics", "ethnicity", "identity factors", IDENTITY),
    ("attractive", "attractive", "identity factors", IDENTITY),
    ("attractive", "attractive", "action units", UNITS),
    ("attractive", "smiling", "action units", UNITS),
    ("attractive", "smiling", "identity factors", IDENTITY),
)


def recoverability(album: pd.DataFrame, folds: int = 5) -> pd.DataFrame:
    """Test linear probes on the true factors of `make_roles`' album, on subjects that they were not trained on.

    Returns
    -------
    DataFrame
        `role`, `label`, `given`, `accuracy` and `sd` over folds, `chance` (balanced), in percent, `n`.
    """
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    validation = {"cv": GroupKFold(folds, shuffle=True, random_state=0), "scoring": "balanced_accuracy"}
    rows = []
    for role, label, given, columns in _TASKS:
        faces = album[(album["role"] == role) & ~((label == "emotion") & (album["emotion"] == "neutral"))]
        target = faces[label].astype(str)
        scores = cross_val_score(probe, faces[list(columns)], target, groups=faces["identity"], **validation)
        accuracy, sd = (100 * scores).mean().round(1), (100 * scores).std(ddof=1).round(1)
        rows.append((role, label, given, accuracy, sd, round(100 / target.nunique(), 1), len(faces)))
    return pd.DataFrame(rows, columns=["role", "label", "given", "accuracy", "sd", "chance", "n"])
