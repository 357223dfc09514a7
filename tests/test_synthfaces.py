"""The renderer against known answers, and the data roles against what they promise."""

import io
import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from blindlib.appendix.synthfaces_validation import recoverability
from blindlib.common.errors import InputError
from blindlib.presets import PRESETS
from blindlib.settings import COMPOUND_EMOTIONS, EMOTIONS, GENDERS, SynthSettings
from blindlib.synthfaces import expressions, fields, geometry, light, sensor
from blindlib.synthfaces.export import compiler_lacks
from blindlib.synthfaces.factors import FACTORS, GROUPS, IDENTITY, UNITS, draw_identity
from blindlib.synthfaces.render import FACE_WINDOW, render
from blindlib.synthfaces.roles import make_more_posed, make_pairs, make_roles, make_sheet, make_training_people

SMALL = SynthSettings(
    demographics=60,
    demographics_images=2,
    emotion=40,
    folds=4,
    fold_people=6,
    verification_images=3,
    fold_pairs=8,
    attractive=400,
    attractive_images=3,
)


@pytest.fixture(scope="module")
def album():
    return make_roles(SMALL, 0)


def test_the_same_factors_are_the_same_bytes_whatever_stands_beside_them(album):
    rows = album.iloc[[0, 130, 300, 400, 500, 900, 910, 920, 930]]
    together, again = render(rows), render(rows)
    assert together.dtype == np.uint8 and together.shape == (9, 112, 112, 3)
    np.testing.assert_array_equal(together, again)
    for n in (0, 4, 8):
        np.testing.assert_array_equal(render(rows.iloc[[n]])[0], together[n])
    assert len({frame.tobytes() for frame in together}) == 9


@pytest.mark.parametrize("window", [FACE_WINDOW, (0, 48, 64), (64, 0, 16)])
def test_a_window_is_that_part_of_the_frame(album, window):
    rows = album.iloc[[0, 130, 300, 400, 500, 900, 910, 920, 930]].assign(blur=1.1, noise=3.0, jpeg=60.0)
    top, left, side = window
    whole, part = render(rows)[:, top : top + side, left : left + side], render(rows, window=window)
    assert np.abs(part.astype(int) - whole).max() <= 1
    np.testing.assert_array_equal(render(rows.iloc[[4]], window=window)[0], part[4])


def test_a_seed_is_a_population(album):
    pd.testing.assert_frame_equal(make_roles(SMALL, 0), album)
    assert not set(make_roles(SMALL, 1)["sha256"]) & set(album["sha256"])
    assert album["sha256"].is_unique


def test_more_posed_people_are_those_whom_a_larger_world_has_next(album):
    larger = make_roles(replace(SMALL, emotion=SMALL.emotion + 3), 0).query("role == 'emotion'")
    told = make_more_posed(3, SMALL.emotion, 0)
    assert list(told["sha256"]) == list(larger["sha256"])[-len(told) :] and told["identity"].nunique() == 3
    assert not set(told["identity"]) & set(album["identity"])


def test_every_factor_is_visible():
    """Moving any factor by a good part of its range, up or down, changes the picture of one of four people."""
    album = make_roles(SMALL, 0)
    rows = pd.concat([album[album["role"] == role].iloc[[1, 5 * 7 + 1]] for role in ("emotion", "attractive")])
    rows = rows.assign(**dict.fromkeys(UNITS, 0.4), beard=1.0, freckles=0.8, age=58.0, blur=0.2, noise=0.5, jpeg=96.0)
    base = render(rows).astype(int)
    step = {
        "jpeg": 30,
        "yaw": 12,
        "pitch": 8,
        "roll": 8,
        "age": 30,
        "noise": 3,
        "curl": 0.6,
        "parting": 0.6,
        "cupid": 1,
    }
    spread = album[list(FACTORS)].std()
    moved = []
    for name in FACTORS:
        size = step.get(name, 2 * max(spread[name], 0.05))
        moved += [rows.assign(**{name: rows[name] + sign * size}) for sign in (1, -1)]
    frames = render(pd.concat(moved)).reshape(len(FACTORS), 2, *base.shape)  # in one go: on all cores
    change = [np.abs(frame.astype(int) - base).max() for frame in frames]
    still = [name for name, most in zip(FACTORS, change, strict=True) if most < 8]
    assert not still, f"these factors do nothing: {still}"


def test_size_and_columns_are_checked(album):
    with pytest.raises(InputError, match="multiple of 8"):
        render(album.head(1), size=100)
    with pytest.raises(InputError, match="lack the columns"):
        render(album.head(1).drop(columns="yaw"))
    for window in ((32, 20, 64), (56, 24, 64), (-8, 0, 64), (0, 0, 0)):
        with pytest.raises(InputError, match="within a frame"):
            render(album.head(1), window=window)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(compiler_lacks() is not None, reason="torch.compile needs a C++ compiler and Python.h")
def test_compiled_and_plain_rendering_agree_to_a_grey_level(album):
    rows = album.iloc[::24].head(64)
    difference = np.abs(render(rows, compiled=True).astype(int) - render(rows).astype(int))
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_gpu_and_cpu_agree_to_a_grey_level(album):
    rows = album.iloc[::24].head(64)
    assert np.abs(render(rows, device="cuda").astype(int) - render(rows).astype(int)).max() <= 1


def test_roles_share_nobody_and_are_balanced(album):
    people = album.groupby("identity")["role"].nunique()
    assert (people == 1).all()
    first = album.drop_duplicates("identity")
    assert not first[list(IDENTITY)].duplicated().any(), "no two people are the same person"
    cells = first[first["role"] == "demographics"].groupby(["gender", "ethnicity"]).size()
    assert len(cells) == 6 and cells.nunique() == 1
    shown = album[album["role"] == "emotion"].groupby("identity")["emotion"].agg(["size", "nunique"])
    assert (shown == 7).all().all()
    fixed = album.groupby("identity")[[*IDENTITY, "person"]].nunique()
    assert (fixed == 1).all().all(), "identity stays with a person"


def test_nobody_of_a_preset_trained_the_backbone(album):
    trained = make_training_people(50, 2, 20200904)
    for other in (album, make_sheet(4, 0)):
        assert not set(trained["identity"]) & set(other["identity"])
        assert not set(map(tuple, trained[list(IDENTITY)].to_numpy())) & set(
            map(tuple, other[list(IDENTITY)].to_numpy())
        )


def test_pairs_follow_lfw_s_protocol(album):
    rows = album[album["role"] == "verification"]
    pairs = make_pairs(rows, SMALL.folds, SMALL.fold_pairs, 0)
    assert (pairs.groupby(["fold", "same"]).size() == SMALL.fold_pairs).all()
    who = album["identity"].to_numpy()
    assert ((who[pairs["left"]] == who[pairs["right"]]) == pairs["same"]).all()
    assert not pairs[["left", "right"]].apply(sorted, axis=1).astype(str).duplicated().any()
    by_fold = [set(who[rows["left"]]) | set(who[rows["right"]]) for _, rows in pairs.groupby("fold")]
    assert sum(map(len, by_fold)) == len(set.union(*by_fold))


def test_true_factors_tell_what_they_should_and_nothing_else(album):
    table = recoverability(album).set_index(["label", "given"])["accuracy"]
    assert table["emotion", "action units"] > 90
    assert table["emotion", "identity factors"] == pytest.approx(16.7, abs=0.1), "everybody shows everything"
    assert abs(table["emotion", "camera and light"] - 16.7) < 8
    assert abs(table["smiling", "identity factors"] - 50) < 7
    assert table["gender", "identity factors"] > 90 and table["ethnicity", "identity factors"] > 80
    assert 65 < table["attractive", "identity factors"] < 92, "visible, but annotators disagree"
    assert abs(table["attractive", "action units"] - 50) < 7, "smiling has no part in it"
    assert table["smiling", "action units"] > 95


def test_attractiveness_favours_no_gender_no_group_and_no_smile():
    rows = make_roles(SynthSettings(attractive=1200), 3).query("role == 'attractive'")
    rated = rows["attractive"].astype(float)
    for label in ("gender", "ethnicity", "smiling"):
        rates = rated.groupby(rows[label]).mean()
        assert rates.max() - rates.min() < 0.08, rates.to_dict()
    labelled = rows.loc[rows["role"] != "attractive", ["smiling", "attractive"]]
    assert labelled.isna().all().all()


def test_prototypes_are_du_s_and_known_to_the_face_table():
    assert set(expressions.PROTOTYPES) <= set(EMOTIONS) and tuple(expressions.COMPOUND) == COMPOUND_EMOTIONS
    assert len(expressions.COMPOUND) == 15 and len(expressions.BASIC) == 7
    assert expressions.BASIC["happiness"].always == (12, 25) and expressions.BASIC["happiness"].often == {6: 0.51}
    units = set(expressions.ACTION_UNITS)
    for prototype in expressions.PROTOTYPES.values():
        assert set(prototype.always) | set(prototype.often) <= units
        assert all(0 < share < 0.71 for share in prototype.often.values())


def test_rarer_units_appear_with_the_published_share():
    rng = np.random.default_rng(0)
    draws = np.stack([expressions.draw_units("sadness", np.ones(16), rng) for _ in range(3000)])
    active = dict(zip(expressions.ACTION_UNITS, (draws > 0.3).mean(0), strict=True))
    assert active[4] > 0.9 and active[12] < 0.01
    assert active[1] == pytest.approx(0.60, abs=0.06) and active[17] == pytest.approx(0.67, abs=0.06)


def test_the_hash_is_even_and_independent_of_its_neighbours():
    noise = fields.lattice(torch.arange(4), 64, 2)
    assert noise.mean().abs() < 0.02 and abs(noise.std().item() - 1) < 0.02
    flat = noise.reshape(8, -1)
    assert torch.corrcoef(flat).fill_diagonal_(0).abs().max() < 0.07
    shifted = (flat[:, 1:] * flat[:, :-1]).mean().abs()
    assert shifted < 0.02 and not torch.equal(fields.lattice(torch.tensor([7]), 8, 1), noise[:1, :1, :8, :8])


def test_texture_goes_on_beyond_its_border():
    """Held at its border value it would turn into stripes: in hair above and beards below."""
    noise = fields.lattice(torch.tensor([5]), 48, 1)
    x, y = torch.meshgrid(torch.linspace(-1, 1, 40), torch.linspace(1.0, 1.4, 40), indexing="xy")
    down = fields.look_up(noise, x[None], y[None])[0, 0].std(0)
    assert down.min() > 0.2
    inside = fields.look_up(noise, x[None], 2 - y[None])[0, 0]
    torch.testing.assert_close(fields.look_up(noise, x[None], y[None])[0, 0], inside, atol=1e-4, rtol=0)


def test_groups_and_genders_are_told_apart_by_shapes_that_a_grey_face_shows():
    """Linear discriminants of the traits between brows and chin, pairwise: no trait alone suffices, all together do."""
    parts = ("eye", "lid", "brow", "nose", "mouth", "upper", "lower", "jaw", "cheekbone", "head", "chin")
    shape = [name for name in IDENTITY if name.split("_")[0] in parts]
    rng = np.random.default_rng(0)
    who = [(gender, group) for gender in GENDERS for group in GROUPS] * 700
    x = pd.DataFrame([draw_identity(rng, *person) for person in who])[shape].to_numpy()
    gender, group = np.array(who).T

    def accuracy(label, kept, columns=slice(None)):
        train, test = np.array_split(np.flatnonzero(kept), 2)
        model = LinearDiscriminantAnalysis().fit(x[train][:, columns], label[train])
        return model.score(x[test][:, columns], label[test])

    for label, kept in [(gender, group != ""), *((group, np.isin(group, two)) for two in combinations(GROUPS, 2))]:
        assert accuracy(label, kept) >= 0.995
        assert max(accuracy(label, kept, [column]) for column in range(len(shape))) < 0.95


def test_irradiance_is_the_clamped_cosine_in_second_order():
    """Against the integral: the projection of max(0, c) on spherical harmonics to order two, by quadrature."""
    c, weight = np.polynomial.legendre.leggauss(400)
    clamped = c.clip(0)
    legendre = [np.ones_like(c), c, (3 * c * c - 1) / 2]
    expected = sum((2 * k + 1) / 2 * (weight * clamped * p).sum() * p for k, p in enumerate(legendre))
    np.testing.assert_allclose(0.25 + 0.5 * c + 0.15625 * (3 * c * c - 1), expected, atol=1e-4)
    one = {
        name: torch.full((1, 1, 1), value)
        for name, value in {"light_x": 0.0, "light_y": 0.0, "key": 1.0, "ambient": 0.0, "warmth": 0.0}.items()
    }
    tilt = torch.linspace(0, math.pi / 2, 30).view(1, 1, -1)
    lit = light.irradiance(one, torch.sin(tilt), 0 * tilt, torch.cos(tilt))
    assert (lit.diff(dim=-1) <= 1e-6).all(), "it darkens as the surface turns away"
    assert lit[0, 0, 0, -1] > lit[0, 2, 0, -1], "red light reaches round the edge"


def test_normals_of_a_plane():
    x = torch.arange(16.0).view(1, 1, -1).expand(1, 16, 16) * 0.1
    nx, ny, nz = geometry.normals(0.5 * x, 0.1)
    inner = (slice(None), slice(1, -1), slice(1, -1))
    norm = math.sqrt(1.25)
    for got, expected in ((nx, -0.5 / norm), (ny, 0.0), (nz, 1 / norm)):
        torch.testing.assert_close(got[inner], torch.full_like(got[inner], expected), atol=1e-5, rtol=0)


def test_jpeg_is_close_to_a_real_encoder():
    """A noisy ramp through Pillow's JPEG and ours: the same kind of loss; ours, without jumps, is gentler."""
    rng = np.random.default_rng(0)
    grey = np.clip(np.add.outer(np.arange(64), np.arange(64)) + rng.normal(0, 12, (64, 64)) + 40, 0, 255).astype(
        np.uint8
    )
    for quality in (60, 85):
        buffer = io.BytesIO()
        Image.fromarray(grey).save(buffer, "JPEG", quality=quality)
        theirs = np.asarray(Image.open(buffer)).astype(float)
        image = torch.tensor(grey).float().expand(1, 3, 64, 64)
        ours = sensor.jpeg(image, torch.tensor([[[float(quality)]]]))[0, 0].numpy()
        loss, our_loss = (np.abs(z - grey).mean() for z in (theirs, ours))
        assert 0.3 < our_loss / loss < 1
        assert np.corrcoef((theirs - grey).ravel(), (ours - grey).ravel())[0, 1] > 0.6


def test_blur_keeps_brightness_and_widens_an_edge():
    image = torch.zeros(1, 3, 16, 16)
    image[..., 8:] = 200
    soft = sensor.blur(image, torch.tensor([[[1.0]]]))
    assert soft.mean() == pytest.approx(image.mean(), abs=0.5) and 0 < soft[0, 0, 8, 7] < 100 < soft[0, 0, 8, 8] < 200


def test_every_preset_of_rendered_faces_can_be_dealt():
    for preset in PRESETS.values():
        if preset.synth is not None:
            assert preset.synth.demographics % (2 * len(GROUPS)) == 0
            per_fold = preset.synth.fold_people * math.comb(preset.synth.verification_images, 2)
            assert per_fold >= preset.synth.fold_pairs
