"""Ablations: heads of other forms, by their formula; other adversaries; longer training."""

import dataclasses
import types

import numpy as np
import pandas as pd
import pytest
import torch

from blindlib.appendix.ablations import _predict, ablate_form, changed_verdicts, compare_training, longer
from blindlib.appendix.synthetic_leaks import Leak, plant
from blindlib.blinders import LNTL, SensitiveNets
from blindlib.blinders.heads import ResidualHeads
from blindlib.data.facetable import make_facetable
from blindlib.data.splits import Split
from blindlib.presets import get_preset
from blindlib.settings import LNTLSettings, SensitiveNetsSettings

SHORT = {"hidden": 16, "rounds": 1, "head_steps": 3, "detector": (8,), "identities": 8, "per_class": 8, "rate": 0.03}


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("keep_norm", [True, False])
def test_a_head_is_its_formula(residual, keep_norm):
    g = torch.Generator().manual_seed(0)
    centre, scale, x = (
        torch.randn(2, 6, generator=g),
        torch.rand(2, generator=g) + 0.5,
        torch.randn(2, 5, 6, generator=g),
    )
    heads = ResidualHeads(4, centre, scale, g, residual=residual, keep_norm=keep_norm)
    with torch.no_grad():
        heads.up.add_(torch.randn(2, 4, 6, generator=g))
    for h in range(2):
        a = (x[h] - centre[h]) / scale[h] @ heads.down[h] + heads.bias[h]
        u = scale[h] * torch.cat([a[:, :2].relu(), a[:, 2:]], 1) @ heads.up[h] + residual * x[h]
        u = u * (x[h].norm(dim=1) / u.norm(dim=1))[:, None] if keep_norm else u
        torch.testing.assert_close(heads(x)[h], u)
        torch.testing.assert_close(heads.pick([h])(x[h : h + 1])[0], u)


def test_a_plain_head_is_loaded_as_a_plain_head(tmp_path):
    x, emotion, identity = plant(Leak("linear", 4.0), 20, dim=16)
    settings = LNTLSettings(residual=False, keep_norm=False, **SHORT)
    blinder = LNTL(0.1, settings=settings, device="cpu").fit(x, emotion, identity=identity)
    z = blinder.transform(x)
    assert np.linalg.norm(z - x, axis=1).min() > 0.1, "it does not start as the identity map"
    blinder.save(tmp_path / "head")
    np.testing.assert_array_equal(LNTL.load(tmp_path / "head").transform(x), z)


@pytest.fixture
def study():
    """A study of planted embeddings: 60 people, of two genders and two groups, in one split."""
    x, emotion, identity = plant(Leak("linear", 4.0), 60, dim=32)
    words = np.array(["neutral", "happiness", "sadness", "fear", "anger"])[emotion]
    frame = pd.DataFrame(
        {"image": [f"t/{n:03d}" for n in range(len(x))], "identity": identity.astype(str), "sha256": "0" * 64}
    )
    frame = frame.assign(
        emotion=words,
        gender=np.array(["female", "male"])[identity % 2],
        ethnicity=np.array(["a", "b"])[identity // 2 % 2],
    )
    x[:, 0] += 0.3 * (identity % 2)
    role = np.repeat(["head", "validation"], 300)
    head, validation = (np.flatnonzero(role == name) for name in ("head", "validation"))
    preset = get_preset("smoke", f"lntl.rounds=1; lntl.head_steps={SHORT['head_steps']}")
    return types.SimpleNamespace(
        faces=make_facetable(frame, "nowhere", name="t", provenance="synthetic"),
        embedded=[types.SimpleNamespace(x=x)],
        hidden=words,
        splits=[Split(0, 0, head, validation, validation, validation)],
        preset=preset,
    )


def test_every_form_of_the_head_is_judged_beside_x(study):
    table = ablate_form(study, 1.0)
    assert len(table) == 9 and not table.duplicated(["y", "head", "norm"]).any()
    x = table.iloc[0]
    assert x["head"] == "x" and x["ID"] > 90 and x["Gender"] > 60 and x["Emotion"] > 40
    assert table[["ID", "Gender", "Emotion"]].notna().all(axis=None)


def test_a_head_that_diverges_is_a_row_without_numbers(study, monkeypatch):
    def diverged(self, data):
        raise ValueError("Input X contains NaN.")

    monkeypatch.setattr(LNTL, "fit_splits", diverged)
    assert ablate_form(study, 1.0).iloc[1:]["ID"].isna().all()


def test_a_label_that_one_half_of_the_subjects_lacks_has_no_number():
    identity = np.repeat(np.arange(6), 2)
    z = np.random.default_rng(0).normal(size=(12, 3))
    assert np.isnan(_predict(z, np.where(identity == 0, "male", "female"), identity))
    assert 0 <= _predict(z, np.where(identity < 3, "male", "female"), identity) <= 100


def test_every_variant_of_the_adversaries_has_a_history_with_one_kept_state(study):
    settings = SensitiveNetsSettings(strengths=(1.0,), **SHORT)
    ways = {"both": settings, "means": dataclasses.replace(settings, network=False)}
    study.embedded[0].x = study.embedded[0].x.astype(np.float32)
    curves = compare_training(study, {way: SensitiveNets(settings=each) for way, each in ways.items()})
    assert curves.groupby("variant")["kept"].sum().eq(1).all() and set(curves["variant"]) == set(ways)
    assert {"round", "detector", "attribute", "identity"} <= set(curves)


def test_longer_training_has_twice_the_rounds_and_patience_and_is_not_trained():
    settings = SensitiveNetsSettings(rounds=3, patience=2)
    again = longer(SensitiveNets(settings=settings, random_state=4))
    assert again.settings == dataclasses.replace(settings, rounds=6, patience=4) and again.random_state == 4
    assert not hasattr(again, "heads_")


def test_a_verdict_that_changes_is_marked():
    before = pd.DataFrame({"id": ["C1", "C2"], "column": "paper", "verdict": ["replicated", "undecided"]})
    after = before.assign(verdict=["replicated", "replicated"], estimate=1.0, low=0.0, high=2.0)
    table = changed_verdicts(before, after).set_index("id")
    assert table["changed"].to_dict() == {"C1": False, "C2": True} and table.loc["C2", "before"] == "undecided"
