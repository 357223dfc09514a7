"""Read embeddings and labels from files, check that they fit together, and encode labels."""

from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.torch import load_file
from sklearn.utils import check_array

from blindlib.blinders.training import encode
from blindlib.common.errors import InputError, reason
from blindlib.evaluate.probes import Task


def read(path: Path | str, table: Path | str | None = None, *, identity: str = "identity", only=()) -> dict:
    """Read embeddings and labels, as the arguments of `audit`; no pickle is loaded.

    Parameters
    ----------
    path : path
        `.npz`, `.safetensors` or `.parquet` with x (N, D) and labels (N,) by name, x of parquet as a column of lists;
        or `.npy` with x alone, which stays on disk.
    table : path, optional
        CSV of identity and labels, with a header and a line for each row of x, in the same order. An empty cell is an
        unknown label.
    identity : str
        The name of the array, or column, of subjects.
    only : tuple of str
        The labels to take; by default all.

    Returns
    -------
    dict
        `x`, `identity`, and `labels`, a dict of arrays (N,).

    Raises
    ------
    InputError
        If a file does not read, or lacks x, identity or a label, or x and the table have other numbers of rows.
    """
    path = Path(path)
    if path.suffix not in _READERS:
        raise InputError(path, f"is of kind {path.suffix or 'none'}", f"use {', '.join(_READERS)}")
    columns = _opened(_READERS[path.suffix], path)
    if "x" not in columns:
        raise InputError(path, f"has no x (there are: {', '.join(columns)})", "name the embeddings (N, D) x")
    x = columns.pop("x")
    if table is not None:
        frame = _opened(lambda file: pd.read_csv(file, dtype=str, keep_default_na=False), table)
        if len(frame) != len(x):
            raise InputError(table, f"has {len(frame)} rows for {len(x)} of x", "give each row of x one line")
        columns |= {name: frame[name].to_numpy(object) for name in frame}
    for name in (identity, *only):
        if name not in columns:
            problem = f"has no column {name!r} (there are: {', '.join(columns) or 'none'})"
            raise InputError(table or path, problem, "say --identity and --label, or give a CSV by --labels")
    who = columns.pop(identity)
    return {"x": x, "identity": who, "labels": {name: columns[name] for name in only or columns}}


def _opened(reader, path: Path | str):
    try:
        return reader(path)
    except Exception as error:  # libraries raise many types for a damaged file
        remedy = "check the name, or write the file again; text as np.asarray(…, dtype=str), not as Python objects"
        raise InputError(path, f"does not read ({reason(error)})", remedy) from None


def _npz(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return dict(arrays)


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    return {name: (v.float() if v.is_floating_point() else v).numpy() for name, v in load_file(path).items()}


def _parquet(path: Path) -> dict[str, np.ndarray]:
    columns = {name: column.to_numpy(object) for name, column in pd.read_parquet(path).items()}
    return columns | {"x": np.stack(columns["x"])} if "x" in columns else columns


_READERS = {
    ".npz": _npz,
    ".npy": lambda path: {"x": np.load(path, mmap_mode="r", allow_pickle=False)},
    ".safetensors": _safetensors,
    ".parquet": _parquet,
}


def check(x, identity, labels: dict) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return x (N, D), codes of subjects, int64 (N,), and labels as objects (N,), None where unknown.

    Raises
    ------
    InputError
        If x is not finite, lengths differ, or a subject is unknown.
    """
    try:
        x = check_array(x, dtype="numeric", ensure_min_features=2, input_name="x")
    except (TypeError, ValueError) as error:
        raise InputError("x", reason(error), "give finite numbers (N, D); leave rows out, labels and all") from None
    who = encode(_values("identity", identity, len(x)))[0]
    if (who < 0).any():
        raise InputError("identity", f"is unknown in {(who < 0).sum()} rows", "leave these rows out, labels and all")
    return x, who, {name: _values(f"label {name!r}", values, len(x)) for name, values in labels.items()}


def _values(name: str, values, rows: int) -> np.ndarray:
    values = np.asarray(values, dtype=object)
    if values.shape != (rows,):
        raise InputError(name, f"has shape {values.shape} for {rows} rows of x", "give one value a row")
    return np.where(values == "", None, values)


def make_task(name: str, values: np.ndarray, who: np.ndarray, subjects: int) -> Task | None:
    """Encode a label (N,) by the classes that so many subjects show; None if these are fewer than two."""
    codes, classes = encode(values)
    enough = [code for code in range(len(classes)) if len(np.unique(who[codes == code])) >= subjects]
    if len(enough) < 2:
        return None
    renamed = np.full(len(classes) + 1, -1)
    renamed[enough] = np.arange(len(enough))
    return Task(name, renamed[codes], [classes[code] for code in enough])
