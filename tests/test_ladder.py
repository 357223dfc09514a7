"""The ladder of attackers: each rung reads what it can, more people read more, validation people choose."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.svm import SVC

from blindlib.blinders import Representation
from blindlib.data.splits import Split
from blindlib.evaluate import ladder
from blindlib.evaluate.probes import Task
from blindlib.settings import ProbeSettings

PEOPLE, IMAGES = 300, 6
WHO = np.repeat(np.arange(PEOPLE), IMAGES)
CODES = np.tile(np.arange(IMAGES) % 2, PEOPLE)


def world(kind):
    """300 people of six images, half of either class: told by a mean, by the sign of a product, or not at all."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(len(WHO), 12))
    if kind == "mean":
        x[:, 0] += 1.5 * (2 * CODES - 1)
    elif kind == "product":
        first = rng.choice([-1, 1], len(x))
        x[:, :2] += 2.5 * np.stack([first, first * (2 * CODES - 1)], 1)
    return Representation.of("x", x.astype(np.float32))


def split_of(people):
    parts = np.split(np.random.default_rng(0).permutation(PEOPLE), (10, 60, 210))
    rows = [np.flatnonzero(np.isin(WHO, part)) for part in parts]
    split = Split(0, 0, head=rows[0], validation=rows[1], probe=rows[2], test=rows[3])
    return split, ProbeSettings(ladder=tuple(ladder.RUNGS), ladder_people=people)


def read(kind, people=(10**6,), rungs=None):
    split, settings = split_of(people)
    if rungs:
        settings = replace(settings, ladder=rungs)
    rows = ladder.climb(world(kind), Task("emotion", CODES, ["a", "b"]), [split], settings, WHO)
    return pd.DataFrame(rows)


def test_a_mean_is_read_by_all_a_product_by_all_but_the_linear_and_nothing_by_none():
    values = {kind: read(kind).query("protocol == 'ladder'").set_index("probe") for kind in ("mean", "product", "none")}
    everyone = [*ladder.RUNGS, "ensemble", "strongest"]
    for rows in values.values():
        assert sorted(rows.index) == sorted(everyone) and set(rows["n_train_subjects"]) == {150}
        assert set(rows["n_test_subjects"]) == {90} and set(rows["chance"]) == {50.0}
    assert values["mean"]["balanced_accuracy"].min() > 85
    product = values["product"]["balanced_accuracy"]
    assert product["linear"] < 60 and product.drop("linear").min() > 70
    assert values["none"]["balanced_accuracy"].sub(50).abs().max() < 9, "540 images: a standard error of 2.2"


def test_more_people_read_more_and_all_of_them_stand_in_protocol_b():
    rows = read("product", (2, 4, 20, 10**6), ("linear", "SVM"))
    curve = rows.query("protocol == 'ladder' and probe == 'SVM'").set_index("n_train_subjects")["balanced_accuracy"]
    assert list(curve.index) == [4, 20, 150], "two people have too few images"
    assert curve[4] < curve[20] - 5 < curve[150] - 10
    b = rows[rows["protocol"] == "B"]
    assert len(b) == 1 and b["probe"].item() == "ladder" and b["n_train_subjects"].item() == 150
    same = rows.query("protocol == 'ladder' and probe == 'strongest' and n_train_subjects == 150")
    assert same["balanced_accuracy"].item() == b["balanced_accuracy"].item()


def test_the_strongest_is_chosen_on_validation_people_and_not_on_those_who_are_tested():
    """Who is tested is a copy of an odd training row: its neighbour is right, the mean is wrong. Of validation people,
    who are far away in all that tells nothing, the neighbours are wrong and the mean is right."""
    split, settings = split_of((10**6,))
    x = world("none").rows(0, np.arange(len(WHO))).copy()
    x[:, 0] += 4.0 * (2 * CODES - 1)
    x[split.validation, 1:] *= 100
    odd = split.probe[::7]
    x[odd, 0] *= -1
    for code in (0, 1):
        tested = split.test[CODES[split.test] == code]
        x[tested] = x[np.resize(odd[CODES[odd] == code], len(tested))]
    task, settings = Task("emotion", CODES, ["a", "b"]), replace(settings, ladder=("kNN", "linear"))
    rows = ladder.climb(Representation.of("x", x), task, [split], settings, WHO)
    values = {row["probe"]: row["balanced_accuracy"] for row in rows if row["protocol"] == "ladder"}
    assert values["strongest"] == values["linear"] < values["kNN"], "chosen on test people it would be the other"


def test_the_whole_ladder_has_every_attacker_at_every_size_and_the_diff_of_the_same_attacker(monkeypatch):
    monkeypatch.setattr(ladder, "RUNGS", {name: ladder.RUNGS[name] for name in ("linear", "kNN")})
    split, settings = split_of((10**6,))
    faces = SimpleNamespace(frame=pd.DataFrame({"identity": WHO}))
    study = SimpleNamespace(faces=faces, splits=[split], preset=SimpleNamespace(probes=settings))
    x, less = world("mean"), world("none")
    rows = np.arange(len(WHO))
    less = Representation.of("φ", less.rows(0, rows) + 0.3 * x.rows(0, rows))
    cells = ladder.climb_whole([x, less], Task("emotion", CODES, ["a", "b"]), study)
    assert set(cells["people"]) == {16, 64, 150} and set(cells["probe"]) == {*ladder.RUNGS, "ensemble", "strongest"}
    cells = cells.set_index(["representation", "probe", "people"]).sort_index()
    assert cells.loc["x", "diff"].abs().max() < 1e-9
    one, other = (cells.loc[(name, "linear", 150), "mean"] for name in ("x", "φ"))
    assert cells.loc[("φ", "linear", 150), "diff"] == pytest.approx(100 * (one - other) / (one - 50))
    assert 10 < cells.loc[("φ", "linear", 150), "diff"] < 90
    settings = ProbeSettings(nn_hidden=(16, (16, 8)), svm_c=(1.0,), rf_leaf=(1, 5, 9), ladder=("linear", "kNN"))
    tried = {"NN": 2, "SVM": 1, "RF": 3, "ladder: linear": 1, "ladder: kNN": 2}
    assert ladder.settings_tried(settings) == tried


def small_world(seed, leak, scale=1.0):
    """100 people of six images in 8 dimensions, half of either class; the telling axis has `scale` as its unit."""
    rng = np.random.default_rng(seed)
    who, codes = np.repeat(np.arange(100), 6), np.tile(np.arange(6) % 2, 100)
    x = rng.normal(size=(600, 8))
    x[:, 0] = scale * (x[:, 0] + leak * (2 * codes - 1))
    rows = [np.flatnonzero(np.isin(who, part)) for part in np.split(rng.permutation(100), (10, 60))]
    split = Split(0, seed, head=rows[0][:0], validation=rows[0], probe=rows[1], test=rows[2])
    return x.astype(np.float32), Task("emotion", codes, ["a", "b"]), who, split


def strongest(world, rungs):
    x, task, who, split = world
    settings = ProbeSettings(ladder=rungs, ladder_people=(10**6,))
    rows = pd.DataFrame(ladder.climb(Representation.of("x", x), task, [split], settings, who))
    return rows.loc[rows["probe"] == "strongest", "balanced_accuracy"].item()


def test_what_is_tiny_in_scale_is_read_by_the_ladder_and_called_private_by_an_svm_of_old_defaults():
    x, task, _, split = world = small_world(0, leak=2.0, scale=1e-3)
    old = SVC(gamma="auto").fit(x[split.probe], task.codes[split.probe])
    assert abs(100 * old.score(x[split.test], task.codes[split.test]) - 50) < 8
    assert strongest(world, ("linear", "SVM")) > 90


def test_where_nothing_leaks_the_ladder_alarms_as_seldom_as_its_level_says():
    """240 test images: chance is exceeded by 1.96 standard errors in one world of 40 by luck, in six by a fault."""
    limit = 50 + 1.96 * 100 * np.sqrt(0.25 / 240)
    alarms = {
        leak: sum(strongest(small_world(seed, leak), ("linear", "kNN")) > limit for seed in range(40))
        for leak in (0.0, 0.5)
    }
    assert alarms[0.0] <= 5 and alarms[0.5] >= 38, alarms


def test_fewer_people_than_numbers_train_every_attacker_and_no_two_candidates_share_an_estimator():
    rng = np.random.default_rng(0)
    split, settings = split_of((10,))
    wide = Representation.of("x", np.hstack([rng.normal(size=(len(WHO), 90)), 3.0 * CODES[:, None]]).astype(np.float32))
    rows = pd.DataFrame(ladder.climb(wide, Task("emotion", CODES, ["a", "b"]), [split], settings, WHO))
    assert set(rows["probe"]) == {*ladder.RUNGS, "ensemble", "strongest"} and set(rows["n_train_subjects"]) == {10}
    for rung in ladder.RUNGS.values():
        candidates = rung(0)
        ends = [model[-1] if hasattr(model, "steps") else model for model in candidates]
        assert len({id(end) for end in ends}) == len(candidates)
