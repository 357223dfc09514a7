"""Two habits of the package's docstrings that napoleon would misread."""

import inspect

_LISTS = ("Parameters", "Returns", "Raises", "Attributes")


def _close_sections(app, what, name, obj, options, lines) -> None:
    """A paragraph after a list of parameters is a note, not one more parameter."""
    section, n = "", 1
    while n < len(lines) - 1:
        underlined = set(lines[n + 1]) == {"-"}
        section = lines[n] if underlined else section
        if section in _LISTS and not lines[n - 1] and lines[n] and not lines[n].startswith(" ") and not underlined:
            section = "Notes"
            lines[n:n] = ["Notes", "-----"]
        n += 1


def _keep_sentences(app, what, name, obj, options, lines) -> None:
    """What stands before the colon of a property's sentence is no type."""
    if what == "property":
        lines[:] = [*(inspect.getdoc(obj) or "").splitlines(), ""]


def setup(app) -> dict:
    """Work before and after napoleon (whose priority is 500)."""
    app.connect("autodoc-process-docstring", _close_sections, priority=400)
    app.connect("autodoc-process-docstring", _keep_sentences, priority=600)
    return {"parallel_read_safe": True}
