"""The audit of your own embeddings: synthetic leaks are found and sized, none is invented, no subject is named."""

import re
import stat
import sys
from inspect import unwrap

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file
from scipy.stats import norm

from blindlib import audit
from blindlib.blinders import LNTL, SensitiveNets
from blindlib.blinders.rounding import from_integers, to_integers
from blindlib.cli import main
from blindlib.common.errors import InputError
from blindlib.inspection import load_head, probes, read
from blindlib.inspection.hide import recommend
from blindlib.inspection.subjects import deal, draw_pairs, sample
from blindlib.metrics import balanced_accuracy
from blindlib.settings import LNTLSettings, SensitiveNetsSettings

QUICK = {"hidden": 16, "rounds": 2, "head_steps": 20, "detector": (16,), "identities": 8, "per_class": 8}
HEADS = (
    *(SensitiveNets(strength, settings=SensitiveNetsSettings(**QUICK)) for strength in (0.0, 1.0)),
    *(LNTL(strength, settings=LNTLSettings(**QUICK)) for strength in (0.0, 0.03)),
)
WHO = np.repeat(np.arange(240), 4)


def world(apart: float, product: bool = False, seed: int = 0):
    """240 subjects of 4 images in 8 dimensions, and two classes, `apart` deviations apart along the first dimension, or
    the sign of the product of the first two. The Bayes rates are known: Φ(apart / 2), and 100 %."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(240, 8))[WHO] + 0.4 * rng.normal(size=(960, 8))
    x[:, :2] = rng.normal(size=(960, 2))
    mood = np.tile([0, 1], 480)
    x[:, 0] += apart * (mood - 0.5)
    if product:
        mood = (x[:, 0] * x[:, 1] > 0).astype(int)
    return x.astype(np.float32), np.array(["happy", "sad"])[mood]


def audited(x, mood, who=WHO, attackers=("linear",), **options):
    """The report, and the row by which the leak of `mood` is judged."""
    report = audit(x, identity=who, labels={"mood": mood}, attackers=attackers, progress=False, **options)
    return report, probes.selected(report.readings).iloc[0]


X, MOOD = world(0.0)


def test_a_planted_linear_leak_is_found_and_its_interval_holds_the_bayes_rate():
    report, row = audited(*world(2.0), attackers=probes.ATTACKERS)
    assert row["leak"] and row["low"] - 1 < 100 * norm.cdf(1.0) < row["high"] + 1 and row["chance"] == 50
    assert row["test_people"] == 240 and row["test_images"] == 960, "every subject is tested once"
    assert report.verification["auc"].iloc[0] > 85 and not report.health["collapsed"].any()


def test_a_planted_product_is_found_by_the_svm_and_not_by_the_linear_probe():
    report, row = audited(*world(0.0, product=True), attackers=("linear", "SVM"))
    of = report.readings.set_index("attacker")
    assert of.loc["linear", "low"] < 50 < of.loc["linear", "high"] and of.loc["SVM", "low"] > 80 and row["leak"]


@pytest.mark.parametrize("apart", [4.0, 0.0])
def test_in_512_dimensions_a_leak_is_found_and_sized_and_none_invented(apart):
    rng = np.random.default_rng(0)
    who, mood = np.repeat(np.arange(250), 8), np.tile([0, 1], 1000)
    x = 0.86 * rng.normal(size=(250, 512))[who] + 0.51 * rng.normal(size=(2000, 512))  # of variance 1
    x[:, 0] += apart * (mood - 0.5)
    _, row = audited((x @ np.linalg.qr(rng.normal(size=(512, 512)))[0]).astype(np.float32), mood, who)
    assert row["leak"] == (apart > 0) and row["low"] < 100 * norm.cdf(apart / 2) < row["high"]


def test_a_leak_that_an_eraser_only_shrank_is_found_and_rounding_removes_it():
    x, mood = world(2.0)
    x = x @ np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0]  # so that no column shows it by its scale
    way = x[mood == "happy"].mean(0) - x[mood == "sad"].mean(0)
    way /= np.linalg.norm(way)
    z = (x - 0.999 * np.outer((x - x.mean(0)) @ way, way)).astype(np.float32)
    report, row = audited(z, mood, attackers=("linear", "SVM"))
    of = report.readings.set_index("attacker")
    assert of.loc["SVM", "value"] < 65 and of.loc["SVM whitened", "low"] > 70, "whitening finds it"
    assert row["leak"] and "x leaks mood" in str(report)
    peak = float(np.abs(z).max())
    assert audited(from_integers(to_integers(z, peak, 6), peak, 6), mood, attackers=("linear", "SVM"))[1]["high"] < 65


def test_where_nothing_is_planted_no_leak_is_found_and_the_report_says_what_is_not_ruled_out():
    found = [audited(*world(0.0, seed=seed)) for seed in range(6)]
    assert sum(row["leak"] for _, row in found) <= 1
    report, row = found[0]
    assert not row["leak"] and f"trained on {row['train_people']} subjects" in str(report)
    assert f"a leak of up to {row['high'] - row['chance']:.1f} points" in str(report)


def test_the_false_alarm_rule_holds_and_has_power():
    rng = np.random.default_rng(1)
    who, truth = np.repeat(np.arange(60), 6), np.tile([0, 1, 1], 120)
    alarms = {0.5: 0, 0.62: 0}
    for rate in alarms:
        for _ in range(1000):
            own = np.clip(rate + 0.2 * rng.normal(size=60), 0, 1)[who]  # a subject's images are alike
            value, half = probes.mean_recall(truth, (rng.random(360) < own).astype(float), who)
            alarms[rate] += value - half > 50
    assert alarms[0.5] < 45 and alarms[0.62] > 800, "nominally 25 of 1,000; and a leak of 12 points is found"


def test_the_mean_recall_is_balanced_accuracy_and_its_interval_that_of_a_bootstrap_of_subjects():
    rng = np.random.default_rng(2)
    who = np.repeat(np.arange(80), 5)
    truth = np.where(rng.random(400) < 0.3, 1, 0)
    guess = np.where(rng.random(400) < 0.7, truth, 1 - truth)
    guess[who < 20] = 0  # subjects differ
    value, half = probes.mean_recall(truth, (guess == truth).astype(float), who)
    assert value == pytest.approx(balanced_accuracy(truth, guess))
    images = [np.flatnonzero(who == subject) for subject in range(80)]
    drawn = [np.concatenate([images[s] for s in rng.integers(0, 80, 80)]) for _ in range(500)]
    spread = np.std([balanced_accuracy(truth[rows], guess[rows]) for rows in drawn])
    assert half == pytest.approx(1.99 * spread, rel=0.12)
    assert probes.mean_recall(truth, np.ones(400), who)[1] > 3, "all right is not certainty"


def test_no_subject_stands_in_two_parts_or_folds_and_every_class_is_in_each_part():
    rng = np.random.default_rng(3)
    who = np.repeat(np.arange(100), 3)
    codes = np.where(who < 15, 2, who % 2)
    codes[::3] = -1
    part = deal(codes, who, (0.4, 0.2, 0.4), rng)
    assert (pd.Series(part).groupby(who).nunique() == 1).all()
    for number, wanted in enumerate((6, 3, 6)):
        assert abs(len(np.unique(who[(part == number) & (codes == 2)])) - wanted) <= 1
    pairs = draw_pairs(who, rng)
    assert (pairs["same"] == (who[pairs["left"]] == who[pairs["right"]])).all()
    assert int(pairs["same"].sum()) == 300, "all three pairs of each subject"
    ends = pairs.melt(["same", "fold"], value_name="row")
    assert (ends.groupby(who[ends["row"]])["fold"].nunique() == 1).all() and ends["fold"].nunique() == 5
    rows = sample(np.ones(300, bool), who, 50, rng)
    assert len(rows) == 48 and (np.bincount(who[rows])[np.unique(who[rows])] == 3).all(), "whole subjects"


@pytest.fixture(scope="module")
def hidden():
    """A leak hidden, by heads that are hardly trained; a label of gender that must stay, names that must not show."""
    x, mood = world(2.5)
    x[:, 3] += 3 * (WHO % 2)
    labels = {"mood": np.where(np.arange(960) % 11 == 0, None, mood), "<b>": np.array(["f", "m"])[WHO % 2]}
    options = {"hide": "mood", "heads": HEADS, "attackers": ("linear", "SVM"), "progress": False}
    return x, audit(x, identity=np.array([f"Zebedee{subject}" for subject in WHO]), labels=labels, **options)


def test_hiding_finds_a_method_that_hides_keeps_the_rest_and_says_the_cost(hidden):
    x, report = hidden
    best, of_x = report.points[report.points["recommended"]].iloc[0], report.points.iloc[0]
    assert of_x["low"] > 70 and best["value"] < of_x["value"] - 25 and best["hidden"] > best["hidden_hw"]
    assert best["choose_cost"] <= 3 and best["id"] > of_x["id"] - 5
    assert {"SN", "LNTL", "LEACE", "INLP", "NAP", "Obliviator"} == set(report.points["method"]) - {"x"}
    assert report.head.bits == best["bits"] == 6 and len(np.unique(report.head.transform(x))) <= 63, "a grid of 6 bits"
    after = report.others.set_index(["label", "representation"])["value"]
    assert after["<b>", "φ"] > 85 and after["mood", "φ"] < 65 < after["mood", "x"]
    assert re.search(r"To hide mood, use .*released in 6 bits: .*of verification \(", str(report))
    assert "96 subjects fit, 48 subjects choose, 96 subjects report" in str(report)


def test_the_choice_looks_at_subjects_of_part_choose_alone():
    points = pd.DataFrame({"method": ["x", "SN", "SN", "LEACE", "INLP"], "strength": [np.nan, 0, 1.0, np.nan, np.nan]})
    points["value"], points["cost"] = [90, 10, 20, 30, 5], [0, 0, 9, 9, 0]  # of part report: not to be looked at
    points["choose_value"], points["choose_cost"] = [90, 10, 60, 50, 40], [0, 0, 1, 1, 9]
    assert recommend(points, 3.0) == 3 and recommend(points, 10.0) == 4 and recommend(points, 0.5) is None


def test_the_report_is_private_and_self_contained_names_no_subject_and_its_head_loads_to_the_same_map(hidden, tmp_path):
    x, report = hidden
    folder = report.save(tmp_path / "out")
    names = {"report.html", "readings.csv", "verification.csv", "health.csv", "points.csv", "others.csv"}
    assert {file.name for file in folder.iterdir()} == names | {"head.json", "head.safetensors"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600 and b"Zebedee" not in file.read_bytes()
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 1 and "<b>" not in page
    assert not re.search(r"https?:|src=\"(?!data:)|<script|<link", page)
    for path in (folder / "head", folder / "head.safetensors"):
        np.testing.assert_array_equal(load_head(path).transform(x), report.head.transform(x))
    with pytest.raises(InputError, match="is there already"):
        report.save(folder)


def test_labels_in_another_order_than_x_are_suspected_first_of_all():
    x, mood = world(2.5)
    order = np.random.default_rng(0).permutation(len(x))
    report, _ = audited(x, mood[order], WHO[order])
    assert report.sentences()[0].startswith("Warning: in x two images of one")
    assert "Warning" not in str(audited(x, mood)[0])


def test_a_collapsed_representation_is_called_so_and_equal_rows_are_counted():
    x = X * np.array([1, *[1e-4] * 7], np.float32)
    x[5] = x[6]
    report, _ = audited(x, MOOD)
    assert "x has collapsed" in str(report) and "1 rows of x equal an earlier one" in str(report)


def test_every_kind_of_file_gives_the_same_arrays(tmp_path):
    frame = pd.DataFrame({"identity": WHO.astype(str), "mood": MOOD})
    frame.loc[3, "mood"], frame.loc[frame["identity"] == "7", "identity"] = "", "NA"  # a name, and no missing value
    np.savez(tmp_path / "a.npz", x=X, **{name: column.to_numpy(str) for name, column in frame.items()})
    np.save(tmp_path / "a.npy", X)
    frame.to_csv(tmp_path / "a.csv", index=False)
    save_file({"x": X.astype(np.float16)}, tmp_path / "a.safetensors")
    frame.assign(x=list(X), other=0).to_parquet(tmp_path / "a.parquet")
    for name, table in (("a.npz", None), ("a.npy", "a.csv"), ("a.safetensors", "a.csv"), ("a.parquet", None)):
        given = read(tmp_path / name, table and tmp_path / table, only=("mood",))
        np.testing.assert_allclose(given["x"], X, atol=2e-3)
        assert list(given["labels"]) == ["mood"] and list(given["identity"]) == list(frame["identity"])
    _, row = audited(given["x"], given["labels"]["mood"], given["identity"])
    assert row["test_images"] == 959, "one label is unknown"


REFUSED = {
    "two classes of 20 subjects": {"labels": {"mood": np.where(WHO < 10, "a", "b")}},
    "two classes of 40 subjects": {"labels": {"mood": np.where(WHO < 30, "a", "b")}, "hide": "mood"},
    "no label 'age'": {"hide": "age"},
    r"label 'mood': has shape \(959,\) for 960 rows": {"labels": {"mood": MOOD[1:]}},
    "x: Input x contains NaN": {"x": np.where(np.arange(960)[:, None] == 3, np.nan, X)},
    "identity: is unknown in 4 rows": {"identity": np.where(WHO == 7, None, WHO.astype(object))},
    "about 50 are needed": {"identity": np.arange(960), "hide": "mood"},
    "no probe 'oracle'": {"attackers": ("oracle",)},
    "budget: is -1": {"budget": -1},
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_audited_is_refused_with_what_is_needed(words):
    given = {"x": X, "identity": WHO, "labels": {"mood": MOOD}, "heads": (), "attackers": ("linear",)} | REFUSED[words]
    with pytest.raises(InputError, match=words) as refused:
        audit(given.pop("x"), progress=False, **given)
    assert "→" in str(refused.value)


def test_files_that_are_not_what_they_should_be_are_refused(tmp_path):
    np.savez(tmp_path / "objects.npz", x=X, identity=WHO, mood=MOOD.astype(object))
    np.savez(tmp_path / "lacks.npz", x=X, mood=MOOD)
    np.savez(tmp_path / "other.npz", embeddings=X)
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04 and no more")
    np.save(tmp_path / "x.npy", X)
    pd.DataFrame({"identity": [1, 2]}).to_csv(tmp_path / "short.csv", index=False)
    for name, words in (
        ("objects.npz", "dtype=str"),
        ("lacks.npz", r"no column 'identity' \(there are: mood\)"),
        ("other.npz", r"has no x \(there are: embeddings\)"),
        ("damaged.npz", "does not read"),
        ("none.npz", "No such file"),
        ("x.csv", "use .npz, .npy"),
    ):
        with pytest.raises(InputError, match=f"{name}: .*{words}"):
            read(tmp_path / name)
    with pytest.raises(InputError, match=r"short\.csv: has 2 rows for 960 of x"):
        read(tmp_path / "x.npy", tmp_path / "short.csv")
    (tmp_path / "head.json").write_text('{"class": "os.system"}')
    with pytest.raises(InputError, match=r"head\.json: describes no head"):
        load_head(tmp_path / "head")


def test_the_command_writes_the_report_and_says_one_line_of_what_is_wrong(tmp_path, monkeypatch, capsys):
    np.savez(tmp_path / "e.npz", x=X, identity=WHO, **{"../mood": MOOD})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(unwrap(audit).__kwdefaults__, "heads", HEADS)  # small ones
    for more, code in ((["--hide", "../mood"], 0), ([], 0), ([], 1), (["--hide", "age"], 1)):
        monkeypatch.setattr(sys, "argv", ["blindlib", "audit", "e.npz", "--attacker", "linear", *more])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == code
    said = capsys.readouterr()
    assert "240 subjects" in said.out and (tmp_path / "audit_e" / "report.html").exists()
    assert "error: audit_e: is there already → name a new folder" in said.err
    assert "error: hide: there is no label 'age'" in said.err and not (tmp_path / "audit_e_without_age").exists()
    assert load_head(tmp_path / "audit_e_without____mood" / "head")
