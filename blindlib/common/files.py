"""Locate and write files, atomically: after a kill there is the old file or the new one, never a part of one."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from blindlib.common.errors import InputError, in_bytes, reason

if TYPE_CHECKING:  # the command line starts without pandas
    import pandas as pd


JOURNAL = "BLINDLIB_JOURNAL"  # environment variable: the file that lists every written path


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success rename it to `path`.

    Other users may read it if they may read its folder; in a private folder only the owner may (0600).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=f".tmp{path.suffix}", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o600 | path.parent.stat().st_mode & 0o044)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.environ.get(JOURNAL):
        with Path(os.environ[JOURNAL]).open("ab") as stream:
            stream.write(os.fsencode(path.resolve()) + b"\0")  # a path may contain a newline


def damage(path: Path) -> str:
    """Return the problem of a file that is absent or empty, else ""."""
    if not path.is_file():
        return "not found"
    return "" if path.stat().st_size else "is empty"


def check(path: Path, remedy: str) -> Path:
    """Return a file's path. Raises InputError, with this remedy, if it is absent or empty."""
    if problem := damage(path):
        raise InputError(path, problem, remedy)
    return path


def parsed(path: Path, remedy: str, parse: Callable[[BytesIO], object]) -> object:
    """Parse a file's content. Raises InputError as `check`, or if `parse` raises any error."""
    content = BytesIO(check(path, remedy).read_bytes())
    try:
        return parse(content)
    except InputError:
        raise
    except Exception as error:  # libraries raise many types for a file of another format
        raise InputError(path, f"does not read ({reason(error)})", remedy) from None


def made_by(notebook: str) -> str:
    """Return the remedy for a file that a notebook writes."""
    return f"run `make paper` with the same preset, or notebook {notebook} by hand: it is made anew"


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary, private folder beside `path`; on success rename it to `path` in one step.

    If `path` exists by then, it stays and the new folder is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    try:
        yield temporary
        if not path.exists():
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text atomically; return the path."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    """Write bytes atomically; return the path."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return path


def write_json(path: Path, value: object) -> Path:
    """Write a value as sorted, indented JSON, atomically; return the path."""
    return write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def write_csv(path: Path, frame: "pd.DataFrame", *, float_format: str | None = None) -> Path:
    """Write a DataFrame as CSV without its index, atomically; return the path."""
    text = frame.to_csv(index=False, float_format=float_format, lineterminator="\n")
    return write_text(path, text)


def write_parquet(path: Path, frame: "pd.DataFrame") -> Path:
    """Write a DataFrame as parquet, atomically; return the path."""
    return write_bytes(path, frame.to_parquet())


def need_space(folder: Path, size: int, what: str) -> None:
    """Check the free disk space before a long task. Raises InputError if there are less than `size` bytes."""
    free = shutil.disk_usage(folder).free
    if free < size:
        problem = f"{what} needs {in_bytes(size)}, the disk has {in_bytes(free)}"
        raise InputError(folder, problem, "free some space, or use another disk (BLINDLIB_BUILD, BLINDLIB_DATA)")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(*parts: object) -> str:
    """Return the SHA-256 of plain values as JSON, as 64 hex digits: the key of a content-addressed store."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


ROOT = Path(__file__).resolve().parents[2]


def below(folder: Path, name: str, where: Path | str, *, line: int | None = None) -> Path:
    """Join a folder and an untrusted name: of a preset, a figure, an archive's member or a listed image.

    Raises InputError, at `where` and its `line`, if the name is empty, absolute, or leaves the folder by `..`.
    """
    path = Path(name)
    if path.is_absolute() or not path.name or ".." in path.parts or "\0" in name:
        problem = f"path {name!r:.100} leaves the folder {folder}, or is none"
        raise InputError(where, problem, "name what lies below that folder", line=line)
    return folder / path


def _folder(variable: str, default: Path) -> Path:
    """Return the folder that a variable sets, or the default; a relative one starts from the repository."""
    given = os.environ.get(variable)
    return (ROOT / Path(given).expanduser()).resolve() if given else default


def data_dir() -> Path:
    """Return the folder of raw data sets, read-only after download (`BLINDLIB_DATA`; default `data/`)."""
    return _folder("BLINDLIB_DATA", ROOT / "data")


def dataset_dir(name: str) -> Path:
    """Return the folder of one data set, such as `lfw` (`BLINDLIB_LFW`; default `data/lfw`)."""
    return _folder(f"BLINDLIB_{name.upper()}", below(data_dir(), name, "data set"))


def dataset_place(name: str) -> str:
    """Return a data set's folder for a notebook to print: relative to the repository, or its variable's name."""
    folder = dataset_dir(name)
    if folder.is_relative_to(ROOT):
        return from_root(folder)
    own = f"BLINDLIB_{name.upper()}"
    return f"${own}" if os.environ.get(own) else f"$BLINDLIB_DATA/{name}"


def build_root() -> Path:
    """Return the folder of all that a run can make again (`BLINDLIB_BUILD`; default `build/`)."""
    return _folder("BLINDLIB_BUILD", ROOT / "build")


def figures_root() -> Path:
    """Return the folder of all presets' figures and tables (`BLINDLIB_FIGURES`; default `figures/`)."""
    return _folder("BLINDLIB_FIGURES", ROOT / "figures")


def from_root(folder: Path) -> str:
    """Return a folder relative to the repository, or in full if it lies elsewhere."""
    return (folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder).as_posix()


def build_dir(preset: str) -> Path:
    """Return the folder of one preset's executed notebooks and results, made private to the user."""
    return _in_build(preset)


def store_dir() -> Path:
    """Return the folder of the embedding store, shared by all presets and private to the user."""
    return _in_build("embeddings")


def _in_build(name: str) -> Path:
    """Return a private folder in the build folder, which becomes private too unless the user's own existed before."""
    if not os.environ.get("BLINDLIB_BUILD") or not build_root().exists():
        private_dir(build_root())
    return private_dir(below(build_root(), name, "preset"))


def figures_dir(preset: str) -> Path:
    """Return the folder of one preset's figures and tables, made if absent."""
    folder = below(figures_root(), preset, "preset")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def private_dir(folder: Path) -> Path:
    """Make a folder that only its owner can read, since embeddings of real subjects are biometric data."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder
