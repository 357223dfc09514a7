"""From album to embeddings: rendered once, kept by shard, private; what the default backbone keeps and gives away."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from train_compactnet import Recipe, find_directions, train

from blindlib.backbones import store
from blindlib.backbones.compactnet import DIM, CompactNet, load_compactnet, to_input
from blindlib.backbones.registry import embed_frames, get_backbone
from blindlib.backbones.store import embed, embed_all
from blindlib.common.errors import InputError
from blindlib.common.files import store_dir
from blindlib.data.facetable import load_facetable
from blindlib.data.readers.synth import load_synth, read_album
from blindlib.settings import SynthSettings
from blindlib.synthfaces.render import FACE_WINDOW, render
from blindlib.synthfaces.roles import make_sheet, make_training_people

TINY = SynthSettings(
    demographics=12,
    demographics_images=2,
    emotion=8,
    folds=2,
    fold_people=4,
    verification_images=2,
    fold_pairs=3,
    attractive=20,
    attractive_images=1,
)
BOTH = [get_backbone("compactnet"), get_backbone("pixels16")]  # x and its ceiling, as the presets ask for them


@pytest.fixture
def faces(tmp_path):
    return load_synth(TINY, tmp_path / "world")[0]


def test_faces_are_rendered_once_for_all_backbones_and_never_written(faces, monkeypatch):
    counted, real = [], store.render
    monkeypatch.setattr(store, "render", lambda rows, **o: counted.append(len(rows)) or real(rows, **o))
    x, ceiling = embed_all(faces, BOTH)
    assert sum(counted) == len(faces) and x.x.shape == (len(faces), 256) and ceiling.x.shape == (len(faces), 256)
    assert embed(faces, BOTH[0]).key == x.key and sum(counted) == len(faces), "read, not rendered again"
    some = slice(0, None, 5)
    frames = render(read_album(faces)[some], window=FACE_WINDOW)
    np.testing.assert_allclose(x.x[some], embed_frames(load_compactnet(), frames), atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(x.x, axis=1), 1, atol=1e-5)
    assert not list(store_dir().rglob("*.png")) and not list(store_dir().glob("*.partial"))


def test_a_killed_rendering_goes_on_where_it_stopped(faces, monkeypatch):
    whole = [np.array(z.x) for z in embed_all(faces, BOTH)]
    for folder in store_dir().iterdir():
        folder.rename(folder.with_name("moved-" + folder.name))
    monkeypatch.setattr(store, "SHARD", 16)
    real, calls = store.render, []

    def dies(*words, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*words, **options)

    monkeypatch.setattr(store, "render", dies)
    with pytest.raises(KeyboardInterrupt):
        embed_all(faces, BOTH)
    resumed = embed_all(faces, BOTH)
    assert len(calls) == -(-len(faces) // 16) + 1, "only the shard that was running is repeated"
    for z, expected in zip(resumed, whole, strict=True):
        np.testing.assert_allclose(z.x, expected, rtol=1e-2, atol=2e-3)


def test_an_album_of_other_faces_is_refused(faces, tmp_path):
    loaded = load_facetable(faces.save(tmp_path / "f.parquet"))
    assert loaded.source == "synthfaces" and loaded.root == faces.root
    load_synth(dataclasses.replace(TINY, attractive=22), faces.root)
    with pytest.raises(InputError, match="other faces"):
        read_album(faces)
    (faces.root / "album.parquet").unlink()
    with pytest.raises(InputError, match="01_data_prep"):
        read_album(faces)


def test_a_backbone_that_aligns_files_is_refused(faces):
    with pytest.raises(InputError, match="aligns faces from files"):
        embed(faces, get_backbone("dlib"))


def test_the_input_is_grey_centred_and_moves_with_the_shift():
    rng = np.random.default_rng(0)
    frames = torch.tensor(rng.integers(0, 255, (2, 3, 112, 112), dtype=np.uint8))
    one = to_input(frames)
    assert one.shape == (2, 1, 64, 64)
    torch.testing.assert_close(one.mean((2, 3)), torch.zeros(2, 1), atol=1e-4, rtol=0)
    assert not torch.allclose(one, to_input(frames, (3, 0)))
    brighter = to_input((frames.float() * 0.5).byte())
    assert (one - brighter).abs().mean() < 0.05, "brightness does not matter"


def test_x_is_the_coordinates_of_both_maps_along_the_principal_directions():
    network = load_compactnet()
    faces = torch.randn(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    below, last = network.maps(faces)
    assert below.shape == (3, 128, 8, 8) and last.shape == (3, 256, 4, 4)
    x = network(faces)
    for n in range(3):
        whole = last[n].mean((1, 2))
        parts = torch.stack(
            [below[n, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((1, 2)) for i in range(4) for j in range(4)], 1
        )
        pooled = torch.cat([whole / whole.norm(), 0.55 * parts.flatten() / parts.norm()])
        torch.testing.assert_close(x[n], (pooled - network.centre) @ network.directions, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(network.directions.T @ network.directions, torch.eye(DIM), rtol=0, atol=5e-3)


@pytest.fixture(scope="module")
def sheet():
    """People whom no preset and no backbone knows: who they are, what they show, the windows of their faces."""
    album = make_sheet(32, 77)
    return album["identity"].to_numpy(), album["emotion"].to_numpy(), render(album, window=FACE_WINDOW)


def read_emotion(x, identity, emotion):
    """Accuracy of a linear probe of six emotions, tested on other people than it was trained on."""
    shown = emotion != "neutral"
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=300))
    cv = GroupKFold(4, shuffle=True, random_state=0)
    return cross_val_score(probe, x[shown], emotion[shown], groups=identity[shown], cv=cv).mean()


def test_x_knows_who_and_gives_expression_away(sheet):
    identity, emotion, frames = sheet
    x = embed_frames(load_compactnet(), frames)
    nearest = (x @ x.T - 2 * np.eye(len(x))).argmax(1)
    assert (identity[nearest] == identity).mean() > 0.9  # chance: 1/32
    assert read_emotion(x, identity, emotion) > 0.5, "chance is 0.17"


@pytest.mark.slow
@pytest.mark.long
def test_the_training_loop_learns_people_and_repeats_itself():
    recipe = Recipe(people=12, images=6, epochs=20, batch=24, rate=0.05, seed=5)
    album = make_training_people(recipe.people, recipe.images, recipe.seed)
    images = torch.as_tensor(render(album)).permute(0, 3, 1, 2)
    people = torch.as_tensor(np.unique(album["identity"], return_inverse=True)[1])
    once = dataclasses.replace(recipe, epochs=1)
    one, two = (train(images, people, once) for _ in range(2))
    for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    frames = images.permute(0, 2, 3, 1).numpy()

    def nearest(network):
        find_directions(network, images)
        x = embed_frames(network, frames)
        return (people[(x @ x.T - 2 * np.eye(len(x))).argmax(1)] == people).float().mean()

    assert nearest(train(images, people, recipe)) > nearest(CompactNet().eval()) + 0.1
