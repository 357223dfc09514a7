"""The bias design, the study on features whose content is known."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, true_positive_rate
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from blindlib.blinders.representation import Representation
from blindlib.data.facetable import make_facetable
from blindlib.data.splits import Split
from blindlib.evaluate.fairness import (
    capacity,
    draw_samples,
    measure_fairness,
    sample,
    sweep_penalties,
)
from blindlib.report import tables
from blindlib.settings import UNBIASED, FairnessSettings

SETTINGS = FairnessSettings(train=600, draws=3, swept_penalties=(0.003, 100.0))


@pytest.fixture(scope="module")
def dealt():
    """600 people of 4 images; attractiveness and smiling independent."""
    rng = np.random.default_rng(0)
    n = 2400
    frame = pd.DataFrame(
        {
            "image": [f"{i:05d}" for i in range(n)],
            "identity": [f"p{i // 4:04d}" for i in range(n)],
            "sha256": ["0" * 64] * n,
            "smiling": rng.random(n) < 0.5,
            "attractive": rng.random(n) < 0.5,
        }
    )
    faces = make_facetable(frame, "nowhere", name="t", provenance="synthetic")
    part = np.arange(n) // 4 % 10
    splits = []
    for k in range(5):
        turned = (part - 2 * k) % 10
        validation, probe, test = (np.flatnonzero(own) for own in (turned == 2, turned > 2, turned < 2))
        splits.append(Split(k, k, np.arange(0), validation, probe, test))
    return faces, splits


def measured(arrays, faces, splits, settings):
    representations = [Representation.of(name, array) for name, array in arrays.items()]
    samples = [draw_samples(faces, split, settings) for split in splits]
    return measure_fairness(representations, SimpleNamespace(faces=faces, splits=splits), samples, settings)


def truth(faces):
    return (faces.frame[name].to_numpy(bool) for name in ("attractive", "smiling"))


@pytest.mark.parametrize("bias", [0.5, 0.7, 0.9])
def test_a_sample_has_exactly_the_paper_s_shares(dealt, bias):
    faces, _ = dealt
    attractive, smiling = truth(faces)
    rows = sample(np.arange(len(faces)), attractive, smiling, 800, bias, np.random.default_rng(1))
    assert len(rows) == len(set(rows)) == 800
    for kind, share in (((True, True), bias), ((True, False), 1 - bias), ((False, True), 1 - bias)):
        assert ((attractive[rows] == kind[0]) & (smiling[rows] == kind[1])).sum() == pytest.approx(400 * share, abs=1)


def test_the_rarest_kind_sets_how_many_can_be_drawn(dealt):
    faces, _ = dealt
    attractive, smiling = truth(faces)
    rows = np.concatenate([np.flatnonzero(attractive & smiling)[:35], np.flatnonzero(~(attractive & smiling))])
    assert capacity(rows, attractive, smiling, 0.7) == 100
    chosen = sample(rows, attractive, smiling, 100, 0.7, np.random.default_rng(1))
    assert len(chosen) == 100 and (attractive[chosen] & smiling[chosen]).sum() == 35


def test_draws_of_a_split_share_its_test_images_and_differ_in_training(dealt):
    faces, splits = dealt
    samples = draw_samples(faces, splits[0], SETTINGS)
    assert {bias: len(rows) for bias, rows in samples.train.items()} == {0.5: 3, 0.7: 3}
    for part in (samples.train, samples.validation):
        for rows in part.values():
            assert len({tuple(draw) for draw in rows}) == len(rows) and all(len(set(d)) == len(d) for d in rows)
    assert samples.test.ndim == 1


def test_every_bias_trains_on_as_many_images_and_nobody_stands_in_two_sets(dealt):
    faces, splits = dealt
    attractive, smiling = truth(faces)
    identity = faces.frame["identity"].to_numpy()
    tested = []
    for split in splits:
        samples = draw_samples(faces, split, SETTINGS)
        images = [{rows.shape[1] for rows in part.values()} for part in (samples.train, samples.validation)]
        assert [len(sizes) for sizes in images] == [1, 1]
        parts = [set(identity[np.concatenate([*part.values()])].flat) for part in (samples.train, samples.validation)]
        parts.append(set(identity[samples.test]))
        assert all(parts) and sum(map(len, parts)) == len(set.union(*parts))
        kinds = pd.Series(attractive[samples.test] * 2 + smiling[samples.test]).value_counts()
        assert len(kinds) == 4 and kinds.nunique() == 1, "the test set has no bias"
        tested += list(parts[2])
    assert len(tested) == len(set(tested)), "rotations test other people"


def test_people_of_a_head_take_no_part_and_without_labels_there_is_no_study(dealt):
    faces, splits = dealt
    samples = draw_samples(faces, splits[0], SETTINGS)
    assert set(samples.test) <= set(splits[0].test) and set(samples.train[0.7].flat) <= set(splits[0].probe)
    bare = dataclasses.replace(faces, frame=faces.frame.assign(attractive=pd.array([pd.NA] * 2400, "boolean")))
    assert draw_samples(bare, splits[0], SETTINGS) is None
    assert measured({"x": np.zeros((2400, 2))}, bare, splits, SETTINGS).empty


@pytest.fixture(scope="module")
def rows(dealt):
    """x shows attractiveness dimly and smiling clearly; SN hides the smile; LNTL half of it."""
    faces, splits = dealt
    rng = np.random.default_rng(2)
    attractive, smiling = (z.astype(float) for z in truth(faces))
    noise = rng.normal(size=(len(faces), 6))
    beauty = attractive[:, None] * [1.2, 0, 0, 0, 0, 0]
    smile = smiling[:, None] * [0, 3.0, 0, 0, 0, 0]
    features = {"x": noise + beauty + smile, "SN": noise + beauty, "LNTL": noise + beauty + 0.3 * smile}
    return measured(features, faces, splits, SETTINGS)


def test_bias_opens_a_gap_where_the_smile_can_be_read_and_only_there(rows):
    gap = {(n, b): tables.summary(tables.of_cell(rows, n, b)) for n in ("x", "SN", "LNTL") for b in (0.5, 0.7)}
    assert gap["x", 0.5]["eq_opp"] < 6 < 15 < gap["x", 0.7]["eq_opp"]
    assert gap["SN", 0.7]["eq_opp"] < 6 and gap["LNTL", 0.7]["eq_opp"] < gap["x", 0.7]["eq_opp"]


def test_a_weak_penalty_opens_the_gap_where_the_smile_was_only_shrunk(dealt):
    """A strong penalty keeps a classifier from a direction of tiny variance between others; a weak one does not."""
    faces, splits = dealt
    rng = np.random.default_rng(4)
    attractive, smiling = (z.astype(float) for z in truth(faces))
    z = rng.normal(size=(len(faces), 3)) + attractive[:, None] * [1.2, 0, 0] + smiling[:, None] * [0, 3.0, 0]
    z = (z * [1, 1e-2, 1]) @ np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1]])  # the smile beside a column of variance 1
    samples = [draw_samples(faces, split, SETTINGS) for split in splits]
    study = SimpleNamespace(faces=faces, splits=splits)
    swept = sweep_penalties([Representation.of("SN", z.astype(np.float32))], study, samples, SETTINGS)
    strong, weak = swept["gap"]
    assert list(swept["penalty"]) == [0.003, 100.0] and abs(strong) < 8 and weak > 15


def test_a_row_is_what_scikit_learn_and_fairlearn_make_of_its_draw(dealt):
    """One split by hand: the chosen penalty, the classifier, the rates."""
    faces, splits = dealt
    attractive, smiling = truth(faces)
    noise = np.random.default_rng(3).normal(size=(len(faces), 5))
    z = noise + np.stack([attractive, smiling, *4 * [np.zeros(len(faces))]], 1)[:, :5]
    rows, samples = measured({"x": z}, faces, splits[:1], SETTINGS), draw_samples(faces, splits[0], SETTINGS)
    for _, row in rows.iterrows():
        train, validation = (part[row["bias"]][row["draw"]] for part in (samples.train, samples.validation))
        models = [
            make_pipeline(StandardScaler(), LogisticRegression(C=c, tol=1e-8)).fit(z[train], attractive[train])
            for c in SETTINGS.inverse_penalties
        ]
        scores = [balanced_accuracy_score(attractive[validation], m.predict(z[validation])) for m in models]
        assert row["penalty"] == SETTINGS.inverse_penalties[int(np.argmax(scores))]
        rates = MetricFrame(
            metrics={"tpr": true_positive_rate, "acc": accuracy_score},
            y_true=attractive[samples.test],
            y_pred=models[int(np.argmax(scores))].predict(z[samples.test]),
            sensitive_features=smiling[samples.test],
        )
        expected = [rates.overall["acc"], rates.by_group["tpr"][True], rates.by_group["tpr"][False]]
        got = row[["acc", "tpr_smiling", "tpr_not_smiling"]].to_numpy(float)
        assert got == pytest.approx(100 * np.array(expected), abs=1e-9)
        assert row["gap"] == pytest.approx(row["tpr_smiling"] - row["tpr_not_smiling"])
    assert len(rows) == 3 + 3


def test_unbiased_is_always_measured(rows):
    assert UNBIASED in set(rows["bias"]) and SETTINGS.bias in set(rows["bias"])
