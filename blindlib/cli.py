"""The command line: `blindlib data`, `synth`, `embed`, `run`, ... One line on bad input, a traceback with --debug."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from blindlib.errors import InputError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The companion of 'Learning Emotional-Blinded Face Representations'.",
)
data = typer.Typer(no_args_is_help=True, help="The data sets: what is here, what to fetch.")
app.add_typer(data, name="data")


@app.callback()
def _options(debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error.")) -> None:
    """Options of every command."""


@data.command("status")
def data_status() -> None:
    """Show every data set: present, where, how many images and subjects, licence, how to get it."""
    from blindlib.datasets.catalogue import status

    table = status().fillna({"images": 0, "subjects": 0})
    for _, row in table.iterrows():
        size = f" · {row['images']:,} images, {row['subjects']:,} subjects" if row["images"] else ""
        typer.echo(f"{'✓' if row['present'] else '✗'} {row['name']}{size}")
        typer.echo(f"    where: {row['where']}\n    licence: {row['licence']}\n    get it: {row['how']}")


@data.command("fetch")
def data_fetch(name: str = typer.Argument(help="lfw, sface or resnet50")) -> None:
    """Download a data set or weights from the publisher, verified; goes on where an earlier try stopped."""
    from blindlib.datasets.fetch import fetch
    from blindlib.paths import data_dir, lfw_dir

    folder = lfw_dir() if name == "lfw" else data_dir() / "weights"
    fetch(name, folder, typer.echo)
    typer.echo(f"{name}: complete in {folder}")


@data.command("check")
def data_check(preset: str, stamp: Annotated[Path, typer.Option(help="Rewritten when the data changed.")]) -> None:
    """Stop with one clear message if a preset's data is not here (make runs this first)."""
    from blindlib.datasets.source import source_state
    from blindlib.files import write_text
    from blindlib.presets import get_preset

    state = source_state(get_preset(preset))
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != state:
        write_text(stamp, state)


@app.command("synth")
def synth(
    out: Annotated[Path, typer.Option(help="A new folder.")],
    identities: Annotated[int, typer.Option(help="People.")] = 100,
    images: Annotated[int, typer.Option(help="Everyday photographs of each.")] = 4,
    posed: Annotated[bool, typer.Option(help="One studio photograph of every basic expression instead.")] = False,
    compound: Annotated[bool, typer.Option(help="With --posed: CFEE's fifteen compound expressions too.")] = False,
    size: Annotated[int, typer.Option(help="Side in pixels, a multiple of 8.")] = 112,
    seed: Annotated[int, typer.Option(help="Another seed is another population.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    compiled: Annotated[bool, typer.Option(help="Fuse with torch.compile: a minute to start, then faster.")] = False,
) -> None:
    """Write a data set of rendered faces: pictures, manifest.csv, and the ground truth in factors.parquet."""
    from blindlib.synthfaces.export import export

    options = {"posed": posed, "compound": compound, "size": size, "seed": seed, "device": device}
    typer.echo(f"wrote {export(out, identities=identities, images=images, compiled=compiled, **options)}")


@app.command("embed")
def embed(preset: str = typer.Option(..., help="smoke, demo, open or paper")) -> None:
    """Extract a preset's embeddings ahead of notebook 02, resumable; by several processes under torchrun.

    torchrun --nproc-per-node 2 -m blindlib embed --preset NAME
    """
    from blindlib.sharding import embed_preset

    told = embed_preset(preset)
    if told:
        typer.echo(told)


@app.command("run")
def run(
    notebook: Path,
    preset: Annotated[str, typer.Option(help="smoke, demo, open or paper")] = "smoke",
    parameter: Annotated[list[str], typer.Option("-p", help="NAME=VALUE of the notebook's parameters cell.")] = (),
) -> None:
    """Execute one notebook for a preset (make calls this)."""
    from blindlib.presets import get_preset
    from blindlib.stages import read_parameters, run_stage

    get_preset(preset)
    parameters = read_parameters(notebook, parameter)
    typer.echo(f"{notebook.stem} ({preset})", err=True)
    run_stage(notebook, preset, parameters)


@app.command("compare")
def compare(committed: Path, fresh: Path) -> None:
    """Hold a fresh run's tables against the committed ones (`make check` calls this); exit 1 where they differ."""
    from blindlib.check import compare_figures

    lines, differs = compare_figures(committed, fresh)
    typer.echo("\n".join(lines))
    if differs:
        sys.exit(1)


@app.command("record")
def record(preset: str = typer.Option(..., help="smoke, demo, open or paper")) -> None:
    """Write run.json beside a preset's tables (make calls this)."""
    from blindlib.record import write_record

    typer.echo(f"wrote {write_record(preset)}", err=True)


def main() -> None:
    """Entry point: InputError and OSError become one line and exit code 1."""
    try:
        app()
    except (InputError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        where = "" if isinstance(error, InputError) else "blindlib: "
        typer.echo(f"error: {where}{error}", err=True)
        sys.exit(1)
