"""Sphinx: `make docs` builds the site from the pages of this folder and the docstrings of the public API."""

from loftr_ros import __version__

project = "loftr_ros"
author = copyright = "loftr_ros maintainers"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"loftr_ros {release}"
myst_heading_anchors = 4  # links to headings, as GitHub makes them
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_use_ivar = True
