"""Faces, labels, pairs and who may be tested: from files on disk, or rendered, to one validated table."""

from importlib import import_module

_HOME = {
    "FaceTable": "facetable",
    "load_facetable": "facetable",
    "make_facetable": "facetable",
    "load_source": "source",
    "deal": "splits",
    "load_splits": "splits",
    "save_splits": "splits",
    "read_pairs": "readers.lfw",
    "write_miniatures": "miniatures",
    **{f"load_{name}": "readers" for name in ("celeba", "cfee", "cremad", "diveface", "fairface", "lfw", "manifest")},
}
__all__ = list(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
