"""Render images from factors by batched tensors on CPU or CUDA; the same factors and seeds give the same bytes."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import torch

from blindlib.common.errors import InputError
from blindlib.common.work import on_all_cores
from blindlib.synthfaces import features, geometry, light, scene, sensor, skin
from blindlib.synthfaces.factors import FACTORS
from blindlib.synthfaces.fields import edge, lattice

RENDERER_VERSION = 2  # raised when the same factors would give another image
SIZE, LARGEST = 112, 1024  # sides in pixels, multiples of 8; 8 faces of the largest need some 2 GB
FACE_WINDOW = (32, 24, 64)  # top, left, side: from the brows to the chin; on JPEG's 8 x 8 grid
_MARGIN = 3  # pixels around a window: normals need one, the blur two
Window = tuple[int, int, int]
_CHUNK = {"cpu": 32, "compiled": 32, "cuda": 512}  # images at a time; on a CPU as many as fit in its caches


def compose(
    vector: torch.Tensor, person: torch.Tensor, shot: torch.Tensor, size: int, window: Window | None = None
) -> torch.Tensor:
    """Compute images as float grey levels, 0 to 255.

    Parameters
    ----------
    vector : Tensor (B, F), float32
        The factors, in the order of `FACTORS`.
    person, shot : Tensor (B,), int64
        Seeds below 2³² of the subject's skin and hair, and of the image's background and noise.

    window : (top, left, side) or None
        The part of the frame to render, in pixels, all multiples of 8; None is the whole frame.

    Returns
    -------
    Tensor (B, 3, side, side)
        The side is the frame's `size` or the window's.
    """
    rows, columns, kept_rows, kept_columns = _slices(size, window)
    f = {name: vector[:, n].view(-1, 1, 1) for n, name in enumerate(FACTORS)}
    f["jaw_drop"] = f["au26"]
    f["nose_y"] = f["nose_y"] + 0.045 * f["au09"] + 0.015 * f["au10"]  # a wrinkled nose is shorter
    p, q = geometry.camera(f, size, vector.device, rows, columns)
    hit = geometry.meet(f, p, q)
    noise = lattice(person, 48, 3)
    behind, front = scene.hair_masks(f, p, q, hit["X"], hit["Y"], hit["head"])
    face = _face(f, hit, noise, front, 2 * geometry.HALF_VIEW / size)
    tone = skin.plain(f) * (f["key"] * 0.75 + f["ambient"])[:, None]
    hair = skin.hair_colour(f) * scene.hair_shade(f, p, q, noise)[:, None]
    before_ears = behind * edge(f["hair_length"] - 0.2, 0.3) * edge(p.abs() - 0.9, 0.06)
    image = scene.background(f, p, q, lattice(shot, 9, 1))
    image = image + (hair * 0.75 - image) * behind[:, None]
    image = scene.body(f, p, q, image, tone, hit["chin"])
    image = scene.ears(f, p, q, image, tone)
    image = image + (hair * 0.8 - image) * before_ears[:, None]
    image = image + (face - image) * hit["head"][:, None]
    image = image + (hair - image) * front[:, None]
    return sensor.photograph(image, f, shot, size, kept_rows, kept_columns, window)


def _slices(size: int, window: Window | None) -> tuple[slice, slice, slice, slice]:
    """Return the rows and columns to draw, the window with its margin, and the window's place in them."""
    if window is None:
        return (slice(None),) * 4
    top, left, side = window
    first = [max(0, start - _MARGIN) for start in (top, left)]
    drawn = [slice(a, min(size, start + side + _MARGIN)) for a, start in zip(first, (top, left), strict=True)]
    kept = [slice(start - a, start - a + side) for a, start in zip(first, (top, left), strict=True)]
    return *drawn, *kept


def _face(f: dict, hit: dict, noise: torch.Tensor, hair: torch.Tensor, step: float) -> torch.Tensor:
    """Return the lit face alone, linear: (B, 3, H, W). `step` is a pixel's side in the face's units."""
    x, y = hit["X"], hit["Y"]
    eye, lips = features.eyes(f, x, y, 0.7 * step), features.mouth(f, x, y, 0.7 * step)
    brow, stubble = features.brows(f, x, y, 0.7 * step), skin.stubble(f, x, y)
    colour = skin.skin_colour(f, x, y, skin.skin_texture(noise, x, y), brow, stubble)
    colour = skin.mouth_colour(skin.lip_colour(f, colour, lips), lips)
    colour = colour * (1 - 0.85 * features.nostrils(f, x, y) - 0.6 * lips["line"])[:, None].clamp(0.08, 1)
    colour = skin.eye_colour(f, colour, eye)
    colour = colour * (1 - (0.88 * eye["lash"] + 0.30 * eye["crease"] * (1 - eye["open"])).clamp(0, 0.95))[:, None]
    nx, ny, nz = geometry.normals(hit["depth"], step)
    lit = light.irradiance(f, nx, ny, nz) * light.shadows(f, x, y, lips, hair)[:, None]
    wet = 0.10 * lips["shine"] * (1 - lips["inside"]) + 0.01 * eye["open"]
    gloss = light.gloss(f, nx, ny, nz, wet) * (1 - eye["open"]) + 0.6 * eye["glint"] * eye["open"]
    return colour * lit + gloss[:, None]


@cache
def _compiled() -> Callable:
    return torch.compile(compose, dynamic=False)


def _device(name: str) -> torch.device:
    if name.partition(":")[0] not in ("cpu", "cuda") or (name != "cpu" and not torch.cuda.is_available()):
        raise InputError("device", f"{name!r} is not here", "use cpu, or cuda where there is a GPU")
    return torch.device(name)


def render(
    factors: pd.DataFrame,
    *,
    size: int = SIZE,
    window: Window | None = None,
    device: str = "cpu",
    compiled: bool = False,
    done: Callable[[int], object] = lambda count: None,
) -> np.ndarray:
    """Render the images of some factor rows.

    Parameters
    ----------
    factors : DataFrame
        Columns `FACTORS`, and the seeds `person` and `shot`, below 2³².
    size : int
        Side in pixels, a multiple of 8, at most `LARGEST`.
    window : (top, left, side) or None
        Draw only these pixels of the frame, such as `FACE_WINDOW`: three multiples of 8, for JPEG's blocks. They differ
        from that part of the whole frame by a grey level at most, and take less than half the time.
    device : {"cpu", "cuda"}
    compiled : bool
        Fuse element-wise operations with torch.compile: this needs a C++ compiler and some 20 seconds, then runs about
        three times as fast.
    done : callable
        Called with the number of faces just rendered.

    Returns
    -------
    uint8 array (N, size, size, 3), or (N, side, side, 3) of a window, RGB
        The same rows give the same bytes on the same machine, whatever the other rows. With `compiled`, or on another
        device, they differ by a grey level at most.

    Raises
    ------
    InputError
        If `size` or the window is no such multiple or leaves the frame, or the device or a column is absent.
    """
    if not 0 < size <= LARGEST or size % 8:
        remedy = f"use a multiple of 8, from 8 to {LARGEST}: JPEG works on blocks of 8 x 8"
        raise InputError("size", f"is {size}", remedy)
    if window is not None and (any(v % 8 or v < 0 for v in window) or not 0 < window[2] <= size - max(window[:2])):
        raise InputError(
            "window", f"is {window}", f"use multiples of 8 (top, left, side) within a frame of {size} pixels"
        )
    missing = [name for name in (*FACTORS, "person", "shot") if name not in factors]
    if missing:
        raise InputError("factors", f"lack the columns {missing[:5]}", "make them with blindlib.synthfaces.roles")
    vectors = torch.tensor(factors[list(FACTORS)].to_numpy(np.float32))
    seeds = torch.tensor(factors[["person", "shot"]].to_numpy(np.int64))
    side = size if window is None else window[2]
    out = np.empty((len(vectors), side, side, 3), np.uint8)
    where = _device(device)
    chunk = _CHUNK["compiled" if compiled and where.type == "cpu" else where.type]
    paint = _compiled() if compiled else compose

    def work(start: int) -> None:
        rows = torch.arange(start, start + chunk).clamp_max(len(vectors) - 1)  # always whole chunks: the same kernels
        kept = min(chunk, len(vectors) - start)
        with torch.inference_mode():
            image = paint(vectors[rows].to(where), *seeds[rows].to(where).unbind(1), size, window)
            out[start : start + kept] = image[:kept].round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        done(kept)

    starts = range(0, len(vectors), chunk)
    if compiled or where.type != "cpu":
        for start in starts:
            work(start)
    else:
        on_all_cores(work, starts)
    return out
