"""Read each data set by one module: its layout on disk -> a validated FaceTable, whose `notes` count absent files.

Wrong input raises InputError with file, line and remedy. Readers write nothing beside the data. `blindlib.data` exports
them: `from blindlib.data import load_celeba`.

A new data set needs a module here, a name in `blindlib/data/__init__.py` and in `_LOADERS` of `source.py`, an entry of
`CATALOGUE` in `catalogue.py`, a place in a preset's `sources`, and a variable in the Makefile.
"""
