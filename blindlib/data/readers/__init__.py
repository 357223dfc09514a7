"""One file a data set: its layout on disk -> a validated FaceTable, whose `notes` count what is absent.

What is wrong raises InputError with file, line and remedy; nothing is written beside the data. The readers are names of
`blindlib.data`: `from blindlib.data import load_celeba`.
"""
