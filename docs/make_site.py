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

from sphinx.cmd.build import build_main

import blindlib
from blindlib.common.errors import InputError, foreseen_in_one_line
from blindlib.common.files import ROOT
from blindlib.common.processes import one_line_when_interrupted
from blindlib.report.alt_texts import alt_text

sys.path.insert(0, str(ROOT / "scripts"))
import readme

PAGES = (
    *("README.md", "DATA.md", "CONTRIBUTING.md", "CHANGELOG.md", "blindlib/synthfaces/DATASHEET.md"),
    *(str(p.relative_to(ROOT)) for p in sorted(ROOT.glob("docs/*.md"))),
    *(str(p.relative_to(ROOT)) for p in sorted(ROOT.glob("blindlib/backbones/weights/*.md"))),
)
TABLES = ("claims", "table1", "table2")
# An executed notebook may print where it ran: what stands before a folder of this repository is cut off.
_ELSEWHERE = re.compile(r"(?<![\w./])(?:/[\w.+~-]+)+/(?=(?:\.venv|build|figures|data|blindlib|notebooks)/)")
_LINK = re.compile(r"(?P<image>!?)\[(?P<words>[^\]]+)\]\((?!\w+:|#)(?P<target>[^)#\s]+)(?P<anchor>#[^)]*)?\)")
_BADGES = re.compile(r"<!-- badges -->.*?<!-- /badges -->\n*", re.S)  # they come from a network


def stage(figures: Path, build: Path, source: Path) -> None:
    """Lay out the sources of the site as the repository lies, so that its links between files hold.

    `figures` is the folder of a run, `build` that of its executed notebooks, `source` is written afresh. Raises
    InputError where the run lacks a table.
    """
    for name in TABLES:
        if not (figures / f"{name}.md").is_file():
            raise InputError(figures, f"has no {name}.md", f"run it first: make paper PRESET={figures.name}")
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "docs", source, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (*(p for p in (ROOT / "figures").iterdir() if p.is_dir()), figures):
        shutil.copytree(folder, source / "figures" / folder.name, dirs_exist_ok=True)
    kinds = {name: "class" if isinstance(getattr(blindlib, name), type) else "function" for name in blindlib.__all__}
    _write(source / "names.txt", "\n".join(f".. auto{kind}:: blindlib.{name}" for name, kind in kinds.items()))
    _write(source / "tables.md", page_of(figures))
    for page in PAGES:
        text = _BADGES.sub("", (ROOT / page).read_text(encoding="utf-8"))
        if figures.name == "demo":  # the numbers in the texts are of this preset
            text = readme.filled(text, figures.parent)
        _write(source / _place(ROOT / page), with_files(text, (ROOT / page).parent, source))
    for notebook in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        executed = build / notebook.name
        text = (executed if executed.is_file() else notebook).read_text(encoding="utf-8")
        ready = readied(json.loads(text), notebook.parent, source)
        _write(source / notebook.relative_to(ROOT), json.dumps(ready))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def page_of(figures: Path) -> str:
    """Compose a page of a run: its tables as it wrote them, its figures with their texts, its CSVs to download."""
    where, parts = f"figures/{figures.name}", [f"# Tables and figures of {figures.name}"]
    parts += [f"## {name}\n\n{(figures / f'{name}.md').read_text(encoding='utf-8')}" for name in TABLES]
    drawn = sorted(path for path in figures.rglob("*.png"))
    parts += ["## Figures", *(f"![{alt_text(p.stem)}]({where}/{p.relative_to(figures)})" for p in drawn)]
    files = sorted(path.relative_to(figures) for path in figures.rglob("*.csv"))
    parts += ["## Files", *(f"* {{download}}`{name} <{where}/{name}>`" for name in files)]
    return "\n\n".join(parts) + "\n"


def _place(path: Path) -> Path:
    """Where a file of the repository lies in the site: what is in docs/ lies at its top."""
    path = path.relative_to(ROOT)
    return path.relative_to("docs") if path.parts[:1] == ("docs",) else path


def with_files(text: str, base: Path, source: Path) -> str:
    """Copy the files that a Markdown text of the folder `base` links to, and make its links hold in the site.

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


def readied(notebook: dict, base: Path, source: Path) -> dict:
    """Clear a notebook of the folder `base` of the paths of the machine that ran it, and give its figures a text.

    The text is the first sentence of the plot function that the cell calls.
    """
    notebook = json.loads(_ELSEWHERE.sub("", json.dumps(notebook)))
    says = dict(_first_sentences())
    for cell in notebook["cells"]:
        code = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            cell["source"] = with_files(code, base, source)
        elif any("image/png" in output.get("data", {}) for output in cell["outputs"]):
            drawn = [says[name] for name in re.findall(r"(?:\b|_)plots\w*\.(\w+)\(", code) if says.get(name)]
            drawn = [words[5].upper() + words[6:] if words.startswith("Draw ") else words for words in drawn]
            cell["metadata"]["mystnb"] = {"image": {"alt": drawn[0] if drawn else "Figure drawn by the cell above"}}
    return notebook


def _first_sentences():
    for path in sorted(p for folder in ("report", "appendix") for p in (ROOT / "blindlib" / folder).glob("plots*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            gives = ast.unparse(node.returns) if isinstance(node, ast.FunctionDef) and node.returns else ""
            if gives.startswith("Figure"):
                words = " ".join(ast.get_docstring(node).split("\n\n")[0].split()).replace("`", "")
                yield node.name, re.split(r": columns| \(the columns|: rows of|\.(?: |$)", words)[0]


def banner(preset: str) -> list[str]:
    """Give Sphinx the line above every page of another run than `demo`."""
    if preset == "demo":
        return []
    nothing = "It tests the software: its numbers mean nothing. " * ("smoke" in preset)
    words = f"Notebooks, tables and figures are of a run of {preset}. {nothing}The texts are about demo."
    return ["-D", f"html_theme_options.announcement={words}"]


def build_site(figures: Path, build: Path, out: Path) -> int:
    """Stage and build; returns Sphinx's exit status. A warning is an error."""
    work = out.with_name(f".{out.name}")
    stage(figures, build, work / "source")
    shutil.rmtree(work / "html", ignore_errors=True)
    options = ["-q", "-W", "--keep-going", "-E", "-d", str(work / "doctrees"), *banner(figures.name)]
    status = build_main([*options, str(work / "source"), str(work / "html")])
    if status == 0:
        (work / "html" / ".buildinfo").unlink(missing_ok=True)
        shutil.rmtree(work / "html" / "_sources", ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
        (work / "html").rename(out)
    return status


if __name__ == "__main__":
    with one_line_when_interrupted(), foreseen_in_one_line():
        sys.exit(build_site(*(Path(path).resolve() for path in sys.argv[1:4])))
