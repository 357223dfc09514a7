"""`blindlib synth`, presets and parameters that are refused by name."""

import subprocess
import sys

import pandas as pd
import pytest

from blindlib.backbones.compactnet import WEIGHTS, load_compactnet
from blindlib.common.errors import InputError
from blindlib.common.files import ROOT, sha256, write_text
from blindlib.data.readers.manifest import load_manifest
from blindlib.synthfaces.export import compiler_lacks, export
from blindlib.synthfaces.render import render


def run(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "blindlib", *words], capture_output=True, text=True, cwd=ROOT, **options
    )


def test_synth_writes_a_data_set_that_the_manifest_loader_reads(tmp_path):
    done = run("synth", "--out", str(tmp_path / "s"), "--identities", "6", "--images", "2", "--size", "48")
    assert done.returncode == 0, done.stderr
    faces = load_manifest(tmp_path / "s" / "manifest.csv")
    assert len(faces) == 12 and faces.frame["identity"].nunique() == 6 and faces.has("attractive")
    assert set(faces.frame["ethnicity"]) == {"A", "B", "C"} and set(faces.frame["gender"]) == {"female", "male"}
    again = run("synth", "--out", str(tmp_path / "s"), "--identities", "1")
    assert again.returncode == 1 and "exists already" in again.stderr and len(again.stderr.splitlines()) == 1


def test_exported_pictures_are_the_rendered_ones(tmp_path):
    export(tmp_path / "a", identities=2, posed=True, compound=True, size=32)
    truth = pd.read_parquet(tmp_path / "a" / "factors.parquet")
    assert len(truth) == 2 * 22 and truth["emotion"].nunique() == 22
    from blindlib.common.pictures import read_picture

    frames = render(truth.iloc[[3, 30]], size=32)
    for frame, image in zip(frames, truth["image"].iloc[[3, 30]], strict=True):
        assert (read_picture(tmp_path / "a" / image) == frame).all()
    export(tmp_path / "b", identities=2, posed=True, compound=True, size=32)
    assert (tmp_path / "a" / "manifest.csv").read_bytes() == (tmp_path / "b" / "manifest.csv").read_bytes()
    with pytest.raises(InputError, match="identities"):
        export(tmp_path / "c", identities=0)
    assert not (tmp_path / "c").exists()


def test_without_a_compiler_or_python_s_headers_compiled_rendering_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", sys.executable)  # stands for a compiler that is here
    monkeypatch.setattr("sysconfig.get_path", lambda *name: str(tmp_path))
    with pytest.raises(InputError, match=r"Python\.h is not here.*python3-dev"):
        export(tmp_path / "d", identities=1, size=32, compiled=True)
    (tmp_path / "Python.h").touch()
    assert compiler_lacks() is None
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InputError, match=r"no-such-compiler is not here.*g\+\+"):
        export(tmp_path / "d", identities=1, size=32, compiled=True)
    assert not (tmp_path / "d").exists()


def test_a_setting_that_a_preset_has_not_is_refused_before_any_cell_runs():
    done = run("run", "notebooks/01_data_prep.ipynb", "-p", "seed=3")
    assert done.returncode == 1 and "has no setting 'seed'" in done.stderr and len(done.stderr.splitlines()) == 1


def test_the_backbone_s_card_speaks_of_the_weights_beside_it():
    card = WEIGHTS.with_suffix(".md").read_text()
    assert sha256(WEIGHTS) in card and WEIGHTS.stat().st_size <= 8e6
    assert sum(p.numel() for p in load_compactnet().parameters()) > 1e6


def test_damaged_weights_are_refused(tmp_path):
    for name, text in (("absent", None), ("broken", "no weights")):
        path = tmp_path / f"{name}.safetensors"
        if text:
            write_text(path, text)
        with pytest.raises(InputError, match="make backbone"):
            load_compactnet(path)
