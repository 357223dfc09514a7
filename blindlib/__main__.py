"""Start `python -m blindlib` and the command `blindlib`, with Ctrl-C handled before slow imports."""

import os
import sys

from blindlib.common.processes import end_with_parent, one_line_when_interrupted


def main() -> None:
    """Run the command line; if make or torchrun started it, it ends with them."""
    with one_line_when_interrupted():
        if {"MAKELEVEL", "TORCHELASTIC_RUN_ID"} & set(os.environ):
            end_with_parent()
        try:
            from blindlib.cli import main
        except ModuleNotFoundError as error:
            remedy = "pip install '.[audit]', or '.[notebooks]' for all of it, in its repository"
            sys.exit(f"error: the command blindlib needs {error.name} → {remedy}")
        main()


if __name__ == "__main__":
    main()
