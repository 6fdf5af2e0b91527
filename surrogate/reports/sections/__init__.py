"""The parts of a report, one file each: a function from what was asked to a section, or None."""

from __future__ import annotations

from collections.abc import Callable

from surrogate.reports.content import Asked, Section
from surrogate.reports.sections.boxes import boxes_section
from surrogate.reports.sections.emulators import emulators_section
from surrogate.reports.sections.optimum import optimum_section
from surrogate.reports.sections.provenance import provenance_section
from surrogate.reports.sections.question import question_section
from surrogate.reports.sections.runs import runs_section
from surrogate.reports.sections.sensitivity import sensitivity_section
from surrogate.reports.sections.transfer import transfer_section

__all__ = ["SECTIONS"]

# In the order of the page; a new section is one file and one line here.
SECTIONS: tuple[Callable[[Asked], Section | None], ...] = (
    question_section,
    runs_section,
    optimum_section,
    boxes_section,
    emulators_section,
    sensitivity_section,
    transfer_section,
    provenance_section,
)
