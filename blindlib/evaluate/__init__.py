"""x or φ(x) -> result rows: verification, probes, the case study."""
