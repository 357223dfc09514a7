"""run.json: what a run was made with, on which machine, from which data, in how many seconds a stage."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch

from blindlib.backbones import get_backbone
from blindlib.embeddings import embedding_key
from blindlib.facetable import load_facetable
from blindlib.files import digest, sha256, write_json
from blindlib.paths import build_dir, figures_dir
from blindlib.presets import get_preset
from blindlib.stages import wall_times

_PACKAGES = (
    "torch",
    "torchvision",
    "scikit-learn",
    "numpy",
    "pandas",
    "dlib-bin",
    "fairlearn",
    "concept-erasure",
    "papermill",
    "matplotlib",
    "safetensors",
)


def write_record(name: str) -> Path:
    """Write `figures/<preset>/run.json`: versions, machine, seeds, wall seconds, data fingerprints.

    A fingerprint is a hash of the images' hashes: it tells two data sets apart and gives nothing of them away.
    """
    preset, build = get_preset(name), build_dir(name)
    faces = load_facetable(build / "faces.parquet")
    seconds = wall_times(name)
    return write_json(
        figures_dir(name) / "run.json",
        {
            "preset": name,
            "backbone": f"{preset.backbone}: {get_backbone(preset.backbone).source}",
            "seeds": preset.seeds,
            "seconds": {**seconds, "total": round(sum(seconds.values()), 1)},
            "dominated_by": max(seconds, key=seconds.get),
            "versions": {"python": platform.python_version(), **{package: version(package) for package in _PACKAGES}},
            "machine": {
                "system": platform.system(),
                "architecture": platform.machine(),
                "cores": os.cpu_count(),
                "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            },
            "data": {
                "name": faces.name,
                "kind": faces.kind,
                "images": len(faces),
                "people": int(faces.frame["identity"].nunique()),
                "images_fingerprint": digest(list(faces.frame["sha256"])),
                "pairs_fingerprint": sha256(build / "pairs.parquet"),
                "embeddings": embedding_key(faces, get_backbone(preset.backbone)),
            },
            "notes": _without_folders(faces.notes),
        },
    )


def _without_folders(notes: dict) -> dict:
    """Notes without the folders of this machine, which the way to a missing data set names."""
    roles = {role: name.split(".")[0] for role, name in notes.get("roles", {}).items()}
    return {**notes, "roles": roles} if roles else notes
