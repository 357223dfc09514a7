"""SynthFaces: a parametric face renderer with known ground truth, nobody's face; `roles` makes the people."""
