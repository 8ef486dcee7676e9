# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report finds in what was collected, and how it is written."""

from __future__ import annotations

import csv
import datetime
import html.parser
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.retirement import RETIREMENTS
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends import access_report
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.report.document import (
    Report,
    make_report,
    read_previous,
    to_json,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.report.drawings import (
    ENDS,
    MAX_STRIPS,
    MAX_TICKS,
    make_strips,
    make_timeline,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.report.logins import read_history
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.report.model import (
    read_credential,
    read_org,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.report.policy import RULES, read_policy
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.report.render import (
    page_data,
    to_html,
    to_text,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.report.tables import make_tables, to_csv

NOW = datetime.datetime(2026, 11, 24, 8, tzinfo=datetime.UTC)
BILLING = "billing@acme.example"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>@@DATA@@\u2028"


def login(address: str = "20.0.0.7", **changed: Any) -> dict[str, Any]:
    row = {
        "username": BILLING,
        "profile": "Standard User",
        "application": "billing",
        "way": "soap_login",
        "api_version": "64.0",
        "address": address,
        "access": "allowed",
        "count": 3,
        "last": "2026-11-23T06:00:01.000+0000",
    }
    return {**row, **changed}


def org(name: str = "acme", *, declared: Any = None, **changed: Any) -> dict[str, Any]:
    access = {
        "collected": "2026-11-24T08:00:00Z",
        "days": 30,
        "requests": 10,
        "trusted_ip_ranges": [],
        "profiles": [],
        "session_settings": {},
        "logins": [],
        "logins_complete": "logins" in changed,
        "logins_by_day": [],
        "range_changes": [],
        "omitted": [],
    }
    identity = {"id": "00D5g000004xYzA", "host": "acme.my.salesforce.com", "user": "admin@acme.example"}
    return {"name": name, "access": {**access, **changed}, "org": identity, "declared": declared}


def profile(*ranges: str, name: str = "Standard", label: str = "Standard User") -> dict[str, Any]:
    listed = [{"range": item} for item in ranges]
    return {"profile": label, "name": name, "users": 1, "usernames": [BILLING], "login_ip_ranges": listed}


def omission(what: str) -> dict[str, str]:
    return {"what": what, "problem": "the org refused it", "permission": "Some Permission"}


def credential(**changed: Any) -> dict[str, Any]:
    fields = {
        "name": "acme-billing",
        "auth": "security_token",
        "username": BILLING,
        "login_url": "https://login.salesforce.com",
        "version": 2,
        "updated": "2026-11-20T08:00:00Z",
        "verified": "2026-11-20T08:00:00Z",
        "secret_since": "2026-11-20T08:00:00Z",
        "verification": {"result": "ok", "cause": "ok"},
        "consumers": [],
    }
    return {**fields, **changed}


def report(
    *orgs: Mapping[str, Any],
    credentials: tuple[Mapping[str, Any], ...] = (),
    policy: Mapping[str, Any] | None = None,
    before: Report | None = None,
    **options: Any,
) -> Report:
    return make_report(
        options.pop("title", "Report"),
        [read_org(one, "orgs") for one in orgs],
        [read_credential(one, "credentials") for one in credentials],
        read_policy(policy or {}),
        now=options.pop("now", NOW),
        previous=read_previous(to_json(before), "before") if before else None,
        **options,
    )


def found(made: Report) -> list[tuple[str, str]]:
    return [(one.rule, one.subject) for one in made.findings]


class TestRanges:
    """Ranges that nobody used, too wide, overlapping, expired, or shared."""

    def test_each_doubt_of_the_lint_is_a_finding_of_its_own_rule(self) -> None:
        ranges = [{"range": text} for text in ("10.0.0.0/8", "20.0.0.0/24", "20.0.0.0/25")]
        assert set(found(report(org(trusted_ip_ranges=ranges)))) == {
            ("wide_range", "trusted IP ranges: 10.0.0.0/8"),
            ("private_range", "trusted IP ranges: 10.0.0.0/8"),
            ("overlapping_range", "trusted IP ranges: 20.0.0.0/24"),
        }

    @pytest.mark.parametrize(("prefix", "is_wide"), [(19, False), (20, False), (21, True)])
    def test_the_policy_says_what_is_wide(self, prefix: int, is_wide: bool) -> None:
        made = report(
            org(trusted_ip_ranges=[{"range": "20.0.0.0/20"}]),
            policy={"wide_range": {"severity": "error", "ipv4_prefix": prefix}},
        )
        assert [one.severity for one in made.findings] == ["error"] * is_wide

    def test_a_range_is_unused_only_where_all_logins_are_known(self) -> None:
        access: dict[str, Any] = {"trusted_ip_ranges": [{"range": "20.0.1.0/24"}], "logins": [login(way="oauth")]}
        assert found(report(org(**access))) == [("unused_range", "trusted IP ranges: 20.0.1.0/24")]
        assert found(report(org(**access, logins_complete=False))) == []

    def test_a_range_is_unused_where_it_is_known_that_nobody_logged_in(self) -> None:
        access: dict[str, Any] = {"profiles": [profile("20.0.1.0/24")], "logins": []}
        (one,) = report(org(**access)).findings
        assert one.rule == "unused_range" and one.text.endswith("since 2026-10-25")

    @pytest.mark.parametrize("hidden", ["users", "labels of profiles"])
    def test_whose_logins_are_not_known_leave_no_profile_s_range_unused(self, hidden: str) -> None:
        access: dict[str, Any] = {"profiles": [profile("20.0.1.0/24")], "logins": [login(profile="", way="oauth")]}
        assert found(report(org(**access, omitted=[omission(hidden)]))) == [("permission", hidden)]

    def test_a_profile_s_ranges_are_used_by_its_own_logins_alone(self) -> None:
        access: dict[str, Any] = {"profiles": [profile("20.0.0.0/24")]}
        others = [login(profile="Other", way="oauth"), login("20.0.9.9", way="oauth")]
        assert found(report(org(**access, logins=[login(way="oauth")]))) == []
        assert found(report(org(**access, logins=others))) == [
            ("unused_range", "login IP ranges of Standard User: 20.0.0.0/24")
        ]

    def test_temporary_access_that_is_over_is_known_since_its_end(self) -> None:
        ranges = [
            {"range": "20.0.0.1", "description": "CI (expires 2026-11-01T10:00Z)"},
            {"range": "20.0.0.9", "description": "CI (expires 2026-12-01T10:00Z)"},
        ]
        (one,) = report(org(trusted_ip_ranges=ranges)).findings
        assert (one.rule, one.since) == ("expired_range", "2026-11-01")

    def test_a_range_that_a_cloud_s_customers_share_is_found(self) -> None:
        from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import parse_range

        made = report(org(trusted_ip_ranges=[{"range": "20.0.0.0/20"}]), shared=[parse_range("20.0.0.0/22", "cloud")])
        assert found(made) == [("shared_range", "trusted IP ranges: 20.0.0.0/20")]


class TestDrift:
    """What the inventory declares, and the org or the store has otherwise."""

    def test_ranges_are_compared_as_a_run_would_change_them(self) -> None:
        declared = {
            "trusted_ip_ranges": ["20.0.1.0/24"],
            "login_ip_ranges": [{"profile": "Standard", "ranges": ["20.0.0.0/25"]}],
            "state": "exact",
        }
        made = report(
            org(
                trusted_ip_ranges=[{"range": "20.0.0.0/24"}],
                profiles=[profile("20.0.0.0-20.0.0.127")],
                declared=declared,
            )
        )
        assert found(made) == [
            ("drift", "trusted IP ranges: 20.0.0.0/24"),
            ("drift", "trusted IP ranges: 20.0.1.0/24"),
        ]

    def test_what_is_not_declared_is_no_drift_where_it_may_stay(self) -> None:
        declared = {"trusted_ip_ranges": [], "state": "present"}
        assert found(report(org(trusted_ip_ranges=[{"range": "20.0.0.0/24"}], declared=declared))) == []
        assert found(report(org(trusted_ip_ranges=[{"range": "20.0.0.0/24"}]))) == []

    def test_a_list_that_the_org_has_not_shown_does_not_differ(self) -> None:
        declared: dict[str, Any] = {
            "trusted_ip_ranges": ["20.0.0.0/24"],
            "login_ip_ranges": [{"profile": "Standard User", "ranges": ["20.0.0.0/25"]}],
        }
        hidden = [omission("trusted IP ranges"), omission("login IP ranges")]
        assert {rule for rule, _subject in found(report(org(declared=declared, omitted=hidden)))} == {"permission"}
        del declared["trusted_ip_ranges"]
        listed = [profile("20.0.0.0/25", label="Standard")]
        made = report(org(declared=declared, profiles=listed, omitted=[omission("labels of profiles")]))
        assert found(made) == [("permission", "labels of profiles")]

    def test_a_credential_that_is_declared_and_not_stored_is_found(self) -> None:
        made = report(org(declared={"credentials": ["acme-billing", "acme-other"]}), credentials=(credential(),))
        assert ("drift", "credential acme-other") in found(made)
        assert ("drift", "credential acme-billing") not in found(made)

    def test_a_declared_range_that_cannot_be_read_names_the_org(self) -> None:
        with pytest.raises(OptionError, match=r"acme: trusted_ip_ranges\[0\]"):
            report(org(declared={"trusted_ip_ranges": ["20.0.0.0/99"]}))


class TestEndings:
    """What breaks when."""

    def test_logins_by_password_end_whoever_makes_them(self) -> None:
        flow = login("20.0.0.8", username="other@acme.example", way="username_password_flow", application="")
        made = report(org(logins=[login(), login("20.0.0.9"), flow, login(way="oauth")]), credentials=(credential(),))
        ends = [(one.date, one.username, one.what, one.logins, one.credential) for one in made.endings]
        assert ends == [
            ("2026-12-01", BILLING, "use_any_api_auth", 6, "acme-billing"),
            ("2027-02-20", "other@acme.example", "username_password_flow", 3, ""),
            ("2027-05-01", BILLING, "soap_login", 6, "acme-billing"),
        ]
        assert made.endings[0].addresses == ("20.0.0.7", "20.0.0.9")

    def test_a_stored_credential_ends_though_it_has_not_logged_in(self) -> None:
        made = report(org(), credentials=(credential(),))
        assert [(one.org, one.credential, one.logins) for one in made.endings] == [("", "acme-billing", 0)] * 2

    def test_an_end_that_is_near_is_one_finding_for_each_org(self) -> None:
        logins = [login(username=f"user{number}@acme.example") for number in range(5)]
        made = report(org(logins=logins), policy={"ending_login": {"days": 10, "severity": "error"}})
        (one,) = made.findings
        assert (one.rule, one.org, one.subject) == ("ending_login", "acme", "use_any_api_auth")
        assert "user0@acme.example, user1@acme.example, user2@acme.example and 2 more" in one.text

    def test_a_login_by_password_after_a_day_is_against_the_rule(self) -> None:
        logins = [login(), login(way="oauth", username="other@acme.example")]
        off = {"ending_login": "off"}
        assert found(report(org(logins=logins), policy={"password_login": {"after": "2026-11-22"}, **off})) == [
            ("password_login", BILLING)
        ]
        assert found(report(org(logins=logins), policy={"password_login": {"after": "2026-11-23"}, **off})) == []


class TestCredentials:
    """Every stored credential."""

    def test_an_old_secret_is_known_since_the_day_it_became_too_old(self) -> None:
        made = report(
            credentials=(credential(auth="jwt_bearer", secret_since="2026-08-01T00:00:00Z"),),
            policy={"old_secret": {"days": 60}},
        )
        (one,) = made.findings
        assert (one.rule, one.since) == ("old_secret", "2026-09-30") and "115 days old" in one.text

    def test_a_refused_login_and_an_application_that_is_behind_are_found(self) -> None:
        consumer = {"consumer": "host1:/etc/app.env", "version": 1, "outdated": True}
        made = report(
            credentials=(
                credential(
                    auth="jwt_bearer",
                    verification={"result": "failed", "cause": "not_approved"},
                    consumers=[consumer, {**consumer, "consumer": "host2:/etc/app.env", "outdated": False}],
                ),
            )
        )
        assert found(made) == [
            ("outdated_consumer", "acme-billing: host1:/etc/app.env"),
            ("refused_credential", "acme-billing"),
        ]


class TestOrgs:
    """Orgs that cannot be read, wholly or in part."""

    def test_an_org_that_cannot_be_read_is_a_row_and_holds_up_no_other(self) -> None:
        made = report({"name": "closed", "access": None, "msg": "unreachable"}, org())
        assert found(made) == [("unreadable", "closed")]
        (orgs,) = (table for table in make_tables(made) if table.name == "orgs")
        assert [(row[0], row[-2]) for row in orgs.rows] == [("closed", "unreachable"), ("acme", "")]

    def test_what_was_left_out_is_named_with_the_permission(self) -> None:
        omitted = [{"what": "audit trail", "problem": "refused", "permission": "View Setup and Configuration"}]
        (one,) = report(org(omitted=omitted)).findings
        assert one.rule == "permission" and one.text.endswith("is View Setup and Configuration")

    def test_a_session_setting_that_is_required_is_found(self) -> None:
        made = report(
            org(session_settings={"lockSessionsToIp": False}),
            policy={"session_setting": {"require": {"lockSessionsToIp": True, "sessionTimeout": "TwoHours"}}},
        )
        assert [one.text for one in made.findings] == [
            "the session setting lockSessionsToIp is False, and must be True",
            "the session setting sessionTimeout is not shown, and must be TwoHours",
        ]

    @pytest.mark.parametrize(
        "given",
        [{}, {"name": ""}, {"name": 3}, {**org(), "access": {"days": 1}}, {**org(), "access": "text"}],
        ids=lambda given: str(given)[:30],
    )
    def test_what_no_module_returned_is_refused(self, given: dict[str, Any]) -> None:
        with pytest.raises(OptionError, match="orgs"):
            read_org(given, "orgs")

    @pytest.mark.parametrize(
        "changed", [{"last": "yesterday"}, {"last": ""}, {"address": "nowhere"}, {"count": "3"}, {"application": None}]
    )
    def test_nor_is_a_login_of_another_form(self, changed: dict[str, Any]) -> None:
        with pytest.raises(OptionError, match=r"orgs\[3\]"):
            read_org(org(logins=[login(**changed)]), "orgs[3]")

    def test_nor_is_a_credential_whose_times_are_none(self) -> None:
        with pytest.raises(OptionError, match="credentials"):
            read_credential(credential(secret_since="long ago"), "credentials")


class TestPolicy:
    """Rules, their severity and their limits."""

    def test_a_rule_that_is_off_finds_nothing(self) -> None:
        ranges = [{"range": "10.0.0.0/8"}]
        made = report(org(trusted_ip_ranges=ranges), policy={"wide_range": "off", "private_range": False})
        assert made.findings == ()

    @pytest.mark.parametrize(
        ("policy", "problem"),
        [
            ({"wide_rnage": "off"}, "policy: there is no rule 'wide_rnage' (did you mean wide_range or "),
            ({"wide_range": "grave"}, "policy.wide_range.severity: must be one of error, warning, info, off"),
            ({"wide_range": {"ipv4_prefix": 33}}, "policy.wide_range.ipv4_prefix: must be a number from 0 to 32"),
            ({"wide_range": {"days": 3}}, "policy.wide_range.days: is no limit of this rule"),
            ({"password_login": {"after": "soon"}}, "policy.password_login.after: must be a day such as 2027-02-20"),
            ({"session_setting": {"require": {"lockSessionToIp": True}}}, "require.lockSessionToIp: is none of the"),
            ({"session_setting": {"require": []}}, "policy.session_setting.require: must be a dictionary"),
            ({"drift": 3}, "policy.drift: must be one of error, warning, info, off, or a dictionary"),
        ],
    )
    def test_what_cannot_be_a_rule_is_refused_by_name(self, policy: dict[str, Any], problem: str) -> None:
        with pytest.raises(OptionError, match=re.escape(problem)):
            read_policy(policy)

    def test_every_rule_says_what_it_is(self) -> None:
        assert all(rule.says for rule in RULES.values())


class TestChanges:
    """What changed since the last report, and who did it."""

    def test_ranges_are_compared_and_the_audit_trail_says_who(self) -> None:
        before = report(org(trusted_ip_ranges=[{"range": "20.0.0.0/24"}, {"range": "20.0.5.0/24"}]))
        row = {
            "when": "2026-11-24T07:59:00.000+0000",
            "who": "early@acme.example",
            "text": "x",
            "range": None,
            "added": None,
        }
        later = {"when": "2026-11-24T09:00:00.000+0000", "who": "ada@acme.example", "text": "y"}
        rows = [row, {**later, "range": "20.0.1.0/24", "added": True}, {**later, "range": None, "added": None}]
        made = report(
            org(trusted_ip_ranges=[{"range": "20.0.0.0/24"}, {"range": "20.0.1.0/24"}], range_changes=rows),
            before=before,
        )
        assert [(one.who, one.what) for one in made.changes] == [
            ("ada@acme.example", "trusted IP ranges: 20.0.1.0/24 added"),
            ("", "trusted IP ranges: 20.0.5.0/24 removed"),
            ("ada@acme.example", "y"),
        ]

    def test_what_was_hidden_did_not_change(self) -> None:
        shown: dict[str, Any] = {"trusted_ip_ranges": [{"range": "20.0.0.0/24"}], "profiles": [profile("20.0.0.0/24")]}
        before = report(org(**shown, logins=[login()], session_settings={"lockSessionsToIp": True}))
        omitted = [omission(what) for what in ("trusted IP ranges", "login IP ranges", "users", "session settings")]
        by_id = [login(username="005000000000001", profile="")]
        assert report(org(omitted=omitted, logins=by_id), before=before).changes == ()

    def test_first_logins_versions_and_settings_are_changes(self) -> None:
        before = report(
            org(logins=[login()], session_settings={"lockSessionsToIp": True}),
            credentials=(credential(), credential(name="old")),
        )
        made = report(
            org(logins=[login("20.9.9.9"), login(application="new")], session_settings={"lockSessionsToIp": False}),
            credentials=(credential(version=3), credential(name="new")),
            before=before,
        )
        assert [one.what for one in made.changes] == [
            f"first logins seen of {BILLING} by new (soap_login)",
            "session setting lockSessionsToIp: False, after True",
            "credential acme-billing has version 3, after 2",
            "credential new is new",
            "credential old is no longer stored",
        ]

    def test_a_finding_is_known_since_the_report_that_had_it_first(self) -> None:
        ranges: dict[str, Any] = {"trusted_ip_ranges": [{"range": "10.0.0.0/8"}]}
        first = report(org(**ranges), now=NOW - datetime.timedelta(days=9))
        second = report(org(**ranges), before=first)
        assert {one.since for one in second.findings} == {"2026-11-15"}
        assert {one.since for one in report(org(**ranges), before=report(org())).findings} == {"2026-11-24"}

    def test_an_org_that_cannot_be_read_for_a_while_loses_nothing(self) -> None:
        wide: dict[str, Any] = {"trusted_ip_ranges": [{"range": "20.0.0.0/8"}]}
        made = first = report(org(**wide), now=NOW - datetime.timedelta(days=9))
        for _day in range(2):
            made = report({"name": "acme", "msg": "the org does not answer"}, before=made)
            assert found(made) == [("unreadable", "acme")]
        made = report(org(trusted_ip_ranges=[*wide["trusted_ip_ranges"], {"range": "30.0.0.1"}]), before=made)
        assert [(one.rule, one.since) for one in made.findings] == [("wide_range", "2026-11-15")]
        assert first.findings[0].since == "2026-11-15"
        assert [one.what for one in made.changes] == ["trusted IP ranges: 30.0.0.1 added"]
        assert json.loads(to_json(made))["kept"] == {"orgs": [], "findings": []}

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "generated": "x"}', "[" * 10000])
    def test_a_file_that_is_no_report_is_refused(self, text: str) -> None:
        with pytest.raises(OptionError, match=r"report\.json"):
            read_previous(text, "report.json")


class TestHistory:
    """The rows of a login history, summed up."""

    def row(self, **changed: Any) -> dict[str, Any]:
        fields = {
            "UserId": "005x",
            "SourceIp": "20.0.0.7",
            "Application": "billing",
            "ApiVersion": "64.0",
            "LoginType": "OtherApi",
            "LoginSubType": "SoapApiLogin",
            "Status": "Success",
            "LoginTime": "2026-11-23T06:00:01.000+0000",
        }
        return {**fields, **changed}

    def test_successful_logins_count_by_source_and_by_day(self) -> None:
        rows = [self.row(), self.row(), self.row(Status="Invalid Password"), self.row(SourceIp="Salesforce.com IP")]
        history = read_history(iter([*rows, self.row(LoginType="Application")]), 100)
        assert [(source.way, count) for source, (count, _last) in history.sources.items()] == [
            ("soap_login", 2),
            ("browser", 1),
        ]
        assert history.by_day == {("2026-11-23", "soap_login"): 2, ("2026-11-23", "browser"): 1}
        assert history.complete

    @pytest.mark.parametrize("changed", [{"LoginTime": None}, {"LoginTime": "yesterday"}, {"LoginType": 7}])
    def test_what_is_no_row_is_refused_before_it_can_fail_a_report_on_many_orgs(self, changed: dict[str, Any]) -> None:
        with pytest.raises((ValueError, TypeError, AttributeError)):
            read_history(iter([self.row(**changed)]), 5)

    def test_a_number_where_a_text_should_be_is_a_text(self) -> None:
        (source,) = read_history(iter([self.row(Application=7, ApiVersion=64.0)]), 5).sources
        assert (source.application, source.api_version) == ("7", "64.0")

    def test_no_more_rows_are_read_than_allowed(self) -> None:
        def endless() -> Iterator[dict[str, Any]]:
            while True:
                yield self.row()

        history = read_history(endless(), 5)
        assert sum(history.by_day.values()) == 5 and not history.complete
        assert read_history(iter([self.row()] * 5), 5).complete


class TestDrawings:
    """What the page draws."""

    def test_each_end_that_is_known_has_words(self) -> None:
        assert {end.what for end in RETIREMENTS} == set(ENDS)

    def test_ranges_and_logins_share_the_part_of_the_address_space_that_they_lie_in(self) -> None:
        made = read_org(
            org(
                trusted_ip_ranges=[{"range": "20.0.128.0/24"}, {"range": "2001:db8::/48"}],
                logins=[login("20.0.192.0"), login("30.0.0.1", access="denied")],
            ),
            "orgs",
        )
        strips = make_strips(made)
        assert [strip["label"] for strip in strips] == ["20.0.128.0/17", "30.0.0.0/24", "2001:db8::/48"]
        assert (strips[0]["bars"][0]["from"], strips[0]["bars"][0]["to"]) == (0.0, 0.0078)
        assert strips[0]["ticks"] == [[0.5, "20.0.192.0", 1, 3, "allowed"]]
        assert strips[1]["ticks"][0][-1] == "denied"

    def test_a_range_wider_than_a_part_is_drawn_whole(self) -> None:
        made = read_org(org(trusted_ip_ranges=[{"range": "20.0.0.0/8"}], logins=[login("20.128.0.0")]), "orgs")
        (strip,) = make_strips(made)
        assert (strip["label"], strip["ticks"][0][0]) == ("20.0.0.0/8", 0.5)

    def test_parts_and_ticks_are_limited_and_no_login_is_lost(self) -> None:
        logins = [login(f"20.{number % 50 * 2}.{number // 50}.9") for number in range(10_000)]
        strips = make_strips(read_org(org(logins=logins), "orgs"))
        assert len(strips) == MAX_STRIPS == page_data(report(org(logins=logins)))["most_strips"]
        assert len(strips[0]["ticks"]) == MAX_TICKS and sum(tick[3] for tick in strips[0]["ticks"]) == 200 * 3

    def test_a_tick_shows_the_worst_of_what_is_met(self) -> None:
        logins = [login(access=access) for access in ("denied", "token_required", "unknown", "allowed")]
        (strip,) = make_strips(read_org(org(logins=logins), "orgs"))
        assert [tick[4] for tick in strip["ticks"]] == ["denied"]

    def test_the_timeline_has_what_ends_in_order(self) -> None:
        ranges = [{"range": "20.0.0.1", "description": "CI (expires 2026-12-09T10:00Z)"}]
        made = report(org(logins=[login()], trusted_ip_ranges=ranges), credentials=(credential(),))
        assert [(event["day"], event["what"]) for event in make_timeline(made)] == [
            ("2026-12-01", "login"),
            ("2026-12-09", "range"),
            ("2027-02-18", "secret"),
            ("2027-05-01", "login"),
        ]


class Reader(html.parser.HTMLParser):
    """The elements of a page and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


class TestPage:
    """One HTML file that needs nothing else."""

    def made(self, text: str = HOSTILE) -> Report:
        hostile = login(username=text, application=text, profile=text)
        return report(
            org(text, trusted_ip_ranges=[{"range": "20.0.0.0/24", "description": text[:100]}], logins=[hostile]),
            credentials=(credential(name=text),),
            title=text,
        )

    def test_a_hostile_name_adds_no_element_and_stays_what_it_is(self) -> None:
        plain, hostile = Reader(to_html(self.made("plain"))), Reader(to_html(self.made()))
        assert [tag for tag, _attributes in hostile.elements] == [tag for tag, _attributes in plain.elements]
        (data,) = (text for text in hostile.texts if text.startswith('{"generated"'))
        assert HOSTILE in json.loads(data)["strings"]

    def test_nothing_leads_out_of_it_and_its_policy_allows_its_own_script_alone(self) -> None:
        page = Reader(to_html(self.made("plain")))
        leads = {"src", "href", "action", "style"} & {name for _tag, attributes in page.elements for name in attributes}
        assert leads == {"href"}
        assert [attributes["href"] for _tag, attributes in page.elements if "href" in attributes] == ["data:,"]
        (policy,) = (
            attributes["content"] or ""
            for _tag, attributes in page.elements
            if attributes.get("http-equiv") == "Content-Security-Policy"
        )
        assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy

    def test_each_text_is_in_it_once_and_each_cell_leads_to_its_own(self) -> None:
        made = self.made("plain")
        data = json.loads(json.dumps(page_data(made)))
        assert len(data["strings"]) == len(set(data["strings"]))
        for table, encoded in zip(make_tables(made), data["tables"], strict=True):
            assert [
                tuple(
                    data["strings"][cell] if column.kind == "text" else cell
                    for cell, column in zip(row, table.columns, strict=True)
                )
                for row in encoded["rows"]
            ] == list(table.rows)

    def test_what_the_org_has_not_shown_is_not_said_to_be_open(self) -> None:
        def row(*hidden: str) -> tuple[Any, ...]:
            made = report(org(profiles=[profile()], omitted=[omission(what) for what in hidden]))
            return next(table.rows[0] for table in make_tables(made) if table.name == "profiles")

        assert row()[3:] == (BILLING, "anywhere; by password, with the token where not trusted")
        assert row("users", "login IP ranges")[3:] == ("not shown", "not shown")

    def test_every_row_has_a_cell_of_its_kind_for_each_column(self) -> None:
        for table in make_tables(self.made()):
            for row in table.rows:
                kinds = ["number" if isinstance(cell, int) else "text" for cell in row]
                assert kinds == [column.kind for column in table.columns], table.name


class TestText:
    """CSV and the short text."""

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " =", "\uff1d", "\x00=", "\ufeff\xa0="])
    def test_no_cell_of_a_csv_file_is_a_formula(self, start: str) -> None:
        name = f"{start}HYPERLINK(1)"
        (table,) = (one for one in make_tables(report(org(logins=[login(application=name)]))) if one.name == "logins")
        _headings, row = csv.reader(io.StringIO(to_csv(table)))
        assert row[3] == f"'{name}"

    def test_nor_is_what_another_separator_makes_a_cell(self) -> None:
        (table,) = (
            one for one in make_tables(report(org(logins=[login(application="a;=1\n@b")]))) if one.name == "logins"
        )
        _headings, row = csv.reader(io.StringIO(to_csv(table)))
        assert row[3] == "a;'=1\n'@b"

    def test_a_csv_file_has_the_rows_of_its_table(self) -> None:
        for table in make_tables(report(org(logins=[login(application='a "b", c\nd')]))):
            rows = list(csv.reader(io.StringIO(to_csv(table))))
            assert rows == [
                [column.title for column in table.columns],
                *([str(cell) for cell in row] for row in table.rows),
            ]

    def test_the_text_says_what_matters_most_in_single_lines(self) -> None:
        expires = {"range": "20.0.0.1", "description": "CI (expires 2026-12-20T10:00Z)"}
        hostile = {**profile(label="a\x1b\u202e\ud800"), "login_ip_ranges": [expires]}
        acme = org(logins=[login()], profiles=[hostile])
        made = report({"name": "closed\nx", "msg": "no"}, acme, title="Weekly")
        text = to_text(made)
        assert text.splitlines()[0] == "Weekly, 2026-11-24T08:00:00Z: 2 orgs, 0 credentials"
        assert "Could not be read: closed\\u000ax" in text.splitlines()
        assert r"- 2026-12-20: acme: login IP ranges of a\u001b\u202e\ud800: 20.0.0.1 expires" in text.splitlines()
        assert "- 2027-05-01: SOAP login ends: 1 user (the day is assumed)" in text.splitlines()

    def test_a_name_that_is_no_unicode_holds_up_no_file(self, tmp_path: Path) -> None:
        given = org(logins=[login(application="half \ud800")])
        options = {"dest": str(tmp_path), "orgs": {"acme": given}, "declared": {}, "credentials": [], "policy": {}}
        task: Any = SimpleNamespace(check_mode=False)
        access_report.run({**options, "shared_ranges": [], "title": "Report"}, task)
        assert r"half \ud800" in (tmp_path / "logins.csv").read_text()
