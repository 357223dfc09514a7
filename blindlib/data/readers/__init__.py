"""One file a data set: its layout on disk -> a validated FaceTable, whose `notes` count what is absent.

What is wrong raises InputError with file, line and remedy; nothing is written beside the data. The readers are names of
`blindlib.data`: `from blindlib.data import load_celeba`.

A new data set is a file here, a name in `blindlib/data/__init__.py` and in `_LOADERS` of `source.py`, an entry of
`CATALOGUE` in `catalogue.py`, a place in a preset's `sources`, and a variable in the Makefile.
"""
