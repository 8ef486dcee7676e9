# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of access_report."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import OptionError
from ..files import file_lock, replace_file
from ..ranges.model import parse_entries
from ..report.document import Previous, Report, make_report, read_previous, to_json
from ..report.model import Credential, Org, read_credential, read_org
from ..report.policy import read_policy
from ..report.render import to_html, to_text
from ..report.tables import make_tables, to_csv
from ..task.context import Task
from ..task.options import Spec

SPEC: Spec = {
    "dest": {"type": "path", "required": True},
    "orgs": {"type": "raw", "required": True},
    "declared": {"type": "dict", "default": {}},
    "credentials": {"type": "list", "elements": "raw", "default": []},
    "policy": {"type": "dict", "default": {}},
    "shared_ranges": {"type": "list", "elements": "raw", "default": []},
    "title": {"type": "str", "default": "Salesforce access report"},
}
JSON = "report.json"


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Write a report as a page, JSON, CSV and text, and return what it found; check mode writes nothing."""
    folder = Path(options["dest"]).expanduser().absolute()
    rules = read_policy(options["policy"])
    shared = parse_entries(options["shared_ranges"], option="shared_ranges")
    orgs, credentials = _read_orgs(options["orgs"], options["declared"]), _read_credentials(options["credentials"])
    previous = _read_previous(folder / JSON)
    report = make_report(
        options["title"],
        orgs,
        credentials,
        rules,
        now=datetime.datetime.now(datetime.UTC),
        shared=shared,
        previous=previous,
    )
    files = {
        "report.html": to_html(report),
        JSON: to_json(report),
        "report.txt": to_text(report),
        **{f"{table.name}.csv": to_csv(table) for table in make_tables(report)},
    }
    if not task.check_mode:
        _write(folder, files)
    changed = previous is None or {(one.severity, *one.key) for one in report.findings} != previous.findings
    return {"changed": changed, **_result(report), "files": [str(folder / name) for name in files]}


def _result(report: Report) -> dict[str, Any]:
    return {
        "findings": [dataclasses.asdict(finding) for finding in report.findings],
        "changes": [dataclasses.asdict(change) for change in report.changes],
        "unreadable": [org.name for org in report.orgs if org.problem is not None],
        "text": to_text(report),
    }


def _read_orgs(given: Any, declared: Mapping[str, Any]) -> tuple[Org, ...]:
    if not isinstance(given, Mapping):
        raise OptionError("orgs", "must be a dictionary of what org_access_info has returned, by the name of the org")
    for name in declared:
        if name not in given:
            raise OptionError("declared", f"{name!r} is not among orgs")
    orgs = []
    for name, found in given.items():
        if not isinstance(found, Mapping):
            raise OptionError(f"orgs.{name}", "must be what org_access_info has returned")
        orgs.append(read_org({**found, "name": name, "declared": declared.get(name)}, f"orgs.{name}"))
    return tuple(orgs)


def _read_credentials(given: Sequence[Mapping[str, Any]]) -> tuple[Credential, ...]:
    return tuple(read_credential(one, f"credentials[{number}]") for number, one in enumerate(given))


def _read_previous(file: Path) -> Previous | None:
    """Return the last report of a folder; None where there is none."""
    try:
        return read_previous(file.read_text(encoding="utf-8"), str(file))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise OptionError("dest", f"{file} cannot be read ({type(exc).__name__}); move it away") from None


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Write all files, each whole and its owner's alone; the JSON last, as the next report begins with it."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with file_lock(folder / ".lock"):
            for name in sorted(files, key=JSON.__eq__):
                replace_file(folder / name, files[name].encode(errors="backslashreplace"))
    except OSError as exc:
        raise OptionError("dest", f"{folder} cannot be written: {exc.strerror}") from None
