"""Where things lie, and how they are written: a kill at any moment leaves the old file or the new one, never a half."""

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from blindlib.common.errors import InputError, reason

if TYPE_CHECKING:  # the command line starts without pandas
    import pandas as pd


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name in the same folder; on success it is synced to disk and becomes `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=f".tmp{path.suffix}", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say which file it refused
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary, private folder beside `path`; on success it becomes `path` in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())
        if not path.exists():
            temporary.rename(path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def require_file(path: Path, what: str, remedy: str, limit: int | None = None) -> Path:
    """Return the path of a file that is there, not empty and of at most `limit` bytes; nothing is opened.

    Raises InputError otherwise, and for a folder, a pipe, a socket or a device: reading one may wait for ever.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise InputError(path, f"{what} not found", remedy) from None
    kind = next((kind for is_kind, kind in _KINDS if is_kind(found.st_mode)), None)
    if kind:
        raise InputError(path, f"{what} not found: this is {kind}", remedy)
    if found.st_size == 0:
        raise InputError(path, f"{what} is empty (0 bytes)", remedy)
    if limit is not None and found.st_size > limit:
        problem = f"{what} has {found.st_size:,} bytes, of which at most {limit:,} are read"
        raise InputError(path, problem, "split it, or check that it is the right file")
    return path


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text atomically; returns the path."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(0o644)
    return path


def write_json(path: Path, value: object) -> Path:
    """Write a value as sorted, indented JSON, atomically; returns the path."""
    return write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def write_csv(path: Path, frame: "pd.DataFrame", *, float_format: str | None = None) -> Path:
    """Write a DataFrame as CSV without its index, atomically; returns the path."""
    return write_text(path, frame.to_csv(index=False, float_format=float_format, lineterminator="\n"))


def parse_json(text: str | bytes) -> object:
    """The value of a JSON text. Raises ValueError if it does not read, nests too deep, or has a key twice."""

    def once(pairs: list[tuple]) -> dict:
        value = dict(pairs)
        if len(value) < len(pairs):
            raise ValueError("a key stands in it twice")
        return value

    try:
        return json.loads(text, object_pairs_hook=once)
    except RecursionError:
        raise ValueError("it nests too deep") from None


def read_json(path: Path, what: str, remedy: str, limit: int = 1 << 26) -> object:
    """The value of a JSON file of at most `limit` bytes. Raises InputError if it is absent or does not read."""
    require_file(path, what, remedy, limit)
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(path, f"does not read as JSON ({reason(error)})", remedy) from None


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(*parts: object) -> str:
    """SHA-256 over the JSON of some plain values, as 64 hex digits: the key of a content-addressed store."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


ROOT = Path(__file__).resolve().parents[2]


def _folder(variable: str, default: Path) -> Path:
    """The variable's folder, or the default; a relative one starts from the repository, whoever asks."""
    return (ROOT / Path(os.environ[variable]).expanduser()).resolve() if os.environ.get(variable) else default


def data_dir() -> Path:
    """Folder of raw data sets, never written to after download (`BLINDLIB_DATA`; default `data/`)."""
    return _folder("BLINDLIB_DATA", ROOT / "data")


def dataset_dir(name: str) -> Path:
    """Folder of one data set, `lfw` say (`BLINDLIB_LFW`; default `data/lfw`)."""
    return _folder(f"BLINDLIB_{name.upper()}", data_dir() / name)


def dataset_place(name: str) -> str:
    """A data set's folder as a notebook may print it: from the repository on, or by the variable that names it."""
    folder = dataset_dir(name)
    if folder.is_relative_to(ROOT):
        return folder.relative_to(ROOT).as_posix()
    own = f"BLINDLIB_{name.upper()}"
    return f"${own}" if os.environ.get(own) else f"$BLINDLIB_DATA/{name}"


def build_root() -> Path:
    """Folder of everything that a run can make again (`BLINDLIB_BUILD`; default `build/`)."""
    return _folder("BLINDLIB_BUILD", ROOT / "build")


def build_dir(preset: str) -> Path:
    """Folder of one preset's executed notebooks and stage results, made private to the user."""
    return private_dir(build_root() / preset)


def store_dir() -> Path:
    """Folder of the embedding store, shared by all presets and private to the user."""
    return private_dir(build_root() / "embeddings")


def figures_dir(preset: str) -> Path:
    """Folder of one preset's figures and tables (`BLINDLIB_FIGURES`; default `figures/`), made if absent."""
    folder = _folder("BLINDLIB_FIGURES", ROOT / "figures") / preset
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def private_dir(folder: Path) -> Path:
    """Make a folder that only its owner can read: embeddings of people are biometric data."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder
