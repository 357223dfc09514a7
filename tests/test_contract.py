"""The house rules, held by tests: imports one way, short files, documented functions, notebooks that only tell."""

import ast
import json
import re
import tomllib
from functools import cache
from itertools import chain

import nbformat
import pytest

from blindlib import settings
from blindlib.blinders import erasers
from blindlib.common.files import ROOT
from blindlib.pipeline import code_of, imports_of, module_file, modules_used, paper

MODULES = sorted((ROOT / "blindlib").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
APPENDIX = sorted((ROOT / "notebooks" / "appendix").glob("A*.ipynb"))
# A room imports only from the rooms before it; those on one line do not import each other.
ORDER = (
    {"common"},
    {"metrics"},
    {"settings"},
    {"presets", "synthfaces"},
    {"data"},
    {"backbones", "blinders"},
    {"evaluate"},
    {"pipeline"},
    {"report", "study"},
    {"appendix"},
    {"inspection"},
    {"cli"},
    {"__main__", "__init__"},
)


def room(path):
    return path.relative_to(ROOT / "blindlib").with_suffix("").parts[0]


@cache
def edges():
    return list(_edges())


def _edges():
    for path in MODULES:
        for name in imports_of(path.read_text(encoding="utf-8")):
            target = module_file(name)
            if target is not None and target != path and target.name != "__init__.py":
                yield path, target


def test_imports_run_one_way():
    rank = {name: n for n, names in enumerate(ORDER) for name in names}
    between = {(room(a), room(b)) for a, b in edges() if room(a) != room(b)}
    assert not [f"{a} imports {b}" for a, b in sorted(between) if rank[a] <= rank[b]]
    assert len(between) <= 70


def test_no_circle_inside_a_room():
    needs = {a: {b for c, b in edges() if c == a and room(a) == room(b)} for a in MODULES}
    done = set()
    while len(done) < len(MODULES):
        ready = [m for m in MODULES if m not in done and needs[m] <= done]
        assert ready, f"a circle among {[m.name for m in MODULES if m not in done]}"
        done.update(ready)


def test_the_house_has_few_rooms_and_is_thin():
    top = [path for path in (ROOT / "blindlib").iterdir() if path.name != "__pycache__"]
    assert sum(path.is_dir() for path in top) <= 9 and sum(path.is_file() for path in top) <= 9
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES) <= 12_516, "it may only fall"


def test_the_names_that_a_preset_may_ask_for_are_those_that_there_are():
    assert tuple(erasers.ERASERS) == settings.ERASERS


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_no_file_is_over_400_lines_and_no_body_over_50(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= 50, f"{path.name}:{node.lineno} {node.name} has {lines} lines"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_every_public_name_is_documented(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), path
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            doc = ast.get_docstring(node)
            assert doc, f"{path.name}: {node.name}"
            for inner in node.body if isinstance(node, ast.ClassDef) else []:
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                    assert ast.get_docstring(inner), f"{path.name}: {node.name}.{inner.name}"


def test_every_raise_of_a_documented_function_s_own_is_documented():
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and path.stem != "cli":
                raised = {
                    n.exc.func.id
                    for n in ast.walk(node)
                    if isinstance(n, ast.Raise) and isinstance(n.exc, ast.Call) and isinstance(n.exc.func, ast.Name)
                }
                assert not raised or re.search("[Rr]aise", ast.get_docstring(node)), (
                    f"{path.stem}.{node.name}: {raised}"
                )


def test_nothing_is_unpickled_or_randomised_globally():
    forbidden = re.compile(
        r"\bpickle\b(?!;)|joblib\.load|weights_only=False|np\.random\.seed|torch\.manual_seed|allow_pickle=True"
    )
    for path in MODULES:
        code = ast.unparse(ast.parse(path.read_text(encoding="utf-8")))
        code = re.sub(r'"""[\s\S]*?"""', "", code)
        assert not forbidden.search(code), path


@pytest.mark.parametrize("path", [*NOTEBOOKS, *APPENDIX], ids=lambda p: p.stem)
def test_a_notebook_tells_and_the_package_does(path):
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    assert len(code) <= 25
    for cell in code:
        assert len(cell.source.splitlines()) <= 20, cell.source
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda), cell.source
        assert "sys.path" not in cell.source and "pip " not in cell.source


@pytest.mark.parametrize("path", [*NOTEBOOKS, *APPENDIX], ids=lambda p: p.stem)
def test_parameters_are_one_tagged_cell_of_literals(path):
    cells = [c for c in nbformat.read(path, as_version=4).cells if "parameters" in c.metadata.get("tags", [])]
    assert len(cells) == 1
    for node in ast.parse(cells[0].source).body:
        assert isinstance(node, ast.Assign) and node.targets[0].id.isupper()
        ast.literal_eval(node.value)
    assert cells[0].source == 'PRESET = "demo"\nSETTINGS = ""'


def test_the_graph_and_the_makefile_know_every_notebook_and_every_target_is_explained():
    assert [stage.notebook for stage in paper()] == NOTEBOOKS
    text = (ROOT / "Makefile").read_text()
    assert len(text.splitlines()) <= 80
    documented = set(re.findall(r"^([a-z]+):.*##", text, re.M))
    assert {"paper", "appendix", "test", "lint", "lab", "data", "clean", "tune"} <= documented
    page = (ROOT / "docs" / "running.md").read_text()
    assert all(f"`make {target}`" in page for target in documented)


def test_a_stage_depends_on_the_modules_that_it_uses_and_no_others():
    sources = {p.stem: code_of(json.loads(p.read_text(encoding="utf-8"))["cells"]) for p in NOTEBOOKS}
    names = {name: {m.stem for m in modules_used(code)} for name, code in sources.items()}
    assert "sensitivenets" in names["03_sensitivenets"] and "lfw" in names["01_data_prep"]
    assert "sensitivenets" not in names["02_baseline"] and "lfw" not in names["02_baseline"]
    assert {name for name, used in names.items() if "tables" in used} == {"05_probes", "06_celeba_fairness"}
    assert "fairness" in names["06_celeba_fairness"] and "fairness" not in names["05_probes"]


def test_conda_and_pip_get_the_same_versions():
    environment = (ROOT / "environment.yml").read_text()
    lock = (ROOT / "requirements.lock").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "- -r requirements.lock" in environment, "conda installs the lock itself: one list, no second one to drift"
    python = re.search(r"- python=(\d+)\.(\d+)", environment)
    assert (3, 11) <= (int(python[1]), int(python[2])) < (3, 14) and project["requires-python"] == ">=3.11,<3.14"
    pinned = {line.split("==")[0].strip().lower().replace("_", "-") for line in lock.splitlines() if "==" in line}
    assert all("==" in line for line in lock.splitlines() if line.strip()), "every line is an exact version"
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    missing = [w for w in wanted if re.split(r"[<>=~\[]", w)[0].lower().replace("_", "-") not in pinned]
    assert not missing
    assert not re.search(r"https?://|file:|/opt|/work", lock + environment)


def test_no_path_of_a_machine_is_committed():
    texts = [path for kind in ("json", "csv", "md", "tex") for path in (ROOT / "figures").glob(f"*/*.{kind}")]
    notebooks = [*NOTEBOOKS, *APPENDIX]
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "Makefile"]
    for path in [*MODULES, *notebooks, *texts, *pages]:
        assert not re.search(r"(?<![\w.])/(work|root|home|Users|tmp)/", path.read_text(encoding="utf-8")), path


def test_published_numbers_stand_in_one_file():
    from blindlib.report.paper import table1, table2

    numbers = {f"{value:g}" for table in (table1(), table2()) for value in table.to_numpy().ravel() if value % 1}
    numbers = {n for n in numbers if len(n) == 5}  # 17.47 and the like: no chance meeting
    for path in [*MODULES, *NOTEBOOKS, *APPENDIX]:
        if path.stem == "paper":
            continue
        source = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            source = "\n".join(c.source for c in nbformat.reads(source, 4).cells if c.cell_type == "code")
        assert not [n for n in numbers if re.search(rf"(?<![\d.]){re.escape(n)}(?!\d)", source)], path
