"""One file a data set: its layout on disk -> a validated FaceTable."""
