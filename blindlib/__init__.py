"""Hide emotion in face embeddings: the companion of "Learning Emotional-Blinded Face Representations"."""

from importlib import import_module

_FROM = {  # public name -> its module, imported on demand, so that the command line starts fast
    "LEACE": "blinders.affine",
    "LNTL": "blinders.lntl",
    "SensitiveNets": "blinders.sensitivenets",
    "Study": "study",
    "audit": "inspection",
    "get_preset": "presets",
}
__all__ = list(_FROM)


def __getattr__(name: str):
    if name not in _FROM:
        raise AttributeError(f"module 'blindlib' has no attribute {name!r}")
    return getattr(import_module(f"blindlib.{_FROM[name]}"), name)
