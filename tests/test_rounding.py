"""Released in few bits: the grid against plain arithmetic, saved with the head, the same wherever it is asked."""

import numpy as np
import pytest
import torch

from blindlib.blinders import LEACE, LNTL, SensitiveNets
from blindlib.blinders.affine import Rounded
from blindlib.blinders.rounding import from_integers, levels, rounded, to_integers
from blindlib.settings import LNTLSettings, SensitiveNetsSettings

TINY = {"hidden": 4, "rounds": 2, "head_steps": 3, "identities": 4, "per_class": 4, "detector": (4,)}


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    return rng.normal(size=(80, 6)).astype(np.float32), np.arange(80) % 4, np.arange(80) // 4


def methods(bits):
    sn, lntl = SensitiveNetsSettings(**TINY), LNTLSettings(**TINY)
    return [
        SensitiveNets(bits=bits, settings=sn, device="cpu"),
        LNTL(bits=bits, settings=lntl, device="cpu"),
        LEACE(bits=bits),
        Rounded(bits=bits),
    ]


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_the_grid_is_plain_arithmetic(bits):
    z, peak = np.random.default_rng(1).normal(size=(50, 3)), 1.5
    most = 2 ** (bits - 1) - 1
    slow = [[max(-most, min(most, round(v / peak * most))) for v in row] for row in z.tolist()]
    integers = to_integers(z, peak, bits)
    assert levels(bits) == most and integers.dtype == np.int8 and integers.tolist() == slow
    assert abs(slow[0][0]) < most and any(abs(v) == most for row in slow for v in row), "some are clipped, some not"
    np.testing.assert_allclose(from_integers(integers, peak, bits), np.array(slow) * peak / most, rtol=1e-6)
    banked = rounded(torch.tensor(z)[None], torch.tensor([peak]), bits)[0]
    np.testing.assert_allclose(banked.numpy(), from_integers(integers, peak, bits), atol=1e-6)


@pytest.mark.parametrize("bits", [None, 4, 6, 8])
def test_every_method_releases_at_most_so_many_values_and_the_same_after_loading(world, tmp_path, bits):
    x, y, who = world
    for method in methods(bits):
        fitted = method.fit(x, y, identity=who)
        phi = fitted.transform(x)
        again = type(method).load(fitted.save(tmp_path / "head"))
        assert again.bits == bits
        np.testing.assert_array_equal(again.transform(x), phi)
        assert phi.dtype == np.float32 and phi.shape == x.shape
        if bits is None:
            assert len(np.unique(phi)) > 400
            with pytest.raises(ValueError, match="without bits"):
                fitted.transform(x, integers=True)
            continue
        assert 2 ** (bits - 2) <= len(np.unique(phi)) <= 2**bits - 1
        integers = fitted.transform(x, integers=True)
        step = np.float32(float(fitted.peaks_[0]) / levels(bits))
        np.testing.assert_array_equal(integers.astype(np.float32) * step, phi)
        assert np.abs(integers).max() == levels(bits), "the scale is the training subjects' largest absolute value"


def test_rounding_moves_no_number_by_more_than_half_a_step_and_leaves_the_float_head_alone(world):
    x, y, who = world
    plain, few = (m.fit(x, y, identity=who) for m in (methods(None)[0], methods(6)[0]))
    phi, released = plain.transform(x), few.transform(x)
    assert np.abs(phi - released).max() <= 0.5 * float(few.peaks_[0]) / 31 + 1e-6
    assert np.abs(phi - released).max() > 0.4 * float(few.peaks_[0]) / 31


def test_other_numbers_of_bits_are_refused(world):
    x, y, who = world
    with pytest.raises(ValueError, match="use None, 4, 6 or 8"):
        LEACE(bits=5).fit(x, y, identity=who)
