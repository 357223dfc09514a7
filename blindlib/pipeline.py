"""Run the notebooks as stages: a stage runs if its key or its products differ from those of its last run.

The key is a hash of the notebook's code, the modules of blindlib that it imports, the settings, the data's fingerprint
and the keys of the stages before it. A stage writes `build/<run>/<name>.running.ipynb`, renames it at its end, and
writes `<name>.json` last: key, seconds, products. An interruption costs only the stages that were running.
"""

import fcntl
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Event

import blindlib
from blindlib.common.errors import InputError
from blindlib.common.files import JOURNAL, ROOT, build_dir, digest, figures_dir, sha256, write_json
from blindlib.common.processes import kernel_arguments
from blindlib.presets import Preset

_PAPER = (  # name, title, the stages that it depends on, whether it shares the cores with others
    ("01_data_prep", "Faces", (), False),
    ("02_baseline", "Baseline x", ("01_data_prep",), False),
    ("03_sensitivenets", "SensitiveNets", ("02_baseline",), True),
    ("04_lntl", "Learning Not to Learn", ("02_baseline",), True),
    ("05_probes", "Table 1", ("03_sensitivenets", "04_lntl"), False),
    ("06_celeba_fairness", "Table 2 and the claims", ("05_probes",), False),
)
_KERNEL = {
    "PYTHONWARNINGS": "ignore:IProgress not found",  # of a tqdm widget that these notebooks do not use
    "OMP_WAIT_POLICY": "PASSIVE",  # active waiting threads of two kernels on two cores block each other
    "MALLOC_MMAP_THRESHOLD_": str(2**32),  # glibc keeps large buffers; otherwise they took a third of training time
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
}
_FOLDERS = re.compile(r"(?<![\w.:/<])/(?:[\w.+~@-]+/)+")  # the folders of an absolute path
_IMPORT = re.compile(r"^[ \t]*(?:from (blindlib[\w.]*) import (\([^)]*\)|.*)|import (blindlib[\w.]*))", re.M)


@dataclass(frozen=True)
class Stage:
    """Describe a notebook of the graph."""

    notebook: Path
    title: str
    after: tuple[str, ...] = ()  # names of the stages that it depends on
    shares: bool = False  # runs beside the other stages that share, on its part of the cores

    @property
    def name(self) -> str:
        """Return the notebook's name without its suffix."""
        return self.notebook.stem


def paper(root: Path = ROOT) -> list[Stage]:
    """Return the stages of the paper, in order."""
    return [Stage(root / "notebooks" / f"{name}.ipynb", *rest) for name, *rest in _PAPER]


def appendix(root: Path = ROOT) -> list[Stage]:
    """Return the paper's stages, then those of notebooks/appendix, which depend on all of the paper's."""
    before = paper(root)
    names = tuple(stage.name for stage in before)
    found = sorted((root / "notebooks" / "appendix").glob("A*.ipynb"))
    return [*before, *(Stage(path, path.stem.replace("_", " "), names) for path in found)]


def code_of(cells: list[dict]) -> list[str]:
    """Return the sources of the code cells without the parameters."""
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    chosen = {"parameters", "injected-parameters"}
    return ["".join(cell["source"]) for cell in code if not chosen & set(cell["metadata"].get("tags", ()))]


@cache
def imports_of(source: str) -> frozenset[str]:
    """Find the dotted names of blindlib that Python source imports: modules, and names in them."""
    names = set()
    for module, taken, whole in _IMPORT.findall(source):
        names |= {module or whole, *(f"{module}.{name}" for name in re.findall(r"\w+", taken))}
    return frozenset(names)


def module_file(name: str, root: Path = ROOT) -> Path | None:
    """Find the file of a module, or of a name that `blindlib` exports; None if it is neither."""
    package, _, rest = name.partition(".")
    base = root.joinpath(package, *filter(None, blindlib._FROM.get(rest, rest).split(".")))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def modules_used(sources: Iterable[str], root: Path = ROOT) -> list[Path]:
    """Find the files of blindlib that some sources import, directly or indirectly, sorted."""
    waiting, files = list(sources), set()
    while waiting:
        found = {module_file(name, root) for name in imports_of(waiting.pop())} - files - {None}
        files |= found
        waiting += [file.read_text(encoding="utf-8") for file in found]
    return sorted(files)


def code_key(notebook: Path, root: Path = ROOT) -> str:
    """Hash a notebook's code and the modules that it uses. Raises InputError if it has no parameter PRESET."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        asked = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", ())]
        code = code_of(cells)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        problem = f"does not read as a notebook ({type(error).__name__})"
        raise InputError(notebook, problem, "take the repository's: `git checkout notebooks`") from None
    if not any("PRESET" in "".join(cell["source"]) for cell in asked):
        raise InputError(notebook, "has no parameter PRESET", "tag the cell that sets PRESET as `parameters`")
    return digest(code, [(path.relative_to(root).as_posix(), sha256(path)) for path in modules_used(code, root)])


def keys(stages: list[Stage], preset: Preset, data: str, root: Path = ROOT) -> dict[str, dict[str, str]]:
    """Compute each stage's `key`, and the hash of its `code` alone; `data` changes when the data or weights do."""
    found = {}
    for stage in stages:
        code, before = code_key(stage.notebook, root), [found[name]["key"] for name in stage.after]
        found[stage.name] = {"key": digest(code, repr(preset), data, before), "code": code}
    return found


def parameters(preset: Preset) -> dict[str, str]:
    """Return the parameters that a preset's run sets in a notebook."""
    return {"PRESET": preset.name.partition("~")[0], **({"SETTINGS": preset.changed} if preset.changed else {})}


def left_by(preset: Preset, stage: str) -> dict:
    """Read the record of a stage's last run; empty unless it ended and all of its products are present."""
    places = {"build": build_dir(preset.name), "figures": figures_dir(preset.name)}
    try:
        left = json.loads((places["build"] / f"{stage}.json").read_text(encoding="utf-8"))
        products = [name.partition("/") for name in left["products"]]
        return left if all((places[place] / rest).stat().st_size for place, _, rest in products) else {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def run(stages: list[Stage], preset: Preset, data: str = "", only: str = "", root: Path = ROOT) -> list[str]:
    """Run the stages that are out of date, or `only` one; wait for another run of the same preset to end.

    Parameters
    ----------
    data : str
        Text that changes when the data or the weights do.
    only : str, optional
        The name of the one stage to run, even if it is up to date.
    root : Path
        The checkout: its notebooks, and the package that they import.

    Returns
    -------
    list of str
        The names of the stages that ran.

    Raises
    ------
    InputError
        If a notebook is damaged, or a cell fails; the error names notebook, cell, error and remedy.
    """
    known, build = keys(stages, preset, data, root), build_dir(preset.name)
    (build / ".lock").touch(0o600)
    with (build / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another run of {preset.name} is going on: waiting for its end", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        stale = [each for each in stages if left_by(preset, each.name).get("key") != known[each.name]["key"]]
        todo = [each for each in stages if each.name == only] if only else stale
        if todo:
            for path in [path for place in (build, figures_dir(preset.name)) for path in place.glob(".*.tmp*")]:
                path.unlink()  # of an interrupted run: this one has the lock
            _run(stages, todo, preset, known, root)
    return [stage.name for stage in todo]


def _run(stages: list[Stage], todo: list[Stage], preset: Preset, known: dict[str, dict], root: Path) -> None:
    """Run some stages, each in a thread that starts its kernel as soon as the stage before it has begun."""
    expected, begun, ends = _announce(stages, todo, preset, root), {each.name: Event() for each in todo}, {}

    def work(stage: Stage) -> None:
        earlier = [each.name for each in todo[: todo.index(stage)] if not (stage.shares and each.shares)]
        for name in earlier:
            begun[name].wait()
        try:
            with _kernel(stage, root) as kernel:
                wait([ends[name] for name in earlier])
                for name in set(stage.after) & set(ends):
                    ends[name].result()  # raises its error
                begun[stage.name].set()
                number = f"{stages.index(stage) + 1}/{len(stages)} {stage.title}"
                about = f", about {_words(expected[stage.name])}" if stage.name in expected else ""
                alone = not stage.shares or sum(each.shares for each in todo) == 1
                print(f"{number}{about}\n", end="", flush=True)  # in one piece: another stage may print too
                seconds = _execute(stage, preset, kernel, known[stage.name], bars=alone and sys.stderr.isatty())
                print(f"{number}: {_words(seconds)}\n", end="", flush=True)
        finally:
            begun[stage.name].set()

    pool = ThreadPoolExecutor(len(todo))  # no `with`, so that Ctrl-C does not wait for its threads
    for stage in todo:
        ends[stage.name] = pool.submit(work, stage)
    import papermill  # noqa: F401  while the first kernel starts

    wait(ends.values())
    for end in ends.values():
        end.result()


def wall_seconds(stages: list[Stage], seconds: dict[str, float]) -> float:
    """Add up the seconds of some stages; of those that share the cores only the longest counts."""
    beside = [seconds[stage.name] for stage in stages if stage.shares]
    return sum(seconds[stage.name] for stage in stages if not stage.shares) + max(beside, default=0.0)


def _announce(stages: list[Stage], todo: list[Stage], preset: Preset, root: Path) -> dict[str, float]:
    """Print how many stages run and about how long; return each one's seconds in the committed run, if any."""
    try:
        record = json.loads((root / "figures" / preset.name / "run.json").read_text(encoding="utf-8"))
        seconds, cores = record["seconds"] | record.get("appendix_seconds", {}), record["machine"]["cores"]
        words = f", about {_words(wall_seconds(todo, seconds))} on {cores} cores"
    except (OSError, ValueError, LookupError, TypeError):
        seconds, words = {}, ""
    count = f"{len(todo)} of {len(stages)}" if len(todo) < len(stages) else len(stages)
    print(f"{count} stage{'s' if len(stages) > 1 else ''}{words}", flush=True)
    return seconds


def _words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"


@contextmanager
def _kernel(stage: Stage, root: Path) -> Iterator:
    """Start a kernel that imports the notebook's modules while it waits; yield its manager and its journal's file.

    It uses its own sockets and no port, runs this checkout's package, and ends with this process.
    """
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_core.utils import ensure_event_loop

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    folders = [root, ROOT, *(Path(each).resolve() for each in os.environ.get("PYTHONPATH", "").split(":") if each)]
    own = {"PYTHONPATH": ":".join(dict.fromkeys(map(str, folders)))}
    own |= {"OMP_NUM_THREADS": str(max(1, cores // 2))} if stage.shares else {}
    loop, place = ensure_event_loop(), tempfile.gettempdir()
    place = place if len(place) < 25 else "/tmp"  # the path of a socket has at most 103 characters
    with tempfile.TemporaryDirectory(prefix="blindlib-", dir=place, ignore_cleanup_errors=True) as scratch:
        sockets = {"transport": "ipc", "ip": f"{scratch}/kernel", "connection_file": f"{scratch}/kernel.json"}
        manager, journal = AsyncKernelManager(kernel_name="python3", **sockets), Path(scratch, "journal")
        options = {"env": _KERNEL | os.environ | own | {JOURNAL: str(journal)}, "cwd": str(stage.notebook.parent)}
        make_client, clients = manager.client, []
        manager.client = lambda: clients.append(make_client()) or clients[-1]  # papermill leaves its sockets open
        try:
            loop.run_until_complete(manager.start_kernel(extra_arguments=kernel_arguments(stage.notebook), **options))
            yield manager, journal
        finally:
            for client in clients:
                client.stop_channels()
            loop.run_until_complete(manager.shutdown_kernel(now=True))
            loop.close()


def _execute(stage: Stage, preset: Preset, kernel: tuple, known: dict, bars: bool) -> float:
    """Execute a stage's notebook by papermill, record its products, and return its seconds."""
    import papermill as pm
    from papermill.exceptions import PapermillExecutionError

    (manager, journal), start, build = kernel, time.perf_counter(), build_dir(preset.name)
    running, done, record = (build / f"{stage.name}{end}" for end in (".running.ipynb", ".ipynb", ".json"))
    record.unlink(missing_ok=True)  # from here on its products may be of either run
    options = {"kernel_name": "python3", "start_timeout": 180, "progress_bar": False}
    shown = sys.stderr if bars else None
    try:
        running.touch(0o600)
        pm.execute_notebook(stage.notebook, running, parameters(preset), km=manager, stderr_file=shown, **options)
    except PapermillExecutionError as error:
        problem, _, remedy = (str(error.evalue).splitlines() or [""])[0].partition(" → ")
        place, remedy = f"{stage.notebook.name}, cell {error.cell_index + 1}", remedy or f"read {running}"
        raise InputError(place, f"{error.ename}: {problem}", remedy) from None
    except RuntimeError as error:  # of nbclient: a kernel that ends or does not start
        problem = f"its kernel ended ({error})"
        raise InputError(stage.notebook.name, problem, "see that there is memory enough") from None
    _strip(running)
    running.replace(done)
    seconds, left = round(time.perf_counter() - start, 1), [f"build/{done.name}", *_products(journal, preset)]
    write_json(record, {**known, "seconds": seconds, "products": left})
    return seconds


def _products(journal: Path, preset: Preset) -> list[str]:
    """List the files in a run's folders that a kernel wrote and that are present and not empty."""
    names = journal.read_bytes().split(b"\0")[:-1] if journal.exists() else []
    written = {Path(os.fsdecode(name)) for name in names}
    found = []
    for place, folder in (("build", build_dir(preset.name)), ("figures", figures_dir(preset.name))):
        inside = (path for path in written if path.is_relative_to(folder.resolve()) and path.is_file())
        found += [f"{place}/{path.relative_to(folder.resolve())}" for path in inside if path.stat().st_size]
    return sorted(found)


def _strip(executed: Path) -> None:
    """Remove papermill's time stamps and the folders of this machine from an executed notebook."""
    import nbformat

    notebook = nbformat.read(executed, as_version=4)
    for part in (notebook, *notebook.cells):
        part.metadata.pop("papermill", None)
        part.metadata.pop("execution", None)
        for output in part.get("outputs", ()):
            if output.get("name") == "stderr":  # a warning names its source file
                output.text = _FOLDERS.sub("", output.text)
    nbformat.write(notebook, executed)
