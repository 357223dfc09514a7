"""Find an eraser by its name, or by `module:Class`, and fit it on a study's splits."""

import importlib
from functools import cache

import numpy as np
import pandas as pd
from sklearn.utils.validation import has_fit_parameter

from blindlib.blinders.representation import Representation
from blindlib.blinders.rounding import in_bits
from blindlib.common.errors import InputError

ERASERS = {  # name -> module and class; those of the appendix are imported on demand
    "LEACE": "blindlib.blinders.affine:LEACE",
    "INLP": "blindlib.appendix.erasers:INLP",
    "NAP": "blindlib.appendix.erasers:NAP",
    "Obliviator": "blindlib.appendix.obliviator:Obliviator",
    "PCA": "blindlib.appendix.erasers:PCAControl",
    "random": "blindlib.appendix.erasers:RandomControl",
}


def find_eraser(name: str) -> type:
    """Return the class of an eraser: one of `ERASERS`, or `module:Class`.

    The class is a scikit-learn transformer with `fit(X, y)`, or `fit(X, y, identity=…)`, and `transform(X)`, which
    keeps the shape. Tables show its `name`, or else the class's name. It is fitted on images whose emotion is known.

    Raises
    ------
    InputError
        If no eraser has that name.
    """
    module, colon, cls = ERASERS.get(name, name).partition(":")
    remedy = f"use {', '.join(ERASERS)} or module:Class, the module's folder on PYTHONPATH"
    if not colon:
        raise InputError("erasers", f"there is no {name!r}", remedy)
    try:
        return getattr(importlib.import_module(module), cls)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError("erasers", f"there is no {name!r} ({error})", remedy) from None


def eraser_representation(eraser: type, study, bits: int | None = None) -> Representation:
    """Return φ by an eraser, which is fitted on every split's head-training subjects on first use.

    Raises InputError if the eraser changes the shape.
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
    """Return the name of an eraser's class in tables: its `name`, or else the class's name."""
    name = getattr(eraser, "name", "")
    return name if isinstance(name, str) and name else eraser.__name__
