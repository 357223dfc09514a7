"""Each notebook is a stage: executed by papermill, kept only when it is whole, run again when what it uses changes.

What a stage depends on is written down by content, in `build/<run>/<notebook>.inputs`: the digest of the notebook's
code and of every module that they use. The file is rewritten only when a digest changes, so make, which goes by file
times, runs nothing after a `git pull` that rewrites equal files.

What a stage left, each file with its SHA-256, stands in `build/<run>/<notebook>.left`. Before make looks at the times,
`set_back` takes away the executed notebook of a stage whose files are not all there and whole, so that it runs again.
"""

import ast
import fcntl
import json
import os
import platform
import re
import sys
import time
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from blindlib.common.errors import InputError, explain
from blindlib.common.files import (
    JOURNAL,
    ROOT,
    build_dir,
    build_root,
    check,
    damage,
    digest,
    figures_dir,
    made_by,
    put,
    read_checked,
    sha256,
    write_json,
    write_text,
)
from blindlib.common.left import bring_to_now, list_of, lost, write_left
from blindlib.common.litter import scratch_folder
from blindlib.common.processes import in_a_thread, kernel_arguments
from blindlib.presets import Preset

_KERNEL_ENVIRONMENT = {
    "PYTHONWARNINGS": "ignore:IProgress not found",  # tqdm misses a widget that no notebook of these needs
    "OMP_WAIT_POLICY": "PASSIVE",  # two kernels whose threads spin on two cores stop each other
    "MALLOC_MMAP_THRESHOLD_": str(2**32),  # glibc keeps large buffers; else a third of the training time was theirs
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
}
_FOLDERS = re.compile(r"(?<![\w.:/<])/(?:[\w.+~@-]+/)+")  # the folders of an absolute path
_PACKAGES = ("torch", "torchvision", "scikit-learn", "numpy", "pandas", "dlib-bin", "concept-erasure")
_PACKAGES += ("papermill", "matplotlib", "safetensors")


def run_stage(notebook: Path, preset: Preset) -> Path:
    """Execute a notebook for a preset.

    The running copy is `<name>.running.ipynb` in the run's build folder; on success it becomes `<name>.ipynb`, beside
    `<name>.json` (wall seconds) and `<name>.left` (what it left), and its path is given back. A second run of the same
    stage waits for the first. Later stages follow it by make's times; but if it ran only because something was lost,
    and left the same bytes again, it keeps its time, and nothing follows.

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
    parameters, journal = _parameters(preset), folder / f".{notebook.stem}.written"
    with _private(folder / f".{notebook.stem}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        start, ran_with = time.perf_counter(), {path: sha256(path) for path in folder.glob(f"{notebook.stem}.inputs")}
        _private(journal).write_text("", encoding="utf-8")
        os.environ[JOURNAL] = str(journal)
        try:
            _execute(notebook, _private(running), parameters)
        except PapermillExecutionError as error:
            place = f"{notebook.name}, cell {error.cell_index + 1}"
            raise InputError(place, *_told_by(error, running)) from None
        except OSError as error:
            error.filename = error.filename or str(running)
            raise
        except InputError:
            raise
        except Exception as error:  # of a kernel that ends or does not start, say
            message = " ".join(str(error).split())[:160]
            problem = f"did not run ({type(error).__name__}: {message})"
            raise InputError(notebook, problem, "run it in JupyterLab") from None
        finally:
            del os.environ[JOURNAL]
        seconds = write_json(folder / f"{notebook.stem}.json", {"seconds": round(time.perf_counter() - start, 1)})
        written = [seconds, *(Path(os.fsdecode(name)) for name in journal.read_bytes().split(b"\0")[:-1])]
        journal.unlink()
        when = write_left(preset.name, notebook.stem, {file: file for file in written} | {done: running}, ran_with)
        if all(file.exists() and file.stat().st_mtime_ns <= when for file in _before(done)):
            os.utime(running, ns=(when, when))
        put(running, done)
        os.utime(list_of(preset.name, notebook.stem), ns=(done.stat().st_mtime_ns,) * 2)
    return done


def _private(path: Path) -> Path:
    """A file that is there and nobody else's, for others to write into."""
    path.touch()
    path.chmod(0o600)
    return path


def _before(done: Path) -> list[Path]:
    """The files that make holds a stage's executed notebook against, and those of a stage that may run beside it."""
    earlier = [path for path in done.parent.glob("0?_*.ipynb") if path.stem < done.stem and "." not in path.stem]
    return [done.with_suffix(".inputs"), *earlier]


def _told_by(error, running: Path) -> tuple[str, str]:
    """What a failed cell says, and the remedy: its own, where it has one."""
    said = (str(error.evalue).splitlines() or [""])[0]
    refused = re.fullmatch(r"\[Errno (\d+)\] (.*?)(?:: '(.*)')?", said)
    if refused:
        said = str(explain(OSError(int(refused[1]), refused[2], refused[3])))
    problem, arrow, remedy = said.rpartition(" → ")
    return f"{error.ename}: {problem if arrow else said}", remedy if arrow else f"read the partial notebook {running}"


def set_back(preset: Preset) -> list[str]:
    """Take away the executed notebook of each stage of which something is lost or damaged, or `run.json`: make makes it
    again. Returns a line for each.
    """
    build, record, notes = build_dir(preset.name), figures_dir(preset.name) / "run.json", []
    bring_to_now([*build.glob("0*.*"), record])
    ends = [build / notebook.name for notebook in sorted((ROOT / "notebooks").glob("0*.ipynb"))]
    for done in [*ends, record]:
        if done.exists() and (done != record or all(end.exists() for end in ends)):
            problem = lost(preset.name, done.stem)
            if problem:
                done.unlink()
                notes.append(f"{problem} → {done.stem} runs again")
    return notes


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
        message = " ".join(str(error).split())[:120]
        remedy = "take the repository's (`git checkout notebooks`), or save it anew in JupyterLab"
        raise InputError(notebook, f"does not read as a notebook ({type(error).__name__}: {message})", remedy) from None


def _parameters(preset: Preset) -> dict[str, str]:
    """What a run of a preset sets in the cell of parameters."""
    return {"PRESET": preset.name.partition("~")[0], **({"SETTINGS": preset.changed} if preset.changed else {})}


def _execute(notebook: Path, running: Path, parameters: dict[str, object]) -> None:
    """Run papermill with a kernel that shares nothing: no open port, sockets of its own, threads that sleep while they
    wait. It ends with this process, and what it showed names no folder of this machine.
    """
    import nbformat
    import papermill as pm
    from jupyter_core.utils import ensure_event_loop
    from traitlets.config import Config

    for name, value in _KERNEL_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    folders = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    folders = [ROOT, *(Path(folder).resolve() for folder in folders)]  # this code, none that is installed; own erasers
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(map(str, folders)))
    with scratch_folder() as scratch:
        own = {"transport": "ipc", "ip": f"{scratch}/kernel", "connection_file": f"{scratch}/kernel.json"}
        config = Config(KernelManager=own, NotebookClient={"extra_arguments": kernel_arguments()})
        options = {"kernel_name": "python3", "start_timeout": 180, "cwd": str(notebook.parent), "config": config}
        shown = {"stdout_file": sys.stdout, "stderr_file": sys.stderr}

        def execute() -> None:
            loop = ensure_event_loop()  # the thread's, which papermill would leave open
            try:
                pm.execute_notebook(notebook, running, parameters, **options, **shown)
            finally:
                loop.close()

        in_a_thread(execute)
    executed = nbformat.read(running, as_version=4)
    for part in (executed, *executed.cells):  # time stamps and paths of this machine
        part.metadata.pop("papermill", None)
        part.metadata.pop("execution", None)
        for output in part.get("outputs", ()):
            if output.get("name") == "stderr":  # a warning says which file it comes from
                output.text = _FOLDERS.sub("", output.text)
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
    parameter_tags = {"parameters", "injected-parameters"}
    code = [
        cell
        for cell in cells
        if cell["cell_type"] == "code" and not parameter_tags & set(cell["metadata"].get("tags", []))
    ]
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
        if not path.exists() or path.read_bytes() != text.encode():
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
        if problem := damage(build / path.name):
            raise InputError(build / path.name, problem, again)
        notebook, ran = (nbformat.read(each, as_version=4) for each in (path, build / path.name))
        if _code(notebook.cells) != _code(ran.cells):
            raise InputError(path.name, f"has other code than what ran with preset {preset.name}", f"{again}, anew")
        _show(notebook, ran, preset)
        stored[path] = nbformat.writes(notebook) + "\n"
        written = build / f"{path.stem}.inputs"
        inputs = written.read_text(encoding="utf-8", errors="replace") if written.is_file() else ""
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
            parameters = {"PRESET": "", "SETTINGS": "", **_parameters(preset)}
            cell.source = "\n".join(f"{name} = {json.dumps(value)}" for name, value in parameters.items())
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
    times = {path.stem: read_checked(path, made_by(path.stem)) for path in sorted(build.glob("0*.json"))}
    seconds = {stage: json.load(content)["seconds"] for stage, content in times.items()}
    notes = dict(faces.notes)
    if "roles" in notes:  # without the way to a missing data set
        notes["roles"] = {role: name.split(".")[0] for role, name in notes["roles"].items()}
    record = write_json(
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
                "pairs_fingerprint": sha256(check(build / "pairs.parquet", made_by("01_data_prep"))),
                "embeddings": embedding_key(faces, backbone),
            },
            "notes": notes,
        },
    )
    write_left(preset.name, record.stem, {record: record})
    return record
