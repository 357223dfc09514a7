"""Download files and unpack archives: pooch verifies, the standard library unpacks."""

import shutil
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pooch
import requests

from blindlib.common.errors import InputError
from blindlib.data.catalogue import CATALOGUE, WEIGHTS
from blindlib.data.readers.celeba import ARCHIVE
from blindlib.data.readers.lfw import PUBLIC_LEGEND


@dataclass(frozen=True)
class Remote:
    """Describe a published file."""

    name: str
    url: str
    sha256: str | None  # None where none is published
    folder: str = ""  # of the unpacked archive


_FIGSHARE = "https://ndownloader.figshare.com/files"
_EXPRESSIONS = "https://raw.githubusercontent.com/muxspace/facial_expressions/5fb9c13afac07c55eae8d25eb6b50af344ad60c9"
_COLUMBIA = "https://www.cs.columbia.edu/CAVE/databases/pubfig/download"
_IMAGES = "055f7d9c632d7370e6fb4afc7468d40f970c34a80d4c6f50ffec63f5a8d536c0"
_PAIRS = "ea42330c62c92989f9d7c03237ed5d591365e89b3e649747777b70e692dc1592"
COLLECTIONS = {name: (Remote(w.file, w.address, w.sha256),) for name, w in WEIGHTS.items()} | {
    "lfw": (
        Remote("lfw.tgz", f"{_FIGSHARE}/5976018", _IMAGES, "lfw"),
        Remote("pairs.txt", f"{_FIGSHARE}/5976006", _PAIRS),
        Remote("legend.csv", f"{_EXPRESSIONS}/data/legend.csv", PUBLIC_LEGEND),
        Remote("lfw_attributes.txt", f"{_COLUMBIA}/lfw_attributes.txt", None),
    ),
}
_DAMAGED = (shutil.ReadError, tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError)


def fetch(collection: str, folder: Path, say=print) -> None:
    """Fetch every file of a collection into a folder; valid files that are present are kept.

    Raises InputError for an unknown collection, a failed download, a wrong checksum, or an archive that leaves it.
    """
    if collection not in COLLECTIONS:
        known = ", ".join(sorted({*COLLECTIONS, *CATALOGUE}))
        remedy = f"use one of {known}; SynthFaces and dlib need no fetching"
        raise InputError("data set", f"there is no {collection!r}", remedy)
    pooch.get_logger().setLevel("WARNING")
    for remote in COLLECTIONS[collection]:
        if remote.folder and (folder / remote.folder).is_dir():
            say(f"{remote.name}: unpacked already in {folder / remote.folder}")
            continue
        say(f"{remote.name}: {remote.url}")
        path = _download(remote, folder)
        if remote.sha256 is None:
            say(f"{remote.name}: no checksum of it is published; its SHA-256 is {pooch.file_hash(path)}")
        if remote.folder:
            _unpack(path, folder)
            path.unlink()


def unpack_into(name: str, archive: Path, folder: Path) -> str:
    """Unpack a zip or tar file into a data set's folder; return a line that reports it.

    Raises InputError for an unknown data set, an absent file, a checksum other than the published one, a damaged
    archive, a member that leaves the folder, or an existing file of the same name. After an error no files remain.
    """
    if name not in CATALOGUE:
        raise InputError("data set", f"there is no {name!r}", f"use one of {', '.join(CATALOGUE)}")
    if not archive.is_file():
        raise InputError(archive, "no such archive", "name the file that you downloaded")
    if name == "celeba" and pooch.file_hash(archive, "md5") != ARCHIVE:
        raise InputError(archive, "is not the published file (another MD5)", "fetch it again")
    _unpack(archive, folder)
    return f"{archive.name}: unpacked into {folder}"


def _download(remote: Remote, folder: Path) -> Path:
    options = {"fname": remote.name, "path": folder, "progressbar": True}
    try:
        return Path(pooch.retrieve(remote.url, remote.sha256, **options))
    except requests.RequestException as error:
        problem, remedy = f"could not be fetched ({type(error).__name__})", "check the network and run it again"
        raise InputError(remote.url, f"{remote.name} {problem}", remedy) from None
    except ValueError:
        problem = f"what came is not the published {remote.name} (another SHA-256); it was thrown away"
        raise InputError(remote.url, problem, "run again; if it repeats, the publisher changed the file") from None


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack to a temporary folder, then move its top level into the folder without overwriting."""
    folder.mkdir(parents=True, exist_ok=True)
    options = {} if archive.suffix == ".zip" else {"filter": "data"}  # zip members cannot leave the folder
    with TemporaryDirectory(prefix=".", dir=folder) as aside:
        try:
            shutil.unpack_archive(archive, aside, **options)
        except _DAMAGED as error:
            remedy = "fetch it again; if it repeats, do not trust its source"
            raise InputError(archive, f"does not unpack ({error})", remedy) from None
        items = list(Path(aside).iterdir())
        there = [folder / item.name for item in items if (folder / item.name).exists()]
        if there:
            raise InputError(there[0], "is there already", "remove it first: nothing is overwritten")
        for item in items:
            item.rename(folder / item.name)
