"""Erasers beside the trained heads: our own, or a class of one's own that a run takes up by `module:Class`."""

import importlib
from functools import cache

import numpy as np
import pandas as pd
from sklearn.utils.validation import has_fit_parameter

from blindlib.blinders.affine import INLP, LEACE, NAP, PCAControl, RandomControl
from blindlib.blinders.blinder import in_bits
from blindlib.blinders.obliviator import Obliviator
from blindlib.blinders.representation import Representation
from blindlib.common.errors import InputError

ERASERS = {eraser.name: eraser for eraser in (LEACE, INLP, NAP, Obliviator, PCAControl, RandomControl)}


def find_eraser(name: str) -> type:
    """The class of an eraser: one of `ERASERS`, or `module:Class`.

    A class of one's own is a scikit-learn transformer with `fit(X, y)`, or `fit(X, y, identity=…)`, and `transform(X)`,
    which gives the same shape. Its `name` (or the class's) stands in tables. It is given the people whose emotion is
    known.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name in ERASERS:
        return ERASERS[name]
    module, colon, cls = name.partition(":")
    remedy = f"use {', '.join(ERASERS)} or module:Class, the module's folder on PYTHONPATH"
    if not colon:
        raise InputError("erasers", f"there is no {name!r}", remedy)
    try:
        return getattr(importlib.import_module(module), cls)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError("erasers", f"there is no {name!r} ({error})", remedy) from None


def eraser_representation(eraser: type, study, bits: int | None = None) -> Representation:
    """Return φ by an eraser that is fitted, when it is first asked for, on every split's head-training subjects.

    Raises InputError if it changes the shape.
    """
    name, x = name_of(eraser), study.embedded[0].x
    emotion, identity = study.hidden, study.faces.frame["identity"].to_numpy()

    @cache
    def fitted(split: int):
        rows = study.splits[split].head
        rows = rows[pd.notna(emotion[rows])]
        labels = {"identity": identity[rows]} if has_fit_parameter(eraser, "identity") else {}
        made = eraser() if bits is None else eraser(bits=bits)
        return made.fit(x[rows], emotion[rows], **labels)

    def erased(split: int, rows: np.ndarray) -> np.ndarray:
        z = np.asarray(fitted(split).transform(x[rows]), np.float32)
        if z.shape != (len(rows), x.shape[1]):
            problem = f"{name} gives {z.shape} for {(len(rows), x.shape[1])}"
            raise InputError("erasers", problem, "let its transform keep the shape")
        return z

    return Representation(in_bits(name, bits), erased, name, 0.0, len(study.splits), bits)


def name_of(eraser: type) -> str:
    """What tables call an eraser's class: its `name`, or the class's own."""
    name = getattr(eraser, "name", "")
    return name if isinstance(name, str) and name else eraser.__name__


def from_outside(names: tuple[str, ...]) -> list:
    """The erasers among `names` that are one's own, `module:Class`, made with their defaults; see `find_eraser`."""
    return [find_eraser(name)() for name in names if name not in ERASERS]
