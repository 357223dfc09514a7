"""One notebook = one stage: executed by papermill, finished in one step, remembered by make; and a run's record."""

import ast
import fcntl
import json
import os
import platform
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import nbformat
import papermill as pm
import torch
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from blindlib.backbones.registry import get_backbone
from blindlib.backbones.store import embedding_key
from blindlib.common.errors import InputError
from blindlib.common.files import ROOT, build_dir, digest, figures_dir, sha256, write_json, write_text
from blindlib.data.facetable import load_facetable
from blindlib.presets import get_preset

_KERNEL_ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",  # two kernels whose threads spin on two cores stop each other
    "MALLOC_MMAP_THRESHOLD_": str(2**32),  # glibc: keep large buffers, a third of the training time went into
    "MALLOC_TRIM_THRESHOLD_": str(2**34),  # giving them back to the system and asking for them again
}


def read_parameters(notebook: Path, words: list[str]) -> dict[str, object]:
    """`NAME=VALUE` words as parameters of a notebook, values as Python literals (or text).

    Raises
    ------
    InputError
        If a word is no NAME=VALUE, or the notebook's parameters cell has no such name: papermill would only warn.
    """
    known = pm.inspect_notebook(str(notebook))
    parameters = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in known or name == "PRESET":
            others = ", ".join(n for n in known if n != "PRESET") or "none but --preset"
            raise InputError(f"-p {word}", f"{notebook.name} has no parameter {name!r}", f"it has: {others}")
        try:
            parameters[name] = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            parameters[name] = value
    return parameters


def run_stage(notebook: Path, preset: str, parameters: dict[str, object] | None = None) -> Path:
    """Execute a notebook for a preset.

    The running copy is `build/<preset>/<name>.running.ipynb`; on success it becomes `<name>.ipynb`, beside `<name>.d`
    (what make must watch) and `<name>.json` (wall seconds). A second run of the same stage waits for the first.

    Parameters
    ----------
    notebook : Path
    preset : str
    parameters : dict, optional
        Of `read_parameters`.

    Returns
    -------
    Path
        The executed notebook.

    Raises
    ------
    InputError
        If the notebook has no parameter PRESET or a cell fails: names notebook, cell and error.
    """
    if "PRESET" not in pm.inspect_notebook(str(notebook)):
        raise InputError(notebook, "has no parameter PRESET", "tag the cell that sets PRESET as `parameters`")
    folder = build_dir(preset)
    running, done = folder / f"{notebook.stem}.running.ipynb", folder / notebook.name
    with (folder / f".{notebook.stem}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        start = time.perf_counter()
        try:
            _execute(notebook, running, {"PRESET": preset, **(parameters or {})})
        except PapermillExecutionError as error:
            words = str(error.evalue).splitlines() or [""]
            raise InputError(
                f"{notebook.name}, cell {error.cell_index + 1}",
                f"{error.ename}: {words[0]}",
                f"read the partial notebook {running}",
            ) from None
        seconds = time.perf_counter() - start
        strip_run_metadata(running)
        write_json(folder / f"{notebook.stem}.json", {"seconds": round(seconds, 1)})
        write_text(folder / f"{notebook.stem}.d", _depfile(done, notebook))
        running.replace(done)
    return done


def _execute(notebook: Path, running: Path, parameters: dict[str, object]) -> None:
    """Run papermill with a kernel that shares nothing: sockets of its own, threads that wait asleep."""
    for name, value in _KERNEL_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with tempfile.TemporaryDirectory(prefix="blindlib-") as sockets:
        pm.execute_notebook(
            notebook,
            running,
            parameters,
            kernel_name="python3",
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
            cwd=str(notebook.parent),
            start_timeout=180,
            config=Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"}),
        )


def strip_run_metadata(path: Path) -> None:
    """Take papermill's time stamps and paths out of an executed notebook, in place."""
    notebook = nbformat.read(path, as_version=4)
    for part in (notebook, *notebook.cells):
        part.metadata.pop("papermill", None)
        part.metadata.pop("execution", None)
    nbformat.write(notebook, path)


def imports_of(source: str) -> set[str]:
    """Modules of blindlib that some Python source imports, by dotted name."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "blindlib":
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.split(".")[0] == "blindlib"}
    return names


def module_file(name: str) -> Path | None:
    """File of a module of blindlib, or None if the name is not a module."""
    base = ROOT.joinpath(*name.split("."))
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


def modules_used(notebook: Path) -> list[Path]:
    """Files of blindlib that a notebook's code imports, and all that they import, sorted."""
    cells = nbformat.read(notebook, as_version=4).cells
    waiting = imports_of("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
    files: set[Path] = set()
    while waiting:
        file = module_file(waiting.pop())
        if file and file not in files:
            files.add(file)
            waiting |= imports_of(file.read_text(encoding="utf-8"))
    return sorted(files)


def _depfile(target: Path, notebook: Path) -> str:
    files = [str(file) for file in modules_used(notebook)]
    phony = "".join(f"{file}:\n" for file in files)  # a module that is gone must not stop make
    return f"{target}: {' '.join(files)}\n{phony}"


def wall_times(preset: str) -> dict[str, float]:
    """Wall seconds of every stage that has run, by notebook name."""
    return {path.stem: json.loads(path.read_text())["seconds"] for path in sorted(build_dir(preset).glob("0*.json"))}


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
