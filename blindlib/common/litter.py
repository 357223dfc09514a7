"""Temporary files and folders, which a killed process leaves behind: each is locked while its process lives.

So the next start knows which ones are nobody's.
"""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# As `atomic_path` and `atomic_folder` name what they make: at the end stands the suffix of the name at the beginning.
_TEMPORARY = re.compile(r"\..+(?P<suffix>\.[^.]+)\.[a-z0-9_]{8}\.tmp(?P=suffix)|\..+\.[a-z0-9_]{8}\.tmp")
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


def remove_if_nobody_s(path: Path) -> None:
    """Remove a file or folder that no process holds locked; another user's, or one that is gone, is left."""
    with suppress(OSError):  # it is locked, another user's, or gone
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        finally:
            os.close(handle)


def is_litter(path: Path) -> bool:
    """Whether a file or folder is named as the temporary ones are."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove_litter(*folders: Path, deep: bool = True) -> None:
    """Remove from folders, if `deep` from all below too, the temporary files and folders of processes that are gone."""
    for folder in folders:
        for parent, below, files in os.walk(folder):
            for name in filter(_TEMPORARY.fullmatch, (*below, *files)):
                remove_if_nobody_s(Path(parent, name))
            below[:] = [name for name in below if deep and not _TEMPORARY.fullmatch(name)]


def _scratch() -> tuple[Path, int]:
    """A private folder in the system's temporary one, locked; those that nobody holds are removed first."""
    root = tempfile.gettempdir()
    root = root if len(root) < 25 else "/tmp"  # the path of a socket has at most 103 characters
    for path in Path(root).glob(f"{_SCRATCH}*"):
        remove_if_nobody_s(path)
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


def locked_file(path: Path) -> tuple[Path, int]:
    """A new, locked file beside `path`, and its lock: a handle to close."""

    def make() -> str:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=f".tmp{path.suffix}", dir=path.parent)
        os.close(handle)
        return name

    return _locked(make)


def locked_folder(path: Path) -> tuple[Path, int]:
    """A new, locked, private folder beside `path`, and its lock: a handle to close."""
    return _locked(lambda: tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
