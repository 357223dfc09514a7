"""Images -> x: `registry` has the networks, `alignment` a face for each, `store` the embeddings."""
