# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an org is asked by SOQL, and what its answers become."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OrgError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.queries import (
    Queryable,
    User,
    audit_rows,
    find_org_id,
    find_user,
    is_developer_edition,
    literal,
    logins_of,
    logins_since,
    permission_givers,
    profile_labels,
    read_user,
    read_users,
    users_logged_in_since,
)

BILLING, JENKINS = "005000000000001AAA", "005000000000002AAA"
NOON = datetime.datetime(2026, 11, 24, 13, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))


class Scripted:
    """Answers each query with the same records."""

    def __init__(self, *records: Any) -> None:
        self.records = records
        self.asked: list[str] = []

    def query(self, soql: str, into: Any = list) -> Any:
        self.asked.append(soql)
        return into(iter(self.records))


def unquote(text: str) -> str:
    """Read a SOQL string as Salesforce documents its escapes."""
    assert text[0] == text[-1] == "'"
    result, characters = "", iter(text[1:-1])
    for char in characters:
        assert char != "'"
        result += next(characters) if char == "\\" else char
    return result


@pytest.mark.parametrize("answer", ["../../00D000000000001", "", "005000000000001AAA"])
def test_an_id_that_no_org_has_is_none(answer: str) -> None:
    assert find_org_id(Scripted({"Id": "00D000000000001AAA"})) == "00D000000000001"
    with pytest.raises(OrgError, match="does not say which org"):
        find_org_id(Scripted({"Id": answer}))


@given(st.text())
def test_a_text_in_a_query_is_that_text_and_nothing_else(text: str) -> None:
    assert unquote(literal(text)) == text


def test_a_user_is_found_by_a_name_that_would_end_the_query() -> None:
    org = Scripted({"Id": BILLING, "Username": "o'neil@acme.example", "Profile": {"Name": "Ops"}})
    assert find_user(org, "o'neil@acme.example") == User(BILLING, "o'neil@acme.example", "Ops")
    assert org.asked[0].endswith(r"WHERE Username = 'o\'neil@acme.example'")


def test_a_user_who_is_not_shown_is_none() -> None:
    assert find_user(Scripted(), "billing@acme.example") is None
    assert read_user(Scripted(), BILLING) is None


def test_of_all_users_only_those_asked_for_are_kept() -> None:
    org = Scripted({"Id": BILLING, "Username": "b@acme.example", "Profile": {"Name": "P"}}, {"Id": JENKINS})
    assert read_users(org, {BILLING}) == {BILLING: User(BILLING, "b@acme.example", "P")}


def test_a_user_without_name_or_profile_has_its_id_and_none() -> None:
    org = Scripted({"Id": BILLING, "Username": None, "Profile": None})
    assert read_users(org, {BILLING}) == {BILLING: User(BILLING, BILLING, "")}


def test_times_are_asked_for_in_universal_time() -> None:
    org = Scripted()
    logins_since(org, NOON, list)
    logins_of(org, BILLING, limit=5, since=NOON)
    users_logged_in_since(org, NOON, limit=2)
    audit_rows(org, NOON)
    assert all(">= 2026-11-24T12:00:00Z" in soql for soql in org.asked)


def test_what_gives_a_permission_is_named_once() -> None:
    by_profile = {"PermissionSet": {"IsOwnedByProfile": True, "Profile": {"Name": "Ops"}, "Label": "00ex"}}
    by_set = {"PermissionSet": {"IsOwnedByProfile": False, "Label": "API"}}
    org = Scripted(by_profile, by_set, by_set)
    assert permission_givers(org, "billing@acme.example", "ApiUserOnly") == [
        "by the profile Ops",
        "by the permission set API",
    ]
    assert "PermissionSet.PermissionsApiUserOnly = true" in org.asked[0]


def test_ids_of_fifteen_and_eighteen_characters_are_the_same_profile() -> None:
    assert profile_labels(Scripted({"Id": "00e000000000001AAA", "Name": "Ops"})) == {"00e000000000001": "Ops"}


def test_a_developer_edition_is_known_by_its_type() -> None:
    assert is_developer_edition(Scripted({"OrganizationType": "Developer Edition"}))
    assert not is_developer_edition(Scripted({"OrganizationType": "Enterprise Edition"}))


@pytest.mark.parametrize(
    "ask",
    [
        lambda org: find_user(org, "billing@acme.example"),
        lambda org: read_users(org, {BILLING}),
        lambda org: users_logged_in_since(org, NOON, limit=2),
        profile_labels,
        lambda org: permission_givers(org, "billing@acme.example", "ApiUserOnly"),
    ],
)
@pytest.mark.parametrize("record", [{}, {"Id": 5, "Name": 5, "Profile": "Ops", "PermissionSet": "API"}])
def test_records_of_another_shape_are_an_error_and_no_crash(
    ask: Callable[[Queryable], object], record: dict[str, Any]
) -> None:
    try:
        ask(Scripted(record))
    except OrgError as exc:
        assert "records that lack what was asked for" in str(exc)
