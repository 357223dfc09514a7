"""Build the site: `python docs/make_site.py FIGURES BUILD OUT` puts texts and one run's results together.

FIGURES holds the run's tables and figures, BUILD its executed notebooks (where one is absent, the committed notebook
stands in for it), OUT takes the site. Nothing is executed, and nothing is fetched from a network.
"""

import ast
import json
import os
import re
import shutil
import sys
from pathlib import Path

import vl_convert
from sphinx.cmd.build import build_main

import blindlib
from blindlib.common.errors import InputError, foreseen_in_one_line
from blindlib.common.files import ROOT
from blindlib.common.processes import one_line_when_interrupted

PAGES = (
    *("README.md", "DATA.md", "CONTRIBUTING.md", "CHANGELOG.md", "blindlib/synthfaces/DATASHEET.md"),
    *(str(p.relative_to(ROOT)) for p in sorted(ROOT.glob("docs/*.md"))),
    *(str(p.relative_to(ROOT)) for p in sorted(ROOT.glob("blindlib/backbones/weights/*.md"))),
)
NEEDED = ("claims", "table1", "table2", "frontier", "attack_curves", "bias_sweep")  # what the pages are made of
# An executed notebook may print where it ran: what stands before a folder of this repository is cut off.
_ELSEWHERE = re.compile(r"(?<![\w./])(?:/[\w.+~-]+)+/(?=(?:\.venv|build|figures|data|blindlib|notebooks)/)")
_LINK = re.compile(r"(?P<image>!?)\[(?P<words>[^\]]+)\]\((?!\w+:|#)(?P<target>[^)#\s]+)(?P<anchor>#[^)]*)?\)")
_BADGES = re.compile(r"<!-- badges: .*?<!-- /badges -->\n*", re.S)  # they come from a network
_NUMBER = re.compile(r"<!-- num: (\w+)/(.*?) -->(.*?)<!-- /num -->")  # as scripts/readme.py writes it


def stage(figures: Path, build: Path, source: Path) -> None:
    """Lay out the sources of the site as the repository lies, so that its links between files hold.

    `figures` is the folder of a run, `build` that of its executed notebooks, `source` is written afresh. Raises
    InputError where the run lacks a table.
    """
    missing = [name for name in NEEDED if not (figures / f"{name}.csv").is_file()]
    if missing:
        raise InputError(str(figures), f"has no {missing[0]}.csv", f"run it first: make paper PRESET={figures.name}")
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "docs", source, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (*(p for p in (ROOT / "figures").iterdir() if p.is_dir()), figures):
        shutil.copytree(folder, source / "figures" / folder.name, dirs_exist_ok=True)
    names = "\n".join(f".. auto{kind}:: blindlib.{name}" for name, kind in _api())
    (source / "names.txt").write_text(names, encoding="utf-8")
    for page in PAGES:
        text = with_numbers((ROOT / page).read_text(encoding="utf-8").replace("@PRESET@", figures.name), figures.name)
        text = with_terms(text) if page == "docs/glossary.md" else _BADGES.sub("", text)
        _write(source / _place(ROOT / page), with_files(text, (ROOT / page).parent, source))
    for notebook in sorted((ROOT / "notebooks").glob("0*.ipynb")):
        executed = build / notebook.name
        text = (executed if executed.is_file() else notebook).read_text(encoding="utf-8")
        _write(source / "notebooks" / notebook.name, json.dumps(readied(json.loads(text), source)))
    bundle = vl_convert.javascript_bundle()
    _write(source / "_static" / "vega.js", f"(() => {{{bundle}}})();")  # its one-letter names must not be the page's


def with_terms(text: str) -> str:
    """The glossary's list, as a forge shows it (`* **term**, **other name**:`), as Sphinx's: pages link its terms."""
    head, _, terms = text.partition("\n* **")
    terms = re.sub(
        r"^\* (\*\*.+\*\*):$", lambda m: re.sub(r"\*\*(?:, \*\*)?", "\n", m[1]).strip(), f"* **{terms}", flags=re.M
    )
    return f"{head}\n```{{glossary}}\n{terms.strip()}\n```\n"


def _api() -> list[tuple[str, str]]:
    kinds = ((name, getattr(blindlib, name)) for name in blindlib.__all__)
    return [(name, "class" if isinstance(value, type) else "function") for name, value in kinds]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _place(path: Path) -> Path:
    """Where a file of the repository lies in the site: what is in docs/ lies at its top."""
    path = path.relative_to(ROOT)
    return path.relative_to("docs") if path.parts[:1] == ("docs",) else path


def with_numbers(text: str, preset: str) -> str:
    """A text whose numbers of this preset are read from its CSVs and lead there; those of others stay as written."""

    def kept(match: re.Match) -> str:
        return f"{{num}}`{match[2]}`" if match[1] == preset else match[3]

    return _NUMBER.sub(kept, text)


def with_files(text: str, base: Path, source: Path) -> str:
    """A Markdown text of the folder `base` whose files are copied along, and whose links hold in the site.

    Links to folders become words, those to Markdown that is no page become downloads.
    """

    def kept(match: re.Match) -> str:
        words, target = match["words"], (base / match["target"]).resolve()
        if target.is_dir():
            return words
        place = _place(target)
        if target.is_file() and not (source / place).exists() and target.suffix not in (".ipynb", ".md"):
            (source / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(target, source / place)
        link = os.path.relpath(place, _place(base))
        if target.suffix == ".md" and str(target.relative_to(ROOT)) not in PAGES:
            return f"{{download}}`{words.strip('`')} <{link}>`"
        return f"{match['image']}[{words}]({link}{match['anchor'] or ''})"

    return _LINK.sub(kept, text)


def readied(notebook: dict, source: Path) -> dict:
    """A notebook without the paths of the machine that ran it, its figures with a text for those who cannot see them.

    The text is the first sentence of the plot function that the cell calls.
    """
    notebook = json.loads(_ELSEWHERE.sub("", json.dumps(notebook)))
    says = dict(_first_sentences())
    for cell in notebook["cells"]:
        code = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            cell["source"] = with_files(code, ROOT / "notebooks", source)
        elif any("image/png" in output.get("data", {}) for output in cell["outputs"]):
            drawn = [says[name] for name in re.findall(r"\bplots\w*\.(\w+)\(", code) if says.get(name)]
            cell["metadata"]["mystnb"] = {"image": {"alt": drawn[0] if drawn else "Figure drawn by the cell above"}}
    return notebook


def _first_sentences():
    for path in sorted((ROOT / "blindlib" / "report").glob("plots*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            gives = ast.unparse(node.returns) if isinstance(node, ast.FunctionDef) and node.returns else ""
            if gives.startswith("Figure"):
                words = " ".join(ast.get_docstring(node).split("\n\n")[0].split()).replace("`", "")
                yield node.name, re.split(r": columns| \(the columns|: rows of|\.(?: |$)", words)[0]


def banner(preset: str) -> list[str]:
    """Sphinx's words for a line above every page of another run than `demo`; a run of `smoke` is none to read."""
    if preset == "demo":
        return []
    nothing = "It tests the software: its numbers mean nothing. " * ("smoke" in preset)
    words = f"These pages show a run of {preset}. {nothing}“What came out” is about demo and open."
    return ["-D", f"html_theme_options.announcement={words}"]


def build_site(figures: Path, build: Path, out: Path) -> int:
    """Stage and build; returns Sphinx's exit status. A warning is an error."""
    work = out.with_name(f".{out.name}")
    stage(figures, build, work / "source")
    chosen = ["-D", f"preset={figures.name}", "-d", str(work / "doctrees"), *banner(figures.name)]
    shutil.rmtree(work / "html", ignore_errors=True)
    status = build_main(["-q", "-W", "--keep-going", "-E", *chosen, str(work / "source"), str(work / "html")])
    if status == 0:
        (work / "html" / ".buildinfo").unlink(missing_ok=True)
        shutil.rmtree(work / "html" / "_sources", ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
        (work / "html").rename(out)
    return status


if __name__ == "__main__":
    with one_line_when_interrupted(), foreseen_in_one_line():
        sys.exit(build_site(*(Path(path).resolve() for path in sys.argv[1:4])))
