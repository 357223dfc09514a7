"""Blinders on pictures of another kind: what was planted alike is hidden there too, what lies elsewhere is not."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from blindlib.blinders import LEACE
from blindlib.common.errors import InputError
from blindlib.evaluate.transfer import COLUMNS, SHARES, Source, study_sources, transfer
from blindlib.report import plots_attacks


def source(axis, people=range(120), seed=0):
    """Six pictures of each person, half of them with an attribute that moves them along one axis."""
    rng, who = np.random.default_rng(seed), np.repeat(list(people), 6)
    told = np.tile(["no", "yes"], len(who) // 2)
    x = rng.normal(size=(len(who), 10))
    x[:, axis] += 4.0 * (told == "yes")
    return Source(x.astype(np.float32), told, who)


@pytest.fixture(scope="module")
def table():
    sources = {"a": source(0), "alike": source(0, range(120, 240), 1), "other": source(1, range(240, 360), 2)}
    sources["alike"] = replace(sources["alike"], attribute=sources["alike"].attribute.astype(object))  # as a table has
    return transfer(sources, {"LEACE": LEACE}, seeds=(0, 1))


def test_an_eraser_carries_over_where_the_leak_is_the_same_and_not_where_it_is_another(table):
    assert list(table) == list(COLUMNS) and len(table) == 3 * 2 + 3 * 3 * 2
    plain = table[table["method"] == "x"]
    assert (plain["mean"] > 90).all() and plain["diff"].isna().all() and (plain["mean"] == plain["x"]).all()
    linear = table[(table["method"] == "LEACE") & (table["attacker"] == "linear")]
    diff = linear.pivot(index="fitted_on", columns="attacked_on", values="diff")
    same = {("a", "a"), ("a", "alike"), ("alike", "a"), ("alike", "alike"), ("other", "other")}
    for fitted in diff.index:
        for attacked in diff.columns:
            value = diff.loc[fitted, attacked]
            assert value > 75 if (fitted, attacked) in same else abs(value) < 10, (fitted, attacked, value)
    assert len(plots_attacks.transfer_matrix(table).axes) == 3


def test_nobody_fits_trains_and_is_tested_whatever_source_they_stand_in():
    """The same people in two sources: a blinder and attackers that note whom they see."""
    seen = []

    class Noting:
        def fit(self, X, y, *, identity):
            self.fitted = set(identity)
            return self

        def transform(self, X):
            rows = {row.tobytes() for row in X}
            seen.append((self.fitted, {w for w, row in zip(who, x, strict=True) if row.tobytes() in rows}))
            return X

    a, b = source(0), source(1, seed=1)
    who, x = np.concatenate([a.identity, b.identity]), np.concatenate([a.x, b.x])
    transfer({"a": a, "b": b}, {"noting": Noting}, seeds=(0,))
    assert len(seen) == 2 * 2 * 2
    for n in range(0, len(seen), 2):
        (fitted, train), (_, test) = seen[n : n + 2]
        assert not fitted & train and not fitted & test and not train & test
        assert [len(fitted), len(train), len(test)] == [round(120 * share) for share in SHARES]


def test_sources_of_two_backbones_are_refused_and_too_small_ones_left_out():
    wide = Source(np.zeros((720, 12), np.float32), source(0).attribute, source(0).identity)
    with pytest.raises(InputError, match="one backbone"):
        transfer({"a": source(0), "b": wide}, {})
    assert transfer({"a": source(0), "b": source(0, range(4))}, {"LEACE": LEACE}).empty
    assert transfer({}, {"LEACE": LEACE}).empty
    assert plots_attacks.transfer_matrix(transfer({}, {})) is None


def test_a_study_s_sources_are_its_labelled_people_and_share_none():
    frame = pd.DataFrame({"identity": np.repeat(list("abcdefgh"), 2)})
    frame["smiling"] = pd.array([None] * 6 + [True, False] * 5, dtype="boolean")
    hidden = np.array(["anger", "fear"] * 4 + [None] * 8, object)
    x = SimpleNamespace(rows=lambda _, rows: np.arange(32.0).reshape(16, 2)[rows])
    study = SimpleNamespace(x=x, faces=SimpleNamespace(frame=frame), hidden=hidden)
    study.faces = type("Faces", (), {"frame": frame, "__len__": lambda self: 16})()
    sources = study_sources(study)
    assert list(sources) == ["emotion, half 1", "emotion, half 2", "smiling"]
    people = [set(each.identity) for each in sources.values()]
    assert people[0] | people[1] == set("abcd") and not people[0] & people[1]
    assert people[2] == set("efgh"), "d smiles too, but has an emotion"
    assert set(sources["smiling"].attribute) == {"smiling", "not smiling"}
    assert list(study_sources(replace_hidden(study))) == ["smiling"]


def replace_hidden(study):
    return SimpleNamespace(x=study.x, faces=study.faces, hidden=np.full(16, None, object))
