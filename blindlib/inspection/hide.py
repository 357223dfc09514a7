"""Hide a label by several methods, measure what each hides and costs, and recommend one.

Every method releases φ in few bits: rounding removes what a head only shrinks. The subjects with the label are dealt
into three parts. *Fit* trains heads and erasers. *Choose* stops their training, validates the probes, and selects
method and λ. All printed numbers are of *report*: each of its subjects is tested once, by probes that others of this
part train.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone

from blindlib.appendix.centre_loss import CentreLoss
from blindlib.appendix.erasers import INLP, NAP
from blindlib.appendix.obliviator import Obliviator
from blindlib.blinders.affine import LEACE
from blindlib.blinders.blinder import Blinder
from blindlib.blinders.head_blinder import HeadBlinder
from blindlib.blinders.lntl import LNTL
from blindlib.blinders.representation import Representation
from blindlib.blinders.sensitivenets import SensitiveNets
from blindlib.common.errors import InputError, reason
from blindlib.common.work import derive_seed, on_all_cores, track
from blindlib.data.splits import Split
from blindlib.evaluate.probes import SELECTED, Task
from blindlib.inspection.probes import accuracy, guesses, make_splits, mean_recall, quick_accuracy, verification
from blindlib.inspection.subjects import deal, draw_pairs
from blindlib.metrics import diff

SHARES = (0.4, 0.2, 0.4)  # of subjects who fit, choose, and are reported on; our choice
SUBJECTS = 40  # of each class, at least: sixteen are reported on
ATTACKERS = ("linear", "SVM")  # of the frontier; the recommended point faces all of them
FOLDS = 3  # of probes
BITS = 6  # in which every method releases φ; our choice, as of the heads
HEADS = (  # λ as in the presets, and less, where identity suffers early
    *(SensitiveNets(strength, bits=BITS) for strength in (1.0, 3.0)),
    *(LNTL(strength, bits=BITS) for strength in (0.1, 0.3)),
)
_KINDS = {kind.__name__: kind for kind in (SensitiveNets, LNTL, CentreLoss, LEACE, INLP, NAP, Obliviator)}


def load_head(path: Path | str) -> Blinder:
    """Load a saved head or eraser of any method, by its name with or without `.safetensors`; no pickle is loaded.

    Raises
    ------
    InputError
        If the file is absent or damaged, or names no known method.
    """
    named = str(path).removesuffix(".safetensors")
    try:
        kind = _KINDS[json.loads(Path(f"{named}.json").read_text(encoding="utf-8"))["class"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "name a head that `save` wrote: two files, .safetensors and .json"
        raise InputError(f"{named}.json", f"describes no head ({reason(error)})", remedy) from None
    return kind.load(named)


def frontier(
    x: np.ndarray, who: np.ndarray, task: Task, *, budget: float, seed: int, heads=HEADS, progress: bool = False
) -> tuple[pd.DataFrame, Blinder | None, dict[str, np.ndarray]]:
    """Fit every method to x (N, D), select one, and measure all of them on subjects who had no part in either.

    Returns
    -------
    points : DataFrame
        A row for x and each method and λ: `method`, `strength` (NaN without λ), `bits` (0 is float), the selected
        probe's accuracy on part *report* (`value`, `low`, `high`, `chance`), `hidden` and `hidden_hw` (points less than
        from x, paired), `id`, `id_hw`, `auc`, `eer`, all in percent, `cost` (Diff of `id`), `choose_value` and
        `choose_cost`, by which one is selected, and `recommended`.
    head : Blinder or None
        The recommended one; None where none is within the budget, a percentage.
    parts : dict of int array
        Rows of `fit`, `choose` and `report`.

    Raises
    ------
    InputError
        If too few subjects have several images to measure the cost.
    """
    part = deal(task.codes, who, SHARES, np.random.default_rng(derive_seed(seed, "parts", task.name)))
    parts = {name: np.flatnonzero(part == number) for number, name in enumerate(("fit", "choose", "report"))}
    pairs = {
        name: draw_pairs(who[parts[name]], np.random.default_rng(derive_seed(seed, "pairs", name)))
        for name in ("choose", "report")
    }
    if pairs["choose"].empty or pairs["report"].empty:
        remedy = "about 50 are needed: without pairs the cost in verification is unknown"
        raise InputError("hide", "too few subjects have two images", remedy)
    splits = {"report": make_splits(task, who, parts["report"], FOLDS, seed, parts["choose"])}
    # On part `choose` the test half selects the probes too: that flatters all methods alike, and is not reported.
    halves = make_splits(task, who, parts["choose"], 2, seed, parts["choose"])
    splits["choose"] = [replace(split, validation=split.test) for split in halves]
    found = [None, *_fitted(x, who, task, parts, budget, heads, seed)]  # None is x
    rows, of_x = [], None
    for blinder in track(found, f"hide {task.name}", shown=progress):
        row = {"method": "x", "strength": np.nan, "bits": 0}
        if blinder is not None:
            row = {"method": blinder.name, "strength": getattr(blinder, "strength", np.nan), "bits": blinder.bits}
        z = Representation.of(row["method"], x if blinder is None else blinder.transform(x))
        measured, (truth, hit, shown) = _point(z, task, who, splits, parts, pairs)
        of_x = hit if blinder is None else of_x
        less = (0.0, np.nan) if blinder is None else mean_recall(truth, of_x - hit, shown)
        rows.append(row | measured | {"hidden": less[0], "hidden_hw": less[1]})
    points = pd.DataFrame(rows)
    for cost, value in (("cost", "id"), ("choose_cost", "choose_id")):
        points[cost] = [diff(points[value].iloc[0], after, 50.0) for after in points[value]]
    best = recommend(points, budget)
    points["recommended"] = points.index == best
    return points.drop(columns="choose_id"), None if best is None else found[best], parts


def recommend(points: pd.DataFrame, budget: float) -> int | None:
    """Select the point within the budget from which probes predict least, both on subjects of part `choose`.

    Returns its number; None where no point is within it. x and λ = 0 are never selected.
    """
    able = (points["method"] != "x") & (points["strength"] != 0) & (points["choose_cost"] <= budget)
    return int(points.loc[able, "choose_value"].idxmin()) if able.any() else None


def _fitted(x, who, task: Task, parts, budget: float, heads, seed: int) -> list[Blinder]:
    """Fit the heads and every eraser on part `fit`; heads stop by part `choose`."""
    y = np.array([*task.classes, None], dtype=object)[task.codes]
    known = parts["fit"][task.codes[parts["fit"]] >= 0]
    both = np.sort(np.concatenate([parts["fit"], parts["choose"]]))
    held = np.isin(both, parts["choose"])

    def fit(blinder: Blinder) -> Blinder | None:
        if isinstance(blinder, HeadBlinder):
            blinder = clone(blinder).set_params(random_state=seed, device="cpu")
            return blinder.fit(x[both], y[both], identity=who[both], validation=held, budget=budget)
        try:
            return blinder.fit(x[known], y[known], identity=who[known])
        except ValueError:
            if isinstance(blinder, Obliviator):  # it refuses where too little would be left
                return None
            raise

    erasers = [eraser(bits=BITS) for eraser in (Obliviator, LEACE, INLP, NAP)]
    return [blinder for blinder in on_all_cores(fit, [*heads, *erasers]) if blinder is not None]


def _point(z: Representation, task: Task, who: np.ndarray, splits: dict[str, list[Split]], parts, pairs):
    """Measure one row of `frontier`; also return truth, hits and subjects of part `report`, to compare points by."""
    rows, found = guesses(z, task, splits["report"], who, ATTACKERS)
    tested = task.codes[rows], (found[SELECTED] == task.codes[rows]).astype(float), who[rows]
    row = accuracy(task.codes[rows], found[SELECTED], who[rows], len(task.classes))
    sure = verification(z.name, z.rows(0, parts["report"]), pairs["report"])
    row |= {"id": sure["accuracy"], "id_hw": sure["accuracy_hw"], "auc": sure["auc"], "eer": sure["eer"]}
    rows, found = guesses(z, task, splits["choose"], who, ATTACKERS)
    row["choose_value"] = accuracy(task.codes[rows], found[SELECTED], who[rows], len(task.classes))["value"]
    row["choose_id"] = quick_accuracy(z.rows(0, parts["choose"]), pairs["choose"])
    return row, tested
