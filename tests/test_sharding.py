"""`blindlib embed` by several processes: the bytes of one process, whoever does what and whoever dies."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import save_noise

from blindlib.common.files import ROOT
from blindlib.data.readers.manifest import load_manifest
from blindlib.synthfaces.export import export

pytestmark = pytest.mark.slow
SHARD = 4
SCRIPT = f"""
import dataclasses, functools, os

def network():
    import torch
    from blindlib.backbones.compactnet import fold_norms
    from blindlib.backbones.vggface2 import VGGFace2ResNet50

    torch.manual_seed(0)
    return fold_norms(VGGFace2ResNet50("keras").eval()).to(memory_format=torch.channels_last)

if __name__ == "__main__":  # spawned workers import this file
    from blindlib import presets
    from blindlib.__main__ import main
    from blindlib.backbones import store
    from blindlib.backbones.registry import BACKBONES, embed_frames

    network = functools.cache(network)
    BACKBONES["resnet50"] = dataclasses.replace(BACKBONES["resnet50"], weights=lambda: "seed 0",
        encode=lambda chips: embed_frames(network(), chips))
    store.SHARD = {SHARD}
    presets.PRESETS["open"] = dataclasses.replace(presets.PRESETS["open"], backbone=os.environ["BACKBONE"])
    main()
"""
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """Twenty rendered faces and three pictures of noise as the data of preset `open`."""
    folder = tmp_path_factory.mktemp("world")
    export(folder / "faces", identities=20, images=1, size=224)
    with (folder / "faces" / "manifest.csv").open("a") as manifest:
        for n in range(3):
            save_noise(folder / "faces" / f"noise{n}.png", n)
            manifest.write(f"noise{n}.png,nobody,,,,,\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BLINDLIB_BUILD", str(folder / "build"))
        load_manifest(folder / "faces" / "manifest.csv").save(folder / "build" / "open" / "faces.parquet")
    (folder / "script.py").write_text(SCRIPT)
    return folder


def start(world: Path, build: Path, backbone: str, *launcher: str) -> subprocess.Popen:
    shutil.copytree(world / "build", build, dirs_exist_ok=True)
    changed = {
        "BLINDLIB_BUILD": str(build),
        "BACKBONE": backbone,
        "PYTHONPATH": str(ROOT),
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    environment = {**os.environ, **changed}
    environment.pop("OMP_NUM_THREADS", None)  # torchrun sets it to 1
    return subprocess.Popen(
        [sys.executable, *launcher, str(world / "script.py"), "embed", "--preset", "open"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def sets(build: Path) -> dict[str, bytes]:
    folder = build / "embeddings"
    assert not list(folder.glob("*.partial"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def ended(process: subprocess.Popen) -> str:
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    return output


def test_two_processes_give_the_bytes_of_one(world, tmp_path):
    """By ResNet-50, whose bytes vary with the threads; dlib is below."""
    one = start(world, tmp_path / "one", "resnet50")
    two = start(world, tmp_path / "two", "resnet50", *TORCHRUN)
    output, torchrun = ended(one), ended(two)
    assert output.startswith("resnet50 and ") and ": 23 images, 23 of them now, in " in output
    assert "images/s); " in output and len(sets(tmp_path / "one")) == 6, "two sets of three files"
    assert torchrun.split(";")[1] == output.split(";")[1] and torchrun.count("\n") == 1, "the first process alone tells"
    assert sets(tmp_path / "two") == sets(tmp_path / "one")
