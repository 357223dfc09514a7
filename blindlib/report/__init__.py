"""Result rows -> tables, figures and verdicts beside the published numbers."""

from importlib import import_module

_HOME = {"audit_table1": "audit", "audit_table2": "audit", "judge_claims": "claims", "scorecard": "claims"}
_HOME |= dict.fromkeys(("caption", "readable", "readable2", "save_table", "sweep_points", "table1", "table2"), "tables")
__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
