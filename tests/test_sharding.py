"""`blindlib embed` by several processes: the bytes of one process, whoever does what and whoever dies."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import save_noise

from blindlib.common.files import ROOT
from blindlib.data.readers.manifest import load_manifest
from blindlib.synthfaces.export import export

pytestmark = pytest.mark.slow
SCRIPT = """
import dataclasses, functools, os
import torch, torchvision
from blindlib.backbones import registry as backbones
from blindlib import cli
from blindlib.backbones import alignment as images
from blindlib import presets
from blindlib.backbones import store as shards

@functools.cache
def network():
    torch.manual_seed(0)
    network = torchvision.models.resnet50()
    network.fc = torch.nn.Identity()
    return network.eval()

@torch.inference_mode()
def encode(chips):
    return network()(torch.from_numpy(chips).permute(0, 3, 1, 2).float() / 255).numpy()

known = backbones.BACKBONES
known["random"] = dataclasses.replace(known["sface"], name="random", dim=2048, size=224,
    alignment=images.dlib_alignment(224, 0.25), encode=encode, weights=lambda: "seed 0")
shards.SHARD = 4
presets.PRESETS["open"] = dataclasses.replace(presets.PRESETS["open"], backbone=os.environ["BACKBONE"])
if __name__ == "__main__":
    cli.main()
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
    load_manifest(folder / "faces" / "manifest.csv").save(folder / "build" / "open" / "faces.parquet")
    (folder / "script.py").write_text(SCRIPT)
    return folder


def start(world: Path, build: Path, backbone: str, *launcher: str) -> subprocess.Popen:
    shutil.copytree(world / "build", build, dirs_exist_ok=True)
    own = {"BLINDLIB_BUILD": str(build), "BACKBONE": backbone, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE"}
    environment = {**os.environ, **own}
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
    store = build / "embeddings"
    assert not list(store.glob("*.partial"))
    return {str(file.relative_to(store)): file.read_bytes() for file in store.rglob("*") if file.is_file()}


def ended(process: subprocess.Popen) -> str:
    told, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    return told


def test_two_processes_give_the_bytes_of_one(world, tmp_path):
    backbone = "random"  # a ResNet-50, whose bytes vary with the threads; dlib's turn is below
    told = ended(start(world, tmp_path / "one", backbone))
    assert told.startswith(f"{backbone} and ") and ": 23 images, 23 of them now, in " in told and "images/s); " in told
    expected = sets(tmp_path / "one")
    assert len(expected) == 6
    torchrun = ended(start(world, tmp_path / "two", backbone, *TORCHRUN))
    assert torchrun.split(";")[1] == told.split(";")[1] and torchrun.count("\n") == 1, "the first process alone tells"
    assert sets(tmp_path / "two") == expected


def test_a_killed_extraction_is_finished_by_two_processes(world, tmp_path):
    ended(start(world, tmp_path / "one", "dlib"))
    process = start(world, tmp_path / "killed", "dlib")
    while not (kept := list((tmp_path / "killed" / "embeddings").glob("*.partial/0*.npy"))):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(kept) < 6
    told = ended(start(world, tmp_path / "killed", "dlib", *TORCHRUN))
    assert "23 of them now" in told, "of one backbone some shards were there, of the other none"
    assert sets(tmp_path / "killed") == sets(tmp_path / "one")


def test_a_process_that_fails_ends_the_others_with_its_line(world, tmp_path):
    shutil.copytree(world / "faces", tmp_path / "faces")
    faces = load_manifest(tmp_path / "faces" / "manifest.csv")
    faces.save(tmp_path / "build" / "open" / "faces.parquet")
    save_noise(faces.files[5], 99)  # in the second shard, which is the second process's
    (tmp_path / "script.py").write_text(SCRIPT)
    process = start(tmp_path, tmp_path / "again", "dlib", *TORCHRUN)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert f"error: {faces.files[5]}: is gone or has changed since notebook 01" in errors
    assert not list((tmp_path / "again" / "embeddings").glob("*/x.npy"))
