"""`python -m blindlib`: the command line."""

from blindlib.cli import main

main()
