"""Erasers beside the trained heads: LEACE, or a class of one's own that a run takes up by `module:Class`."""

import importlib
from functools import cache

import numpy as np
from sklearn.utils.validation import has_fit_parameter

from blindlib.blinders.leace import LEACE
from blindlib.blinders.representation import Representation
from blindlib.common.errors import InputError

ERASERS = {"LEACE": LEACE}


def find_eraser(name: str) -> type:
    """The class of an eraser.

    Parameters
    ----------
    name : str
        A key of `ERASERS`, or `module:Class`: a scikit-learn transformer with `fit(X, y)`, or `fit(X, y, identity=…)`,
        and `transform(X)`, which gives the same shape. Its `name` (or the class's) stands in tables.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name in ERASERS:
        return ERASERS[name]
    module, colon, cls = name.partition(":")
    try:
        return getattr(importlib.import_module(module if colon else ""), cls)
    except (ImportError, AttributeError, ValueError) as error:
        remedy = f"use {', '.join(ERASERS)} or module:Class, the module's folder on PYTHONPATH"
        raise InputError("erasers", f"there is no {name!r} ({error})", remedy) from None


def eraser_representation(
    name: str, x: np.ndarray, attribute: np.ndarray, identity: np.ndarray, head: list[np.ndarray]
) -> Representation:
    """φ by an eraser that is fitted, when it is first asked for, on every split's head-training people.

    Parameters
    ----------
    name : str
        Of `find_eraser`.
    x : float32 array (N, D)
    attribute, identity : arrays (N,)
        What is to be hidden, None where it is not known, and who is shown.
    head : list of int arrays
        For each split the rows of the people that train.
    """
    eraser = find_eraser(name)

    @cache
    def fitted(split: int):
        rows = head[split][[label is not None for label in attribute[head[split]]]]
        who = {"identity": identity[rows]} if has_fit_parameter(eraser, "identity") else {}
        return eraser().fit(x[rows], attribute[rows], **who)

    shown = getattr(eraser, "name", eraser.__name__)
    return Representation(shown, lambda split, rows: fitted(split).transform(x[rows]), shown, 0.0, len(head))
