"""Show how an SVM degenerates: `SVC(gamma="auto")` on features of small variance.

`auto`, scikit-learn's default before 0.22, is γ = 1 / D whatever the features' scale. All squared distances between
unit-norm embeddings are below 4, so that every kernel value is near 1. `scale`, the default since, is
1 / (D · variance). A probe that predicts one class for every image scores chance. That says nothing of the attribute.
"""

import numpy as np
import pandas as pd
from sklearn.svm import SVC

from blindlib.blinders.representation import Representation
from blindlib.common.errors import InputError
from blindlib.common.work import derive_seed, spread
from blindlib.data.splits import Split
from blindlib.evaluate.probes import Task
from blindlib.metrics import balanced_accuracy

NORMS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # of x; CompactNet's and ResNet-50's is 1; our choice
COLUMNS = ("gamma", "classes", "norm", "rotation", "value", "top_share", "n_train", "chance")


def degenerate_svm(
    representation: Representation,
    task: Task,
    splits: list[Split],
    *,
    each: int = 150,
    norms: tuple[float, ...] = NORMS,
) -> pd.DataFrame:
    """Probe with scikit-learn's old and new default γ, by the norm of the features and the classes' balance.

    Parameters
    ----------
    each : int
        Training images of every class; `one fewer` leaves out one of each class but the first.
    norms : tuple of float
        The mean norm to which the features are scaled.

    Returns
    -------
    DataFrame
        `COLUMNS`: a row for each `gamma` (`auto`, `scale`), `classes` (`equal`, `one fewer`), `norm` and split. In
        percent of test images: `value`, balanced accuracy, and `top_share`, the share of the most predicted class.
        Splits whose probes have fewer than two classes of two images are left out.

    Raises
    ------
    InputError
        If the features are 0 everywhere.
    """
    jobs = [(n, split, norm) for n, split in enumerate(splits) for norm in norms]
    rows = spread(lambda job: _rows(representation, task, each, *job), jobs)
    return pd.DataFrame([row for part in rows for row in part], columns=list(COLUMNS))


def _rows(z: Representation, task: Task, each: int, number: int, split: Split, norm: float) -> list[dict]:
    rng = np.random.default_rng(derive_seed(split.seed, "degenerate svm"))
    shown = [code for code in np.unique(task.codes[split.probe]) if code >= 0]
    by_class = [rng.permutation(split.probe[task.codes[split.probe] == code]) for code in shown]
    each = min(each, *map(len, by_class)) if len(shown) > 1 else 0
    test = split.test[task.codes[split.test] >= 0]
    if each < 2 or not len(test):
        return []
    length = float(np.linalg.norm(z.rows(number, split.probe), axis=1).mean())
    if not length:
        raise InputError(z.name, "is 0 everywhere", "give features that have a norm")
    scale = norm / length
    features, rows = scale * z.rows(number, test), []
    for classes, fewer in (("equal", 0), ("one fewer", 1)):
        train = np.concatenate([own[: each - fewer * (code > 0)] for code, own in enumerate(by_class)])
        x, y = scale * z.rows(number, train), task.codes[train]
        for gamma in ("auto", "scale"):
            guess = SVC(gamma=gamma).fit(x, y).predict(features)
            rows.append(
                {
                    **{"gamma": gamma, "classes": classes, "norm": norm, "rotation": split.rotation},
                    "value": balanced_accuracy(task.codes[test], guess),
                    "top_share": 100 * float(np.bincount(guess).max() / len(guess)),
                    **{"n_train": len(train), "chance": 100 / len(np.unique(task.codes[test]))},
                }
            )
    return rows
