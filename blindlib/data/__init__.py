"""Make one validated table of faces, labels, pairs and splits from files on disk or rendered faces."""

from importlib import import_module

_READERS = ("celeba", "cfee", "diveface", "fairface", "lfw", "manifest", "synth")
_HOME = {f"load_{name}": f"readers.{name}" for name in _READERS}
_HOME |= {"FaceTable": "facetable", "make_facetable": "facetable", "load_source": "source", "read_pairs": "readers.lfw"}
_HOME |= {"deal": "splits", "save_splits": "splits", "load_splits": "splits"}
__all__ = list(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
