"""Figures: drawn from frames alone, with a colour and a shape for every representation, known or not."""

import re

import matplotlib as mpl
import nbformat
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from report_rows import TASKS, result_rows, study_rows

from blindlib.appendix import plots as appendix_plots
from blindlib.backbones.alignment import Alignment, Steps
from blindlib.backbones.registry import get_backbone
from blindlib.common.files import ROOT
from blindlib.data.facetable import make_facetable
from blindlib.report import (
    plots,
    plots_faces,
    plots_framework,
    plots_tables,
    plots_training,
    tables,
)
from blindlib.report.alt_texts import ALT_TEXTS, alt_text
from blindlib.report.names import shown
from blindlib.synthfaces.expressions import COMPOUND
from blindlib.synthfaces.render import FACE_WINDOW, SIZE, render
from blindlib.synthfaces.roles import make_sheet


def texts(figure):
    """All words of a figure's legends and axes."""
    found = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    for axis in figure.axes:
        found += [label.get_text() for label in [*axis.texts, *(axis.get_yticklabels() if axis.axison else [])]]
        found += [text.get_text() for text in axis.get_legend().get_texts()] if axis.get_legend() else []
    return found


def points_of_frontier():
    points = {"method": ["Mine", "SN", "SN"], "strength": [0.0, 0.5, 3.0], "id": [96.0, 97.0, 95.0]}
    points |= {"id_hw": 0.5, "emotion": [70.0, 60.0, 55.0], "emotion_hw": 1.0, "chance": 50.0}
    return pd.concat([pd.DataFrame(points).assign(bits=bits) for bits in ("float", "6")])


def test_every_representation_keeps_one_colour_and_no_two_share_it():
    known = [plots.colour(name) for name in tables.REPRESENTATIONS]
    new = [plots.colour(f"eraser {n}") for n in range(6)]
    assert len({*known, *new}) == len(known) + 6
    assert [plots.colour(f"eraser {n}") for n in reversed(range(6))] == new[::-1], "asked again, it stays"
    assert plots.colour("eraser 7"), "there is no last colour"
    assert plots.colour("SN") == plots.COLOURS["SN"]


def test_the_methods_differ_in_shape_too_and_the_diamond_is_the_published_value_s():
    methods = ("x", "SN", "LNTL", "LEACE", "centre loss", "INLP", "NAP")
    assert len({plots.shape(name) for name in methods}) == len(methods)
    assert plots.shape("SN λ=0") == plots.shape("SN"), "the same head without its penalty"
    assert "D" not in {plots.shape(name) for name in (*tables.REPRESENTATIONS, *(f"other {n}" for n in range(9)))}


def test_an_unknown_eraser_has_its_points_in_every_figure():
    frame = pd.DataFrame({"image": ["a"], "identity": ["p"], "sha256": ["0" * 64]})
    faces = make_facetable(frame, "nowhere", name="t", provenance="synthetic")
    assert "Mine" in texts(plots_tables.table1_figure(tables.table1(result_rows({"Mine": 60.0, "x": 75.0}, TASKS))))
    study = study_rows({"x": (2.0, 17.0), "Mine": (1.0, 4.0)})
    assert "Mine, biased" in texts(plots_tables.equal_opportunity(tables.table2(study, 0.7, faces)))
    assert "Mine" in texts(plots_tables.bias_sweep(tables.sweep_points(study)))
    curves = pd.DataFrame({"representation": "Mine", "far": [0.0, 0.1, 1.0], "tar": [0.5, 0.9, 1.0]})
    assert "50.0  Mine (below)" in texts(plots.roc_curves(curves)), "at FAR 1 % it reads 0.5, under the window"
    words = texts(appendix_plots.frontier(points_of_frontier(), ("SN",)))
    assert words.count("Mine") == words.count(shown("SN")) == 2, "float and 6 bits"


def test_a_figure_without_data_is_none():
    empty = tables.table1(result_rows({"x": 75.0}).iloc[:0])
    assert plots_tables.table1_figure(empty) is appendix_plots.frontier(pd.DataFrame(), ()) is None
    assert plots.roc_curves(pd.DataFrame()) is plots_training.training_curves(pd.DataFrame(), 20.0) is None
    assert plots_tables.table1_figure(tables.table1(result_rows({"x": 75.0}))) is None, "x has no Diff from itself"


def test_without_data_nothing_is_saved_an_old_figure_goes_and_a_line_tells_what_would_fill_it(tmp_path, capsys):
    data = pd.DataFrame({"distance": [0.5, 1.0], "pair": ["same person", "different people"]})
    plots.save_figure(plots.distance_histogram(data), data, tmp_path, "a")
    plots.save_figure(plots.distance_histogram(data.iloc[:0]), data, tmp_path, "a", absent="no data: pairs of LFW")
    assert not list(tmp_path.iterdir()) and capsys.readouterr().out == "a: no data: pairs of LFW\n"


def test_the_legend_names_each_representation_once_wherever_it_first_occurs():
    rows = result_rows({"x": 75.0, "SN": 65.0}, TASKS)
    figure = plots_tables.table1_figure(tables.table1(rows[(rows["representation"] == "x") | (rows["task"] != "ID")]))
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(words) == sorted([shown("SN"), "published (other data)"])


def test_published_values_are_hollow_and_what_x_reads_stands_under_its_domain():
    figure = plots_tables.table1_figure(tables.table1(result_rows({"x": 75.0, "SN": 65.0}, TASKS)))
    diamonds = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    assert len(diamonds) == 2 and all(line.get_markerfacecolor() == "none" for line in diamonds)
    published = [1, 1, 1, 40, 100, 31]  # and of the strongest attacker none
    assert sorted(diamonds[0].get_xdata()[:6]) == sorted(published)
    assert "Emotion (SVM)\n$x$ 77.5 [88.1], chance 50.0" in texts(figure)


def test_the_kept_states_of_training_stand_at_their_mean():
    history = pd.DataFrame({"round": [0, 2, 4] * 2, "split": [0] * 3 + [1] * 3, "strength": 1.0, "identity": 98.0})
    history = history.assign(emotion=[80, 60, 50, 80, 40, 44.0], detector=[np.nan, 30, 30] * 2)
    history["kept"] = [False, False, True, False, True, False]
    figure = plots_training.training_curves(history, 20.0)
    star = next(line for line in figure.axes[1].lines if line.get_marker() == "*")
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (3, 45)
    assert any(np.allclose(line.get_ydata(), 20) for line in figure.axes[1].lines), "chance"


def test_labels_are_spread_as_little_as_needed():
    rng = np.random.default_rng(0)
    for values in (rng.uniform(0, 10, 8), np.zeros(5), np.array([0.0, 10.0, 20.0])):
        moved = plots.spread(values, 1.0)
        assert (np.diff(np.sort(moved)) > 1 - 1e-9).all()
        assert [*np.argsort(moved, kind="stable")] == [*np.argsort(values, kind="stable")]
        assert abs(moved.mean() - values.mean()) < 1e-9
    np.testing.assert_allclose(plots.spread(np.array([0.0, 10.0, 20.0]), 1.0), [0, 10, 20])


def test_labels_of_crowded_points_do_not_lie_on_one_another():
    figure, (axis,) = plots.new_figure(height=3.0)
    axis.set(xlim=(0, 1), ylim=(0, 1))
    figure.draw_without_rendering()
    where = np.array([[0.5, 0.5], [0.51, 0.5], [0.5, 0.52], [0.52, 0.53]])
    appendix_plots.place_labels(axis, where, ["first", "second", "third", "fourth"], ["k"] * 4, [8.0] * 4)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axis.texts]
    assert not [1 for k, a in enumerate(boxes) for b in boxes[:k] if a.overlaps(b)]


@pytest.mark.parametrize("found", [True, False])
def test_alignment_shows_the_frame_and_every_network_s_face_or_that_none_was_found(found):
    frame, network = np.zeros((40, 40, 3), np.uint8), Alignment(20, ((1, 1), (9, 9)))
    step = Steps(frame, (5, 5, 20, 20), np.array([(6, 6), (9, 9)]), {"net": frame})
    figure = plots_faces.alignment([step if found else Steps(frame, None, None, {})], {"net": network})
    assert figure.axes[1].get_ylabel() == "net\n20 x 20"
    assert len(figure.axes[1].images) == found and (figure.axes[0].get_xlabel() == "no face found") != found


def test_the_framework_shows_this_run_s_faces_and_sizes():
    frames = render(make_sheet(1, 0).head(2))
    crops = plots_framework.seen_by(get_backbone("compactnet"), frames)
    assert crops.shape == (2, FACE_WINDOW[2], FACE_WINDOW[2])
    numbers = {"backbone": "net", "dim": 77, "hidden": 33, "detector": "5 → 6", "classes": 7, "images": 1234}
    figure = plots_framework.framework(frames, crops, pd.DataFrame([numbers | {"head": 8, "probe": 9, "test": 10}]))
    words = "\n".join(texts(figure))
    assert all(
        word in words for word in ("77 → 33 → 77", "5 → 6 → 7", "1,234 images", "trained on 9 people", "64 x 64")
    )
    assert len(figure.axes[0].images) == 4


def test_the_framework_shows_the_whole_picture_where_a_network_that_aligns_finds_no_face():
    backbone, frame = get_backbone("dlib"), render(make_sheet(1, 0).head(1))
    crops = plots_framework.seen_by(backbone, np.concatenate([frame, np.zeros_like(frame)]))
    assert crops.shape == (2, backbone.alignment.size, backbone.alignment.size, 3)
    assert crops[0].any() and not crops[1].any()


def test_the_gallery_has_one_person_s_fifteen_compound_expressions():
    sheet = make_sheet(2, 0, COMPOUND).tail(15)
    assert list(sheet["emotion"]) == list(COMPOUND) and sheet["identity"].nunique() == 1
    figure = plots_faces.compound_gallery(render(sheet.head(6), size=48), list(COMPOUND)[:6])
    assert [axis.get_title() for axis in figure.axes if axis.images] == list(COMPOUND)[:6]


def test_what_is_made_of_pixels_is_saved_at_its_own_resolution(tmp_path):
    sheet = make_sheet(2, 0).head(7)
    with mpl.rc_context(plots.STYLE):
        figure = plots_faces.contact_sheet(render(sheet), ["one"], list(sheet["emotion"]))
        plots.save_figure(figure, sheet[["emotion"]], tmp_path, "contact_sheet", pixels=True)
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".csv", ".png"]
    with Image.open(tmp_path / "contact_sheet.png") as image:
        width = image.width
    assert 0.75 * SIZE < width / 7 < 1.25 * SIZE


def test_the_same_figure_is_the_same_bytes_and_carries_its_alternative_text(tmp_path):
    data = pd.DataFrame({"distance": [0.5, 1.0, 1.5], "pair": ["same person", "same person", "different people"]})
    for name in ("a", "b", "roc"):
        plots.save_figure(plots.distance_histogram(data), data, tmp_path, name)
    for suffix in ("png", "pdf", "csv"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    assert Image.open(tmp_path / "roc.png").text["Description"] == alt_text("roc")


def test_every_saved_figure_has_an_alternative_text_of_one_or_two_sentences():
    saved = {path.stem for path in (ROOT / "figures" / "demo").glob("*.png")}
    for path in (ROOT / "notebooks").rglob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            for call in re.findall(r"save_figure\((.*?)\)$", cell.source, re.S | re.M):
                saved |= set(re.findall(r'(?:figures|appendix), "(\w+)"', call))
    assert {"framework", "compound_gallery"} <= saved and saved <= set(ALT_TEXTS), saved - set(ALT_TEXTS)
    for name in saved:
        assert 60 < len(alt_text(name)) < 420 and alt_text(name).endswith(".") and alt_text(name).count(". ") <= 2, name
    assert alt_text("nothing") == ""
