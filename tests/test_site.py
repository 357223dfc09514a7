"""The site: it shows the run's tables, figures and texts, and it reads in a browser that has no network."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from blindlib.common.errors import InputError
from blindlib.common.files import ROOT

pytest.importorskip("myst_nb", reason="the site's packages are not installed: pip install '.[site]'")

import chromium
import docstrings
import make_site
from formulas import mathml

PATHS = re.compile(r"(?<![\w.])/(work|root|home|Users|tmp|opt)/")
BUILD = Path(os.environ.get("BLINDLIB_BUILD", ROOT / "build"))  # with the demo's executed notebooks, or without
MARKED = "12.3"  # what the copied Table 1 says of φ_SN and NN, and no other cell does


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of a copy of the demo run whose Table 1 was changed in one place."""
    folder = tmp_path_factory.mktemp("site")
    figures = shutil.copytree(ROOT / "figures" / "demo", folder / "demo")
    text = (figures / "table1.csv").read_text(encoding="utf-8")
    changed = re.sub(r"^(Emotion \(SVM\),SN,)[\d.]+", rf"\g<1>{MARKED}", text, flags=re.M)
    assert changed != text and f",{MARKED}," not in text
    (figures / "table1.csv").write_text(changed, encoding="utf-8")
    out = folder / "build" / "site"
    command = [sys.executable, ROOT / "docs" / "make_site.py", figures, BUILD / "demo", out]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr
    return out


@pytest.fixture(scope="module")
def pages(site):
    return {
        path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in sorted(site.rglob("*.html"))
    }


@pytest.mark.slow
def test_a_changed_csv_changes_the_pages_that_tell_it_and_the_run_s_own_tables_are_shown(site, pages):
    for page in ("results", "README"):
        assert MARKED in pages[site / f"{page}.html"].get_text(), page
    shown = pages[site / "tables.html"].get_text()
    for name in make_site.TABLES:
        lines = (ROOT / "figures" / "demo" / f"{name}.md").read_text(encoding="utf-8").splitlines()
        cells = {cell.strip() for line in lines if line.startswith("|") for cell in line.split("|")}
        assert not [cell for cell in cells if re.search(r"\d\.\d", cell) and cell not in shown], name


@pytest.mark.slow
def test_every_internal_link_and_image_resolves_and_nothing_comes_from_a_network(site, pages):
    ids = {path: {tag["id"] for tag in page.find_all(id=True)} for path, page in pages.items()}
    broken, count = [], 0
    for path, page in pages.items():
        for tag, name in (("a", "href"), ("img", "src"), ("script", "src"), ("link", "href")):
            for found in page.find_all(tag, attrs={name: True}):
                target, _, anchor = found[name].partition("#")
                if re.match(r"https?:|mailto:", target):
                    assert tag == "a" or found.get("rel") == ["canonical"], f"{path.name} loads {target}"
                    continue
                file = (path.parent / target.split("?")[0]).resolve() if target else path
                assert file.is_relative_to(site.resolve()), found
                whole = file.is_file() and (not anchor or file not in ids or anchor in ids[file])
                broken += [] if whole else [f"{path.relative_to(site)}: {found[name]}"]
                count += 1
    assert not broken and count > 300, broken


@pytest.mark.slow
def test_every_image_has_a_text_and_no_page_a_path_of_a_machine(site, pages):
    images = [image for page in pages.values() for image in page.select("article img")]
    assert len(images) >= 4
    for image in images:
        assert len(image.get("alt", "").split()) >= 3 and "/" not in image["alt"], image
        assert "cell above" not in image["alt"], "a figure without a text of its own"
    for path in site.rglob("*"):
        if path.suffix in (".html", ".js", ".txt", ".csv", ".json", ".css", ".md", ".py", ".inv"):
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not PATHS.search(text) and str(Path.home()) + "/" not in text, path


def test_every_page_of_another_run_than_demo_says_so():
    assert make_site.banner("demo") == []
    for preset in ("smoke", "paper-smoke", "smoke~1a2b3c4d", "open"):
        option, words = make_site.banner(preset)
        assert option == "-D" and words.startswith("html_theme_options.announcement=") and preset in words
        assert ("mean nothing" in words) == ("smoke" in preset)


@pytest.mark.slow
def test_the_interface_page_has_every_name_that_the_package_offers(site, pages):
    import blindlib

    assert {tag["id"] for tag in pages[site / "api.html"].find_all(id=True)} >= {
        f"blindlib.{n}" for n in blindlib.__all__
    }


def test_a_notebook_loses_the_machine_s_paths_and_its_figures_get_the_plots_sentence(tmp_path):
    cell = {"cell_type": "code", "metadata": {}, "source": "plots.roc_curves(curves)"}
    text = "PosixPath('/srv/someone/blindlib/build/demo/results.csv') and/or 3/build/"
    cell["outputs"] = [{"data": {"image/png": "", "text/plain": text}}]
    ready = make_site.readied({"cells": [cell]}, ROOT / "notebooks", tmp_path)["cells"][0]
    assert ready["metadata"]["mystnb"]["image"]["alt"] == "The corner of the ROC on a logarithmic FAR"
    assert ready["outputs"][0]["data"]["text/plain"] == "PosixPath('build/demo/results.csv') and/or 3/build/"


def test_links_hold_where_docs_lies_at_the_top(tmp_path):
    text = "[a](../DATA.md) ![b c d](../figures/demo/roc.png) [`e/`](../blindlib) [f](running.md#targets)"
    laid = make_site.with_files(text, make_site.ROOT / "docs", tmp_path)
    assert laid == "[a](DATA.md) ![b c d](figures/demo/roc.png) `e/` [f](running.md#targets)"
    assert (tmp_path / "figures" / "demo" / "roc.png").is_file()
    assert make_site.with_files("[a](docs/use.md)", make_site.ROOT, tmp_path) == "[a](use.md)"


def test_a_run_without_tables_is_refused_at_the_door(tmp_path):
    with pytest.raises(InputError, match=r"make paper PRESET=nothing"):
        make_site.stage(tmp_path / "nothing", tmp_path, tmp_path / "source")
    assert not (tmp_path / "source").exists()


def test_a_brace_s_word_stands_below_it_and_bars_hug_what_they_enclose():
    from docutils.utils.math import MathError

    below = mathml(r"\underbrace{a}_{\text{word}}", block=True)
    assert "<msub" not in below and below.count("<munder") == 1 and "underbrace" in below and "⏟" not in below
    assert mathml(r"\lVert a \rVert", block=False).count('form="prefix"') == 1
    assert mathml(r"\lVert a \rVert", block=False).count('form="postfix"') == 1
    with pytest.raises(MathError):
        mathml(r"\nosuchthing", block=False)


def test_what_follows_a_list_of_parameters_is_a_note_once():
    lines = ["Does.", "", "Parameters", "----------", "a : int", "    It.", "", "For b see c.", "", "Source: d.", ""]
    docstrings._close_sections(None, "class", "", None, None, lines)
    assert lines[7:] == ["Notes", "-----", "For b see c.", "", "Source: d.", ""]
    kept = ["Does.", "", "Returns", "-------", "a", "", "Raises", "------", "b", ""]
    docstrings._close_sections(None, "class", "", None, None, after := list(kept))
    assert after == kept


@pytest.fixture(scope="module")
def browser(site, tmp_path_factory):
    if chromium.PROGRAM is None:
        pytest.skip("no Chromium here (Debian: apt install chromium)")
    with chromium.chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


def every(browser, pages, width):
    for path in pages:
        browser.open(path.as_uri(), width)
        yield path.name


@pytest.mark.slow
@pytest.mark.browser
def test_no_page_complains_scrolls_sideways_or_leaves_a_formula_or_a_figure_undrawn(browser, pages):
    formulas = 0
    for name in every(browser, pages, 390):
        assert browser.ask("document.documentElement.scrollWidth <= innerWidth && innerWidth === 390"), name
        assert not browser.complaints, (name, browser.complaints)
        sizes = "[...document.querySelectorAll('article math')].map(m => m.getBoundingClientRect().width)"
        widths = browser.ask(sizes)
        formulas += len(widths)
        assert all(width > 3 for width in widths), name
        assert not browser.ask(RAW), name
        assert all(width > 10 for width in browser.ask(IMAGES)), name
    assert formulas > 15


RAW = r"""[...document.querySelectorAll('article p, article li')].some(
  text => /[$][$]|\\(frac|lambda|text)/.test(text.innerText))"""
IMAGES = """Promise.all([...document.querySelectorAll('article img')].map(
  async image => { await image.decode(); return image.naturalWidth; }))"""


@pytest.mark.slow
@pytest.mark.browser
def test_pages_follow_the_reader_s_light_or_dark(browser, site):
    shades = []
    for dark in (False, True):
        browser.open((site / "index.html").as_uri(), dark=dark)
        for what in ("backgroundColor", "color"):
            colour = browser.ask(f"getComputedStyle(document.body).{what}")
            shades.append(sum(map(int, re.findall(r"\d+", colour)[:3])) / 765)
    paper, ink, night, chalk = shades
    assert paper - ink > 0.6 and chalk - night > 0.5 and paper - night > 0.6


@pytest.mark.slow
@pytest.mark.browser
def test_keys_reach_the_content_at_once_and_its_links_in_their_order(browser, site):
    browser.open((site / "index.html").as_uri())
    browser.press("Tab")
    assert browser.ask("document.activeElement.textContent.trim()") == "Skip to content"
    browser.press("Enter")
    browser.press("Tab")
    inside = "document.querySelector('article, .content').contains(document.activeElement)"
    assert browser.ask(inside), browser.ask("document.activeElement.outerHTML")
    first = browser.ask("document.activeElement.getBoundingClientRect().top")
    for _ in range(5):
        browser.press("Tab")
    assert browser.ask("document.activeElement.getBoundingClientRect().top") >= first and browser.ask(inside)
