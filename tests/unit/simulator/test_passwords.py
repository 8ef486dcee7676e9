# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password resource, the SOAP password calls, and what becomes of the token."""

from __future__ import annotations

import json

import pytest

from .wire import RestAnswer, Wire

OTHER = "other@simulated.example"


@pytest.fixture
def session(wire: Wire) -> str:
    wire.commands.add_user(OTHER, "Other-Pass1", security_token="OtherToken", profile="Standard")
    return wire.login().session


def resource(wire: Wire, session: str, method: str, username: str = OTHER, password: str = "") -> RestAnswer:
    path = f"sobjects/User/{wire.commands.user(username)['id']}/password"
    return wire.rest(session, path, method=method, body=json.dumps({"NewPassword": password}) if password else "")


def test_get_tells_whether_it_has_expired(wire: Wire, session: str) -> None:
    assert resource(wire, session, "GET").json == {"isExpired": False}
    wire.commands.set_user(OTHER, password_expired=True)
    assert resource(wire, session, "GET").json == {"isExpired": True}
    assert resource(wire, session, "HEAD").status == 200


def test_post_sets_it(wire: Wire, session: str) -> None:
    answer = resource(wire, session, "POST", password="Brand-New9")
    assert (answer.status, answer.response.body) == (204, b"")
    token = wire.commands.user(OTHER)["security_token"]
    assert wire.login("Brand-New9" + token, username=OTHER).ok


@pytest.mark.parametrize("kills", [True, False])
def test_whether_setting_it_kills_the_token(wire: Wire, session: str, kills: bool) -> None:
    wire.commands.set_switches(set_password_kills_token=kills)
    resource(wire, session, "POST", password="Brand-New9")
    assert wire.login("Brand-New9OtherToken", username=OTHER).ok is not kills


@pytest.mark.parametrize(
    ("switch", "was_reset", "mails"),
    [("after_first_reset", True, 1), ("after_first_reset", False, 0), ("always", False, 1), ("never", True, 0)],
)
def test_whether_the_new_token_is_mailed(wire: Wire, session: str, switch: str, was_reset: bool, mails: int) -> None:
    wire.commands.set_switches(token_mail=switch)
    wire.commands.set_user(OTHER, token_was_reset=was_reset)
    resource(wire, session, "POST", password="Brand-New9")
    assert len(wire.commands.mails()) == mails


def test_delete_gives_a_temporary_one_that_must_be_changed(wire: Wire, session: str) -> None:
    wire.commands.set_org(trusted_ranges=["192.0.2.1"])
    temporary = resource(wire, session, "DELETE").json["NewPassword"]
    assert not wire.login("Other-Pass1", username=OTHER, peer="192.0.2.1").ok
    answer = wire.login(temporary, username=OTHER, peer="192.0.2.1")
    assert answer.text("passwordExpired") == "true"
    assert resource(wire, answer.session, "POST", password="Brand-New9").status == 204
    assert wire.query(answer.session, "SELECT Id FROM User").status == 200


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("onlyletters", "Your password must have a mix of letters and numbers."),
        ("Sh0rt", "Your password must be at least 8 characters long."),
        ("Other-Pass1", "invalid repeated password"),
    ],
)
def test_weak_and_repeated_ones_are_refused(wire: Wire, session: str, password: str, message: str) -> None:
    answer = resource(wire, session, "POST", password=password)
    assert answer.status == 400
    assert answer.json == [{"message": message, "errorCode": "INVALID_NEW_PASSWORD"}]


def test_the_history_reaches_as_far_as_the_policy_says(wire: Wire, session: str) -> None:
    wire.commands.set_org(password_policies={"historyRestriction": 2})
    for password in ("First-Pass1", "Second-Pass2"):
        assert resource(wire, session, "POST", password=password).status == 204
    assert resource(wire, session, "POST", password="First-Pass1").status == 400
    assert resource(wire, session, "POST", password="Other-Pass1").status == 204


def test_errors_may_be_single_objects(wire: Wire, session: str) -> None:
    wire.commands.set_switches(password_errors="object")
    assert resource(wire, session, "POST", password="onlyletters").json["errorCode"] == "INVALID_NEW_PASSWORD"


def test_others_are_no_business_of_a_standard_user(wire: Wire, session: str) -> None:
    own = wire.login("Other-Pass1OtherToken", username=OTHER).session
    answer = resource(wire, own, "GET", wire.admin.username)
    assert (answer.status, answer.error) == (403, "INSUFFICIENT_ACCESS")
    assert resource(wire, own, "GET").status == 200


@pytest.mark.parametrize(("allowed", "status"), [(True, 204), (False, 403)])
def test_setting_ones_own_by_set_password(wire: Wire, session: str, allowed: bool, status: int) -> None:
    wire.commands.set_switches(self_set_password=allowed)
    assert resource(wire, session, "POST", wire.admin.username, "Brand-New9").status == status


def test_unreadable_bodies_and_unknown_users(wire: Wire, session: str) -> None:
    path = f"sobjects/User/{wire.commands.user(OTHER)['id']}/password"
    assert wire.rest(session, path, method="POST", body="{").error == "JSON_PARSER_ERROR"
    assert wire.rest(session, "sobjects/User/005000000000000AAA/password").status == 404
    assert wire.rest(session, path, method="PUT").status == 405


def test_the_same_by_soap(wire: Wire, session: str) -> None:
    user = wire.commands.user(OTHER)["id"]
    body = f"<setPassword><userId>{user}</userId><password>Brand-New9</password></setPassword>"
    assert wire.call(session, body, service="u").ok
    answer = wire.call(session, f"<resetPassword><userId>{user}</userId></resetPassword>", service="u")
    assert answer.text("password") == wire.commands.user(OTHER)["password"]


def test_change_own_password_needs_the_old_one(wire: Wire, session: str) -> None:
    body = "<changeOwnPassword><oldPassword>{}</oldPassword><newPassword>Brand-New9</newPassword></changeOwnPassword>"
    assert wire.call(session, body.format("wrong"), service="u").code == "INVALID_OLD_PASSWORD"
    assert wire.call(session, body.format(wire.admin.password), service="u").ok


CHANGE = "<changeOwnPassword><oldPassword>{}</oldPassword><newPassword>{}</newPassword></changeOwnPassword>"


def change_own(wire: Wire, session: str, old: str, new: str) -> str | None:
    """The code of the refusal, if it was one."""
    return wire.call(session, CHANGE.format(old, new), service="u").code


@pytest.mark.parametrize(
    ("complexity", "refused", "taken"),
    [
        ("NoRestriction", [], ["onlyletters"]),
        ("AlphaNumeric", ["onlyletters", "12345678"], ["letters1"]),
        ("SpecialCharacters", ["letters1", "letters-"], ["letters-1", "letters_1", "letters.1"]),
        ("UpperLowerCaseNumeric", ["letters1", "LETTERS1", "Letterss"], ["Letters1"]),
        ("UpperLowerCaseNumericSpecialCharacters", ["Letters1", "letters-1"], ["Letters-1"]),
        ("Any3UpperLowerCaseNumericSpecialCharacters", ["letters1", "LETTERS-"], ["Letters1", "letters-1"]),
    ],
)
def test_each_complexity_asks_for_what_it_says(
    wire: Wire, session: str, complexity: str, refused: list[str], taken: list[str]
) -> None:
    wire.commands.set_org(password_policies={"complexity": complexity, "historyRestriction": 0})
    for password in refused:
        assert resource(wire, session, "POST", password=password).error == "INVALID_NEW_PASSWORD"
    for password in taken:
        assert resource(wire, session, "POST", password=password).status == 204


def test_no_password_holds_the_user_name(wire: Wire, session: str) -> None:
    assert resource(wire, session, "POST", password=f"1{OTHER.upper()}").error == "INVALID_NEW_PASSWORD"


def test_a_password_may_have_to_last_a_day(wire: Wire, session: str) -> None:
    wire.commands.set_org(password_policies={"minimumPasswordLifetime": True})
    old = wire.admin.password
    assert change_own(wire, session, old, "Brand-New9") == "INVALID_NEW_PASSWORD"
    # An administrator may help.
    assert resource(wire, session, "POST", password="Brand-New9").status == 204
    wire.commands.advance(24 * 3600 + 1)
    session = wire.login().session
    assert change_own(wire, session, old, "Brand-New9") is None
    assert change_own(wire, session, "Brand-New9", "Brand-New10") == "INVALID_NEW_PASSWORD"


@pytest.mark.parametrize(("was_reset", "mails"), [(True, 1), (False, 0)])
def test_a_change_of_the_own_password_kills_the_token_and_may_mail_a_new_one(
    wire: Wire, session: str, was_reset: bool, mails: int
) -> None:
    wire.commands.set_user(wire.admin.username, token_was_reset=was_reset)
    assert change_own(wire, session, wire.admin.password, "Brand-New9") is None
    assert len(wire.commands.mails()) == mails
    assert not wire.login("Brand-New9" + wire.admin.security_token).ok
    assert wire.login("Brand-New9" + wire.commands.user(wire.admin.username)["security_token"]).ok


@pytest.mark.parametrize(
    ("switch", "own", "other"), [("kept", 200, 200), ("others_ended", 200, 401), ("ended", 401, 401)]
)
def test_whether_sessions_outlive_a_change_of_the_own_password(
    wire: Wire, session: str, switch: str, own: int, other: int
) -> None:
    wire.commands.set_switches(own_change_sessions=switch)
    second, stranger = wire.login().session, wire.login("Other-Pass1OtherToken", username=OTHER).session
    assert change_own(wire, session, wire.admin.password, "Brand-New9") is None
    assert [wire.rest(one, "limits").status for one in (session, second, stranger)] == [own, other, 200]


def test_a_token_reset_mails_the_new_token_and_kills_the_old(wire: Wire) -> None:
    token = wire.commands.reset_token(wire.admin.username)
    mail = wire.commands.mails()[0]
    assert (mail["to"], mail["subject"]) == (wire.admin.username, "Your new Salesforce security token")
    assert f"Security token (case-sensitive): {token}" in mail["body"]
    assert wire.login(wire.admin.login_password).code == "INVALID_LOGIN"
    assert wire.login(wire.admin.password + token).ok
