"""Compute x from images: `registry` has the networks, `alignment` aligns faces, `store` keeps the embeddings."""
