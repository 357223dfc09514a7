"""A path that is made from a name stays below its folder, and nothing is made of a name that is refused."""

import tarfile

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from blindlib.backbones.registry import BACKBONES
from blindlib.blinders.affine import LEACE
from blindlib.cli import app
from blindlib.common import files
from blindlib.common.errors import InputError
from blindlib.data.download import unpack_into
from blindlib.inspection.hide import load_head
from blindlib.report.plots import new_figure, save_figure
from blindlib.report.tables import save_table
from blindlib.settings import BACKBONES as NAMED

OUTSIDE = ("../victim", "/victim", "..", ".", "", "a/../../victim", "\0")


def test_a_name_that_leaves_its_folder_is_refused_in_one_line(tmp_path):
    for name in OUTSIDE:
        with pytest.raises(InputError, match="→") as error:
            files.below(tmp_path / "in", name, "list.csv", line=7)
        assert str(error.value).startswith("list.csv:7: path ") and "\n" not in str(error.value)
    assert files.below(tmp_path, "a/b.png", "list") == tmp_path / "a" / "b.png"


@pytest.mark.parametrize("name", ["paper+/../../victim", "paper+nosuch", "paper+", "open+compactnet/x", "../victim"])
@pytest.mark.parametrize(
    "words",
    [
        ["embed"],
        ["run", "notebooks/01_data_prep.ipynb"],
        ["paper"],
        ["appendix"],
        ["store"],
        ["name"],
    ],
    ids=lambda words: words[0],
)
def test_an_unknown_part_of_a_preset_s_name_leaves_nothing(tmp_path, words, name):
    before = sorted(tmp_path.rglob("*"))
    result = CliRunner().invoke(app, [*words, "--preset", name])
    assert isinstance(result.exception, InputError) and "there is no preset" in str(result.exception)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unknown_ceiling_is_refused_and_pixels_may_stand_beside_rendered_faces(tmp_path):
    refused = CliRunner().invoke(app, ["name", "--preset", "smoke", "-p", "ceiling=../../x"])
    assert isinstance(refused.exception, InputError) and "no backbone '../../x'" in str(refused.exception)
    assert not (tmp_path / "build").exists()
    assert CliRunner().invoke(app, ["name", "--preset", "smoke", "-p", "ceiling=pixels16"]).exit_code == 0


def test_the_backbones_that_a_preset_may_name_are_those_that_there_are():
    assert set(NAMED) == set(BACKBONES)


def test_folders_of_runs_and_data_sets_figures_and_tables_are_below_their_own(tmp_path):
    figure, _ = new_figure()
    table = pd.DataFrame({"a": [1.0]})

    for make in (
        lambda: files.build_dir("../victim"),
        lambda: files.figures_dir("../victim"),
        lambda: files.dataset_dir("../victim"),
        lambda: save_figure(figure, table, tmp_path / "figures", "../victim"),
        lambda: save_figure(None, table, tmp_path / "figures", "../victim"),
        lambda: save_table(table, table, tmp_path / "figures", "../victim", "a caption"),
    ):
        with pytest.raises(InputError, match="leaves the folder"):
            make()
    assert not list(tmp_path.rglob("*victim*"))


@pytest.mark.parametrize("names", [("head.v1", "head.v2"), ("sn_0.1", "sn_0.3"), ("head", "head.json"), ("a.md", "a")])
def test_heads_with_a_dot_in_their_names_stay_apart_and_each_is_found_again(tmp_path, names):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 6)).astype(np.float32), np.arange(40) % 2
    heads = {name: LEACE().fit(x + np.outer(y, rng.normal(size=6)), y) for name in names}
    saved = [head.save(tmp_path / name) for name, head in heads.items()]
    assert len(set(tmp_path.iterdir())) == 2 * len(names)
    for (name, head), file in zip(heads.items(), saved, strict=True):
        for path in (tmp_path / name, str(tmp_path / name), file):
            np.testing.assert_array_equal(load_head(path).transform(x), head.transform(x))
            np.testing.assert_array_equal(LEACE.load(path).transform(x), head.transform(x))


def test_an_archive_of_a_folder_s_own_dot_is_unpacked(tmp_path):
    (tmp_path / "from" / "train").mkdir(parents=True)
    (tmp_path / "from" / "train" / "1.jpg").write_text("a")
    with tarfile.open(tmp_path / "x.tar", "w") as opened:
        opened.add(tmp_path / "from", arcname=".")
    unpack_into("fairface", tmp_path / "x.tar", tmp_path / "set")
    assert (tmp_path / "set" / "train" / "1.jpg").read_text() == "a"
