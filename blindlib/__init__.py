"""The companion of "Learning Emotional-Blinded Face Representations": faces -> x -> φ(x) -> tables."""
