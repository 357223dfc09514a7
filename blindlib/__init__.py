"""The companion of "Learning Emotional-Blinded Face Representations": a face embedding that hides emotion."""

from importlib import import_module

_FROM = {  # name meant for others -> where it lives; loaded when asked for, so that the command line starts at once
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
