"""Figures: drawn from frames alone, with a colour and a shape for every representation, known or not."""

import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from report_rows import TASKS, result_rows

from blindlib.appendix import plots as appendix_plots
from blindlib.backbones.alignment import Alignment, Steps
from blindlib.backbones.registry import get_backbone
from blindlib.common.files import ROOT
from blindlib.report import (
    plots,
    plots_faces,
    plots_framework,
    plots_tables,
    plots_training,
    tables,
)
from blindlib.report.alt_texts import ALT_TEXTS, alt_text
from blindlib.report.names import shown, without_bits
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
    known = [plots.colour(name) for name in tables.REPRESENTATIONS if name == without_bits(name)]
    new = [plots.colour(f"eraser {n}") for n in range(6)]
    assert len({*known, *new}) == len(known) + 6
    assert [plots.colour(f"eraser {n}") for n in reversed(range(6))] == new[::-1], "asked again, it stays"
    assert plots.colour("eraser 7"), "there is no last colour"
    assert plots.colour("SN") == plots.colour("SN 6 bits") == plots.COLOURS["SN"]


def test_the_methods_differ_in_shape_too():
    methods = ("x", "SN", "LNTL", "LEACE", "centre loss", "INLP", "NAP")
    assert len({plots.shape(name) for name in methods}) == len(methods)
    assert plots.shape("SN λ=0") == plots.shape("SN"), "the same head without its penalty"
    assert plots.shape("SN 6 bits") == plots.shape("x 6 bits") != plots.shape("SN"), "released"


def test_an_unknown_eraser_has_its_points_in_every_figure():
    points = plots_tables.tradeoff_points(tables.table1(result_rows({"Mine": 60.0, "x": 75.0}, TASKS)), 6)
    assert {"Mine", "$x$"} <= set(texts(plots_tables.tradeoff(points, ("x", "Mine"), 6)))
    gaps = pd.DataFrame({"representation": ["x", "x", "Mine", "Mine"], "penalty": [0.1, 1, 0.1, 1], "gap": 5.0})
    assert "Mine" in texts(plots_tables.penalty_sweep(gaps.assign(gap_hw=1.0)))
    curves = pd.DataFrame({"representation": "Mine", "far": [0.0, 0.1, 1.0], "tar": [0.5, 0.9, 1.0]})
    assert "50.0  Mine (below)" in texts(plots.roc_curves(curves)), "at FAR 1 % it reads 0.5, under the window"
    words = texts(appendix_plots.frontier(points_of_frontier(), ("SN",)))
    assert words.count("Mine") == words.count(shown("SN")) == 2, "float and 6 bits"


def test_a_figure_without_data_is_none():
    empty = plots_tables.tradeoff_points(tables.table1(result_rows({"x": 75.0}, TASKS).iloc[:0]), 6)
    assert plots_tables.tradeoff(empty, ("x",), 6) is plots_tables.penalty_sweep(pd.DataFrame()) is None
    assert plots.roc_curves(pd.DataFrame()) is plots_training.training_curves(pd.DataFrame(), 20.0) is None


def test_the_tradeoff_has_a_point_for_each_kind_of_probe_and_the_released_one_belongs_to_its_method():
    rows = result_rows({"SN": 65.0, "SN 6 bits": 55.0}, TASKS)
    rows.loc[rows["probe"] == "SVM", "value"] += 2
    rows.loc[rows["probe"] == "selected", "value"] += 9
    points = plots_tables.tradeoff_points(tables.table1(rows), 6).set_index("kind")
    assert (points["representation"] == "SN").all() and points["id"].tolist() == [67.5, 67.5, 57.5]
    assert points["emotion"].to_dict() == {"paper": 69.5, "whitened": 76.5, "released": 66.5}


def test_without_data_nothing_is_saved_an_old_figure_goes_and_a_line_tells_what_would_fill_it(tmp_path, capsys):
    data = pd.DataFrame({"distance": [0.5, 1.0], "pair": ["same person", "different people"]})
    plots.save_figure(plots.distance_histogram(data), data, tmp_path, "a")
    plots.save_figure(plots.distance_histogram(data.iloc[:0]), data, tmp_path, "a", absent="no data: pairs of LFW")
    assert not list(tmp_path.iterdir()) and capsys.readouterr().out == "a: no data: pairs of LFW\n"


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
        word in words for word in ("77 → 33 → 77", "5 → 6 → 7", "1,234 images", "trained on 9 subjects", "64 x 64")
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
    plots.save_figure(plots.distance_histogram(data), data, tmp_path, "b", pdf=True)
    assert {path.name for path in tmp_path.glob("*.pdf")} == {"b.pdf"}
    for suffix in ("png", "csv"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    assert Image.open(tmp_path / "roc.png").text["Description"] == alt_text("roc")


def test_every_figure_of_a_notebook_and_of_a_run_has_an_alternative_text_of_one_or_two_sentences():
    calls = r'save_figure\((?:[^()]|\([^()]*\))*?(?:figures|appendix), "(\w+)"'
    notebooks = [path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").rglob("*.ipynb")]
    saved = {name for text in notebooks for name in re.findall(calls, text.replace("\\n", "").replace('\\"', '"'))}
    assert {"contact_sheet", "framework", "tradeoff", "roc", "penalty_sweep"} <= saved <= set(ALT_TEXTS)
    for words in map(alt_text, saved):
        assert 60 < len(words) < 420 and words.endswith(".") and words.count(". ") <= 2, words
    assert alt_text("nothing") == ""
