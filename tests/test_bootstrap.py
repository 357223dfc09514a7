"""Intervals by drawing people and trainings anew: slow loops give the same, and they cover what is true."""

import numpy as np
import pandas as pd
import pytest

from blindlib.common.errors import InputError
from blindlib.common.work import derive_seed
from blindlib.evaluate.bootstrap import HITS, bootstrap_by_person, compare_intervals, hits_of
from blindlib.evaluate.results import summarise, tidy
from blindlib.metrics import balanced_accuracy, diff

CLASSES, PEOPLE = 4, 30


def hits_in(rate, *, rotations=5, seeds=1, spread=0.0, rng, people=PEOPLE, alike=0.15):
    """Hits of x and φ, read at the rates `rate`: a person is easy or hard for both, each training better or worse."""
    shape = (rotations, seeds, people, CLASSES)
    rotation, seed, person, truth = (index.ravel() for index in np.indices(shape))
    ease, better = rng.uniform(-alike, alike, (rotations, 1, people, 1)), rng.normal(0, spread, (2, rotations, seeds))
    table = {"probe": "NN", "rotation": rotation, "seed": seed if seeds > 1 else rotation}
    table |= {"person": people * rotation + person, "truth": truth}
    tables = []
    for name, own, trained in zip(("x", "φ"), rate, better, strict=True):
        hit = rng.random(shape) < own + ease + trained[..., None, None]
        tables.append(pd.DataFrame({"representation": name, **table, "hit": hit.ravel()})[list(HITS)])
    return tables


def slow_accuracy(own, people):
    """Of one rotation, its people in a list that may repeat them: the mean of its seeds' balanced accuracies."""
    values = []
    for _, rows in own.groupby("seed"):
        drawn = pd.concat([rows[rows["person"] == person] for person in people])
        truth = drawn["truth"].to_numpy()
        values.append(balanced_accuracy(truth, np.where(drawn["hit"], truth, -1)))
    return np.mean(values)


@pytest.mark.parametrize(("rotations", "seeds"), [(5, 1), (3, 2), (1, 1)])
def test_slow_loops_over_repeated_rows_give_the_same_interval(rotations, seeds):
    draws, rng = 12, np.random.default_rng(1)
    x, phi = hits_in((0.7, 0.5), rotations=rotations, seeds=seeds, spread=0.05, rng=rng, people=8)
    gone = x["person"].isin([0, 1, 2]) & (x["truth"] == 3)  # so that a draw may be without this class
    x, phi = x[~gone], phi[~gone.to_numpy()]
    told = bootstrap_by_person(phi, x, draws=draws, seed=7)
    rng = np.random.default_rng(derive_seed(7, "bootstrap"))
    drawn, values = np.zeros((2, draws, rotations)), np.zeros((2, rotations))
    for rotation in range(rotations):
        own = [table[table["rotation"] == rotation] for table in (phi, x)]
        people = np.unique(own[0]["person"])
        weights = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), draws)
        for n, table in enumerate(own):
            values[n, rotation] = slow_accuracy(table, people)
            drawn[n, :, rotation] = [slow_accuracy(table, np.repeat(people, weight)) for weight in weights]
    student = rng.standard_t(rotations - 1, draws) if rotations > 1 else None

    def ends(by_rotation, by_people):
        moved = np.zeros(draws)
        if rotations > 1:
            between = sum((value - np.mean(by_rotation)) ** 2 for value in by_rotation) / (rotations - 1)
            beyond = between / rotations - np.mean((by_people - np.mean(by_people)) ** 2)
            moved = np.array([beyond**0.5 * t if beyond > 0 else 0.0 for t in student])
        return np.percentile(by_people + moved, [2.5, 97.5])

    assert told["mean"] == pytest.approx(values[0].mean())
    assert [told["low"], told["high"]] == pytest.approx(ends(values[0], drawn[0].mean(1)))
    (of_phi, of_x), lost = values.mean(1), diff(values[1].mean(), values[0].mean(), 25)
    slope_x, slope_phi = 100 * (of_phi - 25) / (of_x - 25) ** 2, -100 / (of_x - 25)  # of Diff, by its derivatives
    linear = lost + slope_x * (values[1] - of_x) + slope_phi * (values[0] - of_phi)
    by_people = [diff(b, a, 25) for a, b in zip(*drawn.mean(2), strict=True)]
    assert told["diff"] == pytest.approx(lost)
    assert [told["diff_low"], told["diff_high"]] == pytest.approx(ends(linear, by_people))


@pytest.mark.parametrize("spread", [0.0, 0.06])
def test_nineteen_of_twenty_intervals_cover_what_is_true(spread):
    """Whether trainings do not matter or far more than people do; other people and other trainings in every world."""
    rng, rate, worlds = np.random.default_rng(11), (0.7, 0.45), 300
    covered = np.zeros(2)
    for world in range(worlds):
        x, phi = hits_in(rate, spread=spread, rng=rng)
        told = bootstrap_by_person(phi, x, draws=200, seed=world)
        covered += [
            told["low"] <= 100 * rate[1] <= told["high"],
            told["diff_low"] <= diff(100 * rate[0], 100 * rate[1], 25) <= told["diff_high"],
        ]
    assert ((covered / worlds >= 0.90) & (covered / worlds <= 0.98)).all(), covered / worlds


def test_people_who_are_hard_for_x_and_phi_alike_make_diff_no_less_certain():
    """Drawn in pairs, what both have in common cancels; x and φ of other draws would not."""
    rng, people = np.random.default_rng(0), 300
    x, phi = hits_in((0.7, 0.65), rotations=1, rng=rng, people=people, alike=0.3)
    paired = bootstrap_by_person(phi, x)
    apart = bootstrap_by_person(phi.assign(person=rng.permutation(people)[phi["person"]]), x)
    assert paired["diff"] == pytest.approx(apart["diff"])
    assert paired["diff_high"] - paired["diff_low"] < 0.9 * (apart["diff_high"] - apart["diff_low"])


def test_hits_of_other_images_are_refused():
    x, phi = hits_in((0.7, 0.5), rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="other test images"):
        bootstrap_by_person(phi[phi["person"] != 3], x)
    with pytest.raises(InputError, match="other test images"):
        bootstrap_by_person(phi[phi["rotation"] != 3], x)


def test_rows_of_attackers_become_hits_without_names_and_the_t_interval_is_that_of_the_results():
    rng, codes = np.random.default_rng(0), np.tile([0, 1, 1, -1], 30)
    identity = np.repeat([f"name {n}" for n in range(30)], 4)
    rows = []
    for probe, protocol in (("NN", "B"), ("NN", "A"), ("linear", "ladder")):
        for rotation in range(3):
            tested = np.flatnonzero((codes >= 0) & (np.arange(120) // 40 == rotation))
            guess = rng.integers(2, size=len(tested))
            row = {"tested": tested, "guess": guess, "balanced_accuracy": balanced_accuracy(codes[tested], guess)}
            counts = {"n_train_subjects": 1, "n_test_subjects": 1, "n_test": 1, "chance": 50.0}
            keys = {"probe": probe, "protocol": protocol, "rotation": rotation, "seed": rotation}
            rows.append({**keys, **row, **counts})
    hits = hits_of("x", rows, codes, identity)
    assert list(hits) == list(HITS) and len(hits) == 90, "protocol B alone"
    assert not hits.astype(str).apply(lambda column: column.str.contains("name")).any(axis=None)
    table = compare_intervals(hits)
    told = summarise(tidy(rows, ("balanced_accuracy",)).query("protocol == 'B'"), ["probe"])
    assert table["mean"].item() == pytest.approx(told["mean"].item())
    assert table["t"].item() == pytest.approx(told["half_width"].item()) and table["people"].item() == 30
    assert compare_intervals(pd.DataFrame(columns=list(HITS))).empty
