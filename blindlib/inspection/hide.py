"""Hide a label by several methods, measure what each hides and costs, and recommend one.

Every method releases φ in few bits: what a head only shrinks, rounding removes. The subjects with the label are dealt
into three parts. *Fit* trains heads and erasers. *Choose* stops their training, validates the probes, and selects
method and λ. All printed numbers are about *report*: each of its subjects is tested once, by probes that others of this
part train.
"""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
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
from blindlib.blinders.training import TrainingSet
from blindlib.common.errors import InputError, reason
from blindlib.common.reading import read_json
from blindlib.common.work import derive_seed, on_all_cores
from blindlib.data.splits import Split
from blindlib.evaluate.probes import SELECTED, Task
from blindlib.inspection.attack import guesses, health, make_splits, mean_recall, quick_accuracy, verification
from blindlib.inspection.people import deal, draw_pairs
from blindlib.metrics import diff
from blindlib.settings import LNTLSettings, SensitiveNetsSettings

SHARES = (0.4, 0.2, 0.4)  # of people who fit, choose, and are reported on; our choice
PEOPLE = 40  # who show a class, at least: sixteen of each are reported on
ATTACKERS = ("linear", "SVM")  # of the frontier; the recommended point faces all of them
_REPORT_FOLDS = 3
BITS = 6  # in which every method releases φ; our choice, as of the heads
_SHORT = {"rounds": 12, "patience": 3, "per_class": 16}  # our choice: an audit takes minutes
HEADS = (  # λ as in the presets, and less, where identity suffers early
    SensitiveNets(bits=BITS, settings=SensitiveNetsSettings(strengths=(1.0, 3.0), **_SHORT)),
    LNTL(bits=BITS, settings=LNTLSettings(strengths=(0.1, 0.3), **_SHORT)),
)
_KINDS = {kind.__name__: kind for kind in (SensitiveNets, LNTL, CentreLoss, LEACE, INLP, NAP, Obliviator)}


@dataclass(frozen=True)
class Hidden:
    """Hold what `frontier` found."""

    points: pd.DataFrame  # a row for x and each method and strength; see `frontier`
    head: Blinder | None  # the recommended one; None where none keeps identity within the budget
    parts: dict[str, np.ndarray]  # rows by part: `fit`, `choose`, `report`


def load_head(path: Path | str) -> Blinder:
    """Load a saved head or eraser of any method; nothing is unpickled.

    Raises
    ------
    InputError
        If the file is absent or damaged, or names no method that is known.
    """
    named = str(path).removesuffix(".safetensors")
    if not Path(f"{named}.json").is_file():  # a head may be called `head.json`
        named = named.removesuffix(".json")
    described = Path(f"{named}.json")
    remedy = "name a head that `save` wrote: two files, .safetensors and .json"
    meta = read_json(described, "a head's description", remedy)
    try:
        cls = _KINDS[meta["class"]]
    except (KeyError, TypeError) as error:
        problem, remedy = f"names no method ({reason(error, 60)})", f"use a head that {', '.join(_KINDS)} saved"
        raise InputError(described, problem, remedy) from None
    return cls.load(named)


def candidates(
    x: np.ndarray, who: np.ndarray, task: Task, parts: dict[str, np.ndarray], budget: float, heads, seed: int
) -> Iterator[tuple[str, float, Blinder]]:
    """Fit every method at every λ on the subjects of part `fit`; yield its name, λ (0 of erasers), and itself."""
    fit = parts["fit"]
    known = fit[task.codes[fit] >= 0]
    data = TrainingSet(
        x=torch.tensor(x),
        identity=who,
        attribute=task.codes,
        demographic=np.full(len(x), -1),
        part=np.zeros(len(x), np.int64),
        head=[fit],
        validation=[parts["choose"]],
        classes=tuple(task.classes),
    )

    def trained(blinder):
        if isinstance(blinder, HeadBlinder):
            own = clone(blinder).set_params(random_state=seed, device="cpu")
            return own.fit_splits(data, budget=budget)
        try:
            fitted = blinder.fit(x[known], task.codes[known], identity=who[known])
            fitted.classes_ = list(task.classes)  # names, not codes
            return fitted
        except ValueError:
            if isinstance(blinder, Obliviator):  # it refuses where too little would be left: there is no such point
                return None
            raise

    erasers = [eraser(bits=BITS) for eraser in (Obliviator, LEACE, INLP, NAP)]
    for blinder in filter(None, on_all_cores(trained, [*heads, *erasers])):
        for strength in blinder.strengths_ if isinstance(blinder, HeadBlinder) else [0.0]:
            yield blinder.name, strength, _alone(blinder, strength)


def _alone(blinder: Blinder, strength: float) -> Blinder:
    """Take from a bank of one split the head of one λ."""
    if not isinstance(blinder, HeadBlinder):
        return blinder
    one = copy(blinder)
    one.set_params(strength=strength, settings=replace(blinder.used_settings, strengths=(strength,)))
    number = blinder.strengths_.index(strength)
    one.heads_, one.peaks_ = blinder.heads_.pick([number]), blinder.peaks_[[number]]
    one.strengths_, one.chosen_ = [strength], [strength]
    one.history_ = [row for row in blinder.history_ if row["strength"] == strength]
    return one


def frontier(
    x: np.ndarray,
    who: np.ndarray,
    task: Task,
    *,
    budget: float,
    seed: int,
    heads=HEADS,
    step: Callable = lambda _: None,
) -> Hidden:
    """Fit every method, select one, and measure all of them on subjects who had no part in either.

    Parameters
    ----------
    x : float32 array (N, D), who : int array (N,)
    task : Task
        What is to be hidden; −1 where it is not known.
    budget : float
        Percent of verification's way from chance to x that the recommended point may cost.
    heads : tuple of HeadBlinder
        What is trained, by their settings' strengths.
    step : callable
        Told the name of each thing that is done.

    Returns
    -------
    Hidden
        `points` has `method`, `strength`, `bits` (0 for x, in float), the selected probe's accuracy on subjects of part
        `report` (`value`, `low`, `high`, `chance`), `hidden` and `hidden_hw` (points less than from x, paired), `id`,
        `id_hw`, `auc`, `eer` (all in
        percent), `cost` (Diff of `id`); `choose_value` and `choose_cost`, by which it was chosen; `collapsed`, on
        people of part `choose`; and `recommended`. What has collapsed and heads without penalty (λ = 0) never are.

    Raises
    ------
    InputError
        If too few people have several pictures to say what identity costs.
    """
    part = deal(task.codes, who, SHARES, np.random.default_rng(derive_seed(seed, "parts", task.name)))
    parts = {name: np.flatnonzero(part == number) for number, name in enumerate(("fit", "choose", "report"))}
    pairs = {
        name: draw_pairs(who[parts[name]], np.random.default_rng(derive_seed(seed, "pairs", name)))[0]
        for name in ("choose", "report")
    }
    if pairs["choose"].empty or pairs["report"].empty:
        several = [int((np.bincount(who[rows]) > 1).sum()) for rows in parts.values()]
        problem = f"{sum(several)} people have two pictures or more, {min(several)} of the smallest part"
        raise InputError("hide", problem, "about 50 such people are needed: without pairs nobody knows what it costs")
    splits = {"report": make_splits(task, who, parts["report"], _REPORT_FOLDS, seed, parts["choose"])}
    # Where it is chosen the test half sets the attackers too: that flatters them all alike, and nothing is reported.
    halves = make_splits(task, who, parts["choose"], 2, seed, parts["choose"])
    splits["choose"] = [replace(split, validation=split.test) for split in halves]
    rows, of_x, found = [], None, [("x", 0.0, None)]
    step("training")
    found += list(candidates(x, who, task, parts, budget, heads, seed))
    for method, strength, blinder in found:
        step(f"{method} λ={strength:g}")
        z = x if blinder is None else blinder.transform(x)
        row, hits = _point(Representation.of(method, z, strength), task, who, splits, parts, pairs)
        of_x = hits if of_x is None else of_x
        less = mean_recall(hits[0], of_x[1] - hits[1], hits[2])
        row["hidden"], row["hidden_hw"] = less if blinder is not None else (0.0, float("nan"))
        row["collapsed"] = health(method, z[parts["choose"]], None)["collapsed"]
        bits = 0 if blinder is None else blinder.bits or 0
        rows.append({"method": method, "strength": strength, "bits": bits, **row})
    points = pd.DataFrame(rows)
    for cost, value in (("cost", "id"), ("choose_cost", "choose_id")):
        points[cost] = [diff(points[value].iloc[0], after, 50.0) for after in points[value]]
    best = recommend(points[~points["collapsed"]], budget, heads)
    points["recommended"] = points.index == best
    return Hidden(points.drop(columns="choose_id"), None if best is None else found[best][2], parts)


def _point(z: Representation, task: Task, who: np.ndarray, splits: dict[str, list[Split]], parts, pairs):
    """One row of `frontier`, and the truth, hits and people of part `report`, by which points are compared."""
    scored = {}
    for name, own in splits.items():
        rows, found = guesses(z, task, own, who, ATTACKERS)
        guess = next(value for (attacker, _), value in found.items() if attacker == SELECTED)
        scored[name] = task.codes[rows], (guess == task.codes[rows]).astype(float), who[rows]
    value, half = mean_recall(*scored["report"])
    sure = verification(z.name, z.rows(0, parts["report"]), pairs["report"])
    row = {"value": value, "low": max(value - half, 0.0), "high": min(value + half, 100.0)}
    row |= {"chance": 100 / len(task.classes), "id": sure["accuracy"], "id_hw": sure["accuracy_hw"]}
    row |= {"auc": sure["auc"], "eer": sure["eer"], "choose_value": mean_recall(*scored["choose"])[0]}
    return row | {"choose_id": quick_accuracy(z.rows(0, parts["choose"]), pairs["choose"])}, scored["report"]


def recommend(points: pd.DataFrame, budget: float, heads: tuple[HeadBlinder, ...] = HEADS) -> int | None:
    """Select the point within the budget from which probes predict least, both on subjects of part `choose`.

    Returns its number. x and `heads` without penalty are never selected; None where no other is within the budget.
    """
    trained = points["method"].isin([head.name for head in heads])
    able = (points["method"] != "x") & ~(trained & (points["strength"] == 0)) & (points["choose_cost"] <= budget)
    return int(points.loc[able, "choose_value"].idxmin()) if able.any() else None
