# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a report as one HTML file that needs nothing else, and as a short text. Pure.

The page is made of three files beside this one. It may run its own script and use its own style, by their digests,
and do nothing else: no request, no form, no frame. All data is in it as JSON, which the script shows as text.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import json
from collections import Counter
from pathlib import Path
from typing import Any

from .document import Report
from .drawings import MAX_STRIPS, make_strips, make_timeline
from .policy import SEVERITIES
from .tables import Table, make_tables

SHOWN = 5  # in the short text


def to_html(report: Report) -> str:
    """Return the page."""
    style, script = _file("page.css"), _file("page.js")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {
        "POLICY": policy,
        "TITLE": html.escape(report.title),
        "TEXT": html.escape(to_text(report)),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": _embedded(page_data(report)),
    }
    # Split once, so that nothing that is put in is taken for a place of something else.
    return "".join(parts.get(part, part) for part in _file("page.html").split("@@"))


def page_data(report: Report) -> dict[str, Any]:
    """Return what the page shows, each text once: in rows, a text is its number among C(strings)."""
    numbers: dict[str, int] = {}
    tables = [_encoded(table, numbers) for table in make_tables(report)]
    return {
        "generated": report.generated,
        "since": report.since,
        "severities": {severity: report.count(severity) for severity in SEVERITIES if severity != "off"},
        "rules": {
            name: {"severity": rule.severity, "says": rule.says, "limits": dict(rule.limits)}
            for name, rule in report.rules.items()
        },
        "strings": list(numbers),
        "tables": tables,
        "timeline": make_timeline(report),
        "most_strips": MAX_STRIPS,
        "drawings": {
            org.name: {"strips": make_strips(org), "days": [dataclasses.astuple(one) for one in org.logins_by_day]}
            for org in report.orgs
            if org.problem is None
        },
    }


def to_text(report: Report) -> str:
    """Return what matters most, for a chat or a pull request."""
    unread = [org.name for org in report.orgs if org.problem is not None]
    counts = ", ".join(f"{report.count(severity)} {severity}" for severity in SEVERITIES if severity != "off")
    lines = [
        f"{report.title}, {report.generated}: {_counted(len(report.orgs), 'org')}, "
        f"{_counted(len(report.credentials), 'credential')}",
        f"Findings: {counts}",
    ]
    if unread:
        lines.append(f"Could not be read: {_some(unread)}")
    for severity in ("error", "warning"):
        rules = Counter(one.rule for one in report.findings if one.severity == severity)
        for rule, count in rules.most_common():
            orgs = dict.fromkeys(one.org for one in report.findings if one.rule == rule and one.org)
            where = f" in {_some(list(orgs))}" if orgs else ""
            lines.append(f"- {severity}: {rule}: {count}{where}")
    for event in [one for one in make_timeline(report) if one["day"] >= report.generated[:10]][:SHOWN]:
        lines.append(f"- {event['day']}: {event['text']}")
    lines.append(f"Changes since {report.since or 'no earlier report'}: {len(report.changes)}")
    return "\n".join(map(_printable, lines)) + "\n"


def _printable(text: str) -> str:
    """Return a line in which nothing ends it, hides, or turns the order of what follows: such characters by number."""
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)


def _encoded(table: Table, numbers: dict[str, int]) -> dict[str, Any]:
    rows = [
        [cell if isinstance(cell, int) else numbers.setdefault(cell, len(numbers)) for cell in row]
        for row in table.rows
    ]
    columns = [dataclasses.asdict(column) for column in table.columns]
    return {"name": table.name, "title": table.title, "about": table.about, "columns": columns, "rows": rows}


def _embedded(data: Any) -> str:
    """Return JSON in which no text can end the element that contains it."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _digest(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
