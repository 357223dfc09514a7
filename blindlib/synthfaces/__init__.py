"""SynthFaces: a parametric face renderer with known ground truth, nobody's face."""

__all__ = ["make_album", "make_pairs", "make_roles", "make_sheet"]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from blindlib.synthfaces import roles  # not before a name is asked for: PyTorch takes seconds to import

    return getattr(roles, name)
