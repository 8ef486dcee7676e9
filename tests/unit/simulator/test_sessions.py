# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions: how long they hold, for whom, and what is said when they do not."""

from __future__ import annotations

import pytest

from .wire import Wire


def test_idle_expiry_slides(wire: Wire) -> None:
    session = wire.login().session
    for _unused in range(3):
        wire.commands.advance(7200)
        assert wire.read(session).ok
    wire.commands.advance(7201)
    assert wire.read(session).code == "INVALID_SESSION_ID"


def test_the_orgs_timeout_counts(wire: Wire) -> None:
    wire.commands.set_org(session_settings={"sessionTimeout": "FifteenMinutes"})
    answer = wire.login()
    assert answer.text("sessionSecondsValid") == "900"
    wire.commands.advance(901)
    assert not wire.read(answer.session).ok


def test_an_expired_session_in_soap_and_rest_form(wire: Wire) -> None:
    session = wire.login().session
    wire.commands.end_sessions()
    soap = wire.read(session)
    assert (soap.status, soap.text("faultcode")) == (500, "sf:INVALID_SESSION_ID")
    assert soap.text("exceptionMessage") == "Invalid Session ID found in SessionHeader: Illegal Session"
    rest = wire.query(session, "SELECT Id FROM User")
    assert rest.status == 401
    assert rest.json == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def test_the_longer_text_of_an_illegal_session(wire: Wire) -> None:
    session = wire.login().session
    wire.commands.end_sessions()
    wire.commands.set_switches(invalid_session_text="long")
    text = wire.read(session).text("exceptionMessage") or ""
    assert ". Session not found, missing session hash: " in text
    assert session not in text


@pytest.mark.parametrize("session", ["", "nonsense", "00D000000000000!AQ"])
def test_sessions_that_never_were(wire: Wire, session: str) -> None:
    assert wire.read(session).code == "INVALID_SESSION_ID"


def test_logout_ends_the_session(wire: Wire) -> None:
    session = wire.login().session
    assert wire.call(session, "<logout/>", service="u").ok
    assert wire.read(session).code == "INVALID_SESSION_ID"


@pytest.mark.parametrize("shared", [False, True])
def test_logins_of_one_user_may_share_a_session(wire: Wire, shared: bool) -> None:
    wire.commands.set_switches(share_sessions=shared)
    first, second = wire.login().session, wire.login().session
    assert (first == second) is shared
    wire.call(first, "<logout/>", service="u")
    assert wire.read(second).ok is not shared


def test_a_session_locked_to_its_address(wire: Wire) -> None:
    wire.commands.set_org(session_settings={"lockSessionsToIp": True})
    session = wire.login(peer="198.51.100.1").session
    assert wire.read(session, peer="198.51.100.1").ok
    assert wire.read(session, peer="198.51.100.2").code == "INVALID_SESSION_ID"
    assert wire.read(session, peer="198.51.100.1").ok


@pytest.mark.parametrize("code", ["INVALID_SESSION_ID", "LOGIN_DURING_RESTRICTED_DOMAIN"])
def test_profile_ranges_on_every_request(wire: Wire, code: str) -> None:
    wire.commands.set_switches(enforced_range_code=code)
    session = wire.login(peer="198.51.100.1").session
    wire.commands.set_profile("Admin", login_ip_ranges=["192.0.2.0/24"])
    assert wire.read(session, peer="198.51.100.1").ok, "only login is checked by default"
    wire.commands.set_org(session_settings={"enforceIpRangesEveryRequest": True})
    assert wire.read(session, peer="198.51.100.1").code == code
    assert wire.read(session, peer="192.0.2.1").ok


def test_a_deactivated_user_loses_the_session(wire: Wire) -> None:
    session = wire.login().session
    wire.commands.set_user(wire.admin.username, active=False)
    assert wire.read(session).code == "INVALID_SESSION_ID"


def test_with_an_expired_password_only_the_password_can_be_set(wire: Wire) -> None:
    wire.commands.set_user(wire.admin.username, password_expired=True)
    session = wire.login().session
    assert wire.read(session).code == "INVALID_OPERATION_WITH_EXPIRED_PASSWORD"
    assert wire.call(session, "<getUserInfo/>", service="u").code == "INVALID_OPERATION_WITH_EXPIRED_PASSWORD"
    rest = wire.query(session, "SELECT Id FROM User")
    assert (rest.status, rest.error) == (403, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD")
    change = (
        f"<changeOwnPassword><oldPassword>{wire.admin.password}</oldPassword>"
        "<newPassword>Brand-New9</newPassword></changeOwnPassword>"
    )
    assert wire.call(session, change, service="u").ok
    assert wire.read(session).ok


def test_one_orgs_session_does_not_read_another(wire: Wire) -> None:
    wire.commands.add_org(
        "other", trusted_ranges=["192.0.2.0/24"], users=[{"username": "o@other.example", "password": "Other-Pass1"}]
    )
    session = wire.login("Other-Pass1", username="o@other.example", peer="192.0.2.1").session
    assert wire.read(session).texts("start") == ["192.0.2.0"]
    assert wire.read(wire.login().session).texts("start") == []


def test_get_user_info(wire: Wire) -> None:
    answer = wire.call(wire.login().session, "<getUserInfo/>", service="u")
    assert answer.text("userName") == wire.admin.username
