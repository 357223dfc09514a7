"""Verification by expression, and the attack by similarity: slow loops, both sides of each threshold, missing data."""

import numpy as np
import pandas as pd
import pytest

from blindlib.blinders.representation import Representation
from blindlib.data.splits import Split
from blindlib.evaluate.expressions import COLUMNS, MEASURES, expression_table, tar_by_expression
from blindlib.evaluate.probes import Task
from blindlib.evaluate.results import tidy
from blindlib.evaluate.similarity import attack_by_similarity, votes
from blindlib.evaluate.verification import strict_threshold
from blindlib.metrics import balanced_accuracy
from blindlib.report import plots_attacks

KINDS = ("neutral", "happiness", "anger")
PEOPLE = 120
WHO = np.repeat([f"p{n:03d}" for n in range(PEOPLE)], 3)
EMOTION = np.tile(np.array(KINDS, object), PEOPLE)


def splits_of(count=2):
    rng, splits = np.random.default_rng(0), []
    for rotation in range(count):
        parts = np.split(rng.permutation(PEOPLE), [10, 50, 80])
        splits.append(Split(rotation, rotation, *(np.flatnonzero(np.isin(np.arange(360) // 3, p)) for p in parts)))
    return splits


def faces_like(angry, seed=0):
    """People, a little noise, and anger that moves a face by `angry`, the smile by nothing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(PEOPLE, 6)).repeat(3, 0) + 0.15 * rng.normal(size=(360, 6))
    x[EMOTION == "anger", 0] += angry
    return x.astype(np.float32)


def test_slow_loops_over_all_pairs_give_the_same_rates():
    x, splits = faces_like(1.0), splits_of()
    rows = tar_by_expression(Representation.of("x", x), splits, EMOTION, WHO)
    assert [(r["rotation"], r["probe"]) for r in rows] == [(k, e) for k in (0, 1) for e in KINDS[1:]]
    for row in rows:
        split, distances = splits[row["rotation"]], {}
        for part in ("validation", "test"):
            for a in getattr(split, part):
                for b in getattr(split, part):
                    if EMOTION[a] != "neutral" and EMOTION[b] == "neutral":
                        told = (part, EMOTION[a], WHO[a] == WHO[b])
                        distances.setdefault(told, []).append(np.linalg.norm(x[a].astype(float) - x[b]))
        impostors = sorted(d for e in KINDS[1:] for d in distances["validation", e, False])
        assert row["chance"] == 1, f"{len(impostors)} pairs: 20 are 1 % of 2,000 and more"
        limit = impostors[int(0.01 * len(impostors))]
        for name, same in (("tar", True), ("far", False)):
            share = np.mean([d < limit for d in distances["test", row["probe"], same]])
            assert row[name] == pytest.approx(100 * share), name
        assert row["n_test"] == row["n_test_subjects"] == len(np.unique(WHO[split.test]))


def test_who_is_moved_by_anger_is_not_recognised_angry_and_undoing_it_helps():
    moved, undone, results = faces_like(2.5), faces_like(0.0), []
    for name, x in (("x", moved), ("φ", undone)):
        rows = tar_by_expression(Representation.of(name, x), splits_of(5), EMOTION, WHO)
        results.append(tidy(rows, MEASURES, representation=name))
    table = expression_table(pd.concat(results))
    assert list(table) == list(COLUMNS) and list(table["expression"]) == ["anger", "anger", "happiness", "happiness"]
    cells = table.set_index(["representation", "expression"])
    assert cells.loc[("x", "anger"), "mean"] < 30 and cells.loc[("x", "happiness"), "mean"] > 80
    gain = cells.loc[("φ", "anger")]
    assert gain["gain"] - gain["gain_half_width"] > 40 and gain["gain"] == pytest.approx(
        gain["mean"] - cells.loc[("x", "anger"), "mean"]
    )
    assert cells.loc["x", "gain"].isna().all() and (table["far"] < 5).all() and (table["seeds"] == 5).all()
    assert len(plots_attacks.tar_by_expression(table).axes) == 2


def test_without_neutral_pictures_or_pairs_there_are_no_rows():
    x = Representation.of("x", faces_like(1.0))
    missing = [np.where(EMOTION == "neutral", None, EMOTION), np.full(360, None, object)]
    missing.append(np.where(EMOTION == "neutral", EMOTION, None))
    assert all(tar_by_expression(x, splits_of(), emotion, WHO) == [] for emotion in missing)
    empty = expression_table(pd.DataFrame(columns=["task", "metric", "probe", "value", "representation"]))
    assert empty.empty and list(empty) == list(COLUMNS)
    assert plots_attacks.tar_by_expression(empty) is None


def test_a_constant_phi_accepts_nobody():
    rows = tar_by_expression(Representation.of("φ", np.ones((360, 4), np.float32)), splits_of(), EMOTION, WHO)
    assert {row["tar"] for row in rows} == {0.0} and {row["far"] for row in rows} == {0.0}


def test_the_strict_threshold_lets_pass_as_many_as_allowed_and_no_more():
    distances = np.random.default_rng(0).permutation(np.arange(1000.0))
    assert (distances < strict_threshold(distances, 0.01)).sum() == 10
    assert (distances < strict_threshold(distances, 0.0005)).sum() == 0
    assert (np.ones(50) < strict_threshold(np.ones(50), 0.5)).sum() == 0, "equal distances cannot be parted"
    assert (distances < strict_threshold(distances, 1.0)).all()


def test_votes_are_those_of_slow_loops():
    rng = np.random.default_rng(2)
    known, asked = rng.normal(size=(60, 5)), rng.normal(size=(40, 5))
    codes = np.repeat([1, 3, 4], [10, 20, 30])
    guesses = votes(asked, known, codes, [1, 4, 9])
    for k, guess in zip((1, 4, 9), guesses, strict=True):
        for n, row in enumerate(asked):
            cosine = known @ row / np.linalg.norm(known, axis=1)
            near = codes[np.argsort(-cosine)[:k]]
            shares = {code: (near == code).sum() / (codes == code).sum() for code in (1, 3, 4)}
            best = max(shares.values())
            assert shares[guess[n]] == pytest.approx(best)
    assert (guesses[0] != guesses[2]).any()


def test_similarity_reads_what_resembles_whatever_the_length_and_nothing_where_nothing_is():
    rng, splits = np.random.default_rng(0), splits_of()
    task = Task("emotion", np.tile([0, 1, -1], PEOPLE), ["happiness", "anger"])
    told = rng.normal(size=(360, 8))
    told[task.codes == 1, 0] += 6
    told *= rng.uniform(0.1, 10, (360, 1))  # cosine does not see it
    values = {}
    for name, x in (("told", told), ("nothing", rng.normal(size=(360, 8)))):
        rows = attack_by_similarity(Representation.of(name, x.astype(np.float32)), task, splits, WHO)
        assert {(r["probe"], r["protocol"], r["task"]) for r in rows} == {("similarity", "B", "emotion")}
        assert all((task.codes[r["tested"]] >= 0).all() and len(r["guess"]) == r["n_test"] for r in rows)
        values[name] = np.mean([r["balanced_accuracy"] for r in rows])
    assert values["told"] > 90 and abs(values["nothing"] - 50) < 15


def test_k_is_chosen_on_validation_people_and_not_on_those_who_are_tested():
    """A fifth of the training pictures stand among the other class. Who is tested is a copy of one with its label: the
    nearest is right, the crowd is wrong. Who validates is a copy with the crowd's label."""
    task = Task("emotion", np.tile([0, 1, -1], PEOPLE), ["happiness", "anger"])
    rng, split, codes = np.random.default_rng(1), splits_of(1)[0], task.codes
    known = split.probe[codes[split.probe] >= 0]
    odd = np.isin(np.arange(360), known[rng.permutation(len(known))[: len(known) // 5]])
    x = np.eye(2)[((codes == 1) ^ odd).astype(int)] + 0.3 * rng.normal(size=(360, 2))
    for part, sign in ((split.test, 0), (split.validation, 1)):
        for n in part[codes[part] >= 0]:
            x[n] = x[rng.choice(np.flatnonzero(odd & (codes == (codes[n] ^ sign))))]
    (row,) = attack_by_similarity(Representation.of("x", x.astype(np.float32)), task, [split], WHO)
    by_k = {}
    for part in (split.validation, split.test):
        rows = part[codes[part] >= 0]
        guesses = votes(x[rows], x[known], codes[known], [1, 5, 15, 45])
        by_k[part is split.test] = [balanced_accuracy(codes[rows], guess) for guess in guesses]
    assert np.argmax(by_k[True]) == 0 and np.argmax(by_k[False]) > 0
    assert row["balanced_accuracy"] == pytest.approx(by_k[True][int(np.argmax(by_k[False]))])
