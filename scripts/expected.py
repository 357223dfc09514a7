"""Keep what the checked cells of a run print: `python scripts/expected.py build/smoke tests/expected/smoke.json`.

A checked cell bears nbval's mark, NBVAL_CHECK_OUTPUT. `make expected` calls this after a run of preset smoke.
"""

import sys
from pathlib import Path

import nbformat

from blindlib.common.errors import foreseen_in_one_line
from blindlib.common.files import ROOT, write_json
from blindlib.common.processes import one_line_when_interrupted


def checked(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells of a notebook whose output nbval compares."""
    return [c for c in notebook.cells if c.cell_type == "code" and "NBVAL_CHECK_OUTPUT" in c.source]


def printed(cell: nbformat.NotebookNode) -> list[str]:
    """The lines that an executed cell printed."""
    return "".join(o.text for o in cell.outputs if o.get("name") == "stdout").splitlines()


def main(build: Path, out: Path) -> None:
    """Write down the lines of a run's notebooks."""
    notebooks = [path.name for path in sorted((ROOT / "notebooks").glob("0*.ipynb"))]
    ran = {name.partition(".")[0]: nbformat.read(build / name, as_version=4) for name in notebooks}
    texts = {name: [printed(cell) for cell in checked(notebook)] for name, notebook in ran.items()}
    print(f"wrote {write_json(out, texts)}")


if __name__ == "__main__":
    with one_line_when_interrupted(), foreseen_in_one_line():
        main(*map(Path, sys.argv[1:]))
