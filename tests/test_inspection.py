"""The audit of your own embeddings: synthetic leaks are found and sized, none is invented, no subject is named."""

import json
import re
import stat
import sys
import tracemalloc
from dataclasses import replace
from inspect import unwrap
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file
from scipy.stats import norm

from blindlib import audit
from blindlib.blinders import LEACE, LNTL, SensitiveNets
from blindlib.blinders.rounding import from_integers, to_integers
from blindlib.cli import main
from blindlib.common.errors import InputError
from blindlib.inspection import attack, read, run
from blindlib.inspection import report as report_module
from blindlib.inspection.hide import load_head, recommend
from blindlib.inspection.people import deal, draw_pairs, sample
from blindlib.inspection.reading import Rows
from blindlib.inspection.report import Report
from blindlib.metrics import balanced_accuracy
from blindlib.settings import LNTLSettings, SensitiveNetsSettings

QUICK = {"hidden": 16, "rounds": 2, "head_steps": 20, "detector": (16,), "identities": 8, "per_class": 8}
HEADS = (
    SensitiveNets(settings=SensitiveNetsSettings(strengths=(0.0, 1.0), **QUICK)),
    LNTL(settings=LNTLSettings(strengths=(0.0, 0.03), **QUICK)),
)
WHO = np.repeat(np.arange(240), 4)


def world(apart: float, product: bool, seed: int = 0):
    """240 people of 4 images in 8 dimensions; two of each class, `apart` deviations apart along the first, or told by
    the sign of the product of the first two. The Bayes rates are known: Φ(apart / 2), and 100 %."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(240, 8))[WHO] + 0.4 * rng.normal(size=(960, 8))
    x[:, :2] = rng.normal(size=(960, 2))
    mood = np.tile([0, 1], 480)
    x[:, 0] += apart * (mood - 0.5)
    if product:
        mood = (x[:, 0] * x[:, 1] > 0).astype(int)
    return x.astype(np.float32), np.array(["happy", "sad"])[mood]


def selected(report: Report) -> pd.Series:
    return attack.selected(report.readings).iloc[0]


def test_a_planted_linear_leak_is_found_and_its_interval_holds_the_bayes_rate():
    x, mood = world(2.0, False)
    report = audit(x, identity=WHO, labels={"mood": mood}, progress=False)
    told, bayes = selected(report), 100 * norm.cdf(1.0)
    assert told["leak"] and told["low"] - 1 < bayes < told["high"] + 1 and told["chance"] == 50
    by = report.readings.groupby("train_people")["value"].max()
    assert list(by.index) == [50, 128], "with few and with many people"
    assert told["test_people"] == 240 and told["test_images"] == 960, "everybody is tested once"
    assert report.verification["auc"].iloc[0] > 85 and not report.health["collapsed"].any()


def test_a_planted_product_is_read_by_the_svm_and_not_by_the_linear_attacker():
    x, mood = world(0.0, True)
    report = audit(x, identity=WHO, labels={"mood": mood}, attackers=("linear", "SVM"), progress=False)
    of = report.readings.set_index(["attacker", "train_people"])
    assert of.loc[("linear", 128), "low"] < 50 < of.loc[("linear", 128), "high"]
    assert of.loc[("SVM", 128), "low"] > 80 and selected(report)["leak"]


def shrunk(x, mood):
    """A made-up eraser: x turned, then the span of the class means scaled by 1e-3. No column shows it by its scale."""
    x = x @ np.linalg.qr(np.random.default_rng(0).normal(size=(x.shape[1], x.shape[1])))[0]
    way = x[mood == "happy"].mean(0) - x[mood == "sad"].mean(0)
    way /= np.linalg.norm(way)
    return (x - 0.999 * np.outer((x - x.mean(0)) @ way, way)).astype(np.float32)


def test_a_leak_that_an_eraser_only_shrank_is_found_and_rounding_removes_it():
    x, mood = world(2.0, False)
    z = shrunk(x, mood)
    report = audit(z, identity=WHO, labels={"mood": mood}, attackers=("linear", "SVM"), progress=False)
    of = report.readings.query("train_people == 128").set_index("attacker")
    assert of.loc["SVM", "value"] < 65 and of.loc["SVM whitened", "low"] > 70, "whitening finds it"
    assert selected(report)["leak"] and "x leaks mood" in str(report)
    peak = float(np.abs(z).max())
    released = from_integers(to_integers(z, peak, 6), peak, 6)
    report = audit(released, identity=WHO, labels={"mood": mood}, attackers=("linear", "SVM"), progress=False)
    assert selected(report)["high"] < 65


def test_a_hidden_label_is_released_in_six_bits_and_near_chance():
    x, mood = world(2.5, False)
    settings = SensitiveNetsSettings(strengths=(1.0,), **QUICK | {"rounds": 4, "head_steps": 60})
    heads = (SensitiveNets(settings=settings),)
    report = audit(x, identity=WHO, labels={"mood": mood}, hide="mood", heads=heads, attackers=("SVM",), progress=False)
    best = report.points[report.points["recommended"]].iloc[0]
    assert report.head.bits == best["bits"] == 6 and best["value"] < 60 < report.points["value"].iloc[0]
    assert len(np.unique(report.head.transform(x))) <= 63, "a grid of 6 bits"
    assert report.head.transform(x, integers=True).dtype == np.int8


def test_where_nothing_is_planted_nothing_is_found():
    leaks = []
    for seed in range(6):
        x, mood = world(0.0, False, seed)
        report = audit(x, identity=WHO, labels={"mood": mood}, attackers=("linear",), progress=False)
        leaks.append(selected(report)["leak"])
    assert sum(leaks) <= 1


def wide(apart: float, product: bool):
    """As `world`, of 250 people of 8 images in 512 dimensions, turned at random. The product's two directions vary ten
    times as much as the others, and a tenth of its labels is wrong: its Bayes rate is 90 %."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(512, 512)))[0]
    who, mood = np.repeat(np.arange(250), 8), np.tile([0, 1], 1000)
    x = 0.86 * rng.normal(size=(250, 512))[who] + 0.51 * rng.normal(size=(2000, 512))  # of variance 1
    x[:, 0] += apart * (mood - 0.5)
    if product:
        x[:, :2] = 10 * rng.normal(size=(2000, 2))
        mood = ((x[:, 0] * x[:, 1] > 0) ^ (rng.random(2000) < 0.1)).astype(int)
    return (x @ turn).astype(np.float32), who, mood


@pytest.mark.parametrize(
    "apart, product, bayes", [(4.0, False, 100 * norm.cdf(2.0)), (0.0, True, 90.0), (0.0, False, 50.0)]
)
def test_of_512_numbers_a_leak_is_found_and_sized_and_none_invented(apart, product, bayes):
    x, who, mood = wide(apart, product)
    report = audit(x, identity=who, labels={"mood": mood}, attackers=("linear", "SVM"), progress=False)
    linear, told = report.readings.query("attacker == 'linear'").iloc[-1], selected(report)
    assert told["leak"] == (bayes > 50) and linear["leak"] == (apart > 0)
    if product:  # a thousand images are too few for the whole of it
        assert 50 + (bayes - 50) / 2 < told["low"] < told["high"] < bayes
    else:
        assert told["low"] < bayes < told["high"]


@pytest.mark.slow
def test_of_512_numbers_a_leak_is_hidden_by_more_than_half_and_what_is_left_is_said():
    x, who, mood = wide(4.0, False)
    report = audit(x, identity=who, labels={"mood": mood}, hide="mood", heads=(), attackers=("linear",), progress=False)
    points = report.points.set_index("method")
    assert points.loc["x", "low"] > 90 and points["recommended"].sum() == 1
    best = points[points["recommended"]].iloc[0]
    assert best["high"] - 50 < (points.loc["x", "low"] - 50) / 2 and best["cost"] < 3
    assert points.loc["LEACE", "low"] > 50 and points.loc["LEACE", "hidden"] > points.loc["LEACE", "hidden_hw"]


def test_the_false_alarm_rule_holds_and_has_power():
    rng = np.random.default_rng(1)
    who, truth = np.repeat(np.arange(60), 6), np.tile([0, 1, 1], 120)
    alarms = {0.5: 0, 0.62: 0}
    for rate in alarms:
        for _ in range(1000):
            own = np.clip(rate + 0.2 * rng.normal(size=60), 0, 1)[who]  # a person's images are alike
            value, half = attack.mean_recall(truth, (rng.random(360) < own).astype(float), who)
            alarms[rate] += value - half > 50
    assert alarms[0.5] < 45 and alarms[0.62] > 800, "nominally 25 of 1,000; and a leak of 12 points is found"


def test_the_mean_recall_is_balanced_accuracy_and_its_interval_that_of_a_bootstrap_of_people():
    rng = np.random.default_rng(2)
    who = np.repeat(np.arange(80), 5)
    truth = np.where(rng.random(400) < 0.3, 1, 0)
    guess = np.where(rng.random(400) < 0.7, truth, 1 - truth)
    guess[who < 20] = 0  # people differ
    value, half = attack.mean_recall(truth, (guess == truth).astype(float), who)
    assert value == pytest.approx(balanced_accuracy(truth, guess))
    images = [np.flatnonzero(who == person) for person in range(80)]
    drawn = [np.concatenate([images[p] for p in rng.integers(0, 80, 80)]) for _ in range(500)]
    spread = np.std([balanced_accuracy(truth[rows], guess[rows]) for rows in drawn])
    assert half == pytest.approx(1.99 * spread, rel=0.12)
    assert attack.mean_recall(truth, np.ones(400), who)[1] > 3, "all right is not certainty"


def test_nobody_stands_in_two_parts_and_every_class_is_in_each():
    rng = np.random.default_rng(3)
    who = np.repeat(np.arange(100), 3)
    codes = np.where(who < 15, 2, who % 2)
    codes[::3] = -1
    part = deal(codes, who, (0.4, 0.2, 0.4), rng)
    assert (pd.Series(part).groupby(who).nunique() == 1).all()
    for number, wanted in enumerate((6, 3, 6)):
        assert abs(len(np.unique(who[(part == number) & (codes == 2)])) - wanted) <= 1
    pairs, every = draw_pairs(who, rng)
    assert every and (pairs["same"] == (who[pairs["left"]] == who[pairs["right"]])).all()
    fold = pd.concat(
        [
            pairs[["left", "fold"]].set_axis(["row", "fold"], axis=1),
            pairs[["right", "fold"]].set_axis(["row", "fold"], axis=1),
        ]
    )
    assert (fold.groupby(who[fold["row"]])["fold"].nunique() == 1).all() and fold["fold"].nunique() == 5
    assert int(pairs["same"].sum()) == 300, "all three pairs of each person"
    rows = sample(np.ones(300, bool), who, 50, rng)
    assert len(rows) == 48 and (np.bincount(who[rows])[np.unique(who[rows])] == 3).all(), "whole people"


@pytest.fixture(scope="module")
def hidden():
    """A leak hidden, by heads that are hardly trained; a label of gender that must stay, one that nobody may see."""
    x, mood = world(2.5, False)
    x[:, 3] += 3 * (WHO % 2)
    mood = np.where(np.arange(960) % 11 == 0, None, mood)
    labels = {"mood": mood, "gender": np.array(["f", "m"])[WHO % 2]}
    names = np.array([f"Zebedee{person}" for person in WHO])
    return (
        x,
        mood,
        audit(x, identity=names, labels=labels, hide="mood", heads=HEADS, attackers=("linear", "SVM"), progress=False),
    )


def test_hiding_finds_a_method_that_hides_and_keeps_the_rest(hidden):
    _, _, report = hidden
    best, x = report.points[report.points["recommended"]].iloc[0], report.points.iloc[0]
    assert x["low"] > 70 and best["value"] < x["value"] - 25 and best["hidden"] > best["hidden_hw"]
    assert best["choose_cost"] <= 3 and best["id"] > x["id"] - 5
    assert {"SN", "LNTL", "LEACE", "INLP", "NAP", "Obliviator"} == set(report.points["method"]) - {"x"}
    assert (report.points["bits"] == np.where(report.points["method"] == "x", 0, 6)).all() and report.head.bits == 6
    after = report.others.set_index(["label", "representation"])["value"]
    assert after["gender", "φ"] > 85 and after["mood", "φ"] < 65 < after["mood", "x"]
    told = str(report)
    assert "To hide mood, use" in told and "released in 6 bits" in told
    assert "96 subjects fit, 48 subjects choose, 96 subjects report" in told


def test_the_choice_looks_at_people_of_part_choose_alone():
    points = pd.DataFrame({"method": ["x", "SN", "SN", "LEACE", "INLP"], "strength": [0, 0, 1.0, 0, 0]})
    points["value"], points["cost"] = [90, 10, 20, 30, 5], [0, 0, 9, 9, 0]  # of part report: not to be looked at
    points["choose_value"], points["choose_cost"] = [90, 10, 60, 50, 40], [0, 0, 1, 1, 9]
    assert recommend(points, 3.0) == 3 and recommend(points, 10.0) == 4 and recommend(points, 0.5) is None
    own = SimpleNamespace(name="INLP")
    assert recommend(points, 10.0, (own,)) == 1, "INLP at λ = 0 is such a head then, and SN's is none"


def test_heads_may_have_the_settings_of_their_kind_and_ask_who_it_is_alone():
    assert run._points((SensitiveNets(), HEADS[1])) == 5 + len(SensitiveNetsSettings().strengths) + 2
    x, mood = world(2.5, False)
    with pytest.raises(InputError, match="heads: hold LNTL demographic"):
        audit(x, identity=WHO, labels={"mood": mood}, hide="mood", heads=(LNTL(task="demographic"),), progress=False)


def test_the_recommended_head_is_saved_and_loads_to_the_same_map(hidden, tmp_path):
    x, mood, report = hidden
    folder = report.save(tmp_path / "out")
    again = load_head(folder / "head.safetensors")
    np.testing.assert_array_equal(again.transform(x), report.head.transform(x))
    audited = audit(x, identity=WHO, labels={"mood": mood}, head=folder / "head", attackers=("linear",), progress=False)
    linear = audited.readings.set_index(["representation", "attacker", "train_people"])["value"].unstack(0)
    assert (linear["x"] > linear[f"φ ({report.head.name} 6 bits)"] + 20).all()
    heads = [b for b in HEADS if b.name == "SN"]
    bank = replace(heads[0].settings, strengths=(1.0,))
    one = SensitiveNets(settings=bank).fit(x, np.where(mood == None, np.nan, mood), identity=WHO)  # noqa: E711
    one.save(tmp_path / "sn")
    np.testing.assert_array_equal(load_head(tmp_path / "sn.json").transform(x), one.transform(x))


def test_the_report_is_private_self_contained_and_names_nobody(hidden, tmp_path):
    x, _, report = hidden
    folder = report.save(tmp_path / "out")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = {file.name for file in folder.iterdir()}
    assert names >= {
        "report.html",
        "report.md",
        "readings.csv",
        "points.csv",
        "verification.csv",
        "health.csv",
        "head.json",
    }
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2 and not re.search(r"https?:|src=\"(?!data:)|<script|<link", page)
    values = {f"{value:.4f}" for value in x[:200].ravel() if abs(value) > 1}
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
        text = file.read_bytes().decode("latin-1")
        assert "Zebedee" not in text
        assert file.suffix not in (".html", ".md") or not [v for v in values if v in text]
    report.save(folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        report.save(tmp_path / "mine")


def test_a_folder_in_which_an_audit_was_killed_says_so_and_takes_the_next(hidden, tmp_path, monkeypatch):
    report, write = hidden[2], report_module.write_text
    folder = report.save(tmp_path / "out")
    whole = {file.name: file.read_bytes() for file in folder.iterdir()}

    def killed(path, text):
        if path.name == "report.html":
            raise KeyboardInterrupt
        return write(path, text)

    monkeypatch.setattr(report_module, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        report.save(folder)
    assert "was ended while it wrote this folder" in (folder / "report.md").read_text()
    assert not (folder / "report.html").exists()
    monkeypatch.undo()
    report.save(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == whole


def test_labels_in_another_order_than_x_are_suspected_first_of_all():
    x, mood = world(2.5, False)
    order = np.random.default_rng(0).permutation(len(x))
    options = {"labels": {"mood": mood[order]}, "attackers": ("linear",), "progress": False}
    assert audit(x, identity=WHO[order], **options).sentences()[0].startswith("Warning: in x two images of one")
    assert "Warning" not in str(audit(x, identity=WHO, **options))


def test_where_no_leak_is_found_it_is_said_what_was_read_and_what_is_not_ruled_out():
    x, mood = world(0.0, False)
    report = audit(x, identity=WHO, labels={"mood": mood}, attackers=("linear",), progress=False)
    row = selected(report)
    assert not row["leak"] and "certain" not in str(report)
    assert f"trained on {row['train_people']} subjects" in str(report)
    assert f"a leak of up to {row['high'] - row['chance']:.1f} points" in str(report)


@pytest.mark.parametrize(("hide", "found"), [(None, True), ("mood", True), ("mood", False)])
def test_the_bar_ends_full_whether_a_head_is_recommended_or_none(monkeypatch, hide, found):
    bars, made = [], run.track

    def kept(*args, **options):
        bars.append(made(*args, **options))
        return bars[-1]

    monkeypatch.setattr(run, "track", kept)
    if not found:
        monkeypatch.setattr("blindlib.inspection.hide.recommend", lambda points, budget, heads: None)
    labels = {"mood": MOOD, "side": np.where(WHO % 2, "left", "right")}
    report = audit(X, identity=WHO, labels=labels, hide=hide, heads=HEADS[-1:], attackers=("linear",))
    (bar,) = bars
    assert bar.n == bar.total > 2 and (report.head is not None) == (found and hide is not None)


def test_labels_are_escaped():
    x, mood = world(0.0, False)
    report = audit(x, identity=WHO, labels={"<b>|": mood}, attackers=("linear",), progress=False)
    assert "<b>" not in report.html() and "\\|" in report.markdown()


def test_a_dead_representation_is_called_dead_and_duplicates_are_counted():
    x, mood = world(0.0, False)
    x[:, 1:] = 1e-4 * x[:, 1:]
    x[5] = x[6]
    report = audit(x, identity=WHO, labels={"mood": mood}, attackers=("linear",), progress=False)
    assert report.health["collapsed"].all() and "has collapsed" in str(report)
    assert report.health["duplicates"].iloc[0] == 1


def test_a_file_is_read_in_parts_and_its_people_are_sampled(tmp_path, monkeypatch):
    rng = np.random.default_rng(4)
    x = np.lib.format.open_memmap(tmp_path / "big.npy", "w+", np.float32, (20_000, 512))
    x[:] = rng.normal(size=x.shape)
    x[:, 0] += 3 * (np.arange(20_000) % 2)
    x.flush()
    table = pd.DataFrame({"identity": np.arange(20_000) // 4, "smiling": np.arange(20_000) % 2})
    table.to_csv(tmp_path / "labels.csv", index=False)
    given = read(tmp_path / "big.npy", tmp_path / "labels.csv")
    assert isinstance(given["x"], Rows), "not mapped: see below"
    monkeypatch.setattr("blindlib.inspection.run._VERIFIED", 1_000)
    monkeypatch.setattr("blindlib.inspection.reading.BLOCK", 1_000)
    monkeypatch.setattr("blindlib.inspection.people._PAIRS", 500)
    monkeypatch.setattr("blindlib.common.work.cores", lambda: 2)  # who train at once have copies of their own
    tracemalloc.start()
    report = audit(**given, rows=800, attackers=("linear",), progress=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "a sample of 200 of 5,000 subjects, 800 images" in str(report) and selected(report)["leak"]
    assert selected(report)["test_people"] == 200
    assert peak < 38e6, "x has 41e6 bytes"


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["f4", "f2", ">f8", "i1"])
def test_rows_of_a_file_are_those_of_its_array(tmp_path, order, kind):
    x = np.asarray(np.random.default_rng(0).normal(size=(40, 5)) * 9, kind, order=order)
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "who.csv").write_text("identity\n" + "a\n" * 40)
    rows = read(tmp_path / "x.npy", tmp_path / "who.csv")["x"]
    assert len(rows) == 40 and rows.shape == x.shape and rows.dtype == x.dtype
    for which in (
        slice(None),
        slice(3, 30),
        slice(35, 99),
        slice(9, 9),
        np.array([8, 3, 4, 5, 5, 39, 0]),
        np.arange(40) % 3 == 0,
    ):
        np.testing.assert_array_equal(rows[which], x[which])
    np.testing.assert_array_equal(rows[-3], x[-3])
    np.testing.assert_array_equal(np.asarray(rows, np.float32), x.astype(np.float32))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("x0 x1 x2 x3 f1", "f1; x0, x1, x2, x3"),
        ("x0 x1 x3", "x0, x1, x3"),
    ],
)
def test_numbered_columns_that_are_no_one_row_are_refused_by_name(tmp_path, columns, words):
    given = dict.fromkeys(columns.split(), np.arange(4.0)) | {"identity": list("aabb"), "mood": list("hnhn")}
    pd.DataFrame(given).to_parquet(tmp_path / "e.parquet")
    with pytest.raises(InputError, match=f"from 0 or 1: {words} →"):
        read(tmp_path / "e.parquet")
    for names in (("x1", "x2", "x10"), ("0", "1", "2"), ("dim_00", "dim_01", "dim_02")):
        frame = pd.DataFrame(dict.fromkeys(names, np.arange(4.0)) | {"identity": list("aabb")})
        frame.rename(columns={"x10": "x3"}).to_parquet(tmp_path / "e.parquet")
        assert read(tmp_path / "e.parquet")["x"].shape == (4, 3)


def test_every_kind_of_file_gives_the_same_arrays(tmp_path):
    x, mood = world(1.0, False)
    mood[3] = ""
    frame = pd.DataFrame({"identity": WHO.astype(str), "mood": mood})
    np.savez(tmp_path / "a.npz", x=x, identity=WHO.astype(str), mood=mood)
    np.save(tmp_path / "a.npy", x)
    frame.to_csv(tmp_path / "a.csv", index=False)
    save_file({"x": x.astype(np.float16)}, tmp_path / "a.safetensors")
    pd.concat([frame, pd.DataFrame(x).add_prefix("x")], axis=1).to_parquet(tmp_path / "a.parquet")
    frame.assign(embedding=list(x)).to_parquet(tmp_path / "b.parquet")
    for name, table in (("a.npz", 0), ("a.npy", 1), ("a.safetensors", 1), ("a.parquet", 0), ("b.parquet", 0)):
        given = read(tmp_path / name, tmp_path / "a.csv" if table else None)
        np.testing.assert_allclose(given["x"], x, atol=2e-3)
        assert list(given["labels"]) == ["mood"] and list(given["identity"]) == list(WHO.astype(str))
        report = audit(**given, attackers=("linear",), progress=False)
        assert selected(report)["test_images"] == 959, "one label is not known"


def test_a_label_called_identity_and_a_column_called_x_replace_nothing(tmp_path):
    x, mood = world(1.0, False)
    told = [
        audit(x, identity=WHO, labels=labels, attackers=("linear",), progress=False).readings.query("label == 'mood'")
        for labels in ({"mood": mood}, {"mood": mood, "identity": np.arange(960) % 2})
    ]
    pd.testing.assert_frame_equal(*told)
    np.save(tmp_path / "a.npy", x)
    pd.DataFrame({"identity": WHO, "mood": mood, "x": "left"}).to_csv(tmp_path / "a.csv", index=False)
    given = read(tmp_path / "a.npy", tmp_path / "a.csv")
    np.testing.assert_array_equal(given["x"], x)
    assert set(given["labels"]) == {"mood", "x"}


X, MOOD = world(0.0, False)
REFUSED = {
    "two classes with 20 people": {"labels": {"mood": np.where(WHO < 10, "a", "b")}},
    "two classes with 40 people": {"labels": {"mood": np.where(WHO < 30, "a", "b")}, "hide": "mood"},
    "no label 'age'": {"hide": "age"},
    "one value a row": {"labels": {"mood": MOOD[1:]}},
    "row 3, counted from 0, holds NaN": {"x": np.where(np.arange(960)[:, None] == 3, np.nan, X)},
    "not known of 4 rows": {"identity": np.where(WHO == 7, None, WHO.astype(object))},
    "about 50 such people": {"identity": np.arange(960), "hide": "mood"},
    "no attacker 'oracle'": {"attackers": ("oracle",)},
    "give its transpose, x.T": {"x": np.ascontiguousarray(X.T)},
    "or cut a number, an age say": {"labels": {"age": np.arange(960) / 7}},
}


@pytest.mark.parametrize(
    ("name", "labels", "remedy"),
    [
        ("e.npy", None, "give a CSV by --labels: a line for each row of x"),
        ("e.npy", "identity;mood\n{};a\n", "are parted by semicolons or tabs"),
        ("e.npz", "person;mood\n{};a\n", "are parted by semicolons or tabs"),
        ("e.npy", "Identity,mood\n{},a\n", "say --identity Identity"),
        ("e.npz", None, "(there are: mood), or give a CSV by --labels"),
        ("t.npy", "identity,mood\n{},a\n", "save its transpose, x.T"),
    ],
)
def test_what_is_nearly_right_is_named(tmp_path, name, labels, remedy):
    x = np.random.default_rng(0).normal(size=(30, 4))
    np.save(tmp_path / "e.npy", x)
    np.save(tmp_path / "t.npy", x.T)
    np.savez(tmp_path / "e.npz", x=x, mood=np.arange(30) % 2)
    if labels is not None:
        first, line = labels.format("0").splitlines()
        (tmp_path / "l.csv").write_text("\n".join([first, *[line] * 30]))
    with pytest.raises(InputError, match=re.escape(remedy)):
        read(tmp_path / name, None if labels is None else tmp_path / "l.csv")


def test_what_has_collapsed_is_not_recommended(monkeypatch):
    x, mood = world(1.0, False)
    dead = {"NAP", "LEACE", "INLP", "Obliviator"}
    real = attack.health
    monkeypatch.setattr(
        "blindlib.inspection.hide.health", lambda name, z, n: real(name, z, n) | {"collapsed": name in dead}
    )
    report = audit(x, identity=WHO, labels={"mood": mood}, hide="mood", attackers=("linear",), heads=(), progress=False)
    assert report.head is None and not report.points["recommended"].any()
    assert "and did not collapse: none is recommended" in str(report)


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_audited_is_refused_with_what_is_needed(words):
    given = {"x": X, "identity": WHO, "labels": {"mood": MOOD}, "heads": HEADS, "attackers": ("linear",)} | REFUSED[
        words
    ]
    with pytest.raises(InputError, match=words) as refused:
        audit(given.pop("x"), progress=False, **given)
    assert "→" in str(refused.value)


def test_without_second_pictures_verification_is_said_not_to_be_measured():
    report = audit(X, identity=np.arange(960), labels={}, progress=False)
    assert report.verification.empty and "10 subjects with two images are needed, 0 have them" in str(report)


def test_files_that_are_not_what_they_should_be_are_refused(tmp_path):
    objects = MOOD.astype(object)
    np.savez(tmp_path / "objects.npz", x=X, identity=WHO, mood=objects)
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "nobody.npz", x=X)
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "damaged.safetensors").write_bytes(b"no")
    np.save(tmp_path / "x.npy", X)
    pd.DataFrame({"identity": [1, 2]}).to_csv(tmp_path / "short.csv", index=False)
    (tmp_path / "head.json").write_text(json.dumps({"class": "os.system"}))
    for name, words in (
        ("objects.npz", "dtype=str"),
        ("objects.npy", "pickles are not opened"),
        ("nobody.npz", "no 'identity'"),
        ("damaged.npz", "does not read"),
        ("damaged.safetensors", "does not read"),
        ("x.csv", "not a kind"),
        ("none.npz", "not found"),
    ):
        with pytest.raises(InputError, match=words):
            read(tmp_path / name)
    with pytest.raises(InputError, match="2 rows of labels for 960 of x"):
        read(tmp_path / "x.npy", tmp_path / "short.csv")
    with pytest.raises(InputError, match="names no method"):
        load_head(tmp_path / "head")
    with pytest.raises(InputError, match="takes 4 dimensions"):
        head = LEACE().fit(X[:, :4], MOOD)
        audit(X, identity=WHO, labels={"mood": MOOD}, head=head, progress=False)


def test_the_command_writes_the_report_and_says_one_line_of_what_is_wrong(tmp_path, monkeypatch, capsys):
    np.savez(tmp_path / "e.npz", x=X, identity=WHO, **{"../mood": MOOD})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(unwrap(run.audit).__kwdefaults__, "heads", HEADS)  # small ones
    command = ["blindlib", "audit", "e.npz", "--attacker", "linear"]
    for more, code in (([], 0), (["--hide", "age"], 1), (["--hide", "../mood"], 0)):
        monkeypatch.setattr(sys, "argv", [*command, *more])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == code
    said = capsys.readouterr()
    assert "240 subjects" in said.out and (tmp_path / "audit_e" / "report.html").exists()
    assert "error: hide: there is no label 'age'" in said.err and not (tmp_path / "audit_e_without_age").exists()
    assert (tmp_path / "audit_e" / "report.html").exists(), "what was hidden has a folder of its own"
    assert load_head(tmp_path / "audit_e_without____mood" / "head") and "removed the head" not in said.out
    monkeypatch.setattr(sys, "argv", [*command, "--out", "audit_e_without____mood"])
    with pytest.raises(SystemExit):
        main()
    assert "replaced audit_e_without____mood/report.html\nremoved the head" in capsys.readouterr().out
