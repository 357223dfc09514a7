"""Embeddings of one's own from npz, npy, safetensors or parquet, and their labels; what does not fit is refused."""

import hashlib
import os
import re
import weakref
from pathlib import Path
from zipfile import is_zipfile

import numpy as np
import pandas as pd

from blindlib.blinders.training import encode
from blindlib.common import door
from blindlib.common.errors import InputError, reason
from blindlib.common.reading import require_file
from blindlib.common.tensors import read_safetensors
from blindlib.common.texts import read_labels
from blindlib.evaluate.probes import Task

ROOM = 1 << 30  # bytes that a small file may take of the memory, at most
BLOCK = 16_384  # rows that are looked at at once
PEOPLE = 20  # who show a class, at least: of each fold seven are tested, three validate and ten train the attackers
_X = ("x", "embedding", "embeddings")
_NUMBERED = re.compile(r"((?:x|e|f|dim|embedding)?_?)(\d+)")


def read(path: Path | str, table: Path | str | None = None, *, identity: str = "identity", only=()) -> dict:
    """Embeddings and labels from files, as the arguments of `audit`; nothing is unpickled.

    Parameters
    ----------
    path : path
        `.npz` or `.safetensors` with an array `x` (N, D) and arrays (N,) of labels; `.npy` with x alone, which is
        read row by row as it is asked for; `.parquet` with a column of lists `x`, or numbered columns, and labels.
    table : path, optional
        CSV with a header and a row for each row of x, in the same order: identity and labels. An empty cell is a label
        that is not known.
    identity : str
        The column, or array, that says who is shown.
    only : tuple of str
        The labels to take; by default all.

    Returns
    -------
    dict
        `x`, `identity`, and `labels`, a dict of arrays (N,).

    Raises
    ------
    InputError
        If a file is absent, damaged, of another kind, or lacks x, identity or a label.
    """
    path = Path(path)
    table = None if table is None else Path(table)
    readers = {".npz": _npz, ".npy": _npy, ".safetensors": _safetensors, ".parquet": _parquet}
    if path.suffix not in readers:
        raise InputError(path, f"{path.suffix or 'no suffix'} is not a kind that is read", f"use {', '.join(readers)}")
    require_file(path, "a file of embeddings", "check the name")
    try:
        columns = readers[path.suffix](path)
    except InputError:
        raise
    except Exception as error:  # of a damaged file the libraries raise many types
        raise InputError(path, f"does not read: {reason(error)}", "write it again, whole") from None
    x = columns.pop("x")
    if table is not None:
        rows = len(x) if x.ndim else 0
        frame = read_labels(table, "a table of labels", "check the name", rows)
        if len(frame) != rows:
            remedy = "give every row of x one line, in the same order, and a header"
            remedy = "x lies the other way round: save its transpose, x.T" if x.shape[1:] == (len(frame),) else remedy
            raise InputError(table, f"{len(frame)} rows of labels for {rows} of x", remedy)
        columns |= {name: frame[name].to_numpy(object) for name in frame}
    there = ", ".join(str(name) for name in columns if name != identity) or "none"
    if identity not in columns:
        raise InputError(table or path, f"no {identity!r}", _who(list(columns), identity, there))
    missing = [name for name in only if name not in columns]
    if missing:
        raise InputError(table or path, f"no label {missing[0]!r}", f"use one of: {there}")
    who = columns.pop(identity)
    return {"x": x, "identity": who, "labels": {n: v for n, v in columns.items() if not only or n in only}}


def _who(columns: list[str], identity: str, there: str) -> str:
    """What to do where no column is called as the one that says who is shown."""
    alike = [name for name in columns if name.lower() == identity.lower()]
    parted = [name for name in columns if ";" in name or "\t" in name]
    if alike:
        return f"say --identity {alike[0]}"
    if parted:
        return f"the cells of {parted[0]!r:.40} are parted by semicolons or tabs: save them with commas"
    if columns:
        return f"say by --identity which column tells who is shown (there are: {there}), or give a CSV by --labels"
    return "give a CSV by --labels: a line for each row of x, with who is shown and what is known of it"


class Rows:
    """The array (N, D) of an `.npy` file: indexing by rows, or `np.asarray`, reads them; between them nothing is held.

    A map of a file that is cut meanwhile would end the process by SIGBUS; here reading raises InputError.
    """

    ndim = 2

    def __init__(self, path: Path, mapped: np.memmap):
        self.path, self.shape, self.dtype, self._start = path, mapped.shape, mapped.dtype, mapped.offset
        self._by_column = not mapped.flags.c_contiguous
        self._handle = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._handle)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, which: slice | np.ndarray) -> np.ndarray:
        rows = np.arange(len(self))[which]
        if not rows.ndim:
            return self[rows[None]][0]
        x = np.empty((len(rows), self.shape[1]), self.dtype)
        if self._by_column and len(rows):
            first, last = rows.min(), rows.max() + 1
            for number, column in enumerate(x.T):
                column[:] = self._fill(np.empty(last - first, self.dtype), number * len(self) + first)[rows - first]
            return x
        begin = 0
        for end in np.flatnonzero(np.diff(rows, append=-2) != 1) + 1:  # neighbours are read at once
            self._fill(x[begin:end], rows[begin] * self.shape[1])
            begin = end
        return x

    def _fill(self, values: np.ndarray, first: int) -> np.ndarray:
        at, buffer, got = int(self._start + first * self.dtype.itemsize), values.view(np.uint8).reshape(-1), 0
        while got < len(buffer):
            part = os.pread(self._handle, len(buffer) - got, at + got)
            if not part:
                raise InputError(self.path, "was cut while it was read", "write it again, whole")
            buffer[got : got + len(part)] = np.frombuffer(part, np.uint8)
            got += len(part)
        return values


def _npz(path: Path) -> dict[str, np.ndarray]:
    if not is_zipfile(path):
        raise InputError(path, "does not read: no .npz archive, or a damaged one", "write it by np.savez")
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        _require_room(path, sum(member.file_size for member in arrays.zip.infolist()))
        _refuse_repeats(path, arrays.files)
        return _named_x(path, {name: _member(path, arrays, name) for name in arrays.files})


def _member(path: Path, arrays, name: str) -> np.ndarray:
    try:
        value = arrays[name]
        if isinstance(value, np.ndarray):
            return value
        raise InputError(path, f"{name!r} is no array", "write it by np.savez")
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise
        remedy = f"save it as np.asarray({name}, dtype=str), with '' where it is not known: pickles are not opened"
        remedy = "save it as a numeric array, float32 say: pickles are not opened" if name in _X else remedy
        raise InputError(path, f"{name!r} holds Python objects", remedy) from None


def _npy(path: Path) -> dict[str, np.ndarray]:
    try:
        x = np.load(path, mmap_mode="r", allow_pickle=False)
        return {"x": Rows(path, x) if x.ndim == 2 and x.size else x}
    except Exception as error:  # of a damaged header NumPy raises many types
        remedy = "save x as a numeric array, float32 say: pickles are not opened"
        raise InputError(path, f"is no plain array ({reason(error, 60)})", remedy) from None


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    tensors, _ = read_safetensors(path, "a file of embeddings", "write it again, whole")
    half = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    return _named_x(path, {name: value.numpy() for name, value in half.items()})


def _parquet(path: Path) -> dict[str, np.ndarray]:
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise InputError(path, "parquet needs pyarrow", "pip install pyarrow") from None
    meta = pq.read_metadata(path)
    groups = [meta.row_group(group) for group in range(meta.num_row_groups)]
    _require_room(path, 8 * sum(group.column(n).num_values for group in groups for n in range(group.num_columns)))
    _refuse_repeats(path, pq.read_schema(path).names)
    frame = pd.read_parquet(path)
    lists = [name for name in _X if name in frame]
    numbered = sorted((int(m[2]), m[1], name) for name in frame if (m := _NUMBERED.fullmatch(str(name))))
    if not lists and len(numbered) < 2:
        raise InputError(path, "no embeddings", "name a column of lists x, or columns by number: x0, x1, …")
    numbers, prefixes = [number for number, *_ in numbered], sorted({prefix for _, prefix, _ in numbered})
    if not lists and (len(prefixes) > 1 or numbers not in [list(range(i, i + len(numbers))) for i in (0, 1)]):
        odd = {prefix: [name for _, own, name in numbered if own == prefix] for prefix in prefixes}
        shown = "; ".join(f"{', '.join(map(str, names[:4]))}{', …' * (len(names) > 4)}" for names in odd.values())
        problem = f"numbered columns that are no one row of numbers from 0 or 1: {shown}"
        raise InputError(path, problem, "name those of x alone x0, x1, …, none missing, and labels without a number")
    own = lists[:1] or [name for *_, name in numbered]
    x = np.stack(frame[lists[0]].to_numpy()) if lists else frame[own].to_numpy()
    return {**{str(name): frame[name].to_numpy(object) for name in frame if name not in own}, "x": x}


def _require_room(path: Path, size: int) -> None:
    """Refuse a file that would fill the memory: embeddings hardly shrink when they are packed."""
    if size > max(ROOM, 20 * path.stat().st_size):
        problem = f"has {path.stat().st_size:,} bytes and would take {size:,} of memory"
        raise InputError(path, problem, "check that it is the right file, or write it unpacked")


def _refuse_repeats(path: Path, names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise InputError(path, "holds two arrays of one name", "write it again with names of their own")


def _named_x(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    found = [name for name in _X if name in arrays] or [name for name, value in arrays.items() if value.ndim == 2]
    if not found or (found[0] not in _X and len(found) > 1):
        raise InputError(path, f"no embeddings among {', '.join(arrays) or 'nothing'}", "name the array (N, D) x")
    x = arrays.pop(found[0])
    return {**arrays, "x": x}


def check(x: np.ndarray, identity, labels: dict) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Codes of who is shown, int64 (N,), and the labels as object arrays with None where they are not known.

    Raises
    ------
    InputError
        If shapes or types do not fit together, or somebody's identity is not known.
    """
    x = door.dense("x", x)
    shape, kind = np.shape(x), getattr(x, "dtype", None)
    if len(shape) != 2 or shape[1] < 2 or kind is None or kind.kind not in "fiu":
        raise InputError("x", f"has shape {shape} and type {kind}", "give a numeric array (N, D), D at least 2")
    if np.shape(identity) == shape[1:] != shape[:1]:
        raise InputError("x", f"has shape {shape} for {shape[1]} of identity", "turn it round: give its transpose, x.T")
    who = encode(_values("identity", identity, shape[0]))[0]
    if (who < 0).any():
        remedy = "leave these rows out: nobody may stand on both sides"
        raise InputError("label 'identity'", f"is not known of {(who < 0).sum()} rows", remedy)
    if len(who) and who.max() == 0:
        raise InputError("label 'identity'", "names one person", f"{PEOPLE} people a class are needed: give them all")
    return who, {name: _values(name, values, shape[0]) for name, values in labels.items()}


def _values(name: str, values, rows: int) -> np.ndarray:
    """A label as objects (N,), None where it is not known. Raises InputError for another shape."""
    if np.shape(values) != (rows,):
        remedy = "give one value a row, or leave it out"
        raise InputError(f"label {name!r}", f"has shape {np.shape(values)} for {rows} rows of x", remedy)
    values = door.names(f"label {name!r}", values).astype(object)
    return np.where([isinstance(v, str) and not v for v in values], None, values)


def scan(x: np.ndarray) -> int:
    """How many rows of x (N, D) equal an earlier one; x is read block by block.

    Raises
    ------
    InputError
        If a value is not finite.
    """
    seen, first, bad = set(), None, 0
    for start in range(0, len(x), BLOCK):
        block = np.ascontiguousarray(x[start : start + BLOCK])
        with np.errstate(over="ignore"):  # what is finite in double precision need not be in single
            wrong = np.flatnonzero(~np.isfinite(block.astype(np.float32)).all(axis=1))
        first, bad = start + wrong[0] if first is None and len(wrong) else first, bad + len(wrong)
        seen.update(hashlib.blake2b(row, digest_size=16).digest() for row in block)
    if bad:
        rows = f"row {first}, counted from 0, holds" if bad == 1 else f"{bad:,} rows, the first {first} from 0, hold"
        raise InputError("x", f"{rows} NaN or infinity in single precision", "leave them out, labels and all")
    return len(x) - len(seen)


def make_task(name: str, values: np.ndarray, who: np.ndarray, people: int = PEOPLE) -> tuple[Task, int]:
    """A label as what attackers read, with the classes that enough people show; and how many classes fell away.

    Raises
    ------
    InputError
        If fewer than two classes are left.
    """
    codes, classes = encode(values)
    shown = [len(np.unique(who[codes == code])) for code in range(len(classes))]
    enough = [code for code, count in enumerate(shown) if count >= people]
    if len(enough) < 2:
        most = ", ".join(map(str, sorted(shown, reverse=True)[:2])) or "nobody"
        many = len(classes) > max(20, len(np.unique(who)) // 4)
        problem = f"has {len(classes)} class{'es' * (len(classes) != 1)}, shown by {most} people at most"
        remedy = f"two classes with {people} people each are needed: label more people, merge classes, or leave it out"
        remedy = f"merge classes, or cut a number, an age say, into some that {people} people show" if many else remedy
        raise InputError(f"label {name!r}", problem, remedy)
    renamed = np.full(len(classes) + 1, -1)
    renamed[enough] = np.arange(len(enough))
    return Task(name, renamed[codes], [classes[code] for code in enough]), len(classes) - len(enough)
