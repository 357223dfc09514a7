"""Measure x and φ(x) as result rows: verification, probes, and the fairness case study."""
