"""Planted answers: what is planted is read, by whom it should be, and what is not planted is not."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from test_plots import texts

from blindlib.blinders import LNTL, SensitiveNets
from blindlib.evaluate import planted
from blindlib.evaluate.planted import CHANCE, Leak, calibrate, halved, plant
from blindlib.report import plots_probes
from blindlib.report.names import shown
from blindlib.settings import LNTLSettings, SensitiveNetsSettings

SHORT = {"hidden": 16, "rounds": 1, "head_steps": 3, "detector": (8,), "identities": 8, "per_class": 8}
LEAKS = (Leak("linear", 2.0), Leak("linear", 6.0), Leak("product", 6.0), Leak("tiny", 4.0), Leak("none"))


@pytest.fixture(scope="module")
def table():
    blinders = [
        SensitiveNets(settings=SensitiveNetsSettings(target="fear", **SHORT)),
        LNTL(settings=LNTLSettings(**SHORT)),
    ]
    return calibrate(blinders, LEAKS, dim=64)


def value(table, leak, method, reading):
    rows = table[(table["leak"] == leak.kind) & (table["strength"] == leak.strength) & (table["method"] == method)]
    return rows.set_index("reading").loc[reading]


def test_rows_are_of_unit_norm_and_every_person_shows_every_emotion_twice():
    x, emotion, identity = plant(Leak("tiny", 4.0), 6, dim=64)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-6)
    assert x.dtype == np.float32 and pd.crosstab(identity, emotion).eq(2).all(axis=None)


def test_other_people_leak_along_the_same_directions():
    first, second = (plant(Leak("linear", 8.0), 100, dim=64, seed=seed) for seed in (0, 1))
    means = [np.stack([x[emotion == e].mean(0) for e in range(5)]) for x, emotion, _ in (first, second)]
    assert not np.array_equal(first[0], second[0])
    assert np.corrcoef(*(m.ravel() for m in means))[0, 1] > 0.95


def test_a_tiny_leak_lies_where_x_hardly_varies():
    x, _, _ = plant(Leak("tiny", 4.0), 100, dim=64)
    assert x[:, :5].std(0).max() < 0.1 * x[:, 5:].std(0).min()


def test_an_unknown_leak_is_refused():
    with pytest.raises(ValueError, match="no leak 'smell'"):
        plant(Leak("smell", 1.0), 2)


@pytest.mark.parametrize(
    ("leak", "linear", "rbf"),
    [(LEAKS[1], True, True), (LEAKS[2], False, True), (LEAKS[3], True, True), (LEAKS[4], False, False)],
    ids=lambda v: str(v),
)
def test_each_leak_is_read_by_whom_it_should_be_and_no_other(table, leak, linear, rbf):
    for reading, readable in (("linear", linear), ("RBF", rbf)):
        row = value(table, leak, "x", reading)
        assert row["value"] > 60 if readable else abs(row["value"] - CHANCE) < 5, reading
        assert row["low"] < row["value"] <= row["high"] and row["high"] - row["low"] < 7


def test_of_many_sets_where_nothing_is_planted_one_in_twenty_at_most_seems_to_leak():
    role = np.repeat(list(planted._PEOPLE), [count * 10 for count in planted._PEOPLE.values()])
    alarms = []
    for seed in range(40):
        x, emotion, identity = plant(Leak("none"), len(role) // 10, dim=64, seed=seed)
        alarms += [row["low"] > CHANCE for row in planted._readings(x, x, emotion, identity, role)[:2]]
    assert len(alarms) == 80 and sum(alarms) <= 0.05 * len(alarms)


def test_leace_leaves_the_linear_leak_at_chance_and_the_product_where_it_was(table):
    few, many = "LEACE", "LEACE, 1,000 people"
    assert value(table, LEAKS[1], "x", "linear")["value"] > 95
    assert value(table, LEAKS[1], few, "linear")["value"] < 33
    assert value(table, LEAKS[1], many, "linear")["value"] < CHANCE + 3
    assert value(table, LEAKS[2], many, "RBF")["value"] > 70, "a linear eraser stops linear attackers only"
    assert value(table, LEAKS[1], many, "identity")["value"] > value(table, LEAKS[1], "x", "identity")["value"] - 3


def test_the_controls_hide_no_leak_and_obliviator_hides_both_kinds(table):
    for leak, reading in ((LEAKS[1], "linear"), (LEAKS[2], "RBF")):
        x, kernels, *controls = (value(table, leak, m, reading)["value"] for m in ("x", "Obliviator", "PCA", "random"))
        assert kernels < CHANCE + 15 and min(controls) > (x + CHANCE) / 2
    assert value(table, LEAKS[2], "Obliviator", "identity")["value"] > 95


def test_the_separation_tells_removed_from_turned(table):
    assert value(table, LEAKS[1], "x", "separation")["value"] == pytest.approx(100)
    assert value(table, LEAKS[1], "x", "kept ways")["value"] == pytest.approx(100)
    assert value(table, LEAKS[1], "LEACE, 1,000 people", "separation")["value"] < 15


def test_every_method_has_every_reading_of_every_leak_and_says_whether_it_settled(table):
    counts = table.groupby(["method", "leak", "strength"])["reading"].nunique()
    assert counts.eq(5).all() and len(counts) == 10 * len(LEAKS)
    assert not table.loc[table["method"] == "SN", "settled"].any(), "three steps settle nothing"
    assert table["value"].notna().all()


def test_halved_is_the_first_run_of_strengths_at_which_half_is_gone():
    values = {"x": (24, 60, 90, 100), "SN": (24, 30, 60, 40), "LNTL": (20, 60, 20, 20), "LEACE": (20, 60, 90, 100)}
    rows = [
        {"leak": "linear", "reading": "linear", "chance": 20.0, "strength": strength, "method": method, "value": v}
        for method, read in values.items()
        for strength, v in zip((0.5, 1.0, 2.0, 4.0), read, strict=True)
    ]
    found = halved(pd.DataFrame(rows)).set_index("method")[["weakest", "strongest"]]
    assert found.loc["SN"].tolist() == [1.0, 1.0] and found.loc["LNTL"].tolist() == [2.0, 4.0]
    assert found.loc["LEACE"].isna().all(), "at 0.5 there is too little to halve"


def test_the_figure_names_every_leak_and_method(table):
    figure = plots_probes.planted(table)
    assert [axis.get_title() for axis in figure.axes[:-1]] == ["linear 2", "linear 6", "product 6", "tiny 4", "none"]
    assert {shown(method) for method in table["method"]} <= set(texts(figure))
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["chance", "linear attacker", "RBF attacker"]


def test_without_the_means_the_network_answers_alone():
    settings = SensitiveNetsSettings(**SHORT)
    blinders = [SensitiveNets(settings=dataclasses.replace(settings, means=m)) for m in (True, False)]
    with_means, alone = (calibrate([b], LEAKS[1:2], dim=64, erasers=()) for b in blinders)
    of_sn = [t.loc[t["method"] == "SN", "value"].to_numpy() for t in (with_means, alone)]
    assert not np.array_equal(*of_sn)
