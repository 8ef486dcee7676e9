# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Login: what is checked, in which order, and what caller and LoginHistory are told."""

from __future__ import annotations

import pytest

from tests.simulated_org import policy

from .wire import OUTSIDE, Wire

TRUSTED = "198.51.100.7"


def test_password_and_token_open_a_session(wire: Wire) -> None:
    answer = wire.login()
    assert answer.status == 200
    assert answer.session.startswith(wire.commands.org()["id"][:15] + "!AQ")
    assert answer.text("passwordExpired") == "false"
    assert answer.text("userName") == wire.admin.username
    assert wire.statuses() == ["Success"]


def test_the_server_urls_name_instance_version_and_org(wire: Wire) -> None:
    wire.commands.set_org(instance_url="https://alpha.example:8443")
    organization = wire.commands.org()["id"][:15]
    answer = wire.login(version="61.0")
    assert answer.text("serverUrl") == f"https://alpha.example:8443/services/Soap/u/61.0/{organization}"
    assert answer.text("metadataServerUrl") == f"https://alpha.example:8443/services/Soap/m/61.0/{organization}"


def test_user_names_ignore_case_and_tokens_do_not(wire: Wire) -> None:
    assert wire.login(username=wire.admin.username.upper()).ok
    assert wire.login(wire.admin.password + wire.admin.security_token.swapcase()).code == "INVALID_LOGIN"


def test_without_a_token_from_outside_the_fault_says_so(wire: Wire) -> None:
    answer = wire.login(wire.admin.password)
    assert answer.status == 500
    assert answer.code == "LOGIN_MUST_USE_SECURITY_TOKEN"
    assert answer.text("exceptionMessage") == policy.TOKEN_NEEDED
    assert wire.statuses() == ["Failed: API security token required"]


@pytest.mark.parametrize("secret", ["nonsense", "Correct-Horse1wrongtoken", "Correct-Horse", ""])
def test_wrong_password_and_wrong_token_look_the_same(wire: Wire, secret: str) -> None:
    answer = wire.login(secret)
    assert answer.code == "INVALID_LOGIN"
    assert answer.text("exceptionMessage") == policy.INVALID
    assert wire.statuses() == ["Invalid password"]


@pytest.mark.parametrize("status", ["Invalid password", "Failed: API security token required"])
def test_how_the_history_calls_a_wrong_token(wire: Wire, status: str) -> None:
    wire.commands.set_switches(wrong_token_status=status)
    wire.login(wire.admin.password + "wrong")
    wire.login("nonsense")
    assert wire.statuses() == [status, "Invalid password"]


def test_an_unknown_user_gets_the_same_answer_and_leaves_no_row(wire: Wire) -> None:
    assert wire.login(username="nobody@simulated.example").code == "INVALID_LOGIN"
    assert wire.statuses() == []


def test_from_a_trusted_range_no_token_is_needed(wire: Wire) -> None:
    wire.commands.set_org(trusted_ranges=["198.51.100.0/24"])
    assert wire.login(wire.admin.password, peer=TRUSTED).ok
    assert wire.login(wire.admin.password, peer=OUTSIDE).code == "LOGIN_MUST_USE_SECURITY_TOKEN"


@pytest.mark.parametrize(("switch", "code"), [("accepted", None), ("refused", "INVALID_LOGIN")])
def test_a_token_where_none_is_needed(wire: Wire, switch: str, code: str | None) -> None:
    wire.commands.set_org(trusted_ranges=["198.51.100.0/24"], switches={"token_from_trusted": switch})
    assert wire.login(peer=TRUSTED).code == code


def test_profile_ranges_deny_outside_and_trust_inside(wire: Wire) -> None:
    wire.commands.set_profile("Admin", login_ip_ranges=["198.51.100.0/24"])
    assert wire.login(wire.admin.password, peer=TRUSTED).ok
    answer = wire.login(peer=OUTSIDE)
    assert (answer.code, answer.text("exceptionMessage")) == (
        "LOGIN_DURING_RESTRICTED_DOMAIN",
        "cannot log in from current domain",
    )
    assert wire.statuses() == ["Success", "Restricted IP"]


def test_trusted_ranges_do_not_help_outside_the_profiles_ranges(wire: Wire) -> None:
    wire.commands.set_profile("Admin", login_ip_ranges=["192.0.2.0/24"])
    wire.commands.set_org(trusted_ranges=["198.51.100.0/24"])
    assert wire.login(peer=TRUSTED).code == "LOGIN_DURING_RESTRICTED_DOMAIN"


@pytest.mark.parametrize(
    ("switch", "code"),
    [("before_credentials", "LOGIN_DURING_RESTRICTED_DOMAIN"), ("after_credentials", "INVALID_LOGIN")],
)
def test_whether_the_address_is_checked_before_the_password(wire: Wire, switch: str, code: str) -> None:
    wire.commands.set_profile("Admin", login_ip_ranges=["192.0.2.0/24"])
    wire.commands.set_switches(range_check=switch)
    assert wire.login("nonsense").code == code


def test_login_hours(wire: Wire) -> None:
    wire.commands.set_profile("Admin", login_hours={day: [480, 1080] for day in range(7)})
    wire.commands.set_clock("2026-11-24T17:59:00+00:00", frozen=True)
    assert wire.login().ok
    wire.commands.advance(60)
    assert wire.login().code == "LOGIN_DURING_RESTRICTED_TIME"
    assert wire.statuses()[-1] == "Restricted time"


def test_wrong_tokens_lead_to_lockout_which_passes(wire: Wire) -> None:
    wire.commands.set_org(password_policies={"maxLoginAttempts": "ThreeAttempts"})
    for _unused in range(3):
        assert wire.login(wire.admin.password + "wrong").code == "INVALID_LOGIN"
    assert wire.login().code == "INVALID_LOGIN"
    assert wire.statuses()[-1] == "Password lockout"
    wire.commands.advance(15 * 60 - 1)
    assert not wire.login().ok
    wire.commands.advance(1)
    assert wire.login().ok


def test_a_lockout_forever_needs_an_administrator(wire: Wire) -> None:
    wire.commands.set_org(password_policies={"maxLoginAttempts": "ThreeAttempts", "lockoutInterval": "Forever"})
    for _unused in range(3):
        wire.login("nonsense")
    wire.commands.advance(365 * 86400)
    assert not wire.login().ok
    wire.commands.unlock(wire.admin.username)
    assert wire.commands.user(wire.admin.username)["locked"] is False
    assert wire.login().text("sessionId")


def test_a_success_forgives_earlier_failures(wire: Wire) -> None:
    wire.commands.set_org(password_policies={"maxLoginAttempts": "ThreeAttempts"})
    for secret in ("bad", "bad", None, "bad", "bad", None):
        answer = wire.login(secret)
    assert answer.ok


def test_no_limit_of_attempts(wire: Wire) -> None:
    wire.commands.set_org(password_policies={"maxLoginAttempts": "NoLimit"})
    for _unused in range(20):
        wire.login("bad")
    assert wire.login().ok


@pytest.mark.parametrize("counts", [False, True])
def test_whether_a_missing_token_counts_towards_lockout(wire: Wire, counts: bool) -> None:
    wire.commands.set_org(password_policies={"maxLoginAttempts": "ThreeAttempts"})
    wire.commands.set_switches(missing_token_counts=counts)
    for _unused in range(3):
        wire.login(wire.admin.password)
    assert wire.login().ok is not counts


def test_a_locked_user_may_be_told_so(wire: Wire) -> None:
    wire.commands.set_org(password_policies={"maxLoginAttempts": "ThreeAttempts"})
    wire.commands.set_switches(lockout_code="PASSWORD_LOCKOUT")
    for _unused in range(3):
        wire.login("bad")
    assert wire.login().code == "PASSWORD_LOCKOUT"


@pytest.mark.parametrize(
    ("fields", "status"), [({"active": False}, "User is inactive"), ({"frozen": True}, "User is frozen")]
)
def test_inactive_and_frozen_users(wire: Wire, fields: dict[str, bool], status: str) -> None:
    wire.commands.set_user(wire.admin.username, **fields)
    assert wire.login().code == "INVALID_LOGIN"
    assert wire.statuses() == [status]


def test_a_locked_org(wire: Wire) -> None:
    wire.commands.set_org(locked=True)
    assert wire.login().code == "ORG_LOCKED"
    assert wire.statuses() == ["Organization locked"]


@pytest.mark.parametrize(("check", "code"), [("first", "INVALID_OPERATION"), ("last", "INVALID_LOGIN")])
def test_soap_login_off(wire: Wire, check: str, code: str) -> None:
    wire.commands.set_org(soap_login_enabled=False, switches={"soap_login_off_check": check})
    assert wire.login().code == "INVALID_OPERATION"
    assert wire.login("nonsense").code == code


@pytest.mark.parametrize("words", ["SOAP API login", "SOAP API login()"])
def test_both_wordings_of_soap_login_that_is_off(wire: Wire, words: str) -> None:
    wire.commands.set_org(soap_login_enabled=False, switches={"soap_login_off_text": words})
    text = f"{words} is disabled by default in this org. Contact the org administrator to enable {words}."
    assert wire.login().text("exceptionMessage") == text


@pytest.mark.parametrize("switch", ["INVALID_OPERATION", "UNSUPPORTED_API_VERSION"])
def test_version_65_has_no_login(wire: Wire, switch: str) -> None:
    wire.commands.set_switches(login_v65=switch)
    assert wire.login(version="64.0").ok
    answer = wire.login(version="65.0")
    assert answer.code == switch
    assert answer.text("exceptionMessage") == (
        "The SOAP Login operation is not available in the API version specified (65.0). "
        "Refer to the documentation for supported versions."
    )
    assert wire.login(version="68.0").code == switch


@pytest.mark.parametrize("status", ["Restricted IP", "Failed: IP Restricted"])
def test_both_statuses_of_a_refused_address(wire: Wire, status: str) -> None:
    wire.commands.set_switches(restricted_ip_status=status)
    wire.commands.set_profile("Admin", login_ip_ranges=["192.0.2.0/24"])
    assert wire.login().code == "LOGIN_DURING_RESTRICTED_DOMAIN"
    assert wire.statuses() == [status]


def test_without_api_enabled(wire: Wire) -> None:
    wire.commands.add_user("plain@simulated.example", "Plain-Pony9", profile="Standard", security_token="t0ken")
    wire.commands.set_profile("Standard", permissions=["UseAnyApiAuth"])
    assert wire.login("Plain-Pony9t0ken", username="plain@simulated.example").code == "API_DISABLED_FOR_ORG"


@pytest.mark.parametrize(("required", "code"), [(True, "INSUFFICIENT_ACCESS"), (False, None)])
def test_use_any_api_auth(wire: Wire, required: bool, code: str | None) -> None:
    wire.commands.set_switches(require_use_any_api_auth=required)
    wire.commands.set_profile("Admin", permissions=["ApiEnabled"])
    assert wire.login().code == code


def test_mfa_for_api_logins_refuses_the_token_and_takes_a_code(wire: Wire) -> None:
    wire.commands.set_user(wire.admin.username, permissions=["TwoFactorApi"], totp="123456")
    assert wire.login().code == "INVALID_LOGIN"
    assert wire.login(wire.admin.password + "123456").ok


@pytest.mark.parametrize("code", ["INVALID_LOGIN", "REQUEST_LIMIT_EXCEEDED"])
def test_the_login_rate_blocks_for_an_hour(wire: Wire, code: str) -> None:
    wire.commands.set_switches(login_rate=5, rate_limit_code=code)
    assert all(wire.login().ok for _unused in range(5))
    assert wire.login().code == code
    assert wire.statuses()[-1] == "Login rate exceeded"
    wire.commands.advance(3599)
    assert wire.login().code == code
    wire.commands.advance(1)
    assert wire.login().ok


def test_an_expired_password_opens_a_restricted_session(wire: Wire) -> None:
    wire.commands.advance(91 * 86400)
    answer = wire.login()
    assert answer.ok
    assert answer.text("passwordExpired") == "true"


def test_a_policy_without_expiration(wire: Wire) -> None:
    wire.commands.set_org(password_policies={"expiration": "Never"})
    wire.commands.advance(9999 * 86400)
    assert wire.login().text("passwordExpired") == "false"


def test_the_enterprise_service_has_its_own_namespaces(wire: Wire) -> None:
    answer = wire.login(service="c")
    assert answer.payload.tag == "{urn:enterprise.soap.sforce.com}loginResponse"
    assert "/services/Soap/c/" in (answer.text("serverUrl") or "")
    fault = wire.login("bad", service="c")
    assert fault.root.find(".//{urn:fault.enterprise.soap.sforce.com}exceptionCode") is not None
    assert wire.commands.login_history()[-1]["api_type"] == "SOAP Enterprise"


def test_partner_and_enterprise_are_not_interchangeable(wire: Wire) -> None:
    answer = wire.envelope("/services/Soap/u/64.0", '<login xmlns="urn:enterprise.soap.sforce.com"/>')
    assert answer.text("faultcode") == "soapenv:Client"


@pytest.mark.parametrize(("switch", "expected"), [("prefixed", "sf:INVALID_LOGIN"), ("bare", "INVALID_LOGIN")])
def test_the_faultcode_comes_prefixed_or_bare(wire: Wire, switch: str, expected: str) -> None:
    wire.commands.set_switches(faultcode=switch)
    assert wire.login("bad").text("faultcode") == expected


def test_secrets_are_escaped_on_the_wire(wire: Wire) -> None:
    wire.commands.set_user(wire.admin.username, password="<Fish & Ch1ps>")
    assert wire.login(wire.sim.admin.login_password).ok


def test_login_history_says_who_came_from_where_with_what(wire: Wire) -> None:
    wire.login(client="gatehouse/1.0", peer="198.51.100.77", version="59.0")
    row = wire.commands.login_history()[0]
    assert row["source_ip"] == "198.51.100.77"
    assert (row["application"], row["api_type"], row["api_version"]) == ("gatehouse/1.0", "SOAP Partner", "59.0")
    assert row["user_id"] == wire.commands.user(wire.admin.username)["id"]


def test_the_capitals_of_a_status_vary(wire: Wire) -> None:
    wire.commands.set_switches(status_case="title")
    wire.login("bad")
    assert wire.statuses() == ["Invalid Password"]


def test_users_of_many_orgs_meet_at_one_login(wire: Wire) -> None:
    for number in range(50):
        wire.commands.add_org(
            f"org{number}",
            users=[{"username": f"u{number}@many.example", "password": "Same-Pass1", "security_token": f"tok{number}"}],
        )
    seen = {wire.login(f"Same-Pass1tok{n}", username=f"u{n}@many.example").text("organizationId") for n in range(50)}
    assert len(seen) == 50
    assert wire.login("Same-Pass1tok1", username="u2@many.example").code == "INVALID_LOGIN"


@pytest.mark.parametrize("code", ["INVALID_LOGIN", "LOGIN_DURING_RESTRICTED_DOMAIN"])
def test_only_through_the_orgs_own_host(wire: Wire, code: str) -> None:
    wire.commands.set_switches(wrong_host_code=code)
    wire.commands.set_org(own_host_only=True, instance_url="https://alpha.example")
    assert wire.login().code == code
    assert wire.statuses() == ["Restricted domain"]
    wire.commands.set_org(instance_url="https://login.example")
    assert wire.login().ok


def test_a_sandbox_is_not_known_at_the_login_host(wire: Wire) -> None:
    wire.commands.set_org(hosts=["test.example"])
    assert wire.login().code == "INVALID_LOGIN"
    assert wire.statuses() == []
    wire.commands.set_org(hosts=["login.example"])
    assert wire.login().ok
