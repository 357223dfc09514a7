"""Everything beyond the paper: other erasers, stronger probes, ablations, synthetic leaks, a renderer's validation."""
