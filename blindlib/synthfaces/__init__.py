"""Render SynthFaces: parametric faces with known ground truth, of no real person; `roles` makes the subjects."""
