"""One file a data set: its layout on disk -> a validated FaceTable, whose `notes` count what is absent.

What is wrong raises InputError with file, line and remedy; nothing is written beside the data.
"""

from importlib import import_module

_READERS = ("celeba", "cfee", "cremad", "diveface", "fairface", "lfw", "manifest", "synth")
__all__ = [f"load_{name}" for name in _READERS]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{name.removeprefix('load_')}"), name)
