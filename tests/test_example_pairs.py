"""The example pairs: chosen by their rule alone, judged by a threshold of other people, and never of photographs."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from blindlib.blinders.representation import Representation
from blindlib.data.readers.synth import load_synth, read_album
from blindlib.data.splits import deal, load_splits, save_splits
from blindlib.evaluate.example_pairs import ALIKE, RULE, SAME, choose_pairs, cosine_distances, example_pairs, pictures
from blindlib.presets import get_preset
from blindlib.report import plots, plots_faces


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    preset = get_preset("smoke")
    faces, pairs = load_synth(preset.synth, folder)
    save_splits(deal(faces, pairs, preset), folder / "splits.parquet")
    return SimpleNamespace(faces=faces, pairs=pairs, splits=load_splits(folder / "splits.parquet", faces))


def by_person(study, spread, seed=0):
    """A vector for each person, and as much noise as `spread`: (N, 12)."""
    rng, who = np.random.default_rng(seed), study.faces.frame["identity"].factorize()[0]
    x = rng.normal(size=(who.max() + 1, 12))[who] + spread * rng.normal(size=(len(who), 12))
    return x.astype(np.float32)


def test_slow_loops_over_the_people_in_the_order_of_their_names_choose_the_same_pairs(study):
    album, tested = read_album(study.faces), study.splits[0].test
    posed = album.iloc[tested].query("role == 'emotion'")
    people = dict(sorted(posed.groupby("identity"), key=lambda item: item[0]))
    wanted, used = [], set()
    for number, (who, left, right) in enumerate(RULE, 1):
        for first in (person for person in people if person not in used):
            group = people[first][["gender", "ethnicity"]].iloc[0]
            second = first if who == SAME else None
            for other in people if second is None else ():
                same = (people[other][["gender", "ethnicity"]].iloc[0] == group).tolist()
                if other not in used and other != first and same == ([True] * 2 if who == ALIKE else [False] * 2):
                    second = other
                    break
            if second is not None:
                used |= {first, second}
                images = [
                    people[p].query(f"emotion == '{e}'")["image"].iloc[0] for p, e in ((first, left), (second, right))
                ]
                wanted.append((number, *images))
            break
    found = choose_pairs(album, tested)
    images = [album["image"].iloc[found[side]] for side in ("left", "right")]
    assert list(zip(found["pair"], *images, strict=True)) == wanted and len(wanted) >= 4
    assert found["same"].tolist() == [who == SAME for who in found["who"]]


def test_a_pair_is_accepted_up_to_the_threshold_and_the_people_shown_set_none(study):
    x = by_person(study, 0.1)
    table = example_pairs([Representation.of("x", x), Representation.of("noise", by_person(study, 50.0))], study)
    own, noise = (table[table["representation"] == name] for name in ("x", "noise"))
    assert (own["accepted"] == own["same"]).all(), "people far apart are told apart"
    assert not (noise["accepted"] == noise["same"]).all(), "noise is not"
    assert (table["accepted"] == (table["distance"] <= table["threshold"])).all()
    row = study.faces.frame["image"].tolist().index
    for pair in own.itertuples():
        a, b = (x[row(name)].astype(float) for name in (pair.left, pair.right))
        assert pair.distance == pytest.approx(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)
    shown = [row(name) for name in {*own["left"], *own["right"]}]
    moved = x.copy()
    moved[shown] = 1.0
    other = example_pairs([Representation.of("x", moved)], study)
    assert other["threshold"].iloc[0] == own["threshold"].iloc[0] and (other["distance"] < 1e-6).all()


def test_pairs_of_people_who_trained_the_head_set_no_threshold(study):
    x = by_person(study, 1.0)
    split, identity = study.splits[0], study.faces.frame["identity"].to_numpy()
    ends = study.pairs[["left", "right"]].to_numpy()
    known = identity[ends[: len(ends) // 2]].ravel()  # as if these had trained it
    seen = np.flatnonzero(np.isin(identity, known))
    other = SimpleNamespace(**vars(study) | {"splits": [replace(split, head=np.union1d(split.head, seen))]})
    wrecked = x.copy()
    wrecked[seen] = by_person(study, 1.0, seed=1)[seen]
    told = [example_pairs([Representation.of("x", z)], other)["threshold"].iloc[0] for z in (x, wrecked)]
    assert told[0] == told[1]
    assert example_pairs([Representation.of("x", wrecked)], study)["threshold"].iloc[0] != told[0]


def test_of_photographs_there_are_no_pairs_no_pictures_and_no_file(study, tmp_path, capsys):
    photographs = SimpleNamespace(**vars(study) | {"faces": replace(study.faces, source="files")})
    table = example_pairs([Representation.of("x", by_person(study, 0.1))], photographs)
    assert table.empty and len(pictures(table, photographs.faces)) == 0
    nobody = SimpleNamespace(**vars(study) | {"splits": [replace(study.splits[0], test=np.empty(0, int))]})
    assert example_pairs([Representation.of("x", by_person(study, 0.1))], nobody).empty
    (tmp_path / "example_pairs.png").write_bytes(b"of an earlier run")
    figure = plots_faces.example_pairs(table, pictures(table, photographs.faces))
    plots.save_figure(figure, table, tmp_path, "example_pairs", pixels=True, absent="not shown")
    assert not list(tmp_path.iterdir()) and "not shown" in capsys.readouterr().out


def test_the_saved_strip_has_every_face_pixel_by_pixel_where_its_box_says(study, tmp_path):
    table = example_pairs([Representation.of("x", by_person(study, 0.1))], study)
    faces = pictures(table, study.faces)
    assert len(faces) == 2 * table["pair"].nunique() and len(np.unique(faces.reshape(len(faces), -1), axis=0)) > 2
    plots.save_figure(plots_faces.example_pairs(table, faces), table, tmp_path, "example_pairs", pixels=True)
    assert {path.name for path in tmp_path.iterdir()} == {"example_pairs.png", "example_pairs.csv"}
    with Image.open(tmp_path / "example_pairs.png") as image:
        strip = image.convert("RGB")
    for n, box in enumerate(plots_faces.pair_boxes(len(faces) // 2)):
        cut = np.asarray(strip.crop(box)).astype(int)
        assert np.abs(cut - np.hstack(faces[2 * n : 2 * n + 2])).max() <= 1
    assert pd.read_csv(tmp_path / "example_pairs.csv")["distance"].tolist() == table["distance"].round(4).tolist()


def test_cosine_distance_knows_no_norm():
    z = np.array([[1.0, 0.0], [5.0, 0.0], [0.0, 2.0], [-1.0, 0.0], [0.0, 0.0]])
    pairs = pd.DataFrame({"left": 0, "right": range(4)})
    np.testing.assert_allclose(cosine_distances(z, pairs), [0, 0, 1, 2])
    assert np.isfinite(cosine_distances(z, pd.DataFrame({"left": [4], "right": [0]}))).all()
