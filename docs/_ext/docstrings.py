"""Two habits of the package's docstrings that napoleon would misread."""

import inspect


def _close_sections(app, what, name, obj, options, lines) -> None:
    """A paragraph after a list of parameters is a note, not one more parameter."""
    for n in range(len(lines) - 2, 1, -1):
        heads = [i for i in range(1, n) if set(lines[i]) == {"-"}]
        loose = not lines[n - 1] and lines[n] and not lines[n].startswith(" ") and set(lines[n + 1]) != {"-"}
        if heads and loose and lines[heads[-1] - 1] in ("Parameters", "Returns", "Raises", "Attributes"):
            lines[n:n] = ["Notes", "-----"]


def _keep_sentences(app, what, name, obj, options, lines) -> None:
    """What stands before the colon of a property's sentence is no type."""
    if what == "property":
        lines[:] = [*(inspect.getdoc(obj) or "").splitlines(), ""]


def setup(app) -> dict:
    """Work before and after napoleon (whose priority is 500)."""
    app.connect("autodoc-process-docstring", _close_sections, priority=400)
    app.connect("autodoc-process-docstring", _keep_sentences, priority=600)
    return {"parallel_read_safe": True}
