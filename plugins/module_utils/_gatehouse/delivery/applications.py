# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The applications of one host: their files are written, who is to be restarted is returned, and restarts recorded.

A run of the role app_credentials is three calls of these functions: C(write), the restarts between, and C(record).
Their results go from one to the next through Ansible's variables, so they are plain dictionaries: an C(Entry) for each
file that was looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..credentials.deliveries import consumer_of
from ..errors import GatehouseError
from .consumer import Consumer
from .deliver import deliver, record_restart
from .options import FileOptions

Entry = Mapping[str, Any]
Open = Callable[[FileOptions, "bool | None"], Consumer]


@dataclass(frozen=True, kw_only=True)
class Application:
    """An item of the role's list.

    Attributes:
        topics: to which the handlers listen that restart it; empty when it needs no restart, None when nobody has said.
    """

    file: FileOptions
    topics: tuple[str, ...] | None

    @property
    def restart(self) -> bool | None:
        """Whether a restart has to follow a change; None when nobody has said so."""
        return None if self.topics is None else bool(self.topics)


def write(applications: Sequence[Application], open_consumer: Open, mask: Callable[[str], str]) -> dict[str, Any]:
    """Write the file of each application, whatever becomes of the others.

    Returns:
        The result of a task: C(files) are the entries, C(topics) those to notify, C(problems) the texts of what failed.
    """
    applications = _distinct(applications)
    repeated = _repeated(applications)
    entries: list[dict[str, Any]] = []
    diffs: list[dict[str, Any]] = []
    warnings: list[str] = []
    for application in applications:
        dest = application.file.dest
        if consumer_of("", dest) in repeated:
            continue
        entry: dict[str, Any] = {
            "credential": application.file.credential,
            "dest": dest,
            "changed": False,
            "topics": list(application.topics or ()),
        }
        try:
            entry |= deliver(open_consumer(application.file, application.restart))
        except GatehouseError as exc:
            entry |= {**exc.result, "problem": mask(_about(dest, str(exc)))}
        diffs.extend([entry.pop("diff")] if "diff" in entry else [])
        if application.topics is None and entry.get("restarted") is False:
            warnings.append(
                f"{dest} has credential {application.file.credential}, but nothing restarts what reads it: give its "
                "notify, which may be an empty list if it needs no restart"
            )
        entries.append(entry)
    return {
        "changed": any(entry["changed"] for entry in entries),
        "diff": diffs,
        "files": entries,
        "topics": list(dict.fromkeys(topic for entry in entries if entry["changed"] for topic in entry["topics"])),
        "problems": [
            *(entry["problem"] for entry in entries if "problem" in entry),
            *(f"{dest} is listed more than once, and can contain one credential only" for dest in repeated.values()),
        ],
        "warnings": warnings,
    }


def record(
    entries: Iterable[Entry],
    problems: Iterable[str],
    failed_topics: Iterable[str],
    open_consumer: Open,
    mask: Callable[[str], str],
) -> list[str]:
    """Record the restarts that were made, and return the texts of all that failed.

    Args:
        entries: what C(write) has returned as files.
        problems: what it has returned as such.
        failed_topics: those of which a handler has failed.
    """
    texts, failed = list(problems), set(failed_topics)
    for entry in entries:
        if not entry["changed"] or not entry["topics"]:
            continue
        dest = entry["dest"]
        if failed.intersection(entry["topics"]):
            texts.append(f"{dest} has changed, but a handler failed that restarts what reads it")
            continue
        try:
            consumer = open_consumer(FileOptions(credential=entry["credential"], dest=dest), True)
            record_restart(consumer, entry.get("version"))
        except GatehouseError as exc:
            texts.append(mask(_about(dest, str(exc))))
    return texts


def to_roll_back(
    applications: Iterable[Application], entries: Iterable[Entry], failed_topics: Iterable[str], refused: Iterable[str]
) -> list[Application]:
    """Return the applications to give the standby user: those in trouble with the new user that this run gave them.

    Args:
        refused: the credentials with which a login from the host has failed.
    """
    failed, refused = set(failed_topics), set(refused)
    dests = {
        entry["dest"]
        for entry in entries
        if entry["changed"]
        and entry.get("fallback")
        and (failed.intersection(entry["topics"]) or entry["credential"] in refused)
    }
    return [
        replace(application, file=replace(application.file, standby=True))
        for application in applications
        if application.file.dest in dests
    ]


def _distinct(applications: Iterable[Application]) -> list[Application]:
    """Return those that differ: two groups of a host may list the same."""
    distinct: list[Application] = []
    for application in applications:
        if application not in distinct:
            distinct.append(application)
    return distinct


def _repeated(applications: Iterable[Application]) -> dict[str, str]:
    """Return the files that are listed more than once, however they are spelled, each as it is spelled first."""
    dests = [application.file.dest for application in applications]
    counts = Counter(consumer_of("", dest) for dest in dests)
    first = {consumer_of("", dest): dest for dest in reversed(dests)}
    return {name: first[name] for name, count in counts.items() if count > 1}


def _about(dest: str, text: str) -> str:
    """Return a text that begins with the file, as most do already."""
    return text if text.startswith(dest) else f"{dest}: {text}"
