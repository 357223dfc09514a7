"""x -> φ(x): the methods that hide an attribute and keep identity."""
