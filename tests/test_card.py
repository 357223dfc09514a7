"""The model card beside every saved head: its numbers are the head's, the hub can read it, it names nobody."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from blindlib.backbones.compactnet import WEIGHTS
from blindlib.blinders import LEACE, LNTL, SensitiveNets
from blindlib.blinders.affine import SPLINCE, PCAControl
from blindlib.blinders.card import card
from blindlib.blinders.obliviator import Obliviator
from blindlib.blinders.training import TrainingSet
from blindlib.common.errors import InputError
from blindlib.common.files import ROOT
from blindlib.settings import LNTLSettings, SensitiveNetsSettings

QUICK = {"hidden": 8, "rounds": 4, "head_steps": 20, "detector": (8,), "identities": 8, "per_class": 8, "rate": 0.1}
SN = SensitiveNetsSettings(**QUICK)
WHO = np.repeat(np.arange(90), 3)  # the last of them shows nothing that is known


@pytest.fixture(scope="module")
def world():
    """90 people of 3 images in 8 dimensions, a mood along the first; the mood of every seventh image is not known."""
    rng = np.random.default_rng(0)
    mood = rng.integers(0, 3, 270)
    x = rng.normal(size=(90, 8))[WHO] + 0.3 * rng.normal(size=(270, 8))
    x[:, 0] += 2 * mood
    labels = np.array(["calm", "glad", "sad"], dtype=object)[mood]
    labels[::7] = None
    return x.astype(np.float32), labels


def front(text: str) -> dict:
    """The YAML between the first two lines of dashes."""
    return yaml.safe_load(re.match(r"---\n(.*?)\n---\n\n# ", text, re.S)[1])


def table(text: str) -> np.ndarray:
    """The numbers of the card's table, a row a split."""
    return np.array([line.strip("| ").split(" | ") for line in re.findall(r"^\| \d.*$", text, re.M)], float)


def test_the_card_of_a_head_with_validation_people_holds_what_its_history_holds(world, tmp_path):
    x, mood = world
    held = WHO >= 50
    names = np.array([f"Zebedee{person}" for person in WHO])
    head = SensitiveNets(1.0, settings=SN, device="cpu").fit(x, mood, identity=names, validation=held)
    text = head.save(tmp_path / "head.v1").with_name("head.v1.md").read_text()
    start, kept = head.history_[0], next(row for row in head.history_ if row["kept"])
    cost = 100 * (start["identity"] - kept["identity"]) / (start["identity"] - 50)
    values = [start["attribute"], kept["attribute"], start["identity"], kept["identity"], cost]
    np.testing.assert_allclose(table(text), [[0, 1, *values]], atol=0.051)
    assert (
        f"{(~held).sum()} images, 50 people" in text and '3 classes, `["calm", "glad", "sad"]`; chance 33.3 %' in text
    )
    assert "Zebedee" not in text and "Nothing: no people" not in text and "chose the\nround, so" in text
    settings = json.loads(re.search(r"\*\*Settings\*\*: `(.*)`", text)[1])
    assert settings["strength"] == 1.0 and settings["settings"]["hidden"] == 8


def test_the_card_of_a_bank_has_a_row_for_each_split_at_its_own_strength(world):
    x, mood = world
    codes = np.array([-1 if m is None else ["calm", "glad", "sad"].index(m) for m in mood])
    settings = replace(SN, strengths=(0.0, 0.5, 2.0))
    rows = [np.flatnonzero(np.isin(WHO, people)) for people in (range(30), range(40), range(40, 65), range(40, 65))]
    data = TrainingSet(
        x=torch.tensor(x),
        identity=WHO,
        attribute=codes,
        demographic=np.full(270, -1),
        part=np.zeros(270, int),
        head=rows[:2],
        validation=rows[2:],
        classes=("calm", "glad", "sad"),
    )
    bank = SensitiveNets(settings=settings, device="cpu").fit_splits(data, budget=5.0)
    bank.chosen_ = [2.0, 0.5]  # whatever was chosen: each split's row is of its own
    text = card(bank)
    wanted = [
        next(row for row in bank.history_ if row["kept"] and (row["split"], row["strength"]) == key)
        for key in ((0, 2.0), (1, 0.5))
    ]
    np.testing.assert_allclose(table(text)[:, [0, 1, 3, 5]], [[*map(row.get, KEYS)] for row in wanted], atol=0.051)
    assert "(split 0): 90 images, 30 people" in text and "(split 1): 120 images, 40 people" in text
    assert "round and λ, so" in text and "2, 0.5 (of each split); trained at 0, 0.5, 2" in text


KEYS = ("split", "strength", "attribute", "identity")


@pytest.mark.parametrize("eraser", [LEACE(), PCAControl(), Obliviator(rounds=1, epochs=1)], ids=lambda e: e.name)
def test_an_eraser_s_card_counts_those_whose_label_is_known_and_says_that_nothing_was_measured(world, eraser):
    x, mood = world
    known = np.array([m is not None for m in mood])
    only = known & (WHO < 60)
    text = card(eraser.fit(x, np.where(WHO < 60, mood, None), identity=WHO))
    assert f"{only.sum()} images, {len(np.unique(WHO[only]))} people" in text and "Nothing: no people" in text
    assert "nobody said of how many" in card(eraser.fit(x, mood)) and not len(table(text))


def test_splince_counts_those_too_whose_labels_stay(world):
    x, mood = world
    groups = np.where(WHO < 10, np.array(["a", "b"])[WHO % 2], None)
    text = card(SPLINCE().fit(x, np.where(WHO >= 80, mood, None), identity=WHO, demographic=groups))
    images = int((WHO < 10).sum() + sum(m is not None for m in mood[WHO >= 80]))
    assert f"{images} images, 20 people" in text


def test_a_head_without_validation_people_says_that_nothing_was_measured(world):
    x, mood = world
    settings = LNTLSettings(**QUICK | {"rounds": 1})
    text = card(LNTL(0.1, settings=settings, device="cpu").fit(x, mood))
    assert "Nothing: no people were held back" in text and "nobody said of how many people" in text
    assert "It reads 61 %." in card(LEACE().fit(x, mood), ["It reads 61 %."]) and "Nothing: no" not in card(
        LEACE().fit(x, mood), ["It reads 61 %."]
    )


def test_every_card_has_the_hub_s_front_matter_its_source_and_what_it_must_not_be_used_for(world):
    x, mood = world
    for blinder in (LEACE(), LNTL(settings=LNTLSettings(**QUICK | {"rounds": 1}), device="cpu")):
        text = card(blinder.fit(x, mood, identity=WHO))
        head = front(text)
        assert head["library_name"] == "blindlib" and head["license"] == "other" and head["license_name"]
        assert type(blinder).__name__.lower() in head["tags"] and head["pipeline_tag"] == "feature-extraction"
        assert re.search(r"\*\*Source\*\*: .*arXiv \d{4}\.\d{5}", text)
        for words in ("No proof", "No anonymity", "biometric data", "decide about persons", "recognise\nemotions"):
            assert words in text, words


def test_labels_of_any_kind_stay_inside_their_code_span(world):
    x, mood = world
    odd = {"calm": "`<b>`", "glad": "a | b", "sad": "c\n# d"}
    text = card(LEACE().fit(x, [odd.get(m) for m in mood]))
    assert text.count("`") == card(LEACE().fit(x, mood)).count("`") and "\n# d" not in text


def test_counts_are_loaded_and_files_that_have_none_load_still(world, tmp_path):
    x, mood = world
    head = LEACE().fit(x, mood, identity=WHO)
    file = head.save(tmp_path / "head")
    again = LEACE.load(file)
    assert again.people_ == head.people_ == [90] and again.images_ == head.images_ and again.classes_ == head.classes_
    meta = json.loads(file.with_suffix(".json").read_text())
    older = {key: value for key, value in meta.items() if key not in ("people", "images", "classes")}
    file.with_suffix(".json").write_text(json.dumps(older))
    old = LEACE.load(file)
    np.testing.assert_array_equal(old.transform(x), head.transform(x))
    assert "does not say how many people" in card(old) and "**Hides**: not known" in card(old)


def test_a_text_of_one_s_own_is_not_overwritten_and_a_card_is(world, tmp_path):
    head = LEACE().fit(*world)
    (tmp_path / "thesis.md").write_text("mine")
    with pytest.raises(InputError, match=r"thesis\.md: exists and is no model card"):
        head.save(tmp_path / "thesis")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.md"] and (
        tmp_path / "thesis.md"
    ).read_text() == "mine"
    head.save(tmp_path / "head", ["first"])
    head.save(tmp_path / "head", ["second"])
    text = (tmp_path / "head.md").read_text()
    assert "second" in text and "first" not in text


def test_the_backbone_s_stored_card_is_what_its_script_would_write_but_for_the_machine():
    from train_compactnet import Recipe, _card

    stored = WEIGHTS.with_suffix(".md").read_text(encoding="utf-8")
    mean, deviation = map(float, re.search(r"\*\*Verification\*\*: ([\d.]+) ± ([\d.]+) %", stored).groups())
    written, stored = (
        re.sub(r"\* \*\*Made on\*\*.*?(?=\n\* )", "", text, flags=re.S)
        for text in (_card(Recipe(), mean, deviation, 1.0), stored)
    )
    assert written == stored and "Made on" not in stored


def test_the_backbone_s_card_and_the_datasheet_read_as_the_hub_s_and_fit_the_code():
    from blindlib.settings import SynthSettings
    from blindlib.synthfaces.factors import FACTORS

    model = front(WEIGHTS.with_suffix(".md").read_text(encoding="utf-8"))
    assert model["license"] == "mit" and model["library_name"] == "blindlib"
    text = (ROOT / "blindlib" / "synthfaces" / "DATASHEET.md").read_text(encoding="utf-8")
    data, config = front(text), SynthSettings()
    people = config.demographics + config.emotion + config.folds * config.fold_people + config.attractive
    images = config.demographics * config.demographics_images + config.emotion * 7
    images += config.folds * config.fold_people * config.verification_images
    images += config.attractive * config.attractive_images
    assert f"{people:,} people, {images:,} photographs" in text and f"{len(FACTORS)} numbers" in text
    assert data["license"] == "mit" and data["size_categories"] == ["10K<n<100K"] and 10_000 < images < 100_000
