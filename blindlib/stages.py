"""Each notebook is a stage: executed by papermill, kept only when it is whole, run again when what it uses changes.

What a stage depends on is written down by content, in `build/<run>/<notebook>.inputs`: the digest of the notebook's
code and of every module that they use. The file is rewritten only when a digest changes, so make, which goes by file
times, runs nothing after a `git pull` that rewrites equal files.
"""

import ast
import fcntl
import json
import os
import platform
import sys
import tempfile
import time
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from blindlib.common.errors import InputError
from blindlib.common.files import ROOT, build_dir, build_root, digest, figures_dir, sha256, write_json, write_text
from blindlib.presets import Preset

_KERNEL_ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",  # two kernels whose threads spin on two cores stop each other
    # glibc: keep large buffers; to give them back and ask for them again took a third of the training time
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
}
_PACKAGES = (
    "torch",
    "torchvision",
    "scikit-learn",
    "numpy",
    "pandas",
    "dlib-bin",
    "concept-erasure",
    "papermill",
    "matplotlib",
    "safetensors",
)


def run_stage(notebook: Path, preset: Preset) -> Path:
    """Execute a notebook for a preset.

    The running copy is `<name>.running.ipynb` in the run's build folder; on success it becomes `<name>.ipynb`, beside
    `<name>.json` (wall seconds), and its path is given back. A second run of the same stage waits for the first.

    Raises
    ------
    InputError
        If the notebook does not read, has no parameter PRESET, or a cell fails: names notebook, cell and error.
    """
    from papermill.exceptions import PapermillExecutionError

    if "PRESET" not in _parameters_of(notebook):
        raise InputError(notebook, "has no parameter PRESET", "tag the cell that sets PRESET as `parameters`")
    folder = build_dir(preset.name)
    running, done = folder / f"{notebook.stem}.running.ipynb", folder / notebook.name
    parameters = _parameters(preset)
    with (folder / f".{notebook.stem}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        start = time.perf_counter()
        try:
            _execute(notebook, running, parameters)
        except PapermillExecutionError as error:
            words = str(error.evalue).splitlines() or [""]
            place = f"{notebook.name}, cell {error.cell_index + 1}"
            remedy = f"read the partial notebook {running}"
            raise InputError(place, f"{error.ename}: {words[0]}", remedy) from None
        except (InputError, OSError):
            raise
        except Exception as error:  # of a kernel that ends or does not start, say
            told = " ".join(str(error).split())[:160]
            raise InputError(
                notebook, f"did not run ({type(error).__name__}: {told})", "run it in JupyterLab"
            ) from None
        write_json(folder / f"{notebook.stem}.json", {"seconds": round(time.perf_counter() - start, 1)})
        running.replace(done)
    return done


def _parameters_of(notebook: Path) -> dict:
    """The parameters of a notebook; InputError unless it is one by nbformat's schema, with a kernel."""
    import nbformat
    import papermill as pm

    try:
        text = notebook.read_text(encoding="utf-8")
        nbformat.validate(nbformat.convert(nbformat.reader.reads(text), 4))  # `nbformat.read` would log, and go on
        return pm.inspect_notebook(str(notebook))
    except OSError:
        raise
    except Exception as error:  # what JSON may hold in place of a notebook is without end
        told = " ".join(str(error).split())[:120]
        remedy = "take the repository's (`git checkout notebooks`), or save it anew in JupyterLab"
        raise InputError(notebook, f"does not read as a notebook ({type(error).__name__}: {told})", remedy) from None


def _parameters(preset: Preset) -> dict[str, str]:
    """What a run of a preset sets in the cell of parameters."""
    return {"PRESET": preset.name.partition("~")[0], **({"SETTINGS": preset.changed} if preset.changed else {})}


def _execute(notebook: Path, running: Path, parameters: dict[str, object]) -> None:
    """Run papermill with a kernel that shares nothing: sockets of its own, threads that sleep while they wait."""
    import nbformat
    import papermill as pm
    from traitlets.config import Config

    for name, value in _KERNEL_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    folders = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    os.environ["PYTHONPATH"] = os.pathsep.join(
        str(Path(folder).resolve()) for folder in folders
    )  # of one's own erasers
    root = tempfile.gettempdir()
    root = root if len(os.fsencode(root)) < 60 else "/tmp"  # the path of a socket has at most 103 bytes
    with tempfile.TemporaryDirectory(prefix="blindlib-", dir=root) as sockets:
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
    executed = nbformat.read(running, as_version=4)
    for part in (executed, *executed.cells):  # time stamps and paths of this machine
        part.metadata.pop("papermill", None)
        part.metadata.pop("execution", None)
    nbformat.write(executed, running)


def imports_of(source: str) -> set[str]:
    """Modules of blindlib that some Python source imports, by dotted name; the names that it takes from them too."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.split(".")[0] == "blindlib"}


def module_file(name: str) -> Path | None:
    """File of a module of blindlib, or None if the name is not a module."""
    base = ROOT.joinpath(*name.split("."))
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


@cache
def _imported_by(file: Path) -> frozenset[Path]:
    return frozenset(filter(None, map(module_file, imports_of(file.read_text(encoding="utf-8")))))


def modules_used(notebook: Path) -> list[Path]:
    """Files of blindlib that a notebook's code imports, and all that they import, sorted."""
    code = "\n".join(_cells(notebook))
    waiting, files = set(filter(None, map(module_file, imports_of(code)))), set()
    while waiting:
        file = waiting.pop()
        files.add(file)
        waiting |= _imported_by(file) - files
    return sorted(files)


def _cells(notebook: Path) -> list[str]:
    """The sources of the code cells that a run executes as they stand: prose and default parameters decide nothing."""
    return _code(json.loads(notebook.read_text(encoding="utf-8"))["cells"])


def _code(cells: list[dict]) -> list[str]:
    told = {"parameters", "injected-parameters"}
    code = [cell for cell in cells if cell["cell_type"] == "code" and not told & set(cell["metadata"].get("tags", []))]
    return ["".join(cell["source"]) for cell in code]


def _module_of_one_s_own(name: str) -> Path:
    """The file of a module that holds an eraser from outside."""
    try:
        return Path(find_spec(name).origin)
    except (ImportError, ValueError, AttributeError, TypeError):
        raise InputError("erasers", f"there is no module {name!r}", "put its folder on PYTHONPATH") from None


def write_inputs(preset: Preset, data: str) -> None:
    """Write down what every stage depends on, by content; a file is rewritten only when something in it has changed.

    `data` is text that changes when the data that the first notebook would read, or the weights, do. Raises InputError
    if the module of an eraser from outside is not found.
    """
    own = sorted({name.partition(":")[0] for name in preset.erasers if ":" in name})
    erasers = "".join(f"{sha256(_module_of_one_s_own(module))}  {module}\n" for module in own)
    for number, notebook in enumerate(sorted((ROOT / "notebooks").glob("0*.ipynb"))):
        lines = [f"{digest(*_cells(notebook))}  {notebook.name}"]
        lines += [f"{sha256(file)}  {file.relative_to(ROOT)}" for file in modules_used(notebook)]
        text = "\n".join(lines) + "\n" + (erasers if notebook.stem[:2] >= "05" else "")
        if number == 0:
            text += f"{sha256(ROOT / 'requirements.lock')}  requirements.lock\n{data}"
        path = build_dir(preset.name) / f"{notebook.stem}.inputs"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)


def code_digest(cells: list[dict]) -> str:
    """SHA-256 over the code of a notebook's cells, without its parameters: which code gave its outputs."""
    return digest(*_code(cells))


def store_outputs(preset: Preset, folder: Path = ROOT / "notebooks") -> list[str]:
    """Put the outputs of a preset's finished run into the notebooks of `folder`; nothing is executed.

    A stored notebook is the one of `folder` with the parameters that ran and, in every cell of code, what the run
    showed without its stderr, counted as Run All counts. `metadata["blindlib"]` says which preset and which code
    (`code_digest`) gave the outputs. Either all notebooks are written or none.

    Returns
    -------
    list of str
        The stages that ran with another state of the package than is here now.

    Raises
    ------
    InputError
        If a stage has not run, the run has not ended, or a notebook's code is not the code that ran.
    """
    import nbformat

    build, again = build_root() / preset.name, f"make paper PRESET={preset.name.partition('~')[0]}"
    stored, changed = {}, []
    for path in sorted(folder.glob("0*.ipynb")):
        if not (build / path.name).is_file():
            raise InputError(path.name, f"has not run with preset {preset.name}", again)
        notebook, ran = (nbformat.read(each, as_version=4) for each in (path, build / path.name))
        if _code(notebook.cells) != _code(ran.cells):
            raise InputError(path.name, f"has other code than what ran with preset {preset.name}", f"{again}, anew")
        _show(notebook, ran, preset)
        stored[path] = nbformat.writes(notebook) + "\n"
        written = build / f"{path.stem}.inputs"
        inputs = written.read_text(encoding="utf-8") if written.is_file() else ""
        if any(f"{sha256(file)}  {file.relative_to(ROOT)}" not in inputs for file in modules_used(path)):
            changed.append(path.stem)
    record = figures_dir(preset.name) / "run.json"
    if not record.is_file() or any(record.stat().st_mtime < (build / path.name).stat().st_mtime for path in stored):
        raise InputError(record, "is absent or older than the notebooks: the run has not ended", again)
    for path, text in stored.items():
        write_text(path, text)
    return changed


def _show(notebook, ran, preset: Preset) -> None:
    """Give a notebook the parameters of a run, what its cells showed, and what says so."""
    ran.cells = [cell for cell in ran.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    cells, done = ([cell for cell in each.cells if cell.cell_type == "code"] for each in (notebook, ran))
    for count, (cell, executed) in enumerate(zip(cells, done, strict=True), 1):
        if "parameters" in cell.metadata.get("tags", []):
            told = {"PRESET": "", "SETTINGS": "", **_parameters(preset)}
            cell.source = "\n".join(f"{name} = {json.dumps(value)}" for name, value in told.items())
        cell.outputs, cell.execution_count = [], count
        for output in executed.outputs:
            last = cell.outputs[-1] if cell.outputs else {}
            if output.get("name") == "stderr":  # bars of progress, and warnings with paths of this machine
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

    A fingerprint is a hash of the images' hashes: it tells two data sets apart and gives nothing away about them.
    """
    import torch

    from blindlib.backbones.registry import get_backbone
    from blindlib.backbones.store import embedding_key
    from blindlib.data.facetable import load_facetable

    build, backbone = build_dir(preset.name), get_backbone(preset.backbone)
    faces = load_facetable(build / "faces.parquet")
    seconds = {path.stem: json.loads(path.read_text())["seconds"] for path in sorted(build.glob("0*.json"))}
    notes = dict(faces.notes)
    if "roles" in notes:  # without the way to a missing data set
        notes["roles"] = {role: name.split(".")[0] for role, name in notes["roles"].items()}
    return write_json(
        figures_dir(preset.name) / "run.json",
        {
            "preset": preset.name.partition("~")[0],
            "settings": preset.changed,
            "backbone": f"{backbone.name}: {backbone.source}",
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
                "provenance": faces.provenance,
                "images": len(faces),
                "people": int(faces.frame["identity"].nunique()),
                "images_fingerprint": digest(list(faces.frame["sha256"])),
                "pairs_fingerprint": sha256(build / "pairs.parquet"),
                "embeddings": embedding_key(faces, backbone),
            },
            "notes": notes,
        },
    )
