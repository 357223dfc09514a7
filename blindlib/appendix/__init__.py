"""Go beyond the paper: other erasers, stronger probes, ablations, synthetic leaks, validation of the renderer."""
