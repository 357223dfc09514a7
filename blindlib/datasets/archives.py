"""Archives are unpacked aside and moved into place when all of it is well; never outside their folder."""

import gzip
import hashlib
import json
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from blindlib.datasets.catalogue import CATALOGUE
from blindlib.errors import InputError
from blindlib.files import atomic_folder, sha256, write_json
from blindlib.progress import track

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
