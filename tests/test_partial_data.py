"""The presets that read files, end to end, on whatever subset of the data is here: the rest says "no data"."""

import subprocess
import sys
from pathlib import Path

import miniatures
import pandas as pd
import pytest
from conftest import environment

from blindlib.common.files import ROOT
from blindlib.data.catalogue import CATALOGUE
from blindlib.presets import PAPER
from blindlib.report.paper import table1 as published

pytestmark = pytest.mark.slow
# All notebooks one after another in one process: what stands in make and papermill is tested by the run with all data.
IN_ONE_PROCESS = """
import json, pathlib, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for path in sorted(pathlib.Path("notebooks").glob("0*.ipynb")):
    print(f"== {path.stem}")
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        if "parameters" in cell["metadata"].get("tags", []):
            source = f"PRESET, SETTINGS = {sys.argv[1]!r}, ''"
        if cell["cell_type"] == "code":
            shell.run_cell(source).raise_error()
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict:
    """Three runs side by side: with all of the paper's data sets, with all but CFEE, with LFW alone."""
    with pytest.MonkeyPatch.context() as patch:  # no others are read
        patch.setattr(miniatures, "WRITERS", {name: miniatures.WRITERS[name] for name in PAPER.values()})
        data = miniatures.write_miniatures(tmp_path_factory.mktemp("data") / "sets")
    nothing = data / "none"
    wanted = {
        "all": ("paper-smoke", {"DATA": data}),
        "no_cfee": ("paper-smoke", {"DATA": nothing, **{n.upper(): data / n for n in ("celeba", "diveface", "lfw")}}),
        "lfw": ("open-smoke", {"DATA": nothing, "LFW": data / "lfw"}),
    }
    return {name: start(name, preset, tmp_path_factory.mktemp(name), where) for name, (preset, where) in wanted.items()}


def start(name: str, preset: str, folder: Path, variables: dict) -> tuple:
    words, own = [sys.executable, "-c", IN_ONE_PROCESS, preset], environment(folder)
    if name == "all":
        words = [
            "make",
            "paper",
            f"PRESET={preset}",
            f"PY={sys.executable}",
            *(f"{k}={v}" for k, v in variables.items()),
        ]
    else:
        own |= {f"BLINDLIB_{key}": str(value) for key, value in variables.items()}
    with (folder / "log").open("w") as log:
        return subprocess.Popen(words, cwd=ROOT, env=own, stdout=log, stderr=log), folder, preset


def finished(process: subprocess.Popen, folder: Path, preset: str) -> Path:
    """The folder of figures, once the run has ended well."""
    assert process.wait(timeout=900) == 0, (folder / "log").read_text()[-3000:]
    return folder / "figures" / preset


def printed(folder: Path, name: str) -> str:
    """All that a notebook printed in a run in one process."""
    return (folder / "log").read_text().split(f"== {name}\n")[1].split("\n== ")[0]


def test_with_all_of_it_every_cell_of_both_tables_has_a_number(runs):
    figures, folder = finished(*runs["all"]), runs["all"][1]
    one, two = pd.read_csv(figures / "table1.csv"), pd.read_csv(figures / "table2.csv")
    assert one["mean"].notna().all() and set(one["domain"]) == {*published().index, "Emotion (whitened)"}
    assert two["acc"].notna().all() and (two["n_test"] > 0).all()
    assert set(one["data"]) == {"synthetic"}, "miniatures are never taken for the paper's data"
    claims = pd.read_csv(figures / "claims.csv")
    testable = claims[claims["verdict"] != "not testable"]  # in so small a world a probe of x may be at chance
    assert len(claims) == 16 and len(testable) > 10 and testable["estimate"].notna().all()
    missed = pd.read_csv(folder / "build" / "paper-smoke" / "missed.csv")
    assert list(missed.columns) == ["image"] and missed.empty, "CompactNet takes the whole frame: nothing to miss"


def test_without_cfee_nothing_is_blinded_x_is_measured_and_the_rest_says_what_is_missing(runs):
    figures, folder = finished(*runs["no_cfee"]), runs["no_cfee"][1]
    one, two = pd.read_csv(figures / "table1.csv"), pd.read_csv(figures / "table2.csv")
    known = one[one["mean"].notna()]
    assert set(known["domain"]) == {"ID", "Gender", "Ethnicity"} and set(known["representation"]) == {"x", "pixels"}
    absent = one[one["mean"].isna()]
    assert len(absent) == 3 * 2 + 3 * 3 and absent["published"].notna().all()
    assert (two["acc"].notna() == (two["representation"] == "x")).all()
    claims = pd.read_csv(figures / "claims.csv").set_index("id")["verdict"]
    tested = claims[["C5", "C5b"]]
    assert (claims.drop(tested.index) == "not testable").all() and (tested != "not testable").all()
    assert (figures / "table1.md").read_text().count("no data") > 10
    empty = ("tradeoff",)
    assert not [path for name in empty for path in figures.glob(f"{name}.*")], "no blank figure is saved"
    told = printed(folder, "05_probes")
    assert all(f"{name}: no data: " in told for name in empty) and (figures / "roc.png").exists()
    for name in ("02_baseline", "03_sensitivenets", "04_lntl", "05_probes"):
        told = printed(folder, name)
        assert "tells no emotion" in told and CATALOGUE["cfee"].address in told, name


def test_open_runs_on_lfw_alone_in_all_its_roles(runs):
    figures, folder = finished(*runs["lfw"]), runs["lfw"][1]
    one = pd.read_csv(figures / "table1.csv")
    assert one["mean"].notna().all()
    emotion = one[one["domain"].str.startswith("Emotion")]
    assert (emotion["chance"] == 50).all(), "LFW's two frequent expressions"
    assert "no data" in (figures / "table2.md").read_text(), "too few people of each kind"
    assert not (figures / "penalty_sweep.png").exists()
    assert "penalty_sweep: no data" in printed(folder, "06_celeba_fairness")
    told = printed(folder, "01_data_prep")
    assert all(f"{role}: lfw" in told for role in ("verification", "demographics", "emotion", "attractive"))
