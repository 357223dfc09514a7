"""Faces, labels, pairs and who may be tested: from files on disk, or rendered, to one validated table."""
