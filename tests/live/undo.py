# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put an org back: each change of the journal, by the name of what undoes it. Each may be done more than once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app.model import (
    APP,
    GLOBAL,
    OAUTH,
    OAUTH_POLICY,
    PARENT,
    POLICY,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.queries import literal

from .calls import Caller, Refusal, children, leaves
from .journal import Journal
from .packages import Part, deploy

PREFIX = "GatehouseLive"
MARK = "made by tests.live of gatehouse.salesforce"
SECRETS_SETTING = "enableClientSecretInRestApiAccess"
Wait = Callable[[float], object]


class UndoError(Exception):
    """What could not be put back."""


def restore(caller: Caller, journal: Journal, wait: Wait) -> list[str]:
    """Undo all open changes of a journal, the latest first; return what could not be undone.

    What another change is in the way of is tried again behind that one.
    """
    while True:
        before, problems = journal.open_entries(), []
        for entry in before:
            try:
                UNDO[entry.undo](caller, entry.name, wait)
            except (Refusal, UndoError, GatehouseError, LookupError, ParseError) as exc:
                problems.append(f"{entry.undo} {entry.name}: {exc}")
            else:
                journal.settle(entry)
        if len(problems) in (0, len(before)):
            return problems


# -- users, profiles, permission sets ----------------------------------------------------------------------------------


def username_of(org_id: str) -> str:
    """Return the name of the suite's user in an org."""
    return f"gatehouse-live.{org_id.lower()}@example.com"


def find_user(caller: Caller, username: str) -> str | None:
    """Return the id of the suite's user; raises UndoError for a user of that name that is somebody else's."""
    rows = caller.query(f"SELECT Id, LastName FROM User WHERE Username = {literal(username)}")  # noqa: S608
    if rows and rows[0]["LastName"] != MARK:
        raise UndoError(f"the user {username} is not of this suite, so it is left alone")
    return str(rows[0]["Id"]) if rows else None


def _user(caller: Caller, name: str, wait: Wait) -> None:
    user_id = find_user(caller, name)
    if user_id:
        caller.rest("PATCH", f"sobjects/User/{user_id}", {"IsActive": False, "ProfileId": _standard_profile(caller)})


def _standard_profile(caller: Caller) -> str:
    """Return the id of the profile in which an inactive user may stay."""
    return next(one["id"] for one in caller.list_components("Profile") if one.get("fullName") == "Standard")


def _profile(caller: Caller, name: str, wait: Wait) -> None:
    listed = {one.get("fullName"): one["id"] for one in caller.list_components("Profile")}
    if name not in listed:
        return
    where = f"ProfileId = {literal(listed[name])} AND LastName = {literal(MARK)}"
    for row in caller.query(f"SELECT Id FROM User WHERE {where}"):  # noqa: S608
        caller.rest("PATCH", f"sobjects/User/{row['Id']}", {"ProfileId": _standard_profile(caller)})
    result = caller.delete("Profile", name)
    done = result or deploy(caller, wait, delete=[Part("Profile", name)])
    if not done:
        raise UndoError(f"{result.problem}; {done.problem}")


def _permission_set(caller: Caller, name: str, wait: Wait) -> None:
    for found in caller.query(f"SELECT Id FROM PermissionSet WHERE Name = {literal(name)}"):  # noqa: S608
        where = f"PermissionSetId = {literal(str(found['Id']))}"
        for row in caller.query(f"SELECT Id FROM PermissionSetAssignment WHERE {where}"):  # noqa: S608
            caller.rest("DELETE", f"sobjects/PermissionSetAssignment/{row['Id']}")
        caller.rest("DELETE", f"sobjects/PermissionSet/{found['Id']}")


# -- trusted ranges ----------------------------------------------------------------------------------------------------


def read_ranges(caller: Caller) -> list[dict[str, str]]:
    """Return the trusted ranges as they are shown; raises UndoError where no list is shown, not even an empty one."""
    record = caller.read("SecuritySettings", "Security")
    if not children(record, "networkAccess"):
        raise UndoError("the org does not show its trusted IP ranges, so none are written")
    return children(record, "ipRanges")


def is_own(shown: Mapping[str, str]) -> bool:
    """Whether a trusted range is one of this suite's."""
    return shown.get("description", "").startswith(PREFIX)


def write_own_ranges(caller: Caller, own: Sequence[tuple[str, str, str]], *, writer: Caller | None = None) -> str:
    """Replace the suite's trusted ranges (first, last, description) and keep all others.

    Return what the org has against it, or nothing. Raises UndoError where others were changed meanwhile.

    Args:
        caller: reads, before and after: an administrator, who is shown all of them.
        writer: writes, where that is another one.
    """
    others = [one for one in read_ranges(caller) if not is_own(one)]
    rows = [(one["start"], one["end"], one.get("description", "")) for one in others] + list(own)
    body = "".join(
        "<ipRanges>"
        + (f"<description>{escape(description)}</description>" if description else "")
        + f"<end>{last}</end><start>{first}</start></ipRanges>"
        for first, last, description in rows
    )
    content = f"<networkAccess>{body}</networkAccess>"
    result = (writer or caller).write("update", "SecuritySettings", "Security", content)
    if _sorted(one for one in read_ranges(caller) if not is_own(one)) != _sorted(others):
        raise UndoError(
            "the trusted IP ranges of others are not as they were: compare Setup > Network Access with the saved list"
        )
    return "" if result else result.problem


def _sorted(ranges: object) -> list[list[tuple[str, str]]]:
    return sorted(sorted(one.items()) for one in ranges)  # type: ignore[attr-defined]


def _ranges(caller: Caller, name: str, wait: Wait) -> None:
    problem = write_own_ranges(caller, ()) if any(map(is_own, read_ranges(caller))) else ""
    if problem:
        raise UndoError(problem)


# -- apps --------------------------------------------------------------------------------------------------------------


def parts_of(caller: Caller, app: str) -> list[Part]:
    """Return the components of one of the suite's apps."""
    found = [
        Part(one["type"], one["fullName"]) for one in caller.list_components(APP, GLOBAL, OAUTH) if _begins(one, app)
    ]
    return found + policies_of(caller, app)


def policies_of(caller: Caller, app: str) -> list[Part]:
    """Return the policies of one of the suite's apps, whatever the org has named them."""
    return [
        Part(one["type"], one["fullName"])
        for one in caller.list_components(OAUTH_POLICY, POLICY)
        if _begins(one, app) or (not _begins(one, PREFIX) and _parent(caller, one) == app)
    ]


def _begins(listed: Mapping[str, str], name: str) -> bool:
    return listed["fullName"].startswith(name)


def _parent(caller: Caller, listed: Mapping[str, str]) -> str:
    record = caller.read(listed["type"], listed["fullName"])
    return "" if record is None else leaves(record).get(PARENT, "")


def _app(caller: Caller, name: str, wait: Wait) -> None:
    try:
        parts = parts_of(caller, name)
    except Refusal as exc:
        if exc.code == "INVALID_TYPE":  # an org without External Client Apps has none of them
            return
        raise
    done = deploy(caller, wait, delete=parts) if parts else None
    if done is not None and not done:
        raise UndoError(f"{done.problem}; delete the app in Setup > External Client App Manager")


def _setting(caller: Caller, name: str, wait: Wait) -> None:
    element, _equals, value = name.partition("=")
    result = caller.write("update", "ExternalClientAppSettings", "ExternalClientApp", f"<{element}>{value}</{element}>")
    if not result:
        raise UndoError(result.problem)


UNDO: Mapping[str, Callable[[Caller, str, Wait], None]] = {
    "user": _user,
    "profile": _profile,
    "permission_set": _permission_set,
    "ranges": _ranges,
    "app": _app,
    "setting": _setting,
}
