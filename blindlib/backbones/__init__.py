"""Images -> x: the networks, the alignment of a face for each, and the store of embeddings."""
