"""Write the record of a run: `run.json`, and the outputs shown in notebooks/."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

from blindlib.common.errors import InputError
from blindlib.common.files import (
    ROOT,
    build_dir,
    build_root,
    check,
    digest,
    figures_dir,
    made_by,
    sha256,
    write_json,
    write_text,
)
from blindlib.pipeline import appendix, code_key, code_of, left_by, paper, parameters, wall_seconds
from blindlib.presets import Preset

_PACKAGES = ("torch", "torchvision", "scikit-learn", "numpy", "pandas", "dlib-bin", "concept-erasure")
_PACKAGES += ("papermill", "matplotlib", "safetensors")


def is_recorded(preset: Preset, last: str) -> bool:
    """Return whether `run.json` belongs to the run in the build folder whose last stage is `last`."""
    try:
        record = json.loads((figures_dir(preset.name) / "run.json").read_text(encoding="utf-8"))
        return record["key"] == left_by(preset, last)["key"]
    except (OSError, ValueError, LookupError, TypeError):
        return False


def code_digest(cells: list[dict]) -> str:
    """Hash the code of a notebook's cells, without its parameters, to identify the code behind its outputs."""
    return digest(*code_of(cells))


def store_outputs(preset: Preset, folder: Path = ROOT / "notebooks") -> list[str]:
    """Put the outputs of a preset's finished run into the notebooks of `folder`, without execution.

    A stored notebook is that of `folder` with the run's parameters and, in every code cell, the run's output without
    stderr, numbered as by Run All. `metadata["blindlib"]` names the preset and the code (`code_digest`) of the outputs.
    Either all notebooks are written or none; of the appendix those that ran.

    Returns
    -------
    list of str
        The stages that ran with another state of the package than the present one.

    Raises
    ------
    InputError
        If a stage has not run, the run has not ended, or a notebook's code is not the code that ran.
    """
    import nbformat

    build, again = build_root() / preset.name, f"make paper PRESET={preset.name.partition('~')[0]}"
    stored, changed = {}, []
    main, beyond = sorted(folder.glob("0*.ipynb")), sorted(folder.glob("appendix/A*.ipynb"))
    for path in [*main, *(path for path in beyond if left_by(preset, path.stem))]:
        left = left_by(preset, path.stem)
        if not left:
            raise InputError(path.name, f"has not run with preset {preset.name}", again)
        notebook, ran = (nbformat.read(each, as_version=4) for each in (path, build / path.name))
        if code_of(notebook.cells) != code_of(ran.cells):
            raise InputError(path.name, f"has other code than what ran with preset {preset.name}", again)
        _show(notebook, ran, preset)
        stored[path] = nbformat.writes(notebook) + "\n"
        if left.get("code") != code_key(path):
            changed.append(path.stem)
    if not is_recorded(preset, main[-1].stem):
        raise InputError(figures_dir(preset.name) / "run.json", "is not of this run: it has not ended", again)
    for path, text in stored.items():
        write_text(path, text)
    return changed


def _show(notebook, ran, preset: Preset) -> None:
    """Put a run's parameters, outputs and origin into a notebook."""
    ran.cells = [cell for cell in ran.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    cells, done = ([cell for cell in each.cells if cell.cell_type == "code"] for each in (notebook, ran))
    for count, (cell, executed) in enumerate(zip(cells, done, strict=True), 1):
        if "parameters" in cell.metadata.get("tags", []):
            values = {"PRESET": "", "SETTINGS": "", **parameters(preset)}
            cell.source = "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())
        cell.outputs, cell.execution_count = [], count
        for output in executed.outputs:
            last = cell.outputs[-1] if cell.outputs else {}
            if output.get("name") == "stderr":  # progress bars, and warnings with paths of this machine
                continue
            if "execution_count" in output:
                output.execution_count = count
            if output.output_type == "stream" and last.get("output_type") == "stream":
                last["text"] += output.text
            else:
                cell.outputs.append(output)
    notebook.metadata["blindlib"] = {"preset": preset.name, "code": code_digest(notebook.cells)}


def write_record(preset: Preset) -> Path:
    """Write `run.json` beside the run's figures: versions, machine, settings, wall seconds, data fingerprints.

    A fingerprint is a hash of the images' hashes: it distinguishes data sets and reveals nothing about them.
    """
    import torch

    from blindlib.backbones.registry import get_backbone
    from blindlib.backbones.store import embedding_key
    from blindlib.data.facetable import load_facetable

    build, backbone = build_dir(preset.name), get_backbone(preset.backbone)
    faces = load_facetable(build / "faces.parquet")
    left = {stage.name: left_by(preset, stage.name) for stage in appendix()}
    lasted = {name: each["seconds"] for name, each in left.items() if each}
    seconds = {stage.name: lasted.pop(stage.name) for stage in paper()}
    notes = dict(faces.notes)
    if "roles" in notes:  # without the instructions for a missing data set
        notes["roles"] = {role: name.split(".")[0] for role, name in notes["roles"].items()}
    return write_json(
        figures_dir(preset.name) / "run.json",
        {
            "key": left[paper()[-1].name]["key"],
            "preset": preset.name.partition("~")[0],
            "settings": preset.changed,
            "backbone": f"{backbone.name}: {backbone.source}",
            "seeds": preset.seeds,
            "seconds": {**seconds, "total": round(wall_seconds(paper(), seconds), 1)},
            "appendix_seconds": lasted,
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
                "provenance": faces.provenance,
                "images": len(faces),
                "people": int(faces.frame["identity"].nunique()),
                "images_fingerprint": digest(list(faces.frame["sha256"])),
                "pairs_fingerprint": sha256(check(build / "pairs.parquet", made_by("01_data_prep"))),
                "embeddings": embedding_key(faces, backbone),
            },
            "notes": notes,
        },
    )
