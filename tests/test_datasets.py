"""Every adaptor on its data set's true layout, in miniature; which data set fills which role; consent."""

import hashlib
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import blindlib.data
from blindlib.cli import app
from blindlib.common.errors import InputError
from blindlib.common.files import sha256
from blindlib.data import source
from blindlib.data.catalogue import CATALOGUE, SYNTHETIC, no_data, status
from blindlib.data.facetable import for_faces, load_facetable
from blindlib.data.readers import celeba
from blindlib.data.readers.celeba import load_celeba
from blindlib.data.readers.cfee import emotion_of, load_cfee
from blindlib.data.readers.diveface import PUBLISHED, load_diveface
from blindlib.data.readers.fairface import load_fairface
from blindlib.data.source import LOADERS, load_source, source_state
from blindlib.data.splits import deal, load_splits, save_splits
from blindlib.presets import PRESETS
from blindlib.settings import BASIC_EMOTIONS, COMPOUND_EMOTIONS


@pytest.fixture
def data(miniatures, tmp_path, monkeypatch):
    """A copy of the miniature data sets that a test may spoil, named as the data folder."""
    shutil.copytree(miniatures, tmp_path / "data")
    monkeypatch.setenv("BLINDLIB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.mark.parametrize("name", LOADERS)
def test_every_loader_gives_the_same_validated_table(miniatures, name):
    faces = LOADERS[name](miniatures / name)
    assert len(faces) and all(file.is_file() for file in faces.files)
    assert list(faces.frame["image"]) == sorted(faces.frame["image"]) and faces.frame["image"].is_unique
    assert faces.notes and all(isinstance(counts, dict) for counts in faces.notes.values())


def test_diveface_is_balanced_by_its_first_three_images(miniatures):
    balanced, full = load_diveface(miniatures / "diveface"), load_diveface(miniatures / "diveface", everything=True)
    assert balanced.frame["identity"].value_counts().eq(3).all() and full.frame["identity"].value_counts().eq(4).all()
    by = balanced.frame.groupby(["gender", "ethnicity"])["identity"].nunique()
    assert by.index.tolist() == [(g, f"group {n}") for g in ("female", "male") for n in (1, 2, 3)] and by.nunique() == 1
    line = (miniatures / "diveface/files/Group2_Male.txt").read_text().splitlines()[3]
    assert f"images/{line}" not in set(balanced.frame["image"]) and f"images/{line}" in set(full.frame["image"])
    row = full.frame.set_index("image").loc[f"images/{line}"]
    assert (row["gender"], row["ethnicity"], row["identity"]) == ("male", "group 2", line.split("/")[0])


def test_diveface_as_its_script_sorts_it_is_read_too(data):
    root = data / "diveface"
    expected = load_diveface(root).frame
    for name in PUBLISHED:
        for line in (root / "files" / f"{name}.txt").read_text().split():
            (root / name / line).parent.mkdir(parents=True, exist_ok=True)
            (root / "images" / line).rename(root / name / line)
        (root / "files" / f"{name}.txt").rename(root / f"{name}.txt")
    assert sorted(load_diveface(root).frame["sha256"]) == sorted(expected["sha256"])


def test_cfee_reads_codes_or_folders_and_leaves_compounds_out_on_request(data):
    root = data / "cfee"
    faces = load_cfee(root, everything=True)
    assert set(faces.frame["emotion"]) == {"neutral", *BASIC_EMOTIONS, *COMPOUND_EMOTIONS}
    file = "05-08/Images2/" + next((root / "05-08/Images2").glob("07_112_*")).name
    row = faces.frame.set_index("image").loc[file]
    assert (row["identity"], row["emotion"]) == ("112", "disgust")
    basic = load_cfee(root)
    assert set(basic.frame["emotion"]) == {"neutral", *BASIC_EMOTIONS}
    assert basic.notes["CFEE"]["passed over"] == len(COMPOUND_EMOTIONS) == len(faces) - len(basic)
    for n, (image, subject, emotion) in enumerate(basic.frame[["image", "identity", "emotion"]].to_numpy()):
        folder = data / "sorted" / subject / emotion.upper()
        folder.mkdir(parents=True)
        if n % 2:
            (root / image).rename(folder / "photo.jpg")
        else:
            Image.open(root / image).save(folder / "photo.png")
    again = load_cfee(data / "sorted").frame
    assert sorted(again["identity"] + again["emotion"]) == sorted(basic.frame["identity"] + basic.frame["emotion"])
    assert [emotion_of(w) for w in ("Happy", "Sadly_Angry", " AWED ")] == ["happiness", "sadly angry", "awed"]


def test_celeba_takes_labels_identities_and_counts_partitions(miniatures):
    root = miniatures / "celeba"
    faces = load_celeba(root)
    rows = [line.split() for line in (root / "list_attr_celeba.txt").read_text().splitlines()[2:]]
    for file, attractive, male, smiling, _ in rows[::7]:
        row = faces.frame.set_index("image").loc[file]
        assert (row["attractive"], row["smiling"]) == (attractive == "1", smiling == "1")
        assert row["gender"] == ("male" if male == "1" else "female")
    identity = dict(line.split() for line in (root / "identity_CelebA.txt").read_text().splitlines())
    assert dict(zip(faces.frame["image"], faces.frame["identity"], strict=True)) == identity
    counts = faces.notes["CelebA"]
    assert counts["train"] + counts["validation"] + counts["test"] == counts["listed"] == len(faces)
    assert counts["people in two partitions"] == 0


def test_fairface_names_nobody_and_keeps_seven_groups(miniatures):
    faces = load_fairface(miniatures / "fairface")
    assert (faces.frame["identity"] == faces.frame["image"]).all()
    assert set(faces.frame["ethnicity"]) <= {"east asian", "white", "black"}
    assert set(faces.frame["gender"]) == {"female", "male"}
    assert {image.split("/")[0] for image in faces.frame["image"]} == {"train", "val"}


def test_the_names_meant_for_others_are_those_of_the_modules():
    assert blindlib.data.load_celeba is load_celeba and blindlib.data.load_source is load_source
    assert all(getattr(blindlib.data, name) for name in blindlib.data.__all__)
    assert not hasattr(blindlib.data, "load_imagenet")


def test_the_paper_s_roles_span_four_data_sets_and_pairs_stay_pairs(data, tmp_path):
    faces, pairs = load_source(PRESETS["paper"])
    own = {"lfw": "verification", "diveface": "demographics", "cfee": "emotion", "celeba": "attractive"}
    assert faces.parts == {name: (role,) for name, role in own.items()} and faces.notes["roles"] == {
        role: name for name, role in own.items()
    }
    told = faces.frame.groupby(faces.part.to_numpy())[["emotion", "gender", "smiling"]].agg(lambda c: c.notna().mean())
    assert told.loc["cfee"].tolist() == [1, 0, 0], "CFEE tells expression alone"
    assert told.loc["celeba"].tolist() == [0, 0, 1], "CelebA's gender is not asked for"
    assert told.loc["lfw"].tolist() == [0, 0, 0] and told.loc["diveface"].tolist() == [0, 1, 0]
    identity = faces.frame["identity"].to_numpy()
    assert ((identity[pairs["left"]] == identity[pairs["right"]]) == pairs["same"]).all()
    assert set(faces.part[pairs["left"]]) == {"lfw"} and all(file.is_file() for file in faces.files)
    assert faces.provenance == "synthetic", "a miniature is never taken for the paper's data"
    again = load_facetable(faces.save(tmp_path / "faces.parquet"))
    assert (again.files, again.parts, again.provenances) == (faces.files, faces.parts, faces.provenances)


def test_only_complete_and_published_sets_count_as_the_paper_s(data, monkeypatch):
    for marker in data.rglob(SYNTHETIC):
        marker.unlink()
    part, _ = load_source(PRESETS["paper"])
    assert part.provenance == "substitute" and set(part.provenances.values()) == {"substitute"}, (
        "miniatures without their marker"
    )
    published = {name: sha256(data / "diveface/files" / f"{name}.txt")[:8] for name in PUBLISHED}
    monkeypatch.setattr("blindlib.data.readers.diveface.PUBLISHED", published)
    md5 = {n: hashlib.md5((data / "celeba" / n).read_bytes()).hexdigest() for n in celeba.PUBLISHED}
    monkeypatch.setattr("blindlib.data.readers.celeba.PUBLISHED", md5)
    monkeypatch.setattr("blindlib.data.readers.cfee.SUBJECTS", 6)
    faces, _ = load_source(PRESETS["paper"])
    assert {faces.provenance_of(label) for label in ("gender", "emotion", "attractive")} == {"real"}
    assert faces.provenance_of("identity") == "substitute", "16 pairs are not View 2"
    assert faces.provenance_of("emotion", trained=True) == "substitute" == faces.provenance, (
        "no better than what it was trained on"
    )
    monkeypatch.setattr(source, "VIEW2", 16)
    assert load_source(PRESETS["paper"])[0].provenance == "real"
    assert load_source(PRESETS["open"])[0].provenance_of("emotion") == "substitute", "whatever it is, it is not CFEE"


def test_gender_alone_fills_the_demographic_role_where_no_set_has_both(data):
    """LFW with people's gender labels and without the machine's scores, and nothing else."""
    for name in set(LOADERS) - {"lfw"}:
        shutil.rmtree(data / name)
    (data / "lfw/lfw_attributes.txt").unlink()
    names = sorted(path.name for path in (data / "lfw/lfw").glob("*/*.jpg"))
    for file, part in (("male_names.txt", names[::2]), ("female_names.txt", names[1::2])):
        (data / "lfw" / file).write_text("\r\n".join(part))
    faces, _ = load_source(PRESETS["open"])
    assert faces.notes["roles"]["demographics"] == "lfw" and faces.has("gender") and not faces.has("ethnicity")
    assert faces.frame["gender"].value_counts().to_dict() == {"male": len(names[::2]), "female": len(names[1::2])}


def test_data_that_fill_no_role_stop_and_idle_ones_are_named(data, monkeypatch):
    table = pd.read_csv(data / "manifest/faces.csv")
    table[["image", "identity", "gender"]].to_csv(data / "manifest/faces.csv", index=False)
    faces, _ = load_source(PRESETS["open"])
    assert faces.notes["roles"]["here, but not used"] == "manifest", "gender without ethnicity, which others have"
    for name in set(LOADERS) - {"manifest"}:
        shutil.rmtree(data / name)
    table[["image", "identity"]].to_csv(data / "manifest/faces.csv", index=False)
    with pytest.raises(InputError, match="the labels of no role"):
        load_source(PRESETS["open"])


def test_expressions_without_the_penalty_s_class_are_refused(data):
    table = pd.read_csv(data / "manifest/faces.csv")
    table[table["emotion"] != "neutral"].to_csv(data / "manifest/faces.csv", index=False)
    with pytest.raises(InputError, match="and neutral, are needed"):
        load_source(PRESETS["open"])


def test_open_takes_people_s_labels_before_a_machine_s(data):
    shutil.rmtree(data / "manifest")
    faces, _ = load_source(PRESETS["open"])
    assert faces.notes["roles"] == {
        "verification": "lfw",
        "demographics": "fairface",
        "emotion": "lfw",
        "attractive": "celeba",
    }
    for name in ("fairface", "celeba", "cfee", "diveface"):
        shutil.rmtree(data / name)
    faces, _ = load_source(PRESETS["open"])
    assert faces.parts == {"lfw": ("verification", "demographics", "emotion", "attractive")}
    assert for_faces(PRESETS["open"], faces).emotions == ("neutral", "happiness"), "LFW's rarer labels are not used"


@pytest.mark.parametrize("gone", ["lfw", "diveface", "cfee", "celeba"])
def test_what_is_absent_is_named_with_the_way_to_it(data, gone):
    shutil.rmtree(data / gone)
    faces, pairs = load_source(PRESETS["paper"])
    role = {"lfw": "verification", "diveface": "demographics", "cfee": "emotion", "celeba": "attractive"}[gone]
    assert "no data" in faces.notes["roles"][role] and CATALOGUE[gone].address in faces.notes["roles"][role]
    label = {"cfee": "emotion", "diveface": "gender", "celeba": "attractive", "lfw": "pairs"}[gone]
    assert len(pairs) == 0 if gone == "lfw" else not faces.has(label)
    words = no_data(faces, label)
    assert CATALOGUE[gone].title in words and CATALOGUE[gone].how in words and label in words


def test_nobody_of_the_case_study_trains_a_head_and_no_pair_is_met(data, tmp_path):
    preset = PRESETS["paper-smoke"]
    faces, pairs = load_source(preset)
    save_splits(deal(faces, pairs, preset), tmp_path / "s.parquet")
    part = faces.part.to_numpy()
    for split in load_splits(tmp_path / "s.parquet", faces):
        assert set(part[split.head]) == {"diveface", "cfee"}
        assert set(part[np.concatenate([split.head, split.validation, split.probe])]) == {"diveface", "cfee", "celeba"}
        assert set(part[split.test]) == {"lfw", "diveface", "cfee", "celeba"}


def test_no_data_at_all_and_a_folder_that_is_not_there_stop(tmp_path, monkeypatch):
    monkeypatch.setenv("BLINDLIB_DATA", str(tmp_path / "nothing"))
    with pytest.raises(InputError, match="none of its data sets"):
        source_state(PRESETS["paper"])
    monkeypatch.setenv("BLINDLIB_CELEBA", str(tmp_path / "elsewhere"))
    with pytest.raises(InputError, match="CelebA was said to be here"):
        source_state(PRESETS["paper"])


def test_the_state_changes_with_the_data(data):
    before = source_state(PRESETS["paper"])
    assert source_state(PRESETS["paper"]) == before
    image = next((data / "celeba").rglob("*.jpg"))
    image.write_bytes(image.read_bytes() + b" ")
    assert source_state(PRESETS["paper"]) != before
    (data / "lfw" / "pairs.txt").unlink()
    with pytest.raises(InputError, match=r"is no folder of LFW: it lacks pairs\.txt → complete it"):
        source_state(PRESETS["paper"])


def test_the_catalogue_counts_and_tells_what_to_do(data):
    table = status().set_index("name")
    assert table.loc["DiveFace", "images"] == 48
    assert not table.loc["SFace", "present"] and table.loc["CFEE", "present"] and (table["how"].str.len() > 5).all()
    shutil.rmtree(data / "lfw")
    assert not status().set_index("name").loc["LFW", "present"]


@pytest.mark.parametrize("name", ["cfee", "diveface", "celeba", "fairface"])
def test_what_asks_for_consent_prints_its_terms_and_is_not_downloaded(name, monkeypatch, capsys):
    monkeypatch.setattr("requests.get", lambda *a, **k: pytest.fail("it went to the network"))
    with pytest.raises(InputError, match="is not downloaded for you"):
        app(["data", "fetch", name], standalone_mode=False)
    told = capsys.readouterr().out
    assert CATALOGUE[name].address in told and CATALOGUE[name].terms in told


def test_every_data_set_has_a_loader_and_a_role():
    named = {
        name for preset in PRESETS.values() if preset.sources for names in preset.sources.values() for name in names
    }
    assert named == set(LOADERS) == set(CATALOGUE)
