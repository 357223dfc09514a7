"""Define the command line: `blindlib audit`, `data`, …; make calls hidden commands. Errors print one line."""

import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from blindlib.common.errors import InputError, foreseen_in_one_line
from blindlib.common.processes import one_line_when_interrupted

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The companion of 'Learning Emotional-Blinded Face Representations'.",
)
data = typer.Typer(no_args_is_help=True, help="The data sets: what is here, what to fetch.")
app.add_typer(data, name="data")
PresetName = Annotated[str, typer.Option("--preset", help="As `make help` lists them.")]
Changes = Annotated[
    list[str],
    typer.Option(
        "-p",
        help="NAME=VALUE: any setting of the preset, sensitivenets.rounds=20 say; such a run has folders of its own.",
    ),
]


def _preset(name: str, changes: list[str]):
    from blindlib.presets import get_preset

    return get_preset(name, "; ".join(changes))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"blindlib {version('blindlib')}")
        raise typer.Exit


@app.callback()
def _options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    show_version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Options of every command."""


@data.command("status")
def data_status() -> None:
    """Show every data set: present, where, how many images and subjects, licence, how to get it."""
    from blindlib.data.catalogue import status

    for _, row in status().fillna({"images": 0}).iterrows():
        size = f" · {row['images']:,} files" if row["images"] else ""
        typer.echo(f"{'✓' if row['present'] else '✗'} {row['name']}{size}: {row['use']}")
        for word in ("folder", "licence", "address"):
            typer.echo(f"    {word}: {row[word]}")
        typer.echo(f"    get it: {row['how']}")


@data.command("fetch")
def data_fetch(
    name: str = typer.Argument(help="lfw, vggface2, sface; of others the terms are shown"),
) -> None:
    """Download a data set or weights from the publisher, verified; where terms have to be agreed to, show them."""
    from blindlib.common.files import data_dir, dataset_dir
    from blindlib.data.catalogue import CATALOGUE
    from blindlib.data.download import COLLECTIONS, fetch

    if name in CATALOGUE and name not in COLLECTIONS:
        entry = CATALOGUE[name]
        typer.echo(f"{entry.title}: {entry.use}\n  licence: {entry.licence}\n  terms: {entry.terms or entry.licence}")
        typer.echo(f"  address: {entry.address}\n  how: {entry.how}\n  folder: {dataset_dir(name)}")
        raise InputError(name, "is not downloaded for you", "follow the lines above")
    folder = dataset_dir(name) if name in CATALOGUE else data_dir() / "weights"
    fetch(name, folder, typer.echo)
    typer.echo(f"{name}: complete in {folder}")


@data.command("unpack")
def data_unpack(name: str, archive: Path) -> None:
    """Unpack an archive (zip, tar) that you downloaded into a data set's folder, checked against its published sum."""
    from blindlib.common.files import dataset_dir
    from blindlib.data.download import unpack_into

    typer.echo(unpack_into(name, archive, dataset_dir(name)))


@app.command("synth")
def synth(
    out: Annotated[Path, typer.Option(help="A new folder.")],
    identities: Annotated[int, typer.Option(help="People.")] = 100,
    images: Annotated[int, typer.Option(help="Everyday photographs of each.")] = 4,
    posed: Annotated[bool, typer.Option(help="One studio photograph of every basic emotion instead.")] = False,
    compound: Annotated[bool, typer.Option(help="With --posed: CFEE's fifteen compound emotions too.")] = False,
    size: Annotated[int, typer.Option(help="Side in pixels, a multiple of 8 up to 1024.")] = 112,
    seed: Annotated[int, typer.Option(help="Another seed is another population.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    compiled: Annotated[
        bool, typer.Option(help="Fuse with torch.compile: a quarter of a minute to start, then faster.")
    ] = False,
) -> None:
    """Write a data set of rendered faces: pictures, manifest.csv, and the ground truth in factors.parquet."""
    from blindlib.synthfaces.export import export

    options = {"posed": posed, "compound": compound, "size": size, "seed": seed, "device": device}
    typer.echo(f"wrote {export(out, identities=identities, images=images, compiled=compiled, **options)}")


@app.command("audit")
def audit(
    embeddings: Annotated[Path, typer.Argument(help=".npz, .npy, .safetensors or .parquet")],
    labels: Annotated[Path | None, typer.Option(help="CSV with a line for each row of x.")] = None,
    identity: Annotated[str, typer.Option(help="The column of subjects.")] = "identity",
    label: Annotated[list[str], typer.Option(help="A label to audit, several times; by default all.")] = (),
    hide: Annotated[str | None, typer.Option(help="A label to hide, by two heads and four erasers in 6 bits.")] = None,
    budget: Annotated[float, typer.Option(help="Percent of verification that hiding may cost.")] = 3.0,
    attacker: Annotated[list[str], typer.Option(help="Default: linear, SVM, NN; also kNN, RF, boosting.")] = (),
    seed: Annotated[int, typer.Option(help="Another seed deals subjects into other parts.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="A new folder; by default audit_NAME, with --hide audit_NAME_without_LABEL.")
    ] = None,
) -> None:
    """Audit your own embeddings: what they leak, what hiding it costs, and which method to use."""
    from blindlib.inspection import audit, read
    from blindlib.inspection.probes import ATTACKERS

    hidden = "".join(letter if letter.isalnum() else "_" for letter in hide or "")
    folder = out or Path(f"audit_{embeddings.stem}" + (f"_without_{hidden}" if hide else ""))
    if folder.exists():
        raise InputError(folder, "is there already", "name a new folder by --out")
    given = read(embeddings, labels, identity=identity, only=tuple(label))
    options = {"attackers": tuple(attacker) or ATTACKERS, "budget": budget, "seed": seed}
    report = audit(**given, hide=hide, **options)
    report.save(folder)  # before printing, in case the terminal is gone
    typer.echo(f"{report}\nwrote {folder / 'report.html'}")
    if report.head is not None:
        typer.echo(f"the recommended head: blindlib.inspection.load_head({str(folder / 'head')!r}).transform(x)")


@app.command("embed")
def embed(preset: str = typer.Option(..., help="smoke, demo, open or paper")) -> None:
    """Extract a preset's embeddings ahead of notebook 02, resumable; by several processes under torchrun.

    torchrun --nproc-per-node 2 -m blindlib embed --preset NAME
    """
    from blindlib.backbones.torchrun import embed_preset

    report = embed_preset(preset)
    if report:
        typer.echo(report)


def _fingerprint(preset) -> str:
    """Return text that changes when a preset's data or weights do; InputError where they are absent."""
    from blindlib.common.files import ROOT, below, sha256
    from blindlib.presets import DATA_SETS

    for name in sorted(DATA_SETS.difference(*(preset.sources or {}).values())):
        if os.environ.get(f"BLINDLIB_{name.upper()}"):
            typer.echo(f"note: {name} was named, but preset {preset.name} does not read it", err=True)
    files = [ROOT / "requirements.lock"]
    if preset.synth is not None:  # all of it is in the repository: PyTorch is not loaded
        folder = ROOT / "blindlib" / "backbones" / "weights"
        files += [below(folder, f"{name}.safetensors", "preset") for name in (preset.backbone, preset.ceiling)]
        state = f"SynthFaces {preset.synth}"
    else:
        from blindlib.backbones.registry import get_backbone
        from blindlib.data.source import source_state

        state = source_state(preset) + get_backbone(preset.backbone).weights()
    files += [_module_of(name.partition(":")[0]) for name in preset.erasers if ":" in name]
    return "\n".join([state, *(f"{sha256(file)}  {file.name}" for file in files if file.is_file())])  # pixels have none


def _module_of(name: str) -> Path:
    """Return the file of a module with the user's eraser."""
    from importlib.util import find_spec

    try:
        return Path(find_spec(name).origin)
    except (ImportError, ValueError, AttributeError, TypeError):
        raise InputError("erasers", f"there is no module {name!r}", "put its folder on PYTHONPATH") from None


@app.command("paper")
def paper(preset: PresetName = "demo", changes: Changes = ()) -> None:
    """Run the paper's notebooks that are out of date, then print its tables (`make paper` calls this)."""
    from blindlib import pipeline

    wanted = _preset(preset, changes)
    ran = pipeline.run(pipeline.paper(), wanted, _fingerprint(wanted))
    _end(wanted, bool(ran))


@app.command("appendix")
def appendix(preset: PresetName = "demo", changes: Changes = ()) -> None:
    """Run the paper's notebooks and those of notebooks/appendix that are out of date (`make appendix` calls this)."""
    from blindlib import pipeline
    from blindlib.common.files import figures_dir, from_root

    wanted = _preset(preset, changes)
    ran = pipeline.run(pipeline.appendix(), wanted, _fingerprint(wanted))
    _end(wanted, bool(ran))
    typer.echo(f"{from_root(figures_dir(wanted.name) / 'appendix')}: up to date")


def _end(preset, ran: bool) -> None:
    """Write a finished run's `run.json`, unless it exists, and print its tables."""
    from blindlib.common.files import build_dir, figures_dir, from_root, write_text
    from blindlib.report import record

    figures, summary = figures_dir(preset.name), build_dir(preset.name) / "summary.txt"
    if ran or not summary.is_file() or not record.is_recorded(preset, "06_celeba_fairness"):
        from blindlib.report.terminal import summary_text

        write_text(summary, summary_text(figures))
        record.write_record(preset)
    typer.echo(f"\n{summary.read_text(encoding='utf-8')}\n{from_root(figures)}: up to date")


@app.command("name", hidden=True)
def name(preset: PresetName = "smoke", changes: Changes = (), build: bool = False, figures: bool = False) -> None:
    """Print the name of a run's folders, the preset's or one of its own if settings change; or one of the folders."""
    from blindlib.common.files import below, build_root, figures_root, from_root

    run = _preset(preset, changes).name
    folder = from_root(below(build_root() if build else figures_root(), run, "preset"))
    typer.echo(os.fsencode(folder if build or figures else run))  # bytes, as a folder's name may be invalid UTF-8


@app.command("run")
def run(notebook: Path, preset: PresetName = "smoke", changes: Changes = ()) -> None:
    """Execute one notebook for a preset; those before it must have run (`make paper` runs all that are out of date)."""
    from blindlib import pipeline

    wanted, path = _preset(preset, changes), notebook.absolute()
    stages = pipeline.appendix()
    if path not in [stage.notebook for stage in stages]:
        stages = [pipeline.Stage(path, path.stem)]
    pipeline.run(stages, wanted, _fingerprint(wanted), only=path.stem)


@app.command("store", hidden=True)
def store(preset: PresetName = "demo", changes: Changes = ()) -> None:
    """Put the outputs of a finished run into notebooks/, executing nothing (`make notebooks` calls this)."""
    from blindlib.report.record import store_outputs

    wanted = _preset(preset, changes)
    for stage in store_outputs(wanted):
        typer.echo(f"note: {stage} ran before the package changed; `make paper` would run it again", err=True)
    typer.echo(f"notebooks/ show the run of {wanted.name}")


@app.command("compare", hidden=True)
def compare(committed: Path, fresh: Path) -> None:
    """Hold a fresh run's tables against the committed ones (`make check` calls this); exit 1 where they differ."""
    from blindlib.report.compare import compare_figures

    lines, differs = compare_figures(committed, fresh)
    typer.echo("\n".join(lines))
    if differs:
        sys.exit(1)


@app.command("lab", hidden=True)
def lab() -> None:
    """Become JupyterLab, on this machine alone, its kernels' sockets in a private folder (make calls this)."""
    place = tempfile.gettempdir()  # the path of a socket has at most 103 characters
    os.environ["JUPYTER_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="blindlib-", dir=place if len(place) < 25 else "/tmp")
    options = ["--ServerApp.ip=127.0.0.1", "--KernelManager.transport=ipc"]
    os.execv(sys.executable, [sys.executable, "-m", "jupyter", "lab", *options])


def main() -> None:
    """Run the command line: an error prints one line and exits with 1 (`--debug`: traceback), Ctrl-C with 130."""
    for stream in (sys.stdout, sys.stderr):  # a file's name may have bytes that are not UTF-8
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with one_line_when_interrupted(), foreseen_in_one_line():
            app()
    except Exception as error:  # unexpected: print its type and the command
        if "--debug" in sys.argv:
            raise
        message, what = " ".join(str(error).split())[:160], " ".join(["blindlib", *sys.argv[1:2]])
        remedy = f"`{what.replace(' ', ' --debug ', 1)} …` shows where"
        typer.echo(f"error: {InputError(what, f'{type(error).__name__}: {message}', remedy)}", err=True)
        sys.exit(1)
