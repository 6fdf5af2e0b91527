"""How to do it again: seeds, versions, who ran it and when."""

from __future__ import annotations

import pandas as pd

from surrogate.reports.content import Asked, Section, Table
from surrogate.runs.provenance import package_versions

__all__ = ["provenance_section"]


def provenance_section(asked: Asked) -> Section:
    """The section "Seeds and versions"."""
    versions = Table(
        pd.DataFrame({"version": package_versions()}).rename_axis("package"), "Software that made this page"
    )
    runs = asked.runs
    if runs is None:
        return Section("provenance", "Versions", "The versions below made this page.", [versions])
    made = {f"design {key}": str(value) for key, value in runs.design.items()}
    made |= {
        "simulator": runs.simulator,
        "simulator version": runs.version,
        "space fingerprint": runs.space.fingerprint,
    }
    facts = pd.DataFrame({"value": made}).rename_axis("fact")
    blocks = [Table(facts, "Seeds and identity"), versions]
    if runs.sessions:
        rows = [
            {key: s.get(key, "") for key in ("time", "host", "platform", "git_commit", "command")}
            | {"design": ", ".join(f"{key} {value}" for key, value in s.get("design", {}).items())}
            for s in runs.sessions
        ]
        blocks.append(Table(pd.DataFrame(rows).rename_axis("session"), "Sessions that ran the simulator", folded=True))
    seed = f" with seed {runs.design['seed']}" if runs.design.get("seed") is not None else ""
    lead = f"The {f'design{seed}, the ' if runs.design else ''}stored runs and the versions below make this page again."
    return Section("provenance", "Seeds and versions", lead, list(blocks))
