# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""REST: versions, SOQL over the tables, paging, and who may see what."""

from __future__ import annotations

from typing import Any

import pytest

from .wire import Wire


@pytest.fixture
def session(wire: Wire) -> str:
    """A session whose own login is no part of the history."""
    session = wire.login().session
    wire.sim.state.org().login_history.clear()
    return session


def add_logins(wire: Wire, *rows: dict[str, Any]) -> None:
    wire.commands.add_logins([{"username": wire.admin.username, **row} for row in rows])


def ips(wire: Wire, session: str, clauses: str) -> list[str]:
    answer = wire.query(session, f"SELECT SourceIp FROM LoginHistory {clauses}")
    assert answer.status == 200, answer.json
    return [record["SourceIp"] for record in answer.records]


@pytest.fixture
def three(wire: Wire, session: str) -> str:
    """Three logins on three days."""
    for day in (1, 2, 3):
        add_logins(wire, {"source_ip": f"192.0.2.{day}", "login_time": f"2026-11-0{day}T12:00:00+00:00"})
    return session


def test_versions_need_no_session(wire: Wire) -> None:
    versions = wire.rest("", "/services/data").json
    assert versions[0] == {"label": "Summer '14", "url": "/services/data/v31.0", "version": "31.0"}
    assert versions[-1] == {"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}


def test_a_record_as_the_rest_api_shows_it(wire: Wire, session: str) -> None:
    add_logins(wire, {"source_ip": "192.0.2.1", "login_time": "2026-11-24T21:34:05+00:00"})
    answer = wire.query(session, "SELECT Id, LoginTime, Status FROM LoginHistory")
    row_id = wire.commands.login_history()[0]["id"]
    assert answer.json == {
        "totalSize": 1,
        "done": True,
        "records": [
            {
                "attributes": {
                    "type": "LoginHistory",
                    "url": f"/services/data/v64.0/sobjects/LoginHistory/{row_id}",
                },
                "Id": row_id,
                "LoginTime": "2026-11-24T21:34:05.000+0000",
                "Status": "Success",
            }
        ],
    }


@pytest.mark.parametrize(
    ("clauses", "days"),
    [
        ("WHERE LoginTime > 2026-11-02T12:00:00Z", "3"),
        ("WHERE LoginTime >= 2026-11-02T12:00:00.000+0000", "23"),
        ("WHERE LoginTime < 2026-11-02T13:00:00+01:00", "1"),
        ("where LoginTime <= 2026-11-02T12:00:00Z order by LoginTime desc", "21"),
        ("WHERE LoginTime != 2026-11-02T12:00:00Z", "13"),
        ("WHERE SourceIp = '192.0.2.2' OR SourceIp = '192.0.2.3'", "23"),
        ("WHERE SourceIp IN ('192.0.2.1', '192.0.2.3')", "13"),
        ("WHERE SourceIp NOT IN ('192.0.2.1', '192.0.2.3')", "2"),
        ("WHERE NOT SourceIp = '192.0.2.1'", "23"),
        ("WHERE (SourceIp = '192.0.2.1' OR SourceIp = '192.0.2.2') AND LoginTime > 2026-11-01T13:00:00Z", "2"),
        ("WHERE OptionsIsPost = TRUE AND CountryIso = NULL ORDER BY LoginTime DESC LIMIT 2", "32"),
        ("ORDER BY LoginTime ASC NULLS LAST LIMIT 1 OFFSET 1", "2"),
    ],
)
def test_conditions_order_and_limits(wire: Wire, three: str, clauses: str, days: str) -> None:
    assert ips(wire, three, clauses) == [f"192.0.2.{day}" for day in days]


@pytest.mark.parametrize(
    ("condition", "days"), [("= TODAY", "3"), ("= YESTERDAY", "2"), (">= LAST_N_DAYS:1", "23"), ("< TODAY", "12")]
)
def test_relative_dates_follow_the_simulated_clock(wire: Wire, three: str, condition: str, days: str) -> None:
    wire.commands.set_clock("2026-11-03T20:00:00+00:00", frozen=True)
    session = wire.login().session
    wire.sim.state.org().login_history.pop()
    assert ips(wire, session, f"WHERE LoginTime {condition}") == [f"192.0.2.{day}" for day in days]


def test_count(wire: Wire, three: str) -> None:
    answer = wire.query(three, "SELECT COUNT() FROM LoginHistory WHERE LoginTime > 2026-11-01T13:00:00Z")
    assert answer.json == {"totalSize": 2, "done": True, "records": []}


@pytest.mark.parametrize("field", ["Status", "Application", "ApiType", "ApiVersion", "ClientVersion", "Browser"])
def test_fields_of_login_history_that_cannot_be_filtered(wire: Wire, session: str, field: str) -> None:
    answer = wire.query(session, f"SELECT Id FROM LoginHistory WHERE {field} = 'x'")
    assert (answer.status, answer.error) == (400, "INVALID_FIELD")
    assert "can not be filtered" in answer.json[0]["message"]
    assert wire.query(session, f"SELECT {field} FROM LoginHistory").status == 200


def test_source_ip_is_filterable_or_not_and_never_takes_like(wire: Wire, three: str) -> None:
    answer = wire.query(three, "SELECT Id FROM LoginHistory WHERE SourceIp LIKE '192.%'")
    assert answer.error == "INVALID_QUERY_FILTER_OPERATOR"
    wire.commands.set_switches(source_ip_filterable=False)
    assert wire.query(three, "SELECT Id FROM LoginHistory WHERE SourceIp = '192.0.2.1'").error == "INVALID_FIELD"


@pytest.mark.parametrize(
    ("soql", "error"),
    [
        ("", "MALFORMED_QUERY"),
        ("SELECT FROM User", "MALFORMED_QUERY"),
        ("SELECT Id FROM User WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM User; DROP TABLE User", "MALFORMED_QUERY"),
        ("SELECT Nonsense FROM User", "INVALID_FIELD"),
        ("SELECT Id FROM User WHERE Nonsense = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM ProfileLoginIpRange", "INVALID_TYPE"),
    ],
)
def test_queries_that_are_refused(wire: Wire, session: str, soql: str, error: str) -> None:
    answer = wire.query(session, soql)
    assert (answer.status, answer.error) == (400, error)


def test_strings_escapes_like_and_case(wire: Wire, session: str) -> None:
    wire.commands.add_user("miles@simulated.example", "Miles-Pass1", last_name="O'Brien", first_name="Miles")
    for condition in (r"LastName = 'O\'Brien'", "LastName = 'o\\'brien'", "LastName LIKE 'O%n'", "Name LIKE 'M_les%'"):
        answer = wire.query(session, f"SELECT Username FROM User WHERE {condition}")
        assert [one["Username"] for one in answer.records] == ["miles@simulated.example"], condition


def test_related_fields(wire: Wire, session: str) -> None:
    answer = wire.query(session, "SELECT Username, Profile.Name FROM User WHERE Profile.Name = 'System Administrator'")
    assert answer.records[0]["Profile"]["Name"] == "System Administrator"


def test_names_that_begin_like_keywords_are_names(wire: Wire, session: str) -> None:
    answer = wire.query(session, "SELECT InstanceName, OrganizationType, IsSandbox, Name, Id FROM Organization")
    assert answer.records[0]["Name"] == "simulated"
    add_logins(wire, {"source_ip": "192.0.2.1"})
    assert wire.query(session, "SELECT CountryIso FROM LoginHistory").records[0]["CountryIso"] is None


def test_profiles_show_their_labels(wire: Wire, session: str) -> None:
    names = [one["Name"] for one in wire.query(session, "SELECT Name FROM Profile ORDER BY Name").records]
    assert names == ["Standard User", "System Administrator"]


def test_a_long_answer_comes_in_batches(wire: Wire, session: str) -> None:
    wire.commands.set_switches(query_batch_size=4)
    add_logins(wire, *({"source_ip": f"192.0.2.{number}"} for number in range(10)))
    answer = wire.query(session, "SELECT SourceIp FROM LoginHistory")
    seen = answer.records
    while not answer.json["done"]:
        assert answer.json["totalSize"] == 10
        answer = wire.rest(session, answer.json["nextRecordsUrl"])
        seen += answer.records
    assert [one["SourceIp"] for one in seen] == [f"192.0.2.{number}" for number in range(10)]
    assert "nextRecordsUrl" not in answer.json


def test_a_locator_that_is_not_held(wire: Wire, session: str) -> None:
    answer = wire.rest(session, "query/01g000000000000AAA-2000")
    assert (answer.status, answer.error) == (400, "INVALID_QUERY_LOCATOR")


def test_fifty_thousand_logins(wire: Wire, session: str) -> None:
    add_logins(wire, {"source_ip": "192.0.2.1", "count": 50_000, "login_time": "2026-11-01T00:00:00+00:00"})
    add_logins(wire, {"source_ip": "192.0.2.2"})
    assert ips(wire, session, "ORDER BY LoginTime DESC LIMIT 1") == ["192.0.2.2"]
    answer = wire.query(session, "SELECT Id, LoginTime, SourceIp, Status FROM LoginHistory")
    assert (answer.json["totalSize"], len(answer.records)) == (50_001, 2000)


@pytest.mark.parametrize(("permissions", "seen"), [([], 1), (["ManageUsers"], 3), (["MonitorLoginHistory"], 3)])
def test_everyone_sees_their_own_logins_and_few_see_all(wire: Wire, permissions: list[str], seen: int) -> None:
    wire.login()
    wire.commands.add_user(
        "plain@simulated.example", "Plain-Pony9", profile="Standard", permissions=permissions, security_token="t"
    )
    wire.login()
    session = wire.login("Plain-Pony9t", username="plain@simulated.example").session
    assert len(wire.query(session, "SELECT Id FROM LoginHistory").records) == seen


@pytest.mark.parametrize(
    ("switch", "permissions", "allowed"),
    [
        ("ViewSetup", [], False),
        ("ViewSetup", ["ViewSetup"], True),
        ("ViewSetupAuditTrail", ["ViewSetup"], False),
        ("ViewSetupAuditTrail", ["ViewSetupAuditTrail"], True),
        ("none", [], True),
    ],
)
def test_the_audit_trail_needs_a_permission(wire: Wire, switch: str, permissions: list[str], allowed: bool) -> None:
    wire.commands.set_switches(audit_trail_permission=switch)
    wire.commands.add_user(
        "plain@simulated.example", "Plain-Pony9", profile="Standard", permissions=permissions, security_token="t"
    )
    session = wire.login("Plain-Pony9t", username="plain@simulated.example").session
    answer = wire.query(session, "SELECT Id FROM SetupAuditTrail")
    assert answer.status == (200 if allowed else 400)


def test_the_audit_trail_names_its_authors(wire: Wire, session: str) -> None:
    wire.commands.add_trusted_range("192.0.2.0/24", by=wire.admin.username)
    wire.commands.add_trusted_range("198.51.100.0/24")
    answer = wire.query(session, "SELECT Display, CreatedBy.Username FROM SetupAuditTrail ORDER BY Id")
    assert [one["CreatedBy"]["Username"] for one in answer.records] == [wire.admin.username, "autoproc"]
    mine = wire.query(
        session,
        f"SELECT Display FROM SetupAuditTrail WHERE CreatedBy.Username = '{wire.admin.username}' "
        "AND CreatedDate = TODAY",
    )
    assert [one["Display"] for one in mine.records] == ["Created Ip WhiteList from 192.0.2.0 to 192.0.2.255"]


@pytest.mark.parametrize(("switch", "shown"), [("label", "Other Apex API"), ("value", "OtherApi")])
def test_login_type_as_label_or_value(wire: Wire, session: str, switch: str, shown: str) -> None:
    wire.commands.set_switches(login_type=switch)
    add_logins(wire, {"source_ip": "192.0.2.1"})
    assert wire.query(session, "SELECT LoginType FROM LoginHistory").records[0]["LoginType"] == shown


def test_unknown_resources_and_versions(wire: Wire, session: str) -> None:
    assert wire.rest(session, "nonsense").status == 404
    assert wire.rest(session, "/services/data/v99.0/limits").status == 404
    assert wire.rest(session, "/anything").status == 404
    assert wire.rest(session, "limits").json["DailyApiRequests"]["Max"] > 0
    assert wire.rest(session, "query", method="POST").status == 405


ASSIGNMENTS = (
    "SELECT Assignee.Profile.Name, PermissionSet.Label, PermissionSet.IsOwnedByProfile, "
    "PermissionSet.PermissionsApiUserOnly FROM PermissionSetAssignment WHERE Assignee.Username = '{}'"
)


def test_permissions_come_by_the_profile_and_beyond_it(wire: Wire) -> None:
    wire.commands.add_user("int@simulated.example", "Other-Pass1", profile="Standard", permissions=["ApiUserOnly"])
    rows = wire.query(wire.login().session, ASSIGNMENTS.format("int@simulated.example")).records
    told = [
        (
            row["Assignee"]["Profile"]["Name"],
            row["PermissionSet"]["Label"],
            row["PermissionSet"]["PermissionsApiUserOnly"],
        )
        for row in rows
    ]
    assert told == [("Standard User", "Standard User", False), ("Standard User", "More Permissions", True)]
    wire.commands.set_profile("Standard", permissions=["ApiEnabled", "TwoFactorApi"])
    found = wire.query(wire.login().session, "SELECT Name FROM Profile WHERE PermissionsTwoFactorApi = true").records
    assert [row["Name"] for row in found] == ["Standard User"]


def test_assignments_are_for_those_who_see_setup(wire: Wire) -> None:
    wire.commands.set_profile("Admin", permissions=["ApiEnabled"])
    assert wire.query(wire.login().session, ASSIGNMENTS.format("x")).error == "INVALID_TYPE"
