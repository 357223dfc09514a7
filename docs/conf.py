"""Sphinx's settings of the site; `docs/make_site.py` lays out what it reads."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "blindlib"
author = "blindlib"
copyright = "the authors of blindlib, MIT licence"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "docstrings", "formulas"]
exclude_patterns = ["figures/**.md", "names.txt", "tests", "scripts"]
html_theme = "furo"
html_title = "blindlib"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_math_renderer = "mathml"
html_theme_options = {"navigation_with_keys": False}
pygments_style = "a11y-light"
pygments_dark_style = "a11y-dark"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"
nb_output_stderr = "remove"  # progress bars
nb_merge_streams = True
default_role = "literal"  # docstrings put names between single backticks
autodoc_default_options = {"members": True, "exclude-members": "set_fit_request, set_transform_request"}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = False
