"""Downloads and archives: verified, resumed after an interruption, unpacked aside and then into place."""

import gzip
import json
import lzma
import shutil
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests

from blindlib.common.errors import InputError
from blindlib.common.files import atomic_folder, below, need_space, read_checked, write_json
from blindlib.common.work import track
from blindlib.data.catalogue import CATALOGUE, WEIGHTS
from blindlib.data.readers.celeba import ARCHIVE
from blindlib.data.readers.lfw import PUBLIC_LEGEND

SEEN = "checksums-seen.json"  # SHA-256 of what came without a published checksum, by address or file name
_DAMAGED = (  # what the standard library raises of archives that are damaged, encrypted or of an unknown kind
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
)


@dataclass(frozen=True)
class Remote:
    """A published file."""

    name: str
    url: str
    sha256: str | None  # None where none is published: the first download's is shown, recorded and asked for ever after
    folder: str = ""  # that an archive unpacks to


_FIGSHARE = "https://ndownloader.figshare.com/files"
_EXPRESSIONS = "https://raw.githubusercontent.com/muxspace/facial_expressions/5fb9c13afac07c55eae8d25eb6b50af344ad60c9"
_COLUMBIA = "https://www.cs.columbia.edu/CAVE/databases/pubfig/download"
_IMAGES = "055f7d9c632d7370e6fb4afc7468d40f970c34a80d4c6f50ffec63f5a8d536c0"
COLLECTIONS = {name: (Remote(w.file, w.address, w.sha256),) for name, w in WEIGHTS.items()} | {
    "lfw": (
        Remote("lfw.tgz", f"{_FIGSHARE}/5976018", _IMAGES, "lfw"),
        Remote("pairs.txt", f"{_FIGSHARE}/5976006", "ea42330c62c92989f9d7c03237ed5d591365e89b3e649747777b70e692dc1592"),
        Remote("legend.csv", f"{_EXPRESSIONS}/data/legend.csv", PUBLIC_LEGEND),
        Remote("lfw_attributes.txt", f"{_COLUMBIA}/lfw_attributes.txt", None),
    ),
}


def fetch(collection: str, folder: Path, say=print) -> None:
    """Fetch every file of a collection into a folder, verified; files that are there and right are left alone.

    Raises InputError for no such collection, no connection, a wrong checksum, or an archive that leaves its folder.
    """
    if collection not in COLLECTIONS:
        known = ", ".join(sorted({*COLLECTIONS, *CATALOGUE}))
        remedy = f"use one of {known}; SynthFaces and dlib need no fetching"
        raise InputError("data set", f"there is no {collection!r}", remedy)
    folder.mkdir(parents=True, exist_ok=True)
    for remote in COLLECTIONS[collection]:
        if remote.folder and (folder / remote.folder).is_dir():
            say(f"{remote.name}: unpacked already in {folder / remote.folder}")
            continue
        say(f"{remote.name}: {remote.url}")
        expected = remote.sha256 or _seen(folder).get(remote.url)
        path = _download(remote, folder, expected)
        if expected is None:
            say(f"{remote.name}: {_record(folder, remote.url, path)}")
        if remote.folder:
            say(f"{remote.name}: unpacking to {folder / remote.folder}")
            _unpack(path, folder, wanted=remote.folder)
            path.unlink()


def unpack_into(name: str, archive: Path, folder: Path) -> str:
    """Unpack a zip or tar file that the reader downloaded into a data set's folder; return a line that says so.

    Raises InputError for no such data set or file, another checksum than the published (or the recorded) one, a damaged
    archive, a member that leaves the folder, or something of the same name there already. Nothing is left behind.
    """
    if name not in CATALOGUE:
        raise InputError("data set", f"there is no {name!r}", f"use one of {', '.join(CATALOGUE)}")
    if not archive.is_file():
        raise InputError(archive, "no such archive", "name the file that you downloaded")
    done = f"{archive.name}: unpacked into {folder}"
    if name == "celeba":
        if pooch.file_hash(archive, "md5") != ARCHIVE:
            raise InputError(archive, "is not the published file (another MD5)", "fetch it again")
        _unpack(archive, folder)
        return f"{done}; its MD5 is the published one"
    if _seen(folder).get(archive.name) not in (None, pooch.file_hash(archive)):
        raise InputError(archive, "is not the file that was seen before (another SHA-256)", f"see {folder / SEEN}")
    _unpack(archive, folder)
    return f"{done}; {_record(folder, archive.name, archive)}"


def _seen(folder: Path) -> dict[str, str]:
    path, remedy = folder / SEEN, "delete it: what is fetched or unpacked next is recorded anew"
    if not path.exists():
        return {}
    try:
        seen = json.load(read_checked(path, remedy))
    except ValueError as error:  # InputError among them
        raise error if isinstance(error, InputError) else InputError(path, "does not read as JSON", remedy) from None
    if not isinstance(seen, dict):
        raise InputError(path, "holds no checksums by name", remedy)
    return seen


def _record(folder: Path, key: str, path: Path) -> str:
    digest = pooch.file_hash(path)
    write_json(folder / SEEN, _seen(folder) | {key: digest}, summed=True)
    return f"no checksum of it is published; SHA-256 seen: {digest} (recorded)"


def _download(remote: Remote, folder: Path, expected: str | None) -> Path:
    path, part = folder / remote.name, folder / f".{remote.name}.part"
    if path.is_file() and expected in (None, pooch.file_hash(path)):
        return path
    _require_https(remote.url, remote)
    _resume(remote, part)
    if expected not in (None, pooch.file_hash(part)):
        part.unlink()
        problem = f"what came is not the published {remote.name} (another SHA-256); it was thrown away"
        raise InputError(remote.url, problem, "run again; if it repeats, the publisher changed the file")
    return part.replace(path)


def _require_https(address: str, remote: Remote) -> None:
    """Raise InputError for an address that anyone on the way could answer, unless a published checksum would tell."""
    if remote.sha256 is None and not address.startswith("https://"):
        problem = f"{remote.name} would come by plain HTTP, and no checksum of it is published"
        raise InputError(address, problem, "fetch it by HTTPS by hand and put it into its folder")


def _resume(remote: Remote, part: Path) -> None:
    """Download to `part`, going on where an earlier try stopped."""
    url = remote.url
    have = part.stat().st_size if part.exists() else 0
    remedy = "check the network and run the same command again: it goes on where it stopped"
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=30) as answer:
            for step in (*answer.history, answer):
                _require_https(step.url, remote)
            if answer.status_code != 416:  # 416: all of it is here already
                answer.raise_for_status()
                have = have if answer.status_code == 206 else 0
                left = int(answer.headers.get("Content-Length", 0))
                total = have + left or None
                need_space(part.parent, left, part.stem.removeprefix("."))
                with part.open("ab" if have else "wb") as stream, track((), part.stem, total=total, unit="B") as bar:
                    bar.update(have)
                    for block in answer.iter_content(1 << 18):
                        stream.write(block)
                        bar.update(len(block))
                if total and part.stat().st_size != total:
                    raise InputError(url, f"stopped at {part.stat().st_size:,} of {total:,} bytes", remedy)
    except requests.RequestException as error:
        raise InputError(url, f"could not be fetched ({type(error).__name__})", remedy) from None
    except OSError as error:
        error.filename = error.filename or str(part)  # a full disk does not say which file it refused
        raise


def _unpack(archive: Path, folder: Path, *, wanted: str = "") -> None:
    """Unpack aside, then move what lies at the archive's top into the folder, where nothing is overwritten."""
    aside = folder / f".{archive.name}.unpacked"
    folder.mkdir(parents=True, exist_ok=True)
    need_space(folder, archive.stat().st_size, f"what is in {archive.name}")  # packed pictures hardly grow
    shutil.rmtree(aside, ignore_errors=True)  # of a run that was killed
    with atomic_folder(aside) as partial:
        _extract(archive, partial.resolve())
        if wanted and not (partial / wanted).is_dir():
            raise InputError(archive, f"holds no folder {wanted}/", "delete it and fetch again")
        there = [folder / item.name for item in partial.iterdir() if (folder / item.name).exists()]
        if there:
            raise InputError(there[0], "is there already", "remove it first: nothing is overwritten")
    for item in list(aside.iterdir()):
        item.rename(folder / item.name)
    aside.rmdir()


def _refuse_outside(folder: Path, member: str, archive: Path) -> None:
    if Path(member).parts:  # `.`, with which some archives begin, has none
        below(folder, member, archive)


def _extract(archive: Path, folder: Path) -> None:
    remedy = "fetch it again; if it repeats, do not trust its source"
    bar = {"what": f"unpacking {archive.name}", "unit": "file"}
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                for member in track(opened.infolist(), **bar):
                    _refuse_outside(folder, member.filename.replace("\\", "/"), archive)
                    if (member.external_attr >> 16) & 0o170000 == 0o120000:
                        problem = f"its member {member.filename!r} is a link: it leaves the folder"
                        raise InputError(archive, problem, "do not trust this archive")
                    opened.extract(member, folder)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened:
                for member in track(opened, **bar):
                    _refuse_outside(folder, member.name, archive)
                    opened.extract(member, folder, filter="data")
                while opened.fileobj.read(1 << 20):  # to the end, where a packed archive keeps its checksum
                    pass
        else:
            raise InputError(archive, "is neither a zip nor a tar file, or was cut short", remedy)
    except _DAMAGED as error:
        raise InputError(archive, f"does not unpack ({str(error).splitlines()[0][:100]})", remedy) from None
