"""Draw the paper's "Proposed framework" from a run: its own faces, shapes and numbers in the boxes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from blindlib.backbones.alignment import show_alignment, shrink
from blindlib.backbones.registry import Backbone
from blindlib.report.plots import COLOURS, GREY, new_figure

_X = COLOURS["x"]
_HIDDEN, _KEPT = COLOURS["LNTL"], COLOURS["SN"]


@dataclass(frozen=True)
class Box:
    """Hold a box of the drawing: its middle and size in units of the figure's width (7 x 3.4), its text and colour."""

    x: float
    y: float
    width: float
    height: float
    words: str
    shade: str = GREY


def seen_by(backbone: Backbone, frames: np.ndarray) -> np.ndarray:
    """Return a backbone's input of rendered frames (N, S, S, 3): its window, grey (N, s, s), or the aligned faces.

    Without a detected face it is the whole frame, scaled to the network's size.
    """
    if backbone.alignment is None:
        top, left, side = backbone.window or (0, 0, frames.shape[1])
        return frames[:, top : top + side, left : left + side].mean(-1)
    chips = [show_alignment(frame, {backbone.name: backbone.alignment}).chips for frame in frames]
    whole = [shrink(frame, backbone.alignment.size) for frame in frames]
    return np.stack([chip.get(backbone.name, frame) for chip, frame in zip(chips, whole, strict=True)])


def numbers_of(study) -> pd.DataFrame:
    """Collect the numbers of `framework` in a study, one row: subjects of its first split, the probes' with emotion."""
    split, settings, labels = study.splits[0], study.preset.sensitivenets, study.faces.frame
    labelled = labels["identity"].where(labels["emotion"].notna()) if study.faces.has("emotion") else labels["identity"]
    row = {
        "backbone": study.preset.backbone,
        "dim": study.embedded[0].x.shape[1],
        "hidden": settings.hidden,
        "detector": " → ".join(map(str, settings.detector)),
        "classes": len(study.preset.blinded),
        "images": len(study.faces),
        "head": labels["identity"].iloc[split.head].nunique(),
        "probe": labelled.iloc[split.probe].nunique(),
        "test": labelled.iloc[split.test].nunique(),
    }
    return pd.DataFrame([row])


def framework(frames: np.ndarray, crops: np.ndarray, numbers: pd.DataFrame) -> Figure:
    """Draw the path from a face to a probe: input, backbone, x, head φ and its training, released φ, probes.

    Parameters
    ----------
    frames : array (2, S, S, 3), uint8
        Two faces.
    crops : array (2, s, s) or (2, s, s, 3)
        The backbone's input of them, by `seen_by`.
    numbers : DataFrame
        One row of `numbers_of`: `backbone` (its name), `dim` (of x), `hidden` (of the head), `detector` (widths of its
        hidden layers, as text), `classes` (number of its emotions), `images`, and subjects: `head`, `probe`, `test`.

    Source: the paper's figure "Proposed framework": a frozen face network, a head on its embedding, and face tasks with
    and without the blinded embedding. The training of the head is drawn for φ_SN.
    """
    numbers = numbers.iloc[0]
    figure, (axis,) = new_figure(height=3.5)
    axis.set(xlim=(0, 7), ylim=(0, 3.5), aspect="equal")
    axis.axis("off")
    whole = {"interpolation": "none"}  # so that a PDF has the face's own pixels
    for n, (frame, crop) in enumerate(zip(frames, crops, strict=True)):
        top = 2.45 - 0.95 * n
        axis.imshow(frame, extent=(0.05, 0.85, top - 0.4, top + 0.4), zorder=2, **whole)
        axis.imshow(crop, extent=(1.0, 1.5, top - 0.25, top + 0.25), cmap="gray", zorder=2, **whole)
    side, grey = frames.shape[1], crops.shape[1]
    _caption(axis, 0.45, 0.86, f"{side} x {side} x 3")
    _caption(axis, 1.25, 0.86, f"{grey} x {grey}")
    _caption(axis, 0.75, 3.1, f"faces\n{numbers['images']:,} images", va="center")
    boxes = _boxes(numbers)
    for box in boxes.values():
        _draw(axis, box)
    steps = (((1.53, 1.98), "backbone", GREY), ("backbone", "x", _X), ("x", "head", GREY), ("head", "phi", _KEPT))
    sideways = (
        ("phi", "triplet", _KEPT),
        ("phi", "detector", _HIDDEN),
        ("phi", "attack", _HIDDEN),
        ("phi", "keep", _KEPT),
    )
    for start, end, shade in (*steps, *sideways):
        _arrow(axis, boxes.get(start, start), boxes[end], shade)
    corner = boxes["x"].x, boxes["attack"].x
    axis.plot([corner[0], corner[0], corner[1]], [1.57, 0.3, 0.3], color=GREY, lw=1.2)
    _arrow(axis, (corner[1], 0.3), (corner[1], 0.62), GREY)
    _caption(axis, 4.4, 0.38, "the same probes on $x$: Diff compares the two")
    return figure


def _boxes(numbers: pd.Series) -> dict[str, Box]:
    """Return the boxes of the drawing by name."""
    dim, hidden = numbers["dim"], numbers["hidden"]
    phi = r"$\varphi(x)$"
    return {
        "backbone": Box(2.05, 1.98, 0.75, 0.8, f"backbone\n{numbers['backbone']}\nfrozen"),
        "x": Box(2.78, 1.98, 0.36, 0.8, f"$x$\n{dim}", _X),
        "head": Box(3.63, 1.98, 1.02, 0.8, f"head $\\varphi$\n{dim} → {hidden} → {dim}\n{numbers['head']} subjects"),
        "phi": Box(4.52, 1.98, 0.42, 0.8, f"{phi}\n{dim}", _KEPT),
        "triplet": Box(3.75, 3.1, 1.45, 0.56, "triplet loss on identity:\nsubjects stay apart", _KEPT),
        "detector": Box(
            5.6, 3.1, 2.05, 0.56,
            f"+ λ · Δ: adversary {numbers['detector']} → {numbers['classes']};\nits answer: one class for all", _HIDDEN,
        ),
        "keep": Box(6.1, 2.25, 1.6, 0.7, "to be kept:\nverification (ID),\ngender, ethnicity", _KEPT),
        "attack": Box(
            6.1, 1.15, 1.6, 1.05,
            f"to be hidden: emotion;\nprobes, in float\nand in few bits,\ntrained on {numbers['probe']} subjects,\n"
            f"tested on {numbers['test']} others", _HIDDEN,
        ),
    }  # fmt: skip


def _draw(axis: Axes, box: Box) -> None:
    corner = (box.x - box.width / 2, box.y - box.height / 2)
    style = {"boxstyle": "round,pad=0,rounding_size=0.06", "fc": "white", "ec": box.shade, "lw": 1.2, "zorder": 3}
    axis.add_patch(FancyBboxPatch(corner, box.width, box.height, **style))
    axis.text(box.x, box.y, box.words, ha="center", va="center", fontsize=7, color=box.shade, zorder=4)


def _caption(axis: Axes, x: float, y: float, words: str, **more) -> None:
    axis.text(x, y, words, fontsize=7, color=GREY, **{"ha": "center", **more})


def _edge(box: Box | tuple[float, float], towards: Box | tuple[float, float]) -> tuple[float, float]:
    """Return where an arrow to `towards` leaves a box: the middle of its right, upper or lower side; points stay."""
    if not isinstance(box, Box):
        return box
    x, y = (towards.x, towards.y) if isinstance(towards, Box) else towards
    if abs(y - box.y) > box.height / 2 + 0.3 and abs(x - box.x) < 1.5:
        return box.x, box.y + np.sign(y - box.y) * box.height / 2
    return box.x + np.sign(x - box.x) * box.width / 2, box.y


def _arrow(axis: Axes, start, end, shade: str) -> None:
    line = {"arrowstyle": "-|>", "color": shade, "lw": 1.2, "shrinkA": 1, "shrinkB": 1}
    axis.annotate("", _edge(end, start), _edge(start, end), arrowprops=line, zorder=2)
