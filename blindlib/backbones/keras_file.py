"""Keras' HDF5 weights -> safetensors, in a process of its own: of a damaged file the HDF5 library may never return."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from blindlib.common.processes import end_with_parent

SECONDS = 60  # of reading, at most: a file of the published size, 95 MB, takes three


def read_keras(path: Path, limit: int) -> dict:
    """The tensors of a file that Keras 2 wrote, by name, as it lays them out; a kernel is (height, width, in, out).

    Raises
    ------
    KeyError
        If it is HDF5, but lacks what Keras writes.
    ValueError
        If it does not read in `SECONDS`, would take more than `limit` bytes, or has its tensors in other files.
    """
    from safetensors.torch import load_file

    with TemporaryDirectory() as folder:
        target = Path(folder) / "weights.safetensors"
        command = [sys.executable, "-m", "blindlib.backbones.keras_file", str(path), str(target)]
        command += [str(limit), str(SECONDS)]
        child = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
        if child.returncode == -signal.SIGALRM:
            raise ValueError(f"it is not read in {SECONDS} s")
        if child.returncode:
            kind, words = json.loads((child.stderr.splitlines() or ["[]"])[-1] or "[]") or ("", "its reader ended")
            raise (KeyError if kind == "KeyError" else ValueError)(words)
        return load_file(target)


def _own(group, name: str):
    """What an HDF5 group holds of that name. ValueError for any link, or a tensor that lies in another file."""
    from h5py import Dataset, HardLink

    for part in name.split("/"):
        link = group.get(part, getlink=True)
        if link is not None and not isinstance(link, HardLink):
            raise ValueError(f"{name} is a link")
        group = group[part]
    if isinstance(group, Dataset) and (group.external or group.is_virtual):
        raise ValueError(f"{name} lies in another file")
    return group


def _convert(path: str, target: str, limit: int) -> None:
    import h5py
    import numpy as np
    from safetensors.numpy import save_file

    found, size = {}, 0
    with h5py.File(path) as file:
        for name in np.asarray(file.attrs["layer_names"]).astype(str):
            layer = _own(file, name)
            for weight in np.asarray(layer.attrs["weight_names"]).astype(str):
                stored = _own(layer, weight)
                size += stored.nbytes
                if size > limit:
                    raise ValueError(f"it would take {size:,} bytes of memory, {limit:,} at most")
                found[f"{name}/{weight.rsplit('/', 1)[-1].removesuffix(':0')}"] = np.ascontiguousarray(stored[()])
    save_file(found, target)


if __name__ == "__main__":
    end_with_parent()
    signal.alarm(int(sys.argv[4]))  # the system ends this process then, even within the library
    try:
        _convert(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    except Exception as error:
        sys.exit(json.dumps([type(error).__name__, str(error)]))
