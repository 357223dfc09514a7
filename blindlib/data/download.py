"""Downloads and archives: verified, resumed after an interruption, unpacked aside and then into place."""

import bz2
import gzip
import lzma
import shutil
import tarfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pooch
import requests
import urllib3

from blindlib.common.errors import InputError, reason
from blindlib.common.files import atomic_folder, below, check, need_space, write_json
from blindlib.common.reading import parse_json, require_file
from blindlib.common.work import track
from blindlib.data.catalogue import CATALOGUE, WEIGHTS
from blindlib.data.readers.celeba import ARCHIVE
from blindlib.data.readers.lfw import PUBLIC_LEGEND

SEEN = "checksums-seen.json"  # SHA-256 of what came without a published checksum, by address or file name
MEMBERS = 1_000_000  # of an archive, at most: five times CelebA's
SLOWEST, PATIENCE = 1000, 60  # bytes a second that a download has to bring, after so many seconds
_PACKED = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}  # by a file's first two bytes
_AGAIN = "check the network and run the same command again: it goes on where it stopped"
_DISTRUST = "fetch it again; if it repeats, do not trust its source"


@dataclass(frozen=True)
class Remote:
    """A published file."""

    name: str
    url: str
    sha256: str | None  # None where none is published: the first download's is shown, recorded and asked for ever after
    folder: str = ""  # that an archive unpacks to
    mb: int = 50  # 10⁶ bytes that it has, packed or unpacked, at most: DATA.md's figure with room


_FIGSHARE = "https://ndownloader.figshare.com/files"
_EXPRESSIONS = "https://raw.githubusercontent.com/muxspace/facial_expressions/5fb9c13afac07c55eae8d25eb6b50af344ad60c9"
_COLUMBIA = "https://www.cs.columbia.edu/CAVE/databases/pubfig/download"
_IMAGES = "055f7d9c632d7370e6fb4afc7468d40f970c34a80d4c6f50ffec63f5a8d536c0"
COLLECTIONS = {name: (Remote(w.file, w.address, w.sha256, mb=w.mb),) for name, w in WEIGHTS.items()} | {
    "lfw": (
        Remote("lfw.tgz", f"{_FIGSHARE}/5976018", _IMAGES, "lfw", CATALOGUE["lfw"].mb),
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
            _unpack(path, folder, remote.mb, wanted=remote.folder)
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
        _unpack(archive, folder, CATALOGUE[name].mb)
        return f"{done}; its MD5 is the published one"
    if _seen(folder).get(archive.name) not in (None, pooch.file_hash(archive)):
        raise InputError(archive, "is not the file that was seen before (another SHA-256)", f"see {folder / SEEN}")
    _unpack(archive, folder, CATALOGUE[name].mb)
    return f"{done}; {_record(folder, archive.name, archive)}"


def _seen(folder: Path) -> dict[str, str]:
    path, remedy = folder / SEEN, "delete it: what is fetched or unpacked next is recorded anew"
    if not path.exists():
        return {}
    require_file(path, "the record of checksums", remedy, limit=1 << 26)
    try:
        seen = parse_json(check(path, remedy).read_bytes())
    except InputError:
        raise
    except ValueError:
        raise InputError(path, "does not read as JSON", remedy) from None
    if not isinstance(seen, dict):
        raise InputError(path, "holds no checksums by name", remedy)
    return seen


def _record(folder: Path, key: str, path: Path) -> str:
    digest = pooch.file_hash(path)
    write_json(folder / SEEN, _seen(folder) | {key: digest})
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
    """Download to `part`, going on where an earlier try stopped.

    More bytes than are expected, promised or sent, and what does not fit to what is here are thrown away.
    """
    url, limit = remote.url, remote.mb * 10**6
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=30) as answer:
            for step in (*answer.history, answer):
                _require_https(step.url, remote)
            content_range = answer.headers.get("Content-Range", "")
            if answer.status_code == 416:  # all of it is here already
                fits = content_range.rpartition("/")[2] in ("", "*", str(have))
                _require(fits, url, "has another length than what is here", part)
            else:
                answer.raise_for_status()
                have = have if answer.status_code == 206 else 0
                _require(
                    not have or not content_range or f" {have}-" in content_range,
                    url,
                    f"goes on elsewhere ({content_range[:40]})",
                    part,
                )
                _receive(answer, part, have, limit)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise InputError(url, f"could not be fetched ({type(error).__name__})", _AGAIN) from None
    except OSError as error:
        error.filename = error.filename or str(part)  # a full disk does not say which file it refused
        raise


def _receive(answer: requests.Response, part: Path, have: int, limit: int) -> None:
    """Write what is sent to `part`, after so many bytes that are there."""
    length, most = answer.headers.get("Content-Length", ""), f"at most {limit:,} are expected"
    total = have + int(length[:18]) if length.isdecimal() else None
    _require((total or 0) <= limit, answer.url, f"has {total} bytes, {most}", part)
    with part.open("ab" if have else "wb") as stream, track((), part.stem, total=total, unit="B") as bar:
        bar.update(have)
        end, block = time.monotonic() + PATIENCE, b" "
        while block:
            block = answer.raw.read1(1 << 18, decode_content=True)
            have, end = have + len(block), end + len(block) / SLOWEST
            _require(have <= limit, answer.url, f"sends more and more bytes, {most}", part)
            if time.monotonic() > end:
                raise InputError(answer.url, f"sends less than {SLOWEST:,} bytes a second", _AGAIN)
            stream.write(block)
            bar.update(len(block))
    if total and have != total:
        raise InputError(answer.url, f"stopped at {have:,} of {total:,} bytes", _AGAIN)


def _require(right: bool, url: str, problem: str, part: Path) -> None:
    """Throw away what has come and raise InputError, unless all is right."""
    if not right:
        part.unlink(missing_ok=True)
        raise InputError(url, problem, "run again; if it repeats, the publisher changed the file: do not trust it")


def _unpack(archive: Path, folder: Path, mb: int, *, wanted: str = "") -> None:
    """Unpack at most so many 10⁶ bytes aside, then move what lies at the top into the folder, overwriting nothing."""
    aside = folder / f".{archive.name}.unpacked"
    folder.mkdir(parents=True, exist_ok=True)
    need_space(folder, archive.stat().st_size, f"what is in {archive.name}")  # packed pictures hardly grow
    shutil.rmtree(aside, ignore_errors=True)  # of a run that was killed
    with atomic_folder(aside) as partial:
        _extract(archive, partial.resolve(), mb * 10**6)
        if wanted and not (partial / wanted).is_dir():
            raise InputError(archive, f"holds no folder {wanted}/", "delete it and fetch again")
        if not any(item.is_file() for item in partial.rglob("*")):
            raise InputError(archive, "holds no file", _DISTRUST)
        if (partial / SEEN).exists():  # else it could say itself which archives to trust
            raise InputError(archive, f"holds {SEEN}, which no data set has", _DISTRUST)
        there = [folder / item.name for item in partial.iterdir() if (folder / item.name).exists()]
        if there:
            raise InputError(there[0], "is there already", "remove it first: nothing is overwritten")
    for item in list(aside.iterdir()):
        item.rename(folder / item.name)
    aside.rmdir()


def _refuse(folder: Path, member: str, archive: Path) -> None:
    """Raise InputError for a member that leaves the folder, or whose place another has taken already."""
    if Path(member).parts:  # `.`, with which some archives begin, has none
        place = below(folder, member, archive)
        if place.is_symlink() or place.is_file():
            raise InputError(archive, f"holds {member!r:.100} twice", _DISTRUST)


def _extract(archive: Path, folder: Path, limit: int) -> None:
    try:
        if zipfile.is_zipfile(archive):
            _extract_zip(archive, folder, limit)
        else:
            _extract_tar(archive, folder, limit)
    except InputError:
        raise
    except Exception as error:  # of archives that are damaged, encrypted or odd the library raises many types
        if isinstance(error, OSError) and error.errno and not isinstance(error, gzip.BadGzipFile):
            raise  # the disk is full, say
        raise InputError(archive, f"does not unpack ({reason(error, 100)})", _DISTRUST) from None


def _extract_zip(archive: Path, folder: Path, limit: int) -> None:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        _require_room(archive, len(members), sum(member.file_size for member in members), limit)
        for member in track(members, f"unpacking {archive.name}", unit="file"):
            _refuse(folder, member.filename.replace("\\", "/"), archive)
            written = Path(opened.extract(member, folder))  # always inside: what led out of it is cut off
            is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
            if is_link or written != folder / member.filename.replace("\\", "/"):
                problem = f"its member {member.filename!r} leaves the folder"
                raise InputError(archive, problem, "do not trust this archive")


def _extract_tar(archive: Path, folder: Path, limit: int) -> None:
    with archive.open("rb") as stream:
        start = stream.read(2)
    with _PACKED.get(start, Path.open)(archive, mode="rb") as stream:
        bounded = _Bounded(stream, 2 * limit)
        try:
            opened = tarfile.TarFile(fileobj=bounded)
        except Exception:  # as above
            raise InputError(archive, "is neither a zip nor a tar file, or was cut short", _DISTRUST) from None
        with opened:
            size = 0
            for number, member in enumerate(track(opened, f"unpacking {archive.name}", unit="file"), 1):
                size += member.size
                _require_room(archive, number, size, limit)
                _refuse(folder, member.name, archive)
                opened.extract(member, folder, filter="data")
            block = bounded.last  # the library takes a damaged header for the end
            while block:  # to the end, where a packed archive keeps its checksum
                if block.strip(b"\0"):
                    raise tarfile.ReadError("it goes on after its end")
                block = bounded.read(1 << 16)


class _Bounded:
    """A stream of which so much is read, and of that no more than a megabyte at once: a header may ask for any size."""

    def __init__(self, stream: BinaryIO, limit: int):
        self.left, self.stream, self.last = limit, stream, b""
        self.seek, self.tell, self.close = stream.seek, stream.tell, stream.close

    def read(self, size: int = -1) -> bytes:
        """As a file's. Raises ReadError where it is too much."""
        self.left -= size
        if not 0 <= size <= 1 << 20 or self.left < 0:
            raise tarfile.ReadError(f"it asks for {size:,} bytes of memory, or has no end")
        self.last = self.stream.read(size)
        return self.last


def _require_room(archive: Path, members: int, size: int, limit: int) -> None:
    if members > MEMBERS or size > limit:
        problem = (
            f"unpacks to {members:,} files and {size:,} bytes or more; at most {MEMBERS:,} and {limit:,} are expected"
        )
        raise InputError(archive, problem, _DISTRUST)
