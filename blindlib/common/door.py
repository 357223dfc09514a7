"""The door of every public function: what arrays, labels and numbers may be, by one set of rules; else InputError.

A check takes an argument's name and value and gives the value back, as an array where it is one. `takes` puts checks
before a function.
"""

import inspect
import re
import unicodedata
from collections.abc import Callable
from functools import wraps
from numbers import Integral, Real

import numpy as np
import pandas as pd

from blindlib.common.errors import InputError

LARGEST = 1e12  # of a value of x: its square, summed over any width, is still a number in float32
HUGEST = 1e30  # of any number: its square is still a number in float64
SMALLEST = 1e-6  # of the range of x: networks divide by deviations of 1e-8 and more
_SAME = 1e-6  # of x's largest value: what float32 cannot tell from a constant

Check = Callable[[str, object], object]


def plain(name: str, value: object, ndim: int | None = None) -> None:
    """Raise InputError for what NumPy would read as something else: a sparse or masked array, or one of other axes."""
    if hasattr(value, "toarray") or (isinstance(value, np.ndarray) and np.ma.is_masked(value)):
        raise InputError(name, "is sparse or masked", "make it a dense array, or leave out what is masked")
    if ndim is not None and getattr(value, "ndim", ndim) != ndim:
        raise InputError(name, f"has shape {tuple(value.shape)}, not (N, D)", "Reshape your data: a row an image")


def dense(name: str, value: object, ndim: int | None = None) -> object:
    """A tensor, or a subclass of NumPy's, as an array, else as it is; raises InputError for what `plain` refuses."""
    plain(name, value, ndim)
    if not hasattr(value, "detach"):
        return np.asarray(value) if isinstance(value, np.ndarray) else value
    try:
        tensor = value.detach().cpu()
        return (tensor.float() if tensor.is_floating_point() and tensor.element_size() < 4 else tensor).numpy()
    except (TypeError, RuntimeError):
        raise InputError(name, f"is a tensor of {value.layout} on {value.device}", "give a dense array") from None


def real(name: str, value: object) -> np.ndarray:
    """An array of real, finite numbers, of any shape; objects that are numbers become float64.

    Raises InputError for others, numbers written as text among them.
    """
    value = dense(name, value)
    try:
        array = np.asarray(value)
        no_text(name, array)
        array = array.astype(np.float64) if array.dtype.kind == "O" else array
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        problem = f"holds what is no number ({' '.join(str(error).split())[:70]})"
        raise InputError(name, problem, "give an array of numbers") from None
    if array.dtype.kind not in "biuf":
        what = "complex numbers" if array.dtype.kind == "c" else f"values of type {array.dtype}"
        raise InputError(name, f"holds {what}", "give an array of real numbers, float32 say")
    array = array.copy() if min(array.strides, default=0) < 0 else array  # PyTorch takes no reversed ones
    if array.size and not max(-float(array.min()), float(array.max())) <= HUGEST:
        problem = f"holds values above {HUGEST:g}" if np.isfinite(array).all() else "holds NaN or infinity"
        raise InputError(name, problem, "leave these rows out, labels and all")
    return array


def no_text(name: str, value: object) -> None:
    """Raise InputError where an array, or a column of a table, holds text: NumPy takes "1.5" for a number."""
    table = hasattr(value, "iloc") and hasattr(value, "columns")
    parts = [(value.iloc[:, n], f" in column {c!r}") for n, c in enumerate(value.columns)] if table else [(value, "")]
    for part, where in parts:
        array = np.asarray(part)
        kinds = set(map(type, array.flat)) if array.dtype.kind == "O" else ()
        if array.dtype.kind in "UST" or any(issubclass(kind, str | bytes | bytearray) for kind in kinds):
            raise InputError(name, f"holds text{where}", "give an array of numbers")


def vector(name: str, value: object) -> np.ndarray:
    """Real, finite numbers (N,), float32 or float64: differences of whole ones would wrap."""
    array = _flat(name, real(name, value))
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def matrix(name: str, value: object) -> np.ndarray:
    """Real, finite numbers (N, D), none too large to be squared in float32, D at least 1; or InputError raised."""
    array = real(name, value)
    if array.ndim != 2 or not array.shape[1]:
        raise InputError(name, f"has shape {array.shape}, not (N, D)", "Reshape your data: a row an image")
    if array.size and max(abs(float(array.min())), abs(float(array.max()))) > LARGEST:
        raise InputError(name, f"holds values above {LARGEST:g}", "scale it: divide by its rows' mean norm")
    return array


def varied(name: str, x: np.ndarray) -> np.ndarray:
    """x (N, D) if it varies over its rows by as much as float32 and networks can tell; else it raises InputError."""
    span = float((x.max(0) - x.min(0)).max()) if len(x) else 0.0
    if span <= _SAME * float(np.abs(x).max(initial=0.0)):
        problem = f"does not vary: its {len(x)} labelled rows are equal"
        raise InputError(name, problem, "give embeddings that tell faces apart: there is nothing to hide in these")
    if span < SMALLEST:
        raise InputError(name, f"varies by {span:.1g} alone", "scale it: divide by its rows' mean norm")
    return x


def names(name: str, value: object) -> np.ndarray:
    """Labels of any shape: numbers as they are, others as objects, dates as text; equal ones alike, blank ones "".

    Raises InputError for several types, for spaces at an end, and for characters that are not seen.
    """
    value = dense(name, value)
    array = np.asarray(value) if hasattr(value, "dtype") else np.asarray(value, dtype=object)
    if array.dtype.kind in "mM":
        array = np.where(np.isnat(array), None, array.astype(str).astype(object))
    if array.dtype.kind not in "OUS":
        return array + 0 if array.dtype.kind == "f" else array  # −0.0 is 0.0
    flat = array.astype(object).ravel()
    known = np.flatnonzero(~pd.isna(flat))
    types = sorted({type_of(label).__name__ for label in flat[known]})
    if len(types) > 1:
        raise InputError(name, f"holds labels of several types: {', '.join(types)}", "give labels of one type")
    if types and types[0] in ("str", "bytes"):
        spelt = {label: _spelt(label) for label in set(flat[known])}
        wrong = [row for row in known if spelt[flat[row]] is None]
        if wrong:
            problem = f"begins or ends with a space, or holds characters that are not seen, in row {wrong[0]} from 0"
            raise InputError(name, problem, "write such labels anew: they look like others")
        flat[known] = [spelt[label] for label in flat[known]]
    elif types == ["float"]:
        flat[known] += 0
    return flat.reshape(array.shape)


def unseen(text: str) -> bool:
    """Whether a text holds a character that nobody sees, by which it differs from one that looks the same.

    Ends of lines and tabs are seen; joiners within a word are spelling, of Persian say.
    """
    return any(
        unicodedata.category(letter) in ("Cc", "Cf")
        for letter in set(re.sub("(?<=.)[\u200c\u200d](?=.)|[\n\t]", "", text))
    )


def _spelt(label: str | bytes) -> str | bytes | None:
    """A label in Unicode's form NFC; None of one that may look like another."""
    core, text = label.strip(), isinstance(label, str)
    if (core and core != label) or (text and unseen(core)):
        return None
    return unicodedata.normalize("NFC", core) if text else core


def type_of(label: object) -> type:
    """A label's type, Python's own for NumPy's."""
    return type(label.item() if isinstance(label, np.generic) else label)


def labels(name: str, value: object) -> np.ndarray:
    """Labels (N,) of one type, by `names`; raises InputError if one is missing."""
    array = _flat(name, names(name, value))
    unknown = int(pd.isna(array).sum())
    if unknown:
        remedy = "leave these rows out, or give each a name of its own"
        raise InputError(name, f"is not known of {unknown} rows", remedy)
    own = getattr(getattr(value, "dtype", None), "kind", "") == "O"
    return array if own or array.dtype.kind != "O" else np.asarray(array.tolist())


def codes(name: str, value: object) -> np.ndarray:
    """Whole numbers (N,), int64; −1 stands for "not known". Raises InputError for others."""
    array = _flat(name, real(name, value))
    if array.dtype.kind == "f" and array.size:
        raise InputError(name, f"holds {array.dtype}, not whole numbers", "give codes of classes, int64")
    return array.astype(np.int64, copy=False)


def flags(name: str, value: object) -> np.ndarray:
    """Yes or no (N,): bool; 0 and 1 are taken for it. Raises InputError for others."""
    array = _flat(name, real(name, value))
    if not np.isin(array, (0, 1)).all():
        raise InputError(name, "holds other values than true and false", "give a bool array")
    return array.astype(bool)


def _flat(name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 1:
        raise InputError(name, f"has shape {array.shape}, not (N,)", "give one value a row")
    return array


def measured(name: str, value: object) -> float:
    """A number that was measured, NaN where it was not; raises InputError for what is none."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool) or not isinstance(value, Real) or abs(value) > HUGEST:
        raise InputError(name, f"is {value!r:.40}", "give a number, or NaN")
    return float(value)


def number(low: float, high: float, *, whole: bool = False) -> Check:
    """A check for a number, both ends included, that raises InputError; NaN is no number, and neither is True."""
    remedy = f"give a {'whole ' if whole else ''}number, {low:g} to {high:g}"

    def check(name: str, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, Integral if whole else Real) or not low <= value <= high:
            raise InputError(name, f"is {value!r:.40}", remedy)
        return value

    return check


def some(check: Check, least: int = 1) -> Check:
    """A check for an array of so many rows or more; raises InputError."""

    def filled(name: str, value: object) -> np.ndarray:
        array = check(name, value)
        if len(array) < least:
            raise InputError(name, f"has {len(array)} rows", f"give {least} or more")
        return array

    return filled


def within(name: str, rows: object, count: int) -> np.ndarray:
    """Row numbers, int64, of any shape; raises InputError unless each is one of `count` rows."""
    array = real(name, rows)
    if array.size and (array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= count):
        raise InputError(name, f"names a row that is none of {count}", f"give whole numbers, 0 to {count - 1}")
    return array.astype(np.int64, copy=False)


def both_kinds(name: str, same: np.ndarray) -> np.ndarray:
    """Whether pairs are of one person (N,), bool; raises InputError unless both kinds occur."""
    same = flags(name, same)
    if same.all() or not same.any():
        raise InputError(name, f"holds {len(same)} pairs of one kind", "give pairs of one person and of two")
    return same


def each(check: Check) -> Check:
    """A check for every one of several values, one or more; raises InputError."""

    def of_all(name: str, values: object) -> object:
        if not isinstance(values, list | tuple | np.ndarray) or not len(values):
            raise InputError(name, f"is {values!r:.40}", "give a list of one or more")
        return [check(name, value) for value in values]

    return of_all


def columns(*wanted: str, known: tuple[str, ...] | None = None) -> Check:
    """A check for a DataFrame with these columns; in all of them, or in those `known`, nothing is missing.

    Raises InputError.
    """

    def check(name: str, value: object) -> object:
        lacks = [column for column in wanted if column not in getattr(value, "columns", ())]
        if lacks:
            raise InputError(name, f"lacks the column {lacks[0]!r}", f"give a DataFrame with {', '.join(wanted)}")
        for column in wanted if known is None else known:
            if value[column].isna().any():
                raise InputError(f"{name}, column {column!r}", "holds missing values", "leave these rows out")
        return value

    return check


def alike(**given: object) -> None:
    """Raise InputError unless all arguments that are not None have as many rows as the first."""
    counts = {name: len(value) for name, value in given.items() if value is not None}
    first = next(iter(counts))
    for name, count in counts.items():
        if count != counts[first]:
            raise InputError(name, f"has {count} rows for {counts[first]} of {first}", "give one value a row")


def takes(*together: str, **checks: Check) -> Callable:
    """Put checks before a function, by the names of its arguments; those named in `together` have equally many rows."""

    def around(function: Callable) -> Callable:
        signature = inspect.signature(function)
        optional = {name for name, argument in signature.parameters.items() if argument.default is None}

        @wraps(function)
        def checked(*args, **options):
            bound = signature.bind(*args, **options)
            given = bound.arguments
            for name in checks:  # in the order that is written down: which is named does not change from run to run
                if name in given and (given[name] is not None or name not in optional):
                    given[name] = checks[name](name, given[name])
            if together:
                alike(**{name: given[name] for name in together if name in given})
            return function(*bound.args, **bound.kwargs)

        return checked

    return around
