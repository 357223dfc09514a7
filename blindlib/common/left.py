"""What a stage left and what it ran with, written down at its end, with SHA-256: in `build/<run>/<stage>.left`.

make knows one target of a stage, the executed notebook; this list is all of them.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from blindlib.common.files import build_dir, damage, figures_dir, renew_sum, sha256, write_text


def list_of(run: str, stage: str) -> Path:
    """The file of a stage's list."""
    return build_dir(run) / f"{stage}.left"


def _places(run: str) -> dict[str, Path]:
    return {"build": build_dir(run).resolve(), "figures": figures_dir(run).resolve()}


def write_left(run: str, stage: str, files: dict[Path, Path], ran_with: dict[Path, str] | None = None) -> int:
    """Write down which files of a run's two folders a stage left, by name, each with where its bytes lie now.

    `ran_with` are files that it ran with, each with its SHA-256: where such a file changes, the stage runs again,
    whatever the clock says.

    Returns
    -------
    int
        The time, in ns, of the list of an earlier run that left the same bytes, but for what tells of the run itself;
        0 if there is none.
    """
    left, lines = list_of(run, stage), set()
    for name, folder in _places(run).items():
        for file, now in files.items():
            if file.resolve().is_relative_to(folder) and now.exists():
                lines.add(f"{sha256(now)}  {name}/{file.resolve().relative_to(folder)}")
    lines |= {f"{known}  build/{file.name}" for file, known in (ran_with or {}).items()}
    before, when = (set(), 0) if damage(left) else (set(left.read_text("utf-8").splitlines()), left.stat().st_mtime_ns)
    write_text(left, "".join(f"{line}\n" for line in sorted(lines)))
    run_itself = f"  build/{stage}.ipynb", f"  build/{stage}.json"  # the executed notebook and the seconds
    return when if all(line.endswith(run_itself) for line in before ^ lines) else 0


def bring_to_now(files: Iterable[Path]) -> None:
    """Let no file be of the future: where the clock was wrong, make would hold it for newer than all that follows."""
    now, times = time.time_ns(), {}
    for file in files:
        with suppress(FileNotFoundError):  # a run beside this one renames its own
            times[file] = file.stat().st_mtime_ns
    late = sorted((when for when in set(times.values()) if when > now), reverse=True)
    for file, when in times.items():
        if when > now:  # in the order that they had
            with suppress(FileNotFoundError):
                os.utime(file, ns=(now - 10**6 * late.index(when),) * 2)


def lost(run: str, stage: str) -> str:
    """The first file that is not as a stage left it, and why; "" if all are.

    A file with the right bytes whose checksum is lost gets it back: its reader would refuse it, and make run nothing.
    """
    left = list_of(run, stage)
    if problem := damage(left):
        return f"{left}: {problem}"
    places = _places(run)
    for line in left.read_text(encoding="utf-8").splitlines():
        known, name = line.split("  ", 1)
        place, _, rest = name.partition("/")
        file = places[place] / rest
        if not file.is_file():
            return f"{file}: not found"
        if sha256(file) != known:
            changed = "has changed since" if file.suffix == ".inputs" else f"holds other bytes than {stage} left"
            return f"{file}: {damage(file) or changed}"
        if damage(file):
            renew_sum(file, known)
    return ""
