"""Where things lie, and how they are written: a kill at any moment leaves the old file or the new one, never a half.

It leaves litter too: temporary files and folders. Each is locked while its process lives, so the next start knows which
ones are nobody's.
"""

import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line starts without pandas
    import pandas as pd


_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp(\..+)?")  # as `atomic_path` and `atomic_folder` name what they make
_SCRATCH = "blindlib-kernel-"


def _locked(make: Callable[[], str]) -> tuple[Path, int]:
    """A new temporary file or folder, and a handle that locks it until it is closed or the process ends."""
    while True:
        path = Path(make())
        handle = os.open(path, os.O_RDONLY)
        with suppress(OSError):  # a file system without locks: then its litter is left
            fcntl.flock(handle, fcntl.LOCK_EX)
        if path.exists():  # else it was taken for litter before it was locked
            return path, handle
        os.close(handle)


def _remove_if_nobody_s(path: Path) -> None:
    with suppress(OSError):  # it is locked, another user's, or gone
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        finally:
            os.close(handle)


def remove_litter_of(preset: str) -> None:
    """`remove_litter` from a run's folders and the stores."""
    remove_litter(*(build_root() / name for name in (preset, "embeddings", "frames")), _figures(preset))


def remove_litter(*folders: Path, deep: bool = True) -> None:
    """Remove from folders, if `deep` from all below too, the temporary files and folders of processes that are gone."""
    for folder in folders:
        for parent, below, files in os.walk(folder):
            for name in filter(_TEMPORARY.fullmatch, (*below, *files)):
                _remove_if_nobody_s(Path(parent, name))
            below[:] = [name for name in below if deep and not _TEMPORARY.fullmatch(name)]


def _scratch() -> tuple[Path, int]:
    """A private folder in the system's temporary one, locked; those that nobody holds are removed first."""
    root = tempfile.gettempdir()
    root = root if len(root) < 25 else "/tmp"  # the path of a socket has at most 103 characters
    for path in Path(root).glob(f"{_SCRATCH}*"):
        _remove_if_nobody_s(path)
    return _locked(lambda: tempfile.mkdtemp(prefix=_SCRATCH, dir=root))


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A private folder in the system's temporary one; those that killed processes left there are removed first."""
    folder, lock = _scratch()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def scratch_folder_to_keep() -> Path:
    """As `scratch_folder`, for this process and the program that it becomes; the next one removes it."""
    folder, lock = _scratch()
    os.set_inheritable(lock, True)
    return folder


def _temporary_file(path: Path) -> str:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=f".tmp{path.suffix}", dir=path.parent)
    os.close(handle)
    return name


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name in the same folder; on success it is synced to disk and becomes `path`.

    Others may read it if they may read its folder: in a private one it is its owner's alone (0600).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, lock = _locked(lambda: _temporary_file(path))
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o600 | path.parent.stat().st_mode & 0o044)
        temporary.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say which file it refused
        raise
    finally:
        temporary.unlink(missing_ok=True)
        os.close(lock)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary, private folder beside `path`; on success it becomes `path` in one step.

    What a killed process left there under that name is removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for earlier in path.parent.glob(f".{glob.escape(path.name)}.????????.tmp"):
        _remove_if_nobody_s(earlier)
    temporary, lock = _locked(lambda: tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
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
        os.close(lock)


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text atomically; returns the path."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def write_json(path: Path, value: object) -> Path:
    """Write a value as sorted, indented JSON, atomically; returns the path."""
    return write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def write_csv(path: Path, frame: "pd.DataFrame", *, float_format: str | None = None) -> Path:
    """Write a DataFrame as CSV without its index, atomically; returns the path."""
    return write_text(path, frame.to_csv(index=False, float_format=float_format, lineterminator="\n"))


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
    return _in_build(preset)


def store_dir() -> Path:
    """Folder of the embedding store, shared by all presets and private to the user."""
    return _in_build("embeddings")


def frames_dir(name: str) -> Path:
    """Folder of the frames that are kept of one data set's videos, shared by all presets and private to the user."""
    return private_dir(_in_build("frames") / name)


def _in_build(name: str) -> Path:
    """A private folder in the build folder, which is made private too, unless it was there and is one of one's own."""
    if not os.environ.get("BLINDLIB_BUILD") or not build_root().exists():
        private_dir(build_root())
    return private_dir(build_root() / name)


def figures_dir(preset: str) -> Path:
    """Folder of one preset's figures and tables (`BLINDLIB_FIGURES`; default `figures/`), made if absent."""
    folder = _figures(preset)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _figures(preset: str) -> Path:
    return _folder("BLINDLIB_FIGURES", ROOT / "figures") / preset


def private_dir(folder: Path) -> Path:
    """Make a folder that only its owner can read: embeddings of people are biometric data."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder
