"""Images -> x: the networks, the alignment of a face for each, and the store of embeddings."""

__all__ = ["embed", "embed_all", "get_backbone"]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from blindlib.backbones import registry, store  # not before a name is asked for: PyTorch takes seconds to import

    return getattr(registry if name == "get_backbone" else store, name)
