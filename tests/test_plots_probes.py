"""Figures of notebook A2: every mark in its row, names at the ends of curves apart, numbers printed."""

import pandas as pd
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from blindlib.appendix import plots_probes
from blindlib.appendix.probe_suite import KINDS


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def cells_of(names, probes, subjects=(16,)):
    rows = [(n, p, s, 60.0 - 5 * k + s / 8) for k, n in enumerate(names) for p in probes for s in subjects]
    return pd.DataFrame(rows, columns=["representation", "probe", "subjects", "mean"]).assign(half_width=1, chance=20)


def test_every_probe_of_the_suite_stands_in_its_representation_s_row_and_the_maximum_is_named():
    names, probes = ["x", "SN", "SN 6 bits"], [*KINDS, *(f"{kind} whitened" for kind in KINDS), "selected"]
    figure = plots_probes.probe_suite(cells_of(names, probes))
    (axis,) = figure.axes
    drawn = [(x, y) for line in axis.lines for x, y in zip(*line.get_data(), strict=True) if len(line.get_xdata()) == 3]
    assert len(drawn) == len(names) * (len(probes) - 1) and all(62.0 - 5 * y == x for x, y in drawn)
    assert sum(word.startswith("maximum: ") for word in texts(figure)) == len(names) and "chance" in texts(figure)


def test_names_at_the_curves_ends_and_their_lines_cross_no_name():
    names = ["x", "SN", "LNTL", "SN 6 bits", "LNTL 6 bits"]
    figure = plots_probes.learning_curves(cells_of(names, ["SVM", "selected"], (4, 16)))
    figure.draw_without_rendering()
    ends = [text for text in figure.axes[0].texts if getattr(text, "arrow_patch", None)]
    boxes = [Text.get_window_extent(text) for text in ends]
    assert len(ends) == len(names) and not [1 for k, a in enumerate(boxes) for b in boxes[:k] if a.overlaps(b)]
    for text in ends:
        line = text.arrow_patch.get_path().transformed(text.arrow_patch.get_transform())
        inner = [Bbox.from_extents(box.x0 + 1, box.y0, box.x1, box.y1) for box in boxes]
        assert not [1 for box in inner if line.intersects_bbox(box, filled=False)]


def test_inversion_and_twice_the_subjects_print_their_numbers():
    table = pd.DataFrame({"representation": ["SN", "SN", "SN 6 bits"], "r2": [0.9, 0.92, 0.2], "chance": 20})
    words = texts(plots_probes.inversion(table.assign(balanced_accuracy=[80, 82, 25])))
    assert {"0.91", "81", "0.20", "25"} <= set(words)
    table = pd.DataFrame({"representation": ["x"], "probe": "selected", "mean": 50.0, "half_width": 1.0})
    assert "+2.5" in texts(plots_probes.more_subjects(table.assign(twice=52.5, moved=2.5)))
