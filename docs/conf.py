"""Configuration of the documentation: `sphinx-build -W docs docs/_build/html`."""

from importlib.metadata import version as installed_version

project = "fastembed_layer"
author = "the fastembed_layer developers"
copyright = "the fastembed_layer developers, Apache-2.0"
version = release = installed_version("fastembed_layer")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.viewcode",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "examples"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

# Docstrings run under pytest, where their module's names are at hand; here run the {doctest} blocks of pages.
doctest_test_doctest_blocks = ""

html_theme = "pydata_sphinx_theme"
html_title = "fastembed_layer"
html_theme_options = {"navigation_with_keys": False, "show_prev_next": False, "show_toc_level": 2}
html_sidebars = {"*": []}  # pages at the top have no others below them
html_show_sourcelink = False
