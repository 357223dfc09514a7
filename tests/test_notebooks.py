"""The committed notebooks show the demo's run: whole, of their own code, without this machine; how they get there."""

import json
import re
import shutil

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from blindlib.common.errors import InputError
from blindlib.common.files import ROOT, dataset_place, write_json, write_text
from blindlib.pipeline import code_key
from blindlib.presets import get_preset
from blindlib.report import record

PAPER = sorted((ROOT / "notebooks").glob("0*.ipynb"))
APPENDIX = sorted((ROOT / "notebooks" / "appendix").glob("A*.ipynb"))
# An appendix notebook carries outputs once `make appendix` has run for the demo.
PATHS = [*PAPER, *(path for path in APPENDIX if '"blindlib": {' in path.read_text("utf-8"))]
SAVED = re.compile(r'save_figure\((?:(?!save_figure).)*?\b(?:figures|appendix), "(\w+)"', re.S)
TABLE = "from blindlib.metrics import people_needed\npeople_needed"
each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
LARGEST = 2_000_000  # bytes: what a forge still shows
# An absolute path of Unix (no address's, no closing tag of HTML), of Windows, a home, a Path's repr.
MACHINE = re.compile(r"(?<![\w.:/<$)}])/[\w.+~-]+/|(?<!\w)[A-Z]:\\\w|(?<!\w)~/|file:/|(Posix|Windows)Path\(")


def code(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def words(output) -> str:
    """All text of an output, whatever its kind, but not its pictures."""
    data = {kind: text for kind, text in output.get("data", {}).items() if not kind.startswith("image/")}
    return "\n".join([output.get("text", ""), *data.values(), *output.get("traceback", [])])


@each_notebook
def test_a_committed_notebook_shows_the_demo_s_run_of_its_own_code(path):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.get("blindlib") == {"preset": "demo", "code": record.code_digest(notebook.cells)}, (
        f"{path.name}: its outputs are not those of its code; run `make paper notebooks`"
    )
    cells = code(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [(cell, output) for cell in cells for output in cell.outputs]
    assert all(output.get("execution_count", cell.execution_count) == cell.execution_count for cell, output in outputs)
    assert "text/html" in {kind for _, output in outputs for kind in output.get("data", {})}, "tables"
    assert all(cell.outputs for cell in cells if "NBVAL_CHECK_OUTPUT" in cell.source)


@each_notebook
def test_a_committed_notebook_is_small_and_tells_nothing_of_a_machine(path):
    assert path.stat().st_size < LARGEST
    notebook = nbformat.read(path, as_version=4)
    assert set(notebook.metadata) <= {"kernelspec", "blindlib"} and notebook.metadata.kernelspec.name == "python3"
    for cell in code(notebook):
        assert set(cell.metadata) <= {"tags"}
        for output in cell.outputs:
            assert output.output_type != "error" and output.get("name") != "stderr", cell.source
            assert "\r" not in words(output) and not MACHINE.search(words(output)), words(output)[:2000]


def test_every_figure_that_a_notebook_saves_is_there_after_the_run_and_no_other():
    run = ROOT / "figures" / "demo"
    for paths, folder in ((PAPER, run), (PATHS[len(PAPER) :], run / "appendix")):
        notebooks = [nbformat.read(path, as_version=4) for path in paths]
        saved = {name for book in notebooks for cell in code(book) for name in SAVED.findall(cell.source)}
        assert {path.stem for path in folder.glob("*.png")} == saved and bool(saved) == bool(paths)
        assert not [name for name in saved if not (folder / f"{name}.csv").is_file()]


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("PosixPath('build/demo/results.csv')", True),
        ("its folder: /srv/somebody/data/cfee", True),
        ("wrote C:\\Users\\somebody", True),
        ("kept in ~/faces", True),
        ("</td></tr></table>", False),
        ("see https://cbcsl.ece.ohio-state.edu/compound.html; its folder: data/cfee", False),
        ("images/s, and/or, 3/4; $BLINDLIB_DATA/cfee/", False),
    ],
)
def test_what_tells_of_a_machine_is_found_and_nothing_else(text, tells):
    assert bool(MACHINE.search(text)) == tells


@pytest.mark.parametrize(
    ("name", "table"), [("05_probes", "table1"), ("06_celeba_fairness", "table2"), ("06_celeba_fairness", "claims")]
)
def test_the_committed_notebooks_and_the_committed_tables_are_of_one_run(name, table):
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    shown = "\n".join(words(output) for cell in code(notebook) for output in cell.outputs)
    written = (ROOT / "figures" / "demo" / f"{table}.md").read_text("utf-8").splitlines()
    numbers = {cell.strip() for line in written if line.startswith("|") for cell in line.split("|")}
    numbers = {cell for cell in numbers if re.search(r"\d\.\d", cell)}
    assert len(numbers) > 5 and not [cell for cell in numbers if cell not in shown], "run `make notebooks`"


def test_a_data_set_s_place_is_named_without_the_machine(tmp_path, monkeypatch):
    for variable in ("BLINDLIB_DATA", "BLINDLIB_CFEE"):
        monkeypatch.delenv(variable, raising=False)
    assert dataset_place("cfee") == "data/cfee"
    monkeypatch.setenv("BLINDLIB_DATA", "other")
    assert dataset_place("cfee") == "other/cfee"
    monkeypatch.setenv("BLINDLIB_DATA", str(tmp_path))
    assert dataset_place("cfee") == "$BLINDLIB_DATA/cfee"
    monkeypatch.setenv("BLINDLIB_CFEE", str(tmp_path / "posed"))
    assert dataset_place("cfee") == "$BLINDLIB_CFEE" and dataset_place("lfw") == "$BLINDLIB_DATA/lfw"


@pytest.fixture
def run(tmp_path):
    """A folder with a notebook, and its finished run as the pipeline leaves it."""
    told = new_code_cell('PRESET = "demo"\nSETTINGS = ""', metadata={"tags": ["parameters"]})
    asked = [new_markdown_cell("# 1"), told, new_code_cell("print(len(faces))"), new_code_cell(TABLE)]
    for number, cell in enumerate(asked):
        cell.id = str(number)
    folder, build, figures = (tmp_path / name for name in ("notebooks", "build/smoke", "figures/smoke"))
    for each in (folder, build, figures):
        each.mkdir(parents=True)
    nbformat.write(new_notebook(cells=asked), folder / "01_first.ipynb")
    ran = nbformat.read(folder / "01_first.ipynb", as_version=4)
    ran.cells.insert(2, new_code_cell('PRESET = "smoke"', metadata={"tags": ["injected-parameters"]}))
    for count, cell in enumerate(code(ran), 1):
        cell.execution_count = count
    bar = new_output("stream", name="stderr", text="\rrendering:   0%| /home/somebody")
    ran.cells[3].outputs = [
        bar,
        new_output("stream", name="stdout", text="10"),
        bar,
        new_output("stream", name="stdout", text="60\n"),
    ]
    ran.cells[4].outputs = [
        new_output("execute_result", {"text/plain": "17.5", "image/png": "iVBO"}, execution_count=4)
    ]
    write_text(build / "01_first.ipynb", nbformat.writes(ran))
    left = {"key": "1", "code": code_key(folder / "01_first.ipynb"), "seconds": 1, "products": ["build/01_first.ipynb"]}
    write_json(build / "01_first.json", left)
    write_json(figures / "run.json", {"key": "1"})
    return folder, build, figures


def test_a_run_is_stored_without_its_bars_as_run_all_counts(run):
    folder, build, _ = run
    prose = nbformat.read(folder / "01_first.ipynb", as_version=4)
    prose.cells[0].source = "# One, in other words"
    nbformat.write(prose, folder / "01_first.ipynb")
    assert record.store_outputs(get_preset("smoke"), folder) == []
    stored = nbformat.read(folder / "01_first.ipynb", as_version=4)
    assert [cell.id for cell in stored.cells] == ["0", "1", "2", "3"]
    first, second, third = code(stored)
    assert stored.cells[0].source == "# One, in other words"
    assert first.source == 'PRESET = "smoke"\nSETTINGS = ""' and first.outputs == []
    assert [(o.name, o.text) for o in second.outputs] == [("stdout", "1060\n")]
    assert third.outputs[0].data == {"text/plain": "17.5", "image/png": "iVBO"}
    assert [cell.execution_count for cell in code(stored)] == [1, 2, 3] and third.outputs[0].execution_count == 3
    assert stored.metadata.blindlib == {"preset": "smoke", "code": record.code_digest(stored.cells)}
    before = (folder / "01_first.ipynb").read_bytes()
    left = json.loads((build / "01_first.json").read_text())
    write_json(build / "01_first.json", left | {"code": "of another state of the package"})
    assert record.store_outputs(get_preset("smoke"), folder) == ["01_first"]
    assert (folder / "01_first.ipynb").read_bytes() == before


def test_the_digest_is_of_code_and_neither_of_prose_nor_of_parameters(run):
    notebook = nbformat.read(run[0] / "01_first.ipynb", as_version=4)
    before = record.code_digest(notebook.cells)
    notebook.cells[0].source = "# One"
    assert record.code_digest(notebook.cells) == before
    notebook.cells[1].source = 'PRESET = "open"'
    assert record.code_digest(notebook.cells) == before
    notebook.cells[3].source += " "
    assert record.code_digest(notebook.cells) != before


def test_a_run_that_changed_settings_is_stored_as_one(run):
    folder, build, figures = run
    preset = get_preset("smoke", "erasers=['INLP']")
    shutil.copytree(build, build.with_name(preset.name))
    shutil.copytree(figures, figures.with_name(preset.name))
    record.store_outputs(preset, folder)
    told = code(nbformat.read(folder / "01_first.ipynb", as_version=4))[0].source
    values = {}
    exec(told, values)
    assert values["PRESET"] == "smoke" and get_preset("smoke", values["SETTINGS"]).name == preset.name


def spoil(what: str, folder, build, figures) -> None:
    if what == "copy":
        (build / "01_first.ipynb").unlink()
    elif what == "record":
        (figures / "run.json").unlink()
    elif what == "older":
        write_json(figures / "run.json", {"key": "0"})
    elif what == "a later stage":
        shutil.copy(folder / "01_first.ipynb", folder / "02_second.ipynb")
    else:
        path = folder / "01_first.ipynb"
        path.write_text(path.read_text().replace("print(len(faces))", "print(len(pairs))"))


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("copy", "01_first.ipynb: has not run with preset smoke"),
        ("a later stage", "02_second.ipynb: has not run"),
        ("record", "has not ended"),
        ("older", "has not ended"),
        ("code", "01_first.ipynb: has other code than what ran"),
    ],
)
def test_what_is_no_finished_run_of_this_code_is_refused_and_nothing_is_written(run, what, words):
    spoil(what, *run)
    before = {path: path.read_bytes() for path in run[0].iterdir()}
    with pytest.raises(InputError, match=words) as refused:
        record.store_outputs(get_preset("smoke"), run[0])
    assert len(str(refused.value).splitlines()) == 1 and "make paper PRESET=smoke" in str(refused.value)
    assert {path: path.read_bytes() for path in run[0].iterdir()} == before


def test_every_checked_cell_has_lines_to_be_compared_with():
    from expected import checked

    lines = json.loads((ROOT / "tests" / "expected" / "smoke.json").read_text("utf-8"))
    cells = {path.stem: checked(nbformat.read(path, as_version=4)) for path in PAPER}
    assert {name: len(texts) for name, texts in lines.items()} == {name: len(each) for name, each in cells.items()}
    assert all(cells.values()) and all(text and all(text) for texts in lines.values() for text in texts)
