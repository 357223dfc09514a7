"""Probe as the public code of FairCVtest does: protocol A.

Features come as they are, classes as frequent as they are, SVM and RF with scikit-learn's defaults. The network has ten
sigmoid units and trains by Adam (rate 1e-3), in batches of 128, until ten epochs have not improved it *on the test
subjects*. It is scored as it stands then, so the test subjects decide when training stops.

**Decision**: what has to improve is the test loss. That code watches test accuracy, at some 150 steps an epoch and 100
epochs at most. At our few steps an epoch that rule stops nearly all networks at chance.

Source: github.com/BiDAlab/FairCVtest at 20b274a, `FairCV.py`.
"""

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from blindlib.blinders.heads import Classifiers
from blindlib.blinders.representation import Representation
from blindlib.common.work import derive_seed, spread
from blindlib.data.splits import Split
from blindlib.evaluate.probes import PROBES, Task, labelled_splits, score

_EPOCHS, _PATIENCE, _BATCH = 1000, 10, 128  # the first is our limit: training stops far earlier
_CLASSICAL = {"SVM": SVC, "RF": lambda: RandomForestClassifier(max_depth=1000, random_state=0)}


def probe_as_published(
    representation: Representation, task: Task, splits: list[Split], identity: np.ndarray
) -> list[dict]:
    """Train and test NN, SVM and RF by protocol A on every split; return rows as `probes.run_probes` does."""
    representation.serves(len(splits))
    splits = labelled_splits(splits, task, identity)

    def work(job: tuple[str, int]) -> np.ndarray:
        kind, number = job
        train, test = (representation.rows(number, rows) for rows in (splits[number].probe, splits[number].test))
        if kind not in _CLASSICAL:
            return _network(train, test, task, splits[number])
        return _CLASSICAL[kind]().fit(train, task.codes[splits[number].probe]).predict(test)

    jobs = [(kind, number) for kind in PROBES for number in range(len(splits))]
    return [
        {"task": task.name, "probe": kind, "protocol": "A"} | score(task, splits[number], guess, identity)
        for (kind, number), guess in zip(jobs, spread(work, jobs), strict=True)
    ]


def _network(train: np.ndarray, test: np.ndarray, task: Task, split: Split) -> np.ndarray:
    """Predict the test images by a network that stops when their loss has not fallen for ten epochs."""
    generator = torch.Generator().manual_seed(derive_seed(split.seed, "nn", task.name, "A"))
    model = Classifiers(1, train.shape[1], (10,), len(task.classes), generator, activation=torch.sigmoid)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    x, shown = torch.tensor(train), torch.tensor(test)
    y, truth = (torch.tensor(task.codes[rows]) for rows in (split.probe, split.test))
    least, waited = float("inf"), 0
    for _ in range(_EPOCHS):
        for rows in torch.randperm(len(x), generator=generator).split(_BATCH):
            optimiser.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(model(x[None, rows])[0], y[rows]).backward()
            optimiser.step()
        with torch.no_grad():
            logits = model(shown[None])[0]
            loss = float(torch.nn.functional.cross_entropy(logits, truth))
        least, waited = (loss, 0) if loss < least else (least, waited + 1)
        if waited >= _PATIENCE:
            break
    return logits.argmax(-1).numpy()
