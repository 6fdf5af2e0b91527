"""Sphinx configuration: `sphinx-build -W docs build/docs`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import surrogate  # noqa: E402 - found by the line above
from generate import generate  # noqa: E402

project = "surrogate"
author = "The surrogate developers"
copyright = author
version = release = surrogate.__version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "_made"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = f"surrogate {version}"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_extra_path = ["_made"]
html_show_sourcelink = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autosummary_ignore_module_all = False
autodoc_typehints = "none"  # numpydoc's sections have shapes and units as well
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# scikit-learn's bases, whose methods are documented there.
SKLEARN_BASES = "BaseEstimator, RegressorMixin, ClassifierMixin, ClusterMixin, TransformerMixin, MetaEstimatorMixin, str, object"
autodoc_default_options = {"members": True, "inherited-members": SKLEARN_BASES}


def skip_sklearn(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """Leave out what scikit-learn puts into every estimator (``set_fit_request`` and its like)."""
    return True if str(getattr(obj, "__module__", "")).startswith("sklearn") else None


def escape_initials(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """A reference that begins with "J. H. Friedman" is no list whose first item is J."""
    lines[:] = [re.sub(r"^(\s*\.\. \[[^\]]+\] )(?=[A-Z]\. )", r"\1\\", line) for line in lines]


def setup(app: Sphinx) -> None:
    """Make the pages that have their source elsewhere, before Sphinx looks for sources."""
    app.connect("config-inited", lambda *_: generate(HERE))
    app.connect("autodoc-skip-member", skip_sklearn)
    app.connect("autodoc-process-docstring", escape_initials, priority=900)  # after numpydoc
