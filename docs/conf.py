"""Sphinx configuration: `sphinx-build -W docs build/docs`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from generate import generate  # noqa: E402

import surrogate  # noqa: E402 - found by the line above

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

myst_heading_anchors = 3

autodoc_typehints = "none"  # numpydoc's sections have shapes and units as well
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

# Bases of other packages, whose members are documented there.
FOREIGN_BASES = "BaseEstimator, RegressorMixin, ClassifierMixin, TransformerMixin, Mapping, str"
autodoc_default_options = {"members": True, "inherited-members": FOREIGN_BASES}

# Every other reference must lead somewhere; these are inside the package, or in another.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"surrogate\.(boxes|runs|transfer|optimize)\..*"),
    (r"py:.*", r"(numpy|scipy|sklearn|pandas|matplotlib|concurrent)\..*"),
    (r"py:func", r"output_from_dict|precision_recall_area"),
]


def skip_sklearn(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """Leave out what scikit-learn puts into every estimator (``set_fit_request`` and its like)."""
    return True if str(getattr(obj, "__module__", "")).startswith("sklearn") else None


def mend_references(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """A reference that begins with "J. H. Friedman" is no list whose first item is J."""
    # The first line stands in tables of names, far from its references.
    lines[:1] = [re.sub(r" \[R\w+-\d+\]_", "", line) for line in lines[:1]]
    lines[:] = [re.sub(r"^(\s*\.\. \[[^\]]+\] )(?=[A-Z]\. )", r"\1\\", line) for line in lines]


def setup(app: Sphinx) -> None:
    """Make the pages that have their source elsewhere, before Sphinx looks for sources."""
    app.connect("config-inited", lambda *_: generate(HERE))
    app.connect("autodoc-skip-member", skip_sklearn)
    app.connect("autodoc-process-docstring", mend_references, priority=900)  # after numpydoc
