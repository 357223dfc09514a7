"""One file a data set; each returns a validated FaceTable."""
