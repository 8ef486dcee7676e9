# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The applications of one host: they get their credentials, who is to be restarted is returned, and restarts recorded.

A run of the role app_credentials is a few calls of these functions: C(write) for the files, C(add) for each target in a
service, the restarts, and C(record). Their results go from one to the next through Ansible's variables, so they are
plain dictionaries: an C(Entry) for each target that was looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import GatehouseError
from .consumer import Consumer
from .deliver import deliver, finish, record_restart
from .target import Target

Entry = Mapping[str, Any]
Open = Callable[[Target, "bool | None"], Consumer]


@dataclass(frozen=True, kw_only=True)
class Application:
    """An item of the role's list.

    Attributes:
        topics: to which the handlers listen that restart it; empty when it needs no restart, None when nobody has said.
    """

    target: Target
    topics: tuple[str, ...] | None

    @property
    def restart(self) -> bool | None:
        """Whether a restart has to follow a change; None when nobody has said so."""
        if self.target.restarts:
            return True
        return None if self.topics is None else bool(self.topics)

    @property
    def entry(self) -> dict[str, Any]:
        """What is handed on of it before anything is known of its target."""
        return {
            "credential": self.target.credential,
            "target": self.target.kind,
            "dest": self.target.dest,
            "place": self.target.place,
            "changed": False,
            "topics": list(self.topics or ()),
            "restarts": bool(self.target.restarts),
        }


def write(applications: Sequence[Application], open_consumer: Open, mask: Callable[[str], str]) -> dict[str, Any]:
    """Write the file of each application, whatever becomes of the others.

    Returns:
        The result of a task: C(targets) are the entries of files, C(pending) those of services, C(topics) those to
        notify, C(restarts) the entries of what services restart, C(problems) the texts of what failed.
    """
    applications = _distinct(applications)
    places = Counter(application.target.place for application in applications)
    written: dict[str, Any] = {"targets": [], "pending": [], "problems": [], "warnings": [], "diff": []}
    for application in applications:
        target = application.target
        if places[target.place] > 1:
            continue
        if target.service:
            written["pending"].append({**application.entry, "standby": target.standby})
            continue
        entry = application.entry
        try:
            entry |= deliver(open_consumer(target, application.restart))
        except GatehouseError as exc:
            entry |= {**exc.result, "problem": mask(_about(target.shown, str(exc)))}
        _append(written, application, entry)
    first = {application.target.place: application.target.shown for application in reversed(applications)}
    written["problems"] += [
        f"{first[place]} is listed more than once, and can contain one credential only"
        for place, count in places.items()
        if count > 1
    ]
    return {
        **written,
        **_to_restart(written["targets"]),
        "changed": any(each["changed"] for each in written["targets"]),
    }


def add(
    before: Mapping[str, Any],
    application: Application,
    open_consumer: Open,
    mask: Callable[[str], str],
    *,
    planned: Mapping[str, Any],
    mark: str,
    problem: str | None,
) -> dict[str, Any]:
    """Record what the role's tasks have done in a service, and return what C(write) has returned with it added.

    Args:
        before: what C(write) has returned, or this function for the target before.
        planned: what C(prepare) has returned.
        mark: what the service shows now.
        problem: why the tasks could not do it; None when they could.
    """
    written: dict[str, Any] = {**before, "targets": [*before["targets"]], "warnings": [], "diff": []}
    written["problems"] = [*before["problems"]]
    entry = application.entry
    try:
        if problem is not None:
            raise GatehouseError(problem)
        entry |= finish(open_consumer(application.target, application.restart), planned, mark)
    except GatehouseError as exc:
        entry |= {**exc.result, "problem": mask(_about(application.target.shown, str(exc)))}
    _append(written, application, entry)
    return {**written, **_to_restart(written["targets"]), "changed": entry["changed"]}


def _append(written: dict[str, Any], application: Application, entry: dict[str, Any]) -> None:
    """Add an entry to what is returned, and what is to be said of it."""
    if "diff" in entry:
        written["diff"].append(entry.pop("diff"))
    if "problem" in entry:
        written["problems"].append(entry["problem"])
    if application.restart is None and entry.get("restarted") is False:
        written["warnings"].append(
            f"{entry['place']} has credential {entry['credential']}, but nothing restarts what reads it: give its "
            "notify, which may be an empty list if it needs no restart"
        )
    written["targets"].append(entry)


def _to_restart(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the topics to notify, each once, and the entries whose service restarts what reads them."""
    changed = [entry for entry in entries if entry["changed"]]
    return {
        "topics": list(dict.fromkeys(topic for entry in changed for topic in entry["topics"])),
        "restarts": [entry for entry in changed if entry["restarts"]],
    }


def record(
    entries: Iterable[Entry],
    problems: Iterable[str],
    failed: Iterable[str],
    open_consumer: Open,
    mask: Callable[[str], str],
) -> list[str]:
    """Record the restarts that were made, and return the texts of all that failed.

    Args:
        entries: what C(write) has returned as targets.
        problems: what it has returned as such.
        failed: the topics of which a handler has failed, and the places of targets whose service could not restart.
    """
    texts = list(problems)
    for entry in entries:
        if not entry["changed"] or not (entry["topics"] or entry["restarts"]):
            continue
        place = entry["place"]
        if _has_failed(entry, failed):
            texts.append(f"{place} has changed, but a handler failed that restarts what reads it")
            continue
        try:
            target = Target(credential=entry["credential"], kind=entry["target"], dest=entry["dest"])
            record_restart(open_consumer(target, True), entry.get("version"))
        except GatehouseError as exc:
            texts.append(mask(_about(place, str(exc))))
    return texts


def to_roll_back(
    applications: Iterable[Application], entries: Iterable[Entry], failed: Sequence[str], refused: Sequence[str]
) -> list[Application]:
    """Return the applications to give the standby user: those in trouble with the new user that this run gave them.

    Args:
        refused: the credentials with which a login from the host has failed.
    """
    places = {
        entry["place"]
        for entry in entries
        if entry["changed"] and entry.get("fallback") and (_has_failed(entry, failed) or entry["credential"] in refused)
    }
    return [on_standby(application) for application in applications if application.target.place in places]


def on_standby(application: Application) -> Application:
    """Return an application that gets the user on standby."""
    return replace(application, target=replace(application.target, standby=True))


def _has_failed(entry: Entry, failed: Iterable[str]) -> bool:
    """Whether a restart of what reads a target has failed."""
    return not {entry["place"], *entry["topics"]}.isdisjoint(failed)


def _distinct(applications: Iterable[Application]) -> list[Application]:
    """Return those that differ: two groups of a host may list the same."""
    distinct: list[Application] = []
    for application in applications:
        if application not in distinct:
            distinct.append(application)
    return distinct


def _about(place: str, text: str) -> str:
    """Return a text that begins with the target, as most do already."""
    return text if text.startswith(place) else f"{place}: {text}"
