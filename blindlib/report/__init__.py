"""Result rows -> tables, figures and verdicts beside the published numbers."""

from importlib import import_module

_MODULES = {
    "audit": ("audit_table1", "audit_table2"),
    "claims": ("judge_claims", "scorecard"),
    "tables": ("caption", "readable", "readable2", "save_table", "sweep_points", "table1", "table2"),
}
__all__ = sorted(name for names in _MODULES.values() for name in names)


def __getattr__(name: str):
    """Import the module of a public name when the name is first used."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
