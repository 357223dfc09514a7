"""Where things lie: every folder anchored on this file, each one movable by an environment variable."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _folder(variable: str, default: Path) -> Path:
    """The variable's folder, or the default; a relative one starts from the repository, whoever asks."""
    return (ROOT / Path(os.environ[variable]).expanduser()).resolve() if os.environ.get(variable) else default


def data_dir() -> Path:
    """Folder of raw data sets, never written to after download (`BLINDLIB_DATA`; default `data/`)."""
    return _folder("BLINDLIB_DATA", ROOT / "data")


def dataset_dir(name: str) -> Path:
    """Folder of one data set, `lfw` say (`BLINDLIB_LFW`; default `data/lfw`)."""
    return _folder(f"BLINDLIB_{name.upper()}", data_dir() / name)


def build_root() -> Path:
    """Folder of everything that a run can make again (`BLINDLIB_BUILD`; default `build/`)."""
    return _folder("BLINDLIB_BUILD", ROOT / "build")


def build_dir(preset: str) -> Path:
    """Folder of one preset's executed notebooks and stage results, made private to the user."""
    return private_dir(build_root() / preset)


def store_dir() -> Path:
    """Folder of the embedding store, shared by all presets and private to the user."""
    return private_dir(build_root() / "embeddings")


def figures_dir(preset: str) -> Path:
    """Folder of one preset's figures and tables (`BLINDLIB_FIGURES`; default `figures/`), made if absent."""
    folder = _folder("BLINDLIB_FIGURES", ROOT / "figures") / preset
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def private_dir(folder: Path) -> Path:
    """Make a folder that only its owner can read: embeddings of people are biometric data."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder
