"""Figures: drawn from frames alone, with a colour for every representation, known or not."""

import numpy as np
import pandas as pd
import pytest
from report_rows import TASKS, result_rows, study_rows

from blindlib.backbones.alignment import Alignment, Steps
from blindlib.data.facetable import make_facetable
from blindlib.report import plots, plots_faces, tables


def texts(figure):
    """All words of a figure's legends and axes."""
    found = []
    for axis in figure.axes:
        found += [label.get_text() for label in [*axis.texts, *(axis.get_yticklabels() if axis.axison else [])]]
        found += [text.get_text() for text in axis.get_legend().get_texts()] if axis.get_legend() else []
    return found


def test_every_representation_keeps_one_colour_and_no_two_share_it():
    known = [plots.colour(name) for name in tables.REPRESENTATIONS]
    new = [plots.colour(f"eraser {n}") for n in range(6)]
    assert len({*known, *new}) == len(known) + 6
    assert [plots.colour(f"eraser {n}") for n in reversed(range(6))] == new[::-1], "asked again, it stays"
    assert plots.colour("eraser 7"), "there is no last colour"
    assert plots.colour("SN") == plots.COLOURS["SN"]


def test_an_unknown_eraser_has_its_points_in_every_figure():
    frame = pd.DataFrame({"image": ["a"], "identity": ["p"], "sha256": ["0" * 64]})
    faces = make_facetable(frame, "nowhere", name="t", provenance="synthetic")
    assert "Mine" in texts(plots.table1_figure(tables.table1(result_rows({"Mine": 60.0, "x": 75.0}, TASKS))))
    study = study_rows({"x": (2.0, 17.0), "Mine": (1.0, 4.0)})
    assert "Mine, biased" in texts(plots.equal_opportunity(tables.table2(study, 0.7, faces)))
    assert "Mine" in texts(plots.bias_sweep(tables.sweep_points(study)))
    curves = pd.DataFrame({"representation": "Mine", "far": [0.0, 0.1, 1.0], "tar": [0.5, 0.9, 1.0]})
    assert "Mine" in texts(plots.roc_curves(curves))
    points = {"method": ["Mine", "SN", "SN"], "strength": [0.0, 0.5, 3.0], "id": [96.0, 97.0, 95.0]}
    points |= {"id_hw": 0.5, "emotion": [70.0, 60.0, 55.0], "emotion_hw": 1.0, "chance": 50.0}
    shown = texts(plots.frontier(pd.DataFrame(points)))
    assert "Mine" in shown and {"0.5", "3"} <= set(shown) and "0" not in shown, "λ stands by swept points alone"


def test_a_figure_without_data_says_so():
    empty = tables.table1(result_rows({"x": 75.0}).iloc[:0])
    assert texts(plots.table1_figure(empty)) == ["no data"]
    assert texts(plots.frontier(pd.DataFrame())) == texts(plots.roc_curves(pd.DataFrame())) == ["no data"]


def test_the_legend_names_each_representation_once_wherever_it_first_occurs():
    rows = result_rows({"x": 75.0, "SN": 65.0}, TASKS)
    figure = plots.table1_figure(tables.table1(rows[(rows["representation"] == "x") | (rows["task"] != "ID")]))
    words = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert sorted(words) == sorted(["chance", "x", "SN", "published\n(other data and chance)"])


def test_published_values_are_hollow():
    figure = plots.table1_figure(tables.table1(result_rows({"x": 75.0, "SN": 65.0}, TASKS)))
    diamonds = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    assert len(diamonds) == 2 * len(tables.DOMAINS) + 1 and all(
        line.get_markerfacecolor() == "none" for line in diamonds
    )


@pytest.mark.parametrize("found", [True, False])
def test_alignment_shows_the_frame_and_every_network_s_face_or_that_none_was_found(found):
    frame, network = np.zeros((40, 40, 3), np.uint8), Alignment(20, ((1, 1), (9, 9)))
    step = Steps(frame, (5, 5, 20, 20), np.array([(6, 6), (9, 9)]), {"net": frame})
    figure = plots_faces.alignment([step if found else Steps(frame, None, None, {})], {"net": network})
    assert figure.axes[1].get_ylabel() == "net\n20 x 20"
    assert len(figure.axes[1].images) == found and (figure.axes[0].get_xlabel() == "no face found") != found


def test_the_same_figure_is_the_same_bytes(tmp_path):
    data = pd.DataFrame({"distance": [0.5, 1.0, 1.5], "pair": ["same person", "same person", "different people"]})
    for name in ("a", "b"):
        plots.save_figure(plots.distance_histogram(data), data, tmp_path, name)
    for suffix in ("png", "pdf", "csv"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
