"""Synthetic leaks: the right attackers predict what is planted, and no one predicts what is not."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from test_plots import texts

from blindlib.appendix import plots
from blindlib.appendix.synthetic_leaks import CHANCE, MANY, Leak, attack, calibrate, plant, strongest
from blindlib.blinders import LEACE, LNTL, SensitiveNets
from blindlib.report.names import shown
from blindlib.settings import LNTLSettings, SensitiveNetsSettings

SHORT = {"hidden": 16, "rounds": 1, "head_steps": 3, "detector": (8,), "identities": 8, "per_class": 8}
LEAKS = (Leak("linear", 6.0), Leak("product", 6.0), Leak("tiny", 4.0), Leak("none"))


@pytest.fixture(scope="module")
def table():
    blinders = [
        SensitiveNets(settings=SensitiveNetsSettings(target="fear", **SHORT)),
        LNTL(settings=LNTLSettings(**SHORT)),
    ]
    return calibrate(blinders, LEAKS, dim=64, erasers=(LEACE(),))


def values(table, leak, method, reading, bits="float"):
    rows = table[(table["leak"] == leak) & (table["method"] == method) & (table["bits"] == bits)]
    return rows[rows["reading"] == reading].set_index("view")["value"]


def test_rows_are_of_unit_norm_and_every_subject_shows_every_emotion_twice():
    x, emotion, identity = plant(Leak("tiny", 4.0), 6, dim=64)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-6)
    assert x.dtype == np.float32 and pd.crosstab(identity, emotion).eq(2).all(axis=None)


def test_other_subjects_leak_along_the_same_directions():
    first, second = (plant(Leak("linear", 8.0), 100, dim=64, seed=seed) for seed in (0, 1))
    means = [np.stack([x[emotion == e].mean(0) for e in range(5)]) for x, emotion, _ in (first, second)]
    assert not np.array_equal(first[0], second[0])
    assert np.corrcoef(*(m.ravel() for m in means))[0, 1] > 0.95


def test_a_tiny_leak_lies_where_x_hardly_varies():
    x, _, _ = plant(Leak("tiny", 4.0), 100, dim=64)
    assert x[:, :5].std(0).max() < 0.1 * x[:, 5:].std(0).min()


@pytest.mark.parametrize(
    ("leak", "linear", "rbf"),
    [("linear", True, True), ("product", False, True), ("tiny", True, True), ("none", False, False)],
)
def test_each_leak_is_predicted_by_the_right_attackers(table, leak, linear, rbf):
    for reading, expected in (("linear", linear), ("RBF", rbf)):
        found = values(table, leak, "x", reading)
        assert found.max() > 60 if expected else (found - CHANCE).abs().max() < 5, reading
    attacks = table[table["view"] != ""]
    assert ((attacks["low"] < attacks["value"]) & (attacks["value"] <= attacks["high"])).all()


def test_where_nothing_is_planted_at_most_one_interval_in_twenty_lies_above_chance():
    role = np.repeat(["probe", "test"], 1000)
    alarms = []
    for seed in range(20):
        x, emotion, _ = plant(Leak("none"), 200, dim=64, seed=seed)
        alarms += [row["low"] > CHANCE for row in attack(x, emotion, role == "probe", role == "test")]
    assert len(alarms) == 80 and sum(alarms) <= 0.05 * len(alarms)


def test_leace_leaves_the_linear_leak_at_chance_and_the_product_where_it_was(table):
    assert values(table, "linear", "x", "linear").max() > 95
    assert values(table, "linear", "LEACE", "linear").max() < 33
    assert values(table, "linear", MANY, "linear").max() < CHANCE + 4
    assert values(table, "product", MANY, "RBF").max() > 70, "a linear eraser stops linear attackers only"
    assert values(table, "linear", MANY, "identity").item() > values(table, "linear", "x", "identity").item() - 3


def test_every_method_has_every_reading_in_float_and_in_bits(table):
    counts = table.groupby(["method", "leak", "bits"])["value"].agg(["size", "count"])
    assert counts.eq(5).all(axis=None) and len(counts) == 5 * len(LEAKS) * 2
    best = strongest(table).set_index(["method", "leak", "bits"])["value"]
    assert best["x", "product", "float"] == values(table, "product", "x", "RBF").max()


def test_the_figure_names_every_leak_and_method(table):
    figure = plots.synthetic_leaks(table, ("x", "SN"))
    assert [axis.get_title() for axis in figure.axes[:-1]] == ["linear 6", "product 6", "tiny 4", "none"]
    assert {shown(method) for method in table["method"]} <= set(texts(figure))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["float", "in few bits", "chance"]


def test_each_kind_of_adversary_alone_trains_another_head():
    settings = SensitiveNetsSettings(**SHORT)
    kinds = [{}, {"means": False}, {"network": False}]
    heads = [SensitiveNets(settings=dataclasses.replace(settings, **kind)) for kind in kinds]
    tables = [calibrate([head], LEAKS[:1], dim=64, erasers=()) for head in heads]
    of_sn = [t.loc[(t["method"] == "SN") & (t["reading"] == "identity"), "value"].iloc[0] for t in tables]
    assert len(set(of_sn)) == 3
