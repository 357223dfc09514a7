"""Downloads and archives: checksums by pooch, resumed after an interruption, unpacked aside, inside their folder."""

import gzip
import hashlib
import json
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pooch
import requests

from blindlib.common.errors import InputError
from blindlib.common.files import atomic_folder, sha256, write_json
from blindlib.common.work import track
from blindlib.data.catalogue import CATALOGUE

SEEN = "checksums-seen.json"
_DAMAGED = (  # what the standard library raises of archives that are damaged, encrypted or of an unknown kind
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
PUBLISHED = {"celeba": ("md5", "00d2c5bc6d35e252742224ab0c1e8fcb")}  # of img_align_celeba.zip, as torchvision asks


def unpack_into(name: str, archive: Path, folder: Path) -> str:
    """Unpack an archive that the reader downloaded into a data set's folder.

    Parameters
    ----------
    name : str
        A key of `CATALOGUE`.
    archive : Path
        A zip or tar file; it is left where it is.
    folder : Path
        Gets what lies at the archive's top; nothing there is overwritten.

    Returns
    -------
    str
        What was done, with the checksum and whether it is a published one.

    Raises
    ------
    InputError
        No such data set or file, another checksum than the published (or the recorded) one, a damaged archive, a member
        that leaves the folder, or something of the same name there already. Nothing is left behind.
    """
    if name not in CATALOGUE:
        raise InputError("data set", f"there is no {name!r}", f"use one of {', '.join(CATALOGUE)}")
    if not archive.is_file():
        raise InputError(archive, "no such archive", "name the file that you downloaded")
    told = _verify(name, archive, folder)
    with atomic_folder(folder / f".{archive.name}.unpacked") as partial:
        extract(archive, partial)
        there = [item.name for item in partial.iterdir() if (folder / item.name).exists()]
        if there:
            raise InputError(folder / there[0], "is there already", "remove it first: nothing is overwritten")
        for item in list(partial.iterdir()):
            item.rename(folder / item.name)
    (folder / f".{archive.name}.unpacked").rmdir()
    if name not in PUBLISHED:
        write_json(folder / SEEN, seen(folder) | {archive.name: sha256(archive)})
    return f"{archive.name}: unpacked into {folder}; {told}"


def extract(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar file into a folder, with a progress bar.

    Raises
    ------
    InputError
        If it is neither, is damaged, or a member would lie outside the folder.
    """
    remedy = "fetch it again; if it repeats, do not trust its source"
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                for member in track(opened.infolist(), f"unpacking {archive.name}", unit="file"):
                    _refuse_outside(archive, member.filename, link=(member.external_attr >> 16) & 0o170000 == 0o120000)
                    opened.extract(member, folder)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened:
                for member in track(_members(opened), f"unpacking {archive.name}", unit="file"):
                    opened.extract(member, folder, filter="data")
                while opened.fileobj.read(1 << 20):  # to the end, where a packed archive keeps its checksum
                    pass
        else:
            raise InputError(archive, "is neither a zip nor a tar file, or was cut short", remedy)
    except _DAMAGED as error:
        raise InputError(archive, f"does not unpack ({str(error).splitlines()[0][:100]})", remedy) from None


def _members(opened: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Members as they are met: listing them first would read a packed archive twice."""
    yield from opened


def _refuse_outside(archive: Path, member: str, *, link: bool) -> None:
    path = PurePosixPath(member.replace("\\", "/"))
    if link or path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
        raise InputError(archive, f"its member {member!r} leaves the folder", "do not trust this archive")


def _verify(name: str, archive: Path, folder: Path) -> str:
    """Hold an archive against its published checksum, or against the one seen the first time; say which."""
    published = PUBLISHED.get(name)
    if published:
        with archive.open("rb") as stream:
            digest = hashlib.file_digest(stream, published[0]).hexdigest()
        if digest != published[1]:
            raise InputError(archive, f"is not the published file (another {published[0].upper()})", "fetch it again")
        return f"its {published[0].upper()} is the published one"
    known, digest = seen(folder).get(archive.name), sha256(archive)
    if known and known != digest:
        raise InputError(archive, "is not the file that was seen before (another SHA-256)", f"see {folder / SEEN}")
    return f"no checksum of it is published; SHA-256 seen: {digest} (recorded)"


def seen(folder: Path) -> dict:
    """Checksums that were recorded in a folder, by name or address."""
    path = folder / SEEN
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


@dataclass(frozen=True)
class Remote:
    """A published file.

    Attributes
    ----------
    name : str
        Its name on disk.
    url : str
    sha256 : str or None
        None where the publisher gives none: the first download's is shown, recorded and asked for ever after.
    folder : str
        Of a tar archive, the folder that it unpacks to; empty for a plain file.
    """

    name: str
    url: str
    sha256: str | None
    folder: str = ""


_FIGSHARE = "https://ndownloader.figshare.com/files"
_EXPRESSIONS = "https://raw.githubusercontent.com/muxspace/facial_expressions/5fb9c13afac07c55eae8d25eb6b50af344ad60c9"
COLLECTIONS = {
    "lfw": (
        Remote(
            "lfw.tgz", f"{_FIGSHARE}/5976018", "055f7d9c632d7370e6fb4afc7468d40f970c34a80d4c6f50ffec63f5a8d536c0", "lfw"
        ),
        Remote("pairs.txt", f"{_FIGSHARE}/5976006", "ea42330c62c92989f9d7c03237ed5d591365e89b3e649747777b70e692dc1592"),
        Remote(
            "legend.csv",
            f"{_EXPRESSIONS}/data/legend.csv",
            "a4be0fc5afa10e44fdc717bf2fe5b3e2c916c07335aec254111c74b40ec75eb0",
        ),
        Remote(
            "lfw_attributes.txt", "http://www.cs.columbia.edu/CAVE/databases/pubfig/download/lfw_attributes.txt", None
        ),
    ),
    "sface": (
        Remote(
            "face_recognition_sface_2021dec.onnx",
            "https://github.com/opencv/opencv_zoo/raw/main/models/"
            "face_recognition_sface/face_recognition_sface_2021dec.onnx",
            "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        ),
    ),
    "resnet50-imagenet": (
        Remote("resnet50-11ad3fa6.pth", "https://download.pytorch.org/models/resnet50-11ad3fa6.pth", None),
    ),
    "vggface2": (
        Remote(
            "rcmalli_vggface_tf_notop_resnet50.h5",
            "https://github.com/rcmalli/keras-vggface/releases/download/v2.0/rcmalli_vggface_tf_notop_resnet50.h5",
            None,
        ),
    ),
}


def resume(url: str, output_file: str, _pooch: object, *, part: Path, timeout: float = 30.0) -> None:
    """Download to `part`, going on where an earlier try stopped, then move it to `output_file` (pooch's interface).

    Raises
    ------
    InputError
        If the server cannot be reached or refuses; what has arrived stays in `part` for the next try.
    """
    have = part.stat().st_size if part.exists() else 0
    remedy = "check the network and run the same command again: it goes on where it stopped"
    try:
        headers = (
            {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {"Accept-Encoding": "identity"}
        )
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
            if answer.status_code != 416:  # 416: all of it is here already
                answer.raise_for_status()
                have = have if answer.status_code == 206 else 0
                total = have + int(answer.headers.get("Content-Length", 0)) or None
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
    part.replace(output_file)


def fetch(collection: str, folder: Path, say=print) -> None:
    """Fetch every file of a collection into a folder, verified; files that are there and right are left alone.

    Parameters
    ----------
    collection : str
        A key of `COLLECTIONS`.
    folder : Path
    say : callable
        Told what happens, a line at a time.

    Raises
    ------
    InputError
        No such collection, no connection, wrong checksum, or an archive that leaves its folder.
    """
    if collection not in COLLECTIONS:
        raise InputError("data set", f"there is no {collection!r}", f"use one of {', '.join(COLLECTIONS)}")
    folder.mkdir(parents=True, exist_ok=True)
    known = seen(folder)
    for remote in COLLECTIONS[collection]:
        if remote.folder and (folder / remote.folder).is_dir():
            say(f"{remote.name}: unpacked already in {folder / remote.folder}")
            continue
        expected = remote.sha256 or known.get(remote.url)
        path = _fetch_one(remote, folder, expected, say)
        if expected is None:
            known[remote.url] = sha256(path)
            write_json(folder / SEEN, known)
            say(f"{remote.name}: its publisher gives no checksum; SHA-256 seen: {known[remote.url]} (recorded)")
        if remote.folder:
            _unpack(path, folder / remote.folder, say)


def _fetch_one(remote: Remote, folder: Path, expected: str | None, say) -> Path:
    part = folder / f".{remote.name}.part"
    say(f"{remote.name}: {remote.url}")
    try:
        return Path(
            pooch.retrieve(
                remote.url,
                known_hash=f"sha256:{expected}" if expected else None,
                fname=remote.name,
                path=folder,
                downloader=lambda url, output, pool: resume(url, output, pool, part=part),
            )
        )
    except InputError:
        raise
    except ValueError:
        raise InputError(
            remote.url,
            f"what came is not the published {remote.name} (another SHA-256); it was thrown away",
            "run again; if it repeats, the publisher changed the file",
        ) from None


def _unpack(archive: Path, target: Path, say) -> None:
    say(f"{archive.name}: unpacking to {target}")
    with atomic_folder(target) as temporary:
        extract(archive, temporary)
        inner = temporary / target.name
        if not inner.is_dir():
            raise InputError(archive, f"holds no folder {target.name}/", "delete it and fetch again")
        for item in list(inner.iterdir()):
            item.rename(temporary / item.name)
        inner.rmdir()
    archive.unlink()
