# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a login failed: from a code, an OAuth error, and what an administrator finds in the org."""

from __future__ import annotations

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.access.rules import Access
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.causes import (
    ADVICE,
    BY_ADDRESS,
    CAUSES,
    NOT_ACCEPTED,
    SAME_EVERYWHERE,
    SAME_FROM_HERE,
    SECRET_REJECTED,
    UNCERTAIN,
    cause,
    cause_of_code,
    cause_of_oauth_error,
    cause_of_status,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.protocol import own_row
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import parse_range
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.verification.evidence import (
    Evidence,
    weigh,
)

DOCUMENTED = set(
    [
        "ok",
        "bad_password",
        "stale_token",
        "token_required_here",
        "invalid_credentials",
        "user_locked",
        "password_expired",
        "ip_denied",
        "hours_denied",
        "soap_login_disabled",
        "api_version_too_new",
        "flow_blocked",
        "not_approved",
        "rate_limited",
        "api_disabled",
        "unreachable",
        "tls_untrusted",
    ]
)
REFUSED = cause("invalid_credentials")


def test_there_is_one_sentence_of_advice_for_each_documented_cause() -> None:
    assert set(ADVICE) == DOCUMENTED
    assert set(CAUSES.values()) <= DOCUMENTED
    for causes in (SECRET_REJECTED, SAME_EVERYWHERE, SAME_FROM_HERE, NOT_ACCEPTED, BY_ADDRESS, tuple(UNCERTAIN)):
        assert set(causes) <= DOCUMENTED
    assert not [text for text in ADVICE.values() if text.endswith(".") or ". " in text.replace(" > ", "")]


@pytest.mark.parametrize(
    ("code", "text", "cause"),
    [
        ("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.", "invalid_credentials"),
        ("INVALID_LOGIN", "Login Rate Exceeded", "rate_limited"),
        ("LOGIN_MUST_USE_SECURITY_TOKEN", "", "token_required_here"),
        ("LOGIN_DURING_RESTRICTED_DOMAIN", "cannot log in from current domain", "ip_denied"),
        ("LOGIN_DURING_RESTRICTED_TIME", "", "hours_denied"),
        ("INVALID_OPERATION", "SOAP API login is disabled by default in this org.", "soap_login_disabled"),
        ("INVALID_OPERATION", "SOAP API login() is disabled by default in this org. Contact", "soap_login_disabled"),
        (
            "INVALID_OPERATION",
            "The SOAP Login operation is not available in the API version specified (65.0). Refer to",
            "api_version_too_new",
        ),
        ("INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "", "password_expired"),
        ("UNSUPPORTED_API_VERSION", "", "api_version_too_new"),
        ("INSUFFICIENT_ACCESS", "", "not_approved"),
    ],
)
def test_a_fault_code_has_its_cause(code: str, text: str, cause: str) -> None:
    found = cause_of_code(code, text)
    assert found is not None and found.code == cause


def test_a_code_that_is_not_about_logins_is_left_to_the_caller() -> None:
    assert cause_of_code("MALFORMED_QUERY") is None


@pytest.mark.parametrize(
    ("error", "description", "cause"),
    [
        ("invalid_grant", "authentication failure", "invalid_credentials"),
        ("invalid_grant", "authentication failure - Invalid Password", "bad_password"),
        ("invalid_grant", "authentication failure - Failed: API security token required", "stale_token"),
        ("invalid_grant", "ip restricted", "ip_denied"),
        ("invalid_grant", "ip restricted or invalid login hours", "ip_denied"),
        ("invalid_grant", "user hasn't approved this consumer", "not_approved"),
        ("invalid_grant", "Audience validation failed", "flow_blocked"),
        ("invalid_grant", "request not supported on this domain", "flow_blocked"),
        ("invalid_grant", "no client credentials user enabled", "not_approved"),
        ("invalid_grant", "app_not_found", "flow_blocked"),
        ("invalid_grant", "External client app is not installed in this org", "flow_blocked"),
        ("invalid_client", "External client app is not installed in this org", "flow_blocked"),
        (
            "invalid_request",
            "refresh_token scope is required and the connected app should be installed and preauthorized",
            "not_approved",
        ),
        ("invalid_grant", "something nobody has seen", "invalid_credentials"),
        ("invalid_client_id", "client identifier invalid", "invalid_credentials"),
        ("invalid_app_access", "user is not admin approved to access this app", "not_approved"),
        ("inactive_user", "user is inactive", "user_locked"),
        ("rate_limit_exceeded", "number of logins exceeded", "rate_limited"),
        ("unsupported_grant_type", "", "flow_blocked"),
        ("INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "", "password_expired"),
    ],
)
def test_an_error_of_the_token_endpoint_has_its_cause(error: str, description: str, cause: str) -> None:
    found = cause_of_oauth_error(error, description)
    assert found is not None and found.code == cause


@pytest.mark.parametrize(
    ("error", "description", "words"),
    [
        ("invalid_grant", "user hasn't approved this consumer", "assign the user the permission set"),
        ("invalid_app_access", "user is not admin approved to access this app", "assign the user the permission set"),
        ("invalid_request", "refresh_token scope is required and", "scope refresh_token"),
        ("invalid_grant", "app_not_found", "My Domain"),
    ],
)
def test_the_advice_names_what_to_change(error: str, description: str, words: str) -> None:
    found = cause_of_oauth_error(error, description)
    assert found is not None and words in found.advice


def test_an_unknown_oauth_error_is_left_to_the_caller() -> None:
    assert cause_of_oauth_error("brand_new_error") is None


class TestLoginHistory:
    """What the history says, in the light of what was sent."""

    @pytest.mark.parametrize(
        ("status", "cause"),
        [
            ("Restricted IP", "ip_denied"),
            ("restricted ip", "ip_denied"),
            ("Failed: IP Restricted", "ip_denied"),
            ("Username-Password Flow Disabled", "flow_blocked"),
            ("Restricted time", "hours_denied"),
            ("Password lockout", "user_locked"),
            ("User is frozen", "user_locked"),
            ("Login rate exceeded", "rate_limited"),
            ("Restricted domain", "flow_blocked"),
            ("Multi-factor (formerly two-factor) required", "flow_blocked"),
        ],
    )
    def test_a_status_has_its_cause_whatever_its_capitals(self, status: str, cause: str) -> None:
        found = cause_of_status(status, token_sent=True)
        assert found is not None and found.code == cause

    def test_a_wrong_password_without_a_token_is_the_password(self) -> None:
        found = cause_of_status("Invalid Password", token_sent=False)
        assert found is not None and found == cause("bad_password")

    def test_with_a_token_it_may_be_either_and_says_so(self) -> None:
        found = cause_of_status("Invalid password", token_sent=True)
        assert found is not None and found.code == "bad_password" and "may also stand for" in found.advice

    def test_the_password_that_worked_and_is_unchanged_leaves_only_the_token(self) -> None:
        found = cause_of_status("Invalid password", token_sent=True, password_changed=False)
        assert found is not None and found.code == "stale_token"

    def test_a_password_changed_since_ended_the_token_too(self) -> None:
        found = cause_of_status("Invalid password", token_sent=True, password_changed=True)
        assert found is not None and found.code == "bad_password" and "token, too" in found.advice

    @pytest.mark.parametrize(("sent", "cause"), [(True, "stale_token"), (False, "token_required_here")])
    def test_a_token_asked_for_is_stale_if_one_was_sent(self, sent: bool, cause: str) -> None:
        found = cause_of_status("Failed: API security token required", token_sent=sent)
        assert found is not None and found.code == cause


class TestDiagnosis:
    """A refusal and the evidence put together."""

    def test_without_a_row_the_refusal_stands(self) -> None:
        assert weigh(REFUSED, Evidence(token_sent=True)) == REFUSED

    def test_a_status_that_nobody_knows_leaves_the_refusal(self) -> None:
        assert weigh(REFUSED, Evidence(token_sent=True, status="Something new")) == REFUSED

    def test_a_refusal_that_says_why_is_believed_as_the_row_may_be_of_another_login(self) -> None:
        refused = cause("api_disabled")
        assert weigh(refused, Evidence(token_sent=True, status="Invalid password")) == refused

    def test_one_text_of_oauth_for_address_and_hours_is_told_apart_by_the_history(self) -> None:
        refused = cause("ip_denied")
        found = weigh(refused, Evidence(token_sent=False, status="Restricted time", address="198.51.100.7"))
        assert found == cause("hours_denied")
        assert weigh(refused, Evidence(token_sent=False, status="Invalid password")) == refused

    def test_a_user_that_is_not_there_is_told(self) -> None:
        found = weigh(REFUSED, Evidence(token_sent=True, user_known=False))
        assert found.code == "invalid_credentials" and "no such user" in found.advice

    def test_a_denied_address_is_named_with_the_ranges_that_deny_it(self) -> None:
        decision = Access([parse_range("203.0.113.7")], ()).login("198.51.100.7")
        found = weigh(REFUSED, Evidence(True, status="Restricted IP", address="198.51.100.7", decision=decision))
        assert found.code == "ip_denied"
        assert "198.51.100.7 (in none of the profile's login IP ranges)" in found.advice

    def test_ranges_that_would_let_it_in_explain_nothing(self) -> None:
        decision = Access((), [parse_range("198.51.100.0/24")]).login("198.51.100.7")
        found = weigh(REFUSED, Evidence(True, status="Restricted IP", address="198.51.100.7", decision=decision))
        assert found.advice.endswith("Salesforce saw the address 198.51.100.7")


class TestOwnRow:
    """Which of many logins was this one."""

    def rows(self, *pairs: tuple[str, int]) -> list[dict[str, str]]:
        return [
            {"SourceIp": address, "LoginTime": f"2026-11-24T21:{minute:02}:00.000+0000"} for address, minute in pairs
        ]

    def test_the_one_from_the_address_that_sent_it(self) -> None:
        rows = self.rows(("192.0.2.1", 9), ("192.0.2.2", 9))
        assert own_row(rows, "192.0.2.2") == rows[1]

    def test_the_newest_where_addresses_are_translated(self) -> None:
        rows = self.rows(("192.0.2.1", 9), ("192.0.2.2", 5))
        assert own_row(rows, "10.0.0.7") == rows[0]

    def test_none_where_others_came_from_elsewhere_at_the_same_time(self) -> None:
        assert own_row(self.rows(("192.0.2.1", 9), ("192.0.2.2", 9)), "10.0.0.7") is None
        assert own_row([], None) is None
