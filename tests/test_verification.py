"""Verification against slow loops and hand-made cases."""

import numpy as np
import pandas as pd
import pytest

from blindlib.evaluate.verification import (
    best_threshold,
    equal_error_rate,
    fold_thresholds,
    mean_roc,
    pair_distances,
    roc,
    tar_at_far,
)


def world(seed, n=60):
    rng = np.random.default_rng(seed)
    same = rng.random(n) < 0.5
    return np.round(rng.normal(size=n) + 1.2 * ~same, 1), same, np.arange(n) % 5


def balanced(guess, same):
    return (guess[same].mean() + (~guess[~same]).mean()) / 2


def test_more_pairs_of_one_kind_set_no_more_lenient_threshold():
    distance, same, _ = world(3, 300)
    many = np.concatenate([np.flatnonzero(same)] * 5 + [np.flatnonzero(~same)])
    assert best_threshold(distance[many], same[many]) == pytest.approx(best_threshold(distance, same))


def test_the_mean_roc_averages_curves_not_distances():
    distance, same, _ = world(4, 200)
    curve = roc(distance, same)
    one, twice = mean_roc([distance], same), mean_roc([distance, 10 * distance], same)
    pd.testing.assert_frame_equal(one, twice)
    for far, tar in one.itertuples(index=False):
        assert tar == pytest.approx(curve.loc[curve["far"] <= far + 1e-9, "tar"].max())


def test_distances_of_more_pairs_than_a_block_are_the_slow_loop_s():
    rng = np.random.default_rng(0)
    features, ends = rng.normal(size=(50, 7)).astype(np.float32), rng.integers(0, 50, (2, 1100))
    pairs = pd.DataFrame({"left": ends[0], "right": ends[1]}, index=rng.permutation(1100))
    slow = [np.linalg.norm(features[a].astype(float) - features[b]) for a, b in ends.T]
    np.testing.assert_allclose(pair_distances(features, pairs), slow)


@pytest.mark.parametrize("seed", range(5))
def test_a_fold_s_threshold_is_the_slow_search_over_the_other_folds(seed):
    distance, same, fold = world(seed)
    got = fold_thresholds(np.tile(distance, (5, 1)), same, fold, np.zeros((5, 60), bool))
    for k, threshold in enumerate(got):
        train = fold != k
        best = max(balanced(distance[train] <= t, same[train]) for t in [-99.0, *distance[train]])
        assert balanced(distance[train] <= threshold, same[train]) == pytest.approx(best)


def test_neither_a_fold_s_own_pairs_nor_people_seen_by_its_head_set_its_threshold():
    distance = np.array([[1, 2, 11, 12, 50, 60.0]]).repeat(3, 0)
    same = np.array([True, False] * 3)
    fold = np.array([0, 0, 1, 1, 2, 2])
    nothing = np.zeros((3, 6), bool)
    seen = nothing.copy()
    seen[0, 4:] = True
    assert 11 <= fold_thresholds(distance, same, fold, seen)[0] < 12, "fold 0 learns from fold 1 alone"
    seen[1, 4:] = True
    assert 1 <= fold_thresholds(distance, same, fold, seen)[1] < 2, "fold 1 learns from fold 0 alone"
    distance[0, :2] = 999
    assert 11 <= fold_thresholds(distance, same, fold, seen)[0] < 12


def test_roc_eer_and_tar_of_a_case_done_by_hand():
    distance = np.array([1, 2, 3, 6, 4, 5, 7, 8.0])
    same = np.array([True, True, True, True, False, False, False, False])
    curve = roc(distance, same)
    assert equal_error_rate(curve) == pytest.approx(25)
    assert tar_at_far(curve, 1e-3) == pytest.approx(75)
    assert tar_at_far(curve, 0.5) == pytest.approx(100)


@pytest.mark.parametrize("seed", range(5))
def test_eer_lies_where_both_error_rates_meet(seed):
    distance, same, _ = world(seed, 400)
    rates = [(np.mean(distance[~same] <= t), np.mean(distance[same] > t)) for t in np.unique(distance)]
    closest = min(rates, key=lambda r: abs(r[0] - r[1]))
    assert equal_error_rate(roc(distance, same)) / 100 == pytest.approx(
        np.mean(closest), abs=abs(np.subtract(*closest))
    )


def test_distance_is_euclid_s():
    features = np.arange(6, dtype=np.float32).reshape(3, 2)
    pairs = pd.DataFrame({"left": [0, 0], "right": [1, 2]})
    assert pair_distances(features, pairs).tolist() == pytest.approx([np.sqrt(8), np.sqrt(32)])
