"""Software that never saw SynthFaces takes them for faces: dlib's detector and recogniser.

Some of the faces and people that notebook 01 shows to dlib: it costs a tenth of a second a face.
"""

import numpy as np
import pytest

from blindlib.appendix import synthfaces_validation as realism
from blindlib.presets import PRESETS
from blindlib.synthfaces.render import render
from blindlib.synthfaces.roles import make_roles

pytestmark = pytest.mark.external
CONFIG = PRESETS["demo"].synth


@pytest.fixture(scope="module")
def album():
    pytest.importorskip("dlib", reason="dlib is not installed")
    return make_roles(CONFIG, CONFIG.seed)


def test_dlib_finds_exactly_one_face_in_97_of_100(album):
    rows = album[album["role"] == "verification"].head(400).reset_index(drop=True)
    found, _ = realism.inspect_frames(render(rows), embed=False, what="dlib's detector")
    rates = realism.detection_rates(found, rows[["ethnicity"]]).set_index("value")
    assert rates.loc["all", "exactly_one"] >= 97 and rates.loc["all", "n"] == 400
    assert rates.loc["all", "low"] < rates.loc["all", "exactly_one"] < rates.loc["all", "high"]


@pytest.mark.slow
@pytest.mark.long
def test_dlib_s_recogniser_verifies_them_across_expressions(album):
    rows = album[album["role"] == "emotion"].head(7 * 30).reset_index(drop=True)
    found, x = realism.inspect_frames(render(rows), embed=True, what="dlib's recogniser")
    pairs = realism.cross_expression(x, rows["identity"].to_numpy(), rows["emotion"].to_numpy())
    assert (found > 0).mean() > 0.95 and pairs["same"].sum() > 550
    assert realism.auc(pairs) >= 0.95
    shuffled = np.random.default_rng(0).permutation(rows["identity"].to_numpy())
    assert realism.auc(realism.cross_expression(x, shuffled, rows["emotion"].to_numpy())) < 0.6, "the test can fail"
