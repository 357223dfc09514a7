"""The site: what it shows is what the CSVs hold, and it reads in a browser that has no network."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from blindlib.common.errors import InputError
from blindlib.common.files import ROOT

pytest.importorskip("myst_nb", reason="the site's packages are not installed: pip install '.[site]'")

import chromium
import docstrings
import make_site
from formulas import mathml
from results import find, number

PATHS = re.compile(r"(?<![\w.])/(work|root|home|Users|tmp|opt)/")
BUILD = Path(os.environ.get("BLINDLIB_BUILD", ROOT / "build"))  # with the demo's executed notebooks, or without
MARKED = "12.3"  # what the copied Table 1 says of φ_SN and NN, and no other cell does


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of a copy of the demo run whose Table 1 and claims were changed in one place."""
    folder = tmp_path_factory.mktemp("site")
    figures = shutil.copytree(ROOT / "figures" / "demo", folder / "demo")
    text = (figures / "table1.csv").read_text(encoding="utf-8")
    changed = re.sub(r"^(Emotion \(NN\),SN,)[\d.]+(.*,B\b.*)$", rf"\g<1>{MARKED}\2", text, flags=re.M)
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


@pytest.fixture(scope="module")
def rows(site):
    """The run's CSVs as texts: name -> a dict a row. Read by the standard library, not by the site's code."""
    found = {}
    for path in (site.parents[1] / "demo").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            found[path.stem] = list(csv.DictReader(file))
    return found


@pytest.mark.slow
def test_a_changed_csv_changes_every_page_that_shows_it(site, pages):
    for page in ("index", "tables", "rows", "explore", "results"):
        assert MARKED in str(pages[site / f"{page}.html"]), page
    assert MARKED not in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_numbers_in_prose_lead_to_the_row_that_holds_them(site, pages):
    seen = 0
    for link in pages[site / "index.html"].select("article p > a.num"):
        page, anchor = link["href"].split("#")
        cells = [cell.get_text() for cell in pages[site / page].find(id=anchor).find_all("td")]
        for part in link.get_text().split(" ± "):
            assert part in cells or link.get_text() == "CSV row", (part, cells)
        seen += link.get_text() != "CSV row"
    assert seen >= 10


@pytest.mark.slow
def test_every_claim_leads_to_its_table_cell_its_notebook_cell_and_its_row(site, pages, rows):
    for n, claim in enumerate(rows["claims"]):
        line = pages[site / "index.html"].find(id=f"claim-{claim['id'].lower()}")
        assert claim["verdict"] in line.get_text() and claim["estimate"] in line.get_text()
        links = {a.get_text(): a["href"].split("#") for a in line.find_all("a")}
        page, anchor = links["CSV row"]
        assert anchor == f"claims-row-{n + 1}" and claim["rule"] in pages[site / page].find(id=anchor).get_text()
        page, anchor = links["judged in notebook 06"]
        assert '"claims"' in pages[site / page].find(id=anchor).get_text()
        alone = " against " not in claim["evidence"]
        for evidence in claim["evidence"].split(" against "):
            page, anchor = links[evidence]
            cell = pages[site / page].find(id=anchor)
            assert cell.name == "td" and (not alone or cell.get_text().startswith(f"{claim['estimate']} ±")), evidence
            book = next(
                href for text, href in links.items() if text == f"notebook {'05' if 'Table 1' in evidence else '06'}"
            )
            assert f'"table{evidence[6]}"' in pages[site / book[0]].find(id=book[1]).get_text()


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
    assert not broken and count > 500, broken


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


@pytest.mark.slow
def test_what_can_be_chosen_is_what_the_csvs_hold(site, pages, rows):
    data = json.loads(pages[site / "explore.html"].find(id="explorer-data").string)
    seen, same = defaultdict(set), lambda number, text: number == (float(text) if text else None)
    for point in data["points"]:
        (first, a), (last, b) = point["rows"][0], point["rows"][-1]
        cost, leak = rows[first][a], rows[last][b]
        seen[last].add(b)
        names = ("emotion", "emotion_hw") if last == "frontier" else ("mean", "half_width")
        assert same(point["emotion"], leak[names[0]]) and same(point["emotion_hw"], leak[names[1]])
        names = ("id", "id_hw") if first == "frontier" else ("mean", "half_width")
        assert same(point["id"], cost[names[0]]) and same(point["id_hw"], cost[names[1]])
        assert same(point["chance"], leak["chance"]) and same(point["diff"], leak.get("diff", ""))
        assert first == last == "frontier" or (
            cost["domain"] == "ID" and cost["representation"] == leak["representation"]
        )
    wanted = {n for n, r in enumerate(rows["table1"]) if r["domain"].startswith("Emotion") and r["protocol"] == "B"}
    assert seen["table1"] == wanted and seen["frontier"] == set(range(len(rows["frontier"])))
    assert len(data["biases"]) == len(rows["bias_sweep"])
    for point, row in zip(data["biases"], rows["bias_sweep"], strict=True):
        assert all(same(point[name], row[name]) for name in ("bias", "gap", "gap_hw", "acc", "acc_hw"))


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


def test_a_number_is_one_row_s_or_none():
    table = pd.DataFrame({"domain": ["ID", "ID", "RF"], "strength": [0.0, 1.0, 1.0], "mean": [97.84, 50.0, 3.0]})
    assert find(table, ["ID", "strength=1"]) == 1 and number(table, 0, "mean") == "97.8"
    assert number(table.assign(mean=float("nan")), 0, "mean ± strength") == "no data"
    for keys in (["ID"], ["SVM"], ["RF", "strength=0"]):
        with pytest.raises(KeyError, match="rows with"):
            find(table, keys)


def test_a_notebook_loses_the_machine_s_paths_and_its_figures_get_the_plots_sentence(tmp_path):
    cell = {"cell_type": "code", "metadata": {}, "source": "plots.roc_curves(curves)"}
    text = "PosixPath('/srv/someone/blindlib/build/demo/results.csv') and/or 3/build/"
    cell["outputs"] = [{"data": {"image/png": "", "text/plain": text}}]
    ready = make_site.readied({"cells": [cell]}, tmp_path)["cells"][0]
    assert ready["metadata"]["mystnb"]["image"]["alt"] == "The corner of the ROC on a logarithmic FAR"
    assert ready["outputs"][0]["data"]["text/plain"] == "PosixPath('build/demo/results.csv') and/or 3/build/"


def test_links_hold_where_docs_lies_at_the_top_and_numbers_of_the_run_become_links(tmp_path):
    text = "[a](../DATA.md) ![b c d](../figures/demo/frontier.png) [`e/`](../blindlib) [f](running.md#targets)"
    laid = make_site.with_files(text, make_site.ROOT / "docs", tmp_path)
    assert laid == "[a](DATA.md) ![b c d](figures/demo/frontier.png) `e/` [f](running.md#targets)"
    assert (tmp_path / "figures" / "demo" / "frontier.png").is_file()
    assert make_site.with_files("[a](docs/use.md)", make_site.ROOT, tmp_path) == "[a](use.md)"
    mark = "<!-- num: demo/table1; ID, x; mean -->97.8<!-- /num -->"
    assert make_site.with_numbers(mark, "demo") == "{num}`table1; ID, x; mean`"
    assert make_site.with_numbers(mark, "open") == "97.8"


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
        if name == "explore.html":
            browser.ask(READY)
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
READY = """new Promise(done => { const look = () =>
  document.querySelector('#chosen[data-ready]') && document.querySelectorAll('figure.chart svg').length == 2
    ? done(true) : setTimeout(look, 50); look(); })"""


@pytest.mark.slow
@pytest.mark.browser
def test_a_choice_shows_its_numbers_and_moves_the_point(browser, site, rows):
    browser.open((site / "explore.html").as_uri())
    browser.ask(READY)
    choose = """((name, text) => { const menu = document.getElementById('choose-' + name);
      menu.value = [...menu.options].find(o => o.text.startsWith(text)).value;
      menu.dispatchEvent(new Event('change')); })"""
    before = browser.ask("document.querySelector('#plane svg').innerHTML")
    for name, text in (("representation", "LNTL"), ("strength", "chosen"), ("attacker", "RF of"), ("bias", "0.9")):
        browser.ask(f"{choose}('{name}', '{text}')")
    browser.ask("new Promise(done => setTimeout(done, 500))")
    shown = browser.ask("document.getElementById('chosen').innerText")
    row = find(pd.DataFrame(rows["table1"]), ["Emotion (RF)", "LNTL", "B"])
    row = rows["table1"][row]
    assert f"{row['mean']} ± {row['half_width']} %" in shown and f"{row['diff']} ± {row['diff_half_width']} %" in shown
    (study,) = (r for r in rows["bias_sweep"] if r["representation"] == "LNTL" and float(r["bias"]) == 0.9)
    assert f"{float(study['gap']):.1f} ± {float(study['gap_hw']):.1f} points" in shown
    assert browser.ask("document.querySelector('#plane svg').innerHTML") != before and not browser.complaints


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_choice_by_keys_is_shown_beside_the_menus_not_under_them(browser, site, width):
    browser.open((site / "explore.html").as_uri(), width)
    browser.ask(READY)
    browser.ask("document.getElementById('choose-strength').focus()")
    before = browser.ask("document.getElementById('choose-strength').value")
    browser.press("ArrowDown")
    browser.ask("new Promise(done => setTimeout(done, 500))")
    assert browser.ask("document.getElementById('choose-strength').value") != before
    assert browser.ask("document.documentElement.scrollWidth <= innerWidth") and not browser.complaints
    browser.ask("document.documentElement.style.scrollBehavior = 'auto'")
    browser.ask("document.querySelector('#chosen a').focus()")
    high = browser.ask("document.activeElement.getBoundingClientRect().top")
    menus = browser.ask("document.querySelector('form.explorer').getBoundingClientRect().bottom")
    assert menus < high < 900, "what the keys reach is not under the menus"


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
