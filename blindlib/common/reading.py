"""Files that come from outside: each is there, a regular file, and of bounded size before it is opened."""

import json
import stat
from pathlib import Path

from blindlib.common.errors import InputError, reason

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
