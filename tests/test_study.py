"""Splits, the choice of λ and result rows."""

import dataclasses
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from blindlib.blinders.representation import Representation
from blindlib.blinders.validation import choose
from blindlib.common.errors import InputError
from blindlib.common.files import write_text
from blindlib.data.facetable import make_facetable
from blindlib.data.readers.synth import load_synth
from blindlib.data.splits import ROLES, Split, deal, load_splits, save_splits
from blindlib.evaluate.measure import measure_collapse, measure_verification, relative_distances
from blindlib.evaluate.results import COLUMNS, load_results, save_results, summarise
from blindlib.metrics import interval
from blindlib.presets import PRESETS

LFW_LIKE = dataclasses.replace(PRESETS["open"], seeds=(0, 1))


@pytest.fixture(scope="module")
def dealt():
    """40 people of 6 images in LFW's manner: 5 folds of 4 pairs of one person and 4 of two; no file is read."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "image": [f"lfw/P_{n // 6:02d}/P_{n // 6:02d}_{n % 6 + 1:04d}.jpg" for n in range(240)],
            "identity": [f"P_{n // 6:02d}" for n in range(240)],
            "sha256": ["0" * 64] * 240,
        }
    )
    rows = []
    for fold, people in enumerate(np.array_split(rng.permutation(40), 5)):
        for a, b in [(p, p) for p in people[:4]] + list(pairwise(people[:5])):
            rows.append((6 * a, 6 * b + 1, a == b, fold))
    parts = {"lfw": ("verification", "emotion")}
    faces = make_facetable(frame, "nowhere", name="t", provenance="substitute", parts=parts, folders={"lfw": "nowhere"})
    return faces, pd.DataFrame(rows, columns=["left", "right", "same", "fold"])


def test_no_person_has_two_roles_and_everyone_is_tested_once(dealt, tmp_path):
    faces, pairs = dealt
    save_splits(deal(faces, pairs, LFW_LIKE), tmp_path / "s.parquet")
    splits = load_splits(tmp_path / "s.parquet", faces)
    identity = faces.frame["identity"].to_numpy()
    assert len(splits) == 10
    for split in splits:
        people = [set(identity[getattr(split, role)]) for role in ROLES]
        assert all(people) and sum(map(len, people)) == 40
        fold = pairs[pairs["fold"] % 5 == split.rotation]
        assert set(identity[fold["left"]]) | set(identity[fold["right"]]) <= people[3], "the fold's people are tested"
    for seed in LFW_LIKE.seeds:
        tested = [p for s in splits if s.seed == seed for p in set(identity[s.test])]
        assert len(tested) == len(set(tested)) == 40
    assert set(identity[splits[0].head]) != set(identity[splits[5].head]), "another seed deals anew"


def test_a_split_that_shares_a_person_is_refused(dealt, tmp_path):
    faces, pairs = dealt
    table = deal(faces, pairs, LFW_LIKE)
    table.loc[0, "r0s0"] = "probe" if table.loc[0, "r0s0"] != "probe" else "head"
    save_splits(table, tmp_path / "s.parquet")
    with pytest.raises(InputError, match="two roles"):
        load_splits(tmp_path / "s.parquet", faces)


def test_a_person_in_two_folds_is_refused(dealt):
    faces, pairs = dealt
    one_side = pairs.copy()
    one_side.loc[one_side.index[-1], "left"] = one_side["left"].iloc[0]  # left in fold 0, left in fold 4
    with pytest.raises(InputError, match="two rotations"):
        deal(faces, one_side, LFW_LIKE)
    with pytest.raises(InputError, match="two rotations"):
        deal(faces, pairs.assign(left=pairs["left"].iloc[0]), LFW_LIKE)


def test_synthfaces_deal_their_roles_apart(tmp_path):
    preset = PRESETS["smoke"]
    faces, pairs = load_synth(preset.synth, tmp_path)
    save_splits(deal(faces, pairs, preset), tmp_path / "s.parquet")
    splits = load_splits(tmp_path / "s.parquet", faces)
    role, identity = faces.part.to_numpy(), faces.frame["identity"].to_numpy()
    assert [(s.rotation, s.seed) for s in splits] == [(k, seed) for k, seed in enumerate(preset.seeds)]
    for split in splits:
        assert set(role[split.head]) == {"demographics", "emotion"}, "nobody rated for attractiveness trains a head"
        assert set(role[split.probe]) == {"demographics", "emotion", "attractive"}
        assert set(identity[pairs["left"]]) <= set(identity[split.test])
        assert "verification" not in set(role[np.concatenate([split.head, split.validation, split.probe])])
    for name in ("demographics", "emotion", "attractive"):
        tested = [p for s in splits for p in set(identity[s.test][role[s.test] == name])]
        assert len(tested) == len(set(tested)) == len(set(identity[role == name])), "each is tested once"
    share = faces.frame.groupby(role)[["emotion", "gender", "attractive"]].agg(lambda column: column.notna().mean())
    assert share["emotion"].to_dict() == {"attractive": 0, "demographics": 0, "emotion": 1, "verification": 0}
    assert share.loc["demographics", "gender"] == 1 and share.loc["attractive", "attractive"] == 1


def test_lambda_is_the_blindest_within_the_budget_by_validation_alone():
    def row(number, strength, attribute, identity, kept):
        told = {"attribute": attribute, "identity": identity, "kept": kept}
        return {"split": 0, "round": number, "strength": strength, **told}

    rows = [row(0, s, 70.0, 98.0, False) for s in (0, 1, 2, 3)]
    rows += [row(1, 2, 60, 97, True), row(2, 2, 10, 98, False)]  # what is not kept does not count
    rows += [row(2, s, *told, True) for s, *told in ((0, 40, 98), (1, 65, 98), (3, 50, 90))]
    table = choose(rows, budget=3).set_index("strength")
    assert table.index[table["chosen"]].tolist() == [2], "not 0, which is no blinder; not 3, which costs too much"
    assert table.loc[3, "diff"] == pytest.approx(100 * 8 / 48)
    assert choose(rows, budget=-1).set_index("strength").query("chosen").index.tolist() == [1]


def test_interval_is_student_s():
    values = np.array([3.0, 4, 5, 9, 1])
    low, high = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    mean, half = interval(values)
    assert (mean - half, mean + half) == pytest.approx((low, high))
    assert np.isnan(interval(np.array([1.0]))[1])


def result_rows():
    rows = []
    for name, shift in (("x", 0), ("SN", -10), ("pixels", 5)):
        for rotation in range(5):
            for seed in (0, 1):
                common = {
                    "preset": "t",
                    "dataset": "d",
                    "provenance": "substitute",
                    "representation": name,
                    "seed": seed,
                    "rotation": rotation,
                    "n_train_subjects": 9,
                    "n_test_subjects": 10,
                    "n_test": 20,
                    "metric": "balanced_accuracy",
                }
                rows.append(
                    {
                        **common,
                        "task": "emotion",
                        "probe": "NN",
                        "protocol": "B",
                        "chance": 50.0,
                        "value": 75.0 + shift + rotation + seed,
                    }
                )
                rows.append(
                    {
                        **common,
                        "task": "ID",
                        "probe": "verification",
                        "protocol": "B",
                        "chance": 50.0,
                        "value": 98.0 + shift / 10,
                    }
                )
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def test_results_survive_a_round_trip_and_others_are_refused(tmp_path):
    frame = result_rows()
    pd.testing.assert_frame_equal(load_results(save_results(frame, tmp_path / "r.csv")), frame, check_dtype=False)
    write_text(tmp_path / "r.csv", "a,b\n1,2\n")
    with pytest.raises(InputError, match="has the columns"):
        load_results(tmp_path / "r.csv")
    with pytest.raises(InputError, match=r"absent\.csv: not found → run `make paper`"):
        load_results(tmp_path / "absent.csv")


def test_each_fold_is_verified_by_its_own_head_in_its_own_scale(dealt, tmp_path):
    """Heads that differ in scale alone verify as one: no fold's threshold comes from another head's distances."""
    faces, pairs = dealt
    save_splits(deal(faces, pairs, LFW_LIKE), tmp_path / "s.parquet")
    splits = load_splits(tmp_path / "s.parquet", faces)[:5]
    x = np.random.default_rng(0).normal(size=(len(faces), 6))
    x += 3 * np.random.default_rng(1).normal(size=(40, 6))[np.arange(len(faces)) // 6]
    study = SimpleNamespace(faces=faces, pairs=pairs, splits=splits)
    alike = Representation("φ", lambda _, rows: x[rows], "SN", splits=5)
    scaled = Representation("φ", lambda split, rows: x[rows] * (1 + 10 * split), "SN", splits=5)
    one = relative_distances(alike, study)[0]
    np.testing.assert_allclose(relative_distances(scaled, study)[0], one, rtol=1e-6)
    accuracy = np.mean([r["value"] for r in measure_verification(scaled, study) if r["rotation"] >= 0])
    assert accuracy > 85


def test_a_dead_representation_is_seen_as_dead():
    rng = np.random.default_rng(0)
    alive = rng.normal(size=(200, 16))
    dead = np.ones((200, 16)) + 1e-9 * alive
    dead[..., 0] += rng.normal(size=200)
    split = [Split(0, 0, *[np.arange(200)] * 4)]
    checks = [measure_collapse(Representation.of("φ", z), split) for z in (alive, dead)]
    rank = [next(r["value"] for r in rows if r["metric"] == "effective_rank") for rows in checks]
    assert rank[0] > 14 and rank[1] < 1.1


def test_summaries_average_seeds_before_rotations():
    cells = summarise(result_rows().query("task == 'emotion'"), ["representation"]).set_index("representation")
    assert cells.loc["x", "mean"] == pytest.approx(77.5) and cells.loc["x", "half_width"] == pytest.approx(
        interval(np.arange(5.0))[1]
    )
