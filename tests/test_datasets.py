"""Every adaptor on its data set's true layout, in miniature; which data set fills which role; archives; consent."""

import hashlib
import os
import shutil
import tarfile
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import blindlib.data
from blindlib.cli import app
from blindlib.common.errors import InputError
from blindlib.common.files import sha256
from blindlib.data import download as archives
from blindlib.data import source
from blindlib.data.catalogue import CATALOGUE, SYNTHETIC, no_data, status
from blindlib.data.facetable import for_faces, load_facetable
from blindlib.data.miniatures import WRITERS, write_clip, write_miniatures
from blindlib.data.readers import celeba, cremad
from blindlib.data.readers.celeba import load_celeba
from blindlib.data.readers.cfee import emotion_of, load_cfee
from blindlib.data.readers.cremad import apex_index, load_cremad, read_apex
from blindlib.data.readers.diveface import PUBLISHED, load_diveface
from blindlib.data.readers.fairface import load_fairface
from blindlib.data.readers.lfw import load_lfw, read_pairs
from blindlib.data.readers.manifest import load_manifest
from blindlib.data.source import LOADERS, load_source, source_state
from blindlib.data.splits import deal, load_splits, save_splits
from blindlib.presets import PRESETS, get_preset
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
    assert set(CATALOGUE) == set(LOADERS), "what can be read is in the catalogue, and the other way round"


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
    assert set(faces.frame["ethnicity"]) <= {"east asian", "white", "black"} and set(faces.frame["gender"]) == {
        "female",
        "male",
    }
    assert {image.split("/")[0] for image in faces.frame["image"]} == {"train", "val"}


def test_cremad_keeps_one_frame_a_clip_private_and_reads_it_once(miniatures, monkeypatch):
    faces = load_cremad(miniatures / "cremad")
    assert set(faces.frame["emotion"]) == {"neutral", *BASIC_EMOTIONS} - {"surprise"}
    assert faces.root.stat().st_mode & 0o077 == 0 and faces.files[0].suffix == ".png"
    row = faces.frame.set_index("image").loc["1002_IEO_HAP_XX.png"]
    assert (row["identity"], row["emotion"], row["gender"]) == ("1002", "happiness", "male")
    monkeypatch.setattr("blindlib.data.readers.cremad.read_apex", lambda clip: pytest.fail("decoded again"))
    pd.testing.assert_frame_equal(load_cremad(miniatures / "cremad").frame, faces.frame)


def test_a_clip_s_frame_is_never_taken_for_another_clip_s(miniatures, data, monkeypatch):
    """Another folder whose clips have the same names and are older, and a clip that an older one takes the place of."""
    load_cremad(miniatures / "cremad")
    clips = sorted((data / "cremad/VideoFlash").glob("*.flv"))
    for time, other in ((1_400_000_000, clips[-1]), (1_300_000_000, clips[1])):
        clips[0].write_bytes(other.read_bytes())
        for clip in clips:
            os.utime(clip, (time, time))
        hashes = load_cremad(data / "cremad").frame.set_index("image")["sha256"]
        assert hashes[f"{clips[0].stem}.png"] == hashes[f"{other.stem}.png"]
    monkeypatch.setattr("blindlib.data.readers.cremad.read_apex", lambda clip: pytest.fail("decoded again"))
    load_cremad(miniatures / "cremad"), load_cremad(data / "cremad")


@pytest.mark.parametrize("name", ["diveface", "celeba", "cfee"])
def test_a_byte_order_mark_before_a_list_is_passed_over(data, name):
    """Spreadsheets write one."""
    expected = LOADERS[name](data / name).frame
    for file in [*(data / name).rglob("Group*.txt"), *(data / name).glob("[ilc]*.*")]:
        file.write_text("\ufeff" + file.read_text())
    pd.testing.assert_frame_equal(LOADERS[name](data / name).frame, expected)


def test_a_clip_may_lack_the_second_x_as_one_of_them_does(data):
    (data / "cremad/SentenceFilenames.csv").unlink()
    clip = data / "cremad/VideoFlash/1002_IEO_SAD_XX.flv"
    clip.rename(clip.with_stem("1002_IEO_SAD_X"))
    assert "1002_IEO_SAD_X.png" in set(load_cremad(data / "cremad").frame["image"])


def test_an_actor_of_unknown_ethnicity_has_none(data):
    table = pd.read_csv(data / "cremad/VideoDemographics.csv")
    table.assign(Race="Unknown").to_csv(data / "cremad/VideoDemographics.csv", index=False)
    faces = load_cremad(data / "cremad")
    assert not faces.has("ethnicity") and faces.has("gender")


def test_the_names_meant_for_others_are_those_of_the_modules():
    assert blindlib.data.load_celeba is load_celeba and blindlib.data.load_source is load_source
    assert all(getattr(blindlib.data, name) for name in blindlib.data.__all__)
    assert not hasattr(blindlib.data, "load_imagenet")


def test_the_apex_is_where_the_face_has_moved_most(tmp_path):
    still = np.zeros((20, 6, 8))
    still[8:13] += np.array([1, 2, 3, 2, 1])[:, None, None]
    still[4] += 3.5  # a blink: one frame
    assert apex_index(still) == 10
    moving = np.full((20, 64, 64, 3), 90, np.uint8)
    for n in range(20):
        moving[n, 20:40, 20:40] = 90 + 12 * (10 - abs(n - 10))
    write_clip(tmp_path / "clip.flv", moving)
    apex = np.asarray(read_apex(tmp_path / "clip.flv"))
    assert apex.shape == (360, 480, 3) and abs(int(apex[170, 220].mean()) - 210) < 12


def test_a_clip_of_huge_frames_or_without_end_is_not_decoded(tmp_path, monkeypatch):
    write_clip(tmp_path / "clip.flv", np.full((20, 64, 64, 3), 90, np.uint8))
    monkeypatch.setattr("blindlib.data.readers.cremad._FRAMES", 7)
    assert sum(1 for _ in cremad._frames(tmp_path / "clip.flv")) == 7
    monkeypatch.setattr("blindlib.data.readers.cremad._PIXELS", 480 * 360 - 1)
    assert read_apex(tmp_path / "clip.flv") is None


def test_the_lfw_miniature_has_all_that_lfw_has(miniatures):
    faces = load_lfw(miniatures / "lfw")
    assert all(faces.has(label) for label in ("emotion", "gender", "ethnicity", "smiling", "attractive"))
    pairs = read_pairs(miniatures / "lfw/pairs.txt", faces)
    identity = faces.frame["identity"].to_numpy()
    assert ((identity[pairs["left"]] == identity[pairs["right"]]) == pairs["same"]).all()


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
    before = source_state(PRESETS["open"])
    faces, _ = load_source(PRESETS["open"])
    assert faces.notes["roles"]["demographics"] == "lfw" and faces.has("gender") and not faces.has("ethnicity")
    assert faces.frame["gender"].value_counts().to_dict() == {"male": len(names[::2]), "female": len(names[1::2])}
    (data / "lfw/male_names.txt").write_text(names[0])
    assert source_state(PRESETS["open"]) != before, "other labels are other inputs"


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


@pytest.mark.parametrize(
    ("named", "words"),
    [("", "name {data}/celeba"), ("celeba/img_align_celeba", "name {data}/celeba"), ("cfee", "complete it or take it")],
)
def test_a_folder_above_below_or_beside_the_right_one_is_told_at_once(data, named, words, monkeypatch):
    monkeypatch.setenv("BLINDLIB_CELEBA", str(data / named))
    with pytest.raises(InputError) as error:
        source_state(PRESETS["paper"])
    message = str(error.value)
    assert "is no folder of CelebA: it lacks list_attr_celeba.txt" in message and words.format(data=data) in message


def test_a_file_in_place_of_a_folder_is_told(data, monkeypatch):
    monkeypatch.setenv("BLINDLIB_MANIFEST", str(data / "manifest/faces.csv"))
    with pytest.raises(InputError, match="is a file, a folder is wanted"):
        source_state(PRESETS["open"])


def test_a_preset_with_another_backbone_has_a_name_of_its_own():
    preset = get_preset("paper+dlib")
    assert (preset.name, preset.backbone) == ("paper+dlib", "dlib") and preset.sources == PRESETS["paper"].sources
    with pytest.raises(InputError, match="rendered faces"):
        get_preset("demo+dlib")


def test_open_takes_people_s_labels_before_a_machine_s(data):
    shutil.rmtree(data / "manifest")
    faces, _ = load_source(PRESETS["open"])
    assert faces.notes["roles"] == {
        "verification": "lfw",
        "demographics": "fairface",
        "emotion": "cremad",
        "attractive": "celeba",
    }
    assert for_faces(PRESETS["open"], faces).emotions == ("neutral", "happiness", "sadness", "fear", "anger", "disgust")
    for name in ("cremad", "fairface", "celeba", "cfee", "diveface"):
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
    for name in ("paper", "open"):
        with pytest.raises(InputError, match="no such folder"):
            source_state(PRESETS[name])
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="none of its data sets"):
        source_state(PRESETS["paper"])
    monkeypatch.setenv("BLINDLIB_CELEBA", str(tmp_path / "elsewhere"))
    with pytest.raises(InputError, match="CelebA was said to be here"):
        source_state(PRESETS["paper"])


def test_the_state_changes_with_the_data(data):
    before = source_state(PRESETS["paper"])
    assert source_state(PRESETS["paper"]) == before
    (data / "celeba" / "list_attr_celeba.txt").write_text("changed")
    assert source_state(PRESETS["paper"]) != before


@pytest.mark.parametrize(
    "file", ["celeba/img_align_celeba/000003.jpg", "cfee/*/*/02_*.jpg", "lfw/lfw/*/*_0001.jpg", "lfw/pairs.txt"]
)
def test_the_state_changes_with_a_picture_overwritten_in_place(data, file):
    path = next(data.glob(file))
    before, told = source_state(PRESETS["paper"]), path.stat()
    path.write_bytes(path.read_bytes() + b" ")
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert source_state(PRESETS["paper"]) != before


def test_the_state_is_one_of_labels_whatever_the_time(data):
    (data / "celeba/img_align_celeba/dangling.jpg").symlink_to("nothing")
    path = data / "cfee/categories.csv"
    before, told = source_state(PRESETS["paper"]), path.stat()
    path.touch()
    assert source_state(PRESETS["paper"]) == before
    path.write_bytes(path.read_bytes().replace(b"1,", b"9,"))
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert source_state(PRESETS["paper"]) != before and path.stat().st_size == told.st_size


def test_the_catalogue_counts_and_tells_what_to_do(data):
    table = status().set_index("name")
    assert table.loc["DiveFace", "images"] == 48 and table.loc["CREMA-D", "images"] == 18
    assert not table.loc["SFace", "present"] and table.loc["CFEE", "present"] and (table["how"].str.len() > 5).all()
    (data / "lfw2").mkdir()
    (data / "lfw").rename(data / "lfw3"), (data / "lfw2").rename(data / "lfw")
    (data / "lfw" / ".lfw.tgz.part").write_text("half a download")
    assert not status().set_index("name").loc["LFW", "present"]


@pytest.mark.parametrize("name", ["cfee", "diveface", "celeba", "fairface", "cremad"])
def test_what_asks_for_consent_prints_its_terms_and_is_not_downloaded(name, monkeypatch, capsys):
    monkeypatch.setattr("requests.get", lambda *a, **k: pytest.fail("it went to the network"))
    with pytest.raises(InputError, match="is not downloaded for you"):
        app(["data", "fetch", name], standalone_mode=False)
    told = capsys.readouterr().out
    assert CATALOGUE[name].address in told and CATALOGUE[name].terms in told


def pack(path, members):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as opened:
            for name, text in members.items():
                opened.writestr(name, text)
    else:
        source_file = path.parent / "member"
        with tarfile.open(path, "w:gz") as opened:
            for name, text in members.items():
                source_file.write_text(text)
                opened.add(source_file, arcname=name)
    return path


@pytest.mark.parametrize("kind", ["set.zip", "set.tar.gz"])
def test_an_archive_is_unpacked_whole_and_its_checksum_held(tmp_path, kind):
    archive, folder = pack(tmp_path / kind, {"train/1.jpg": "a", "val/2.jpg": "b"}), tmp_path / "fairface"
    said = archives.unpack_into("fairface", archive, folder)
    assert "SHA-256 seen" in said and (folder / "train/1.jpg").read_text() == "a" and (folder / "val/2.jpg").exists()
    shutil.rmtree(folder / "train"), shutil.rmtree(folder / "val")
    archives.unpack_into("fairface", archive, folder)
    with pytest.raises(InputError, match="is there already"):
        archives.unpack_into("fairface", archive, folder)
    pack(tmp_path / kind, {"train/1.jpg": "other"})
    with pytest.raises(InputError, match="not the file that was seen before"):
        archives.unpack_into("fairface", archive, folder)


def test_miniatures_are_the_same_bytes_for_the_same_seed(miniatures, tmp_path, monkeypatch):
    monkeypatch.setattr("blindlib.data.miniatures.WRITERS", {"cfee": WRITERS["cfee"]})
    again = write_miniatures(tmp_path / "again", people=2)
    one, two = ({p.name: p.read_bytes() for p in r.rglob("*.jpg")} for r in (miniatures / "cfee", again / "cfee"))
    assert one == two and len(one) == 57
    with pytest.raises(InputError, match="exists already"):
        write_miniatures(again)
    with pytest.raises(InputError, match="give a whole number, 2 to 1000"):
        write_miniatures(tmp_path / "none", people=1)


def test_a_manifest_by_its_folder_or_its_file(miniatures):
    by_folder, by_file = load_manifest(miniatures / "manifest"), load_manifest(miniatures / "manifest/faces.csv")
    pd.testing.assert_frame_equal(by_folder.frame, by_file.frame)


def test_every_data_set_has_a_loader_and_a_role():
    named = {
        name for preset in PRESETS.values() if preset.sources for names in preset.sources.values() for name in names
    }
    assert named == set(source.LOADERS)
