# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a credential is, what changes it, and what of it may be seen."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.causes import Verification
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import (
    AUTH_FLOWS,
    Connection,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.changes import (
    complete_rotation,
    declare,
    record_verification,
    returns_to_password,
    standby_connection,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import (
    Credential,
    checked_name,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.journal import Journal
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.plan import CredentialPlan
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.serialisation import (
    connection_of,
    dump,
    parse,
    to_dict,
    to_public,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError

MONDAY, TUESDAY, WEDNESDAY = "2026-01-05T08:00:00Z", "2026-01-06T08:00:00Z", "2026-01-07T08:00:00Z"
USER = "integration@example.com"
BASIC = Connection(username=USER, password="canary-password", security_token="canary-token")


def present(wanted: Connection = BASIC, current: Credential | None = None, now: str = MONDAY) -> Credential:
    """The credential after a change to what is wanted."""
    return declare(current, wanted, name="prod", now=now)


def change(current: Credential | None, wanted: Connection) -> CredentialPlan:
    """The plan of that change."""
    return CredentialPlan(current, present(wanted, current, TUESDAY))


def passed(credential: Credential, now: str = MONDAY) -> Credential:
    """The credential after it has logged in."""
    return record_verification(credential, Verification(result="ok", cause="ok"), now=now)


@pytest.mark.parametrize(
    "name", ["a", "0", "prod", "prod-eu.integration_1", "integration@example.com", "a" * 128, "A+b"]
)
def test_a_name_may_be(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", ".hidden", "-x", "a b", "a\n", "a\0", "é", "a" * 129, "C:x", None, 3, ["a"]]
)
def test_a_name_that_could_leave_the_folder_or_surprise_a_file_system_is_refused(name: object) -> None:
    with pytest.raises(OptionError, match="^name: ") as caught:
        checked_name(name)
    assert caught.value.option == "name"


def test_a_new_credential_is_version_1_and_not_verified() -> None:
    plan = change(None, BASIC)
    assert plan
    assert plan.before is None
    assert plan.after == Credential(
        name="prod", connection=BASIC, version=1, created=TUESDAY, updated=TUESDAY, secret_since=TUESDAY
    )


def test_the_same_again_changes_nothing() -> None:
    current = passed(present())
    plan = change(current, BASIC)
    assert not plan
    assert plan.after is current


@pytest.mark.parametrize(
    "written",
    [
        {"login_url": "https://login.salesforce.com/"},
        {"password": None},
        {"password": None, "security_token": None},
        {"timeout": 5.0, "source_address": "192.0.2.1"},
    ],
    ids=str,
)
def test_another_notation_or_an_open_secret_or_what_belongs_to_the_run_changes_nothing(written: dict[str, Any]) -> None:
    assert not change(present(), dataclasses.replace(BASIC, **written))


def test_the_order_of_allowed_hosts_means_nothing() -> None:
    current = present(dataclasses.replace(BASIC, allowed_hosts=("b.example", "a.example")))
    again = dataclasses.replace(BASIC, allowed_hosts=("a.example", "b.example", "a.example"))
    assert not change(current, again)


@pytest.mark.parametrize(
    "changed",
    [
        {"password": "another"},
        {"security_token": "another"},
        {"security_token": ""},
        {"username": "other@example.com"},
        {"login_url": "https://test.salesforce.com"},
        {"api_version": "63.0"},
        {"ca_path": "/ca.pem"},
        {"allowed_hosts": ("a.example",)},
    ],
    ids=str,
)
def test_a_change_is_the_next_version(changed: dict[str, Any]) -> None:
    current = passed(present())
    after = present(dataclasses.replace(BASIC, **changed), current, TUESDAY)
    assert (after.version, after.created, after.updated, after.verified) == (2, MONDAY, TUESDAY, None)
    assert after.previous == BASIC


def test_a_secret_left_open_is_kept_and_an_empty_one_removed() -> None:
    after = present(Connection(username=USER, password=None, security_token=""), present(), TUESDAY)
    assert after.connection.secrets == {"password": "canary-password"}


def test_all_but_secrets_is_declared_whole() -> None:
    current = present(dataclasses.replace(BASIC, ca_path="/ca.pem", login_url="https://test.salesforce.com"))
    after = present(Connection(username=USER), current, TUESDAY)
    assert after.connection == BASIC


def test_what_cannot_be_used_is_refused_whether_it_is_given_or_kept() -> None:
    with pytest.raises(OptionError, match="^password: "):
        present(Connection(username=USER))
    with pytest.raises(OptionError, match="^timeout: "):
        present(dataclasses.replace(BASIC, timeout=0))
    with pytest.raises(OptionError, match="^private_key: "):
        present(Connection(username=USER, auth="jwt_bearer", consumer_key="key"), present())


def test_the_last_connection_that_worked_outlives_any_number_of_untried_ones() -> None:
    works = passed(present())
    second = present(dataclasses.replace(BASIC, password="second"), works, TUESDAY)
    third = present(dataclasses.replace(BASIC, password="third"), second, WEDNESDAY)
    assert third.previous == BASIC
    refused = record_verification(third, Verification(result="failed", cause="bad_password"), now=WEDNESDAY)
    assert (refused.previous, refused.verified, refused.verification.cause) == (BASIC, None, "bad_password")
    assert passed(refused, WEDNESDAY).previous is None


def test_a_passed_login_is_dated_and_changes_no_version() -> None:
    credential = passed(present(), TUESDAY)
    assert (credential.version, credential.updated, credential.verified) == (1, MONDAY, TUESDAY)


def test_what_may_be_shown_names_the_secrets_and_holds_none() -> None:
    clear = to_public(present())
    assert clear == {
        "name": "prod",
        "auth": "security_token",
        "login_url": "https://login.salesforce.com",
        "username": USER,
        "consumer_key": None,
        "instance_url": None,
        "audience": None,
        "api_version": "64.0",
        "ca_path": None,
        "allowed_hosts": [],
        "version": 1,
        "created": MONDAY,
        "updated": MONDAY,
        "verified": None,
        "secret_since": MONDAY,
        "standby": None,
        "rotation": None,
        "secrets": ["password", "security_token"],
    }


def test_with_secrets_it_has_the_login_password_and_only_the_secrets_that_are_held() -> None:
    whole = to_dict(present(dataclasses.replace(BASIC, security_token=None)))
    assert (whole["password"], whole["login_password"]) == ("canary-password", "canary-password")
    assert not {"security_token", "consumer_secret", "private_key", "access_token"} & set(whole)
    assert to_dict(present())["login_password"] == "canary-passwordcanary-token"
    flow = Connection(
        auth="client_credentials",
        login_url="https://acme.my.salesforce.com",
        consumer_key="key",
        consumer_secret="canary-secret",
    )
    assert "login_password" not in to_dict(present(flow))


def test_no_repr_shows_a_secret() -> None:
    current = passed(present())
    plan = change(current, dataclasses.replace(BASIC, password="canary-2"))
    assert "canary" not in repr(plan)
    assert USER in repr(plan)


def test_a_diff_tells_that_a_secret_changed_and_not_what_it_is() -> None:
    plan = change(present(), dataclasses.replace(BASIC, password="canary-2"))
    diff = plan.diff()
    assert (diff["before"]["password"], diff["after"]["password"]) == ("(secret, version 1)", "(secret, version 2)")
    assert diff["before"]["security_token"] == diff["after"]["security_token"] == "(secret)"
    assert "canary" not in json.dumps(diff)
    differing = {key for key in diff["after"] if diff["before"].get(key) != diff["after"][key]}
    assert differing == {"password"}


def test_a_diff_of_creation_and_removal_has_an_empty_side() -> None:
    assert change(None, BASIC).diff()["before"] == {}
    removal = CredentialPlan(present(), None)
    assert removal
    assert removal.diff()["after"] == {}
    assert "canary" not in json.dumps(removal.diff())


secret_text = st.none() | st.text(min_size=1, max_size=20)
connections = st.builds(
    Connection,
    auth=st.sampled_from(AUTH_FLOWS),
    username=secret_text,
    password=secret_text,
    security_token=secret_text,
    consumer_secret=secret_text,
    private_key=secret_text,
    access_token=secret_text,
    allowed_hosts=st.lists(st.sampled_from(["a.example", "*.b.example"])).map(tuple),
)


@given(connection=connections, previous=st.none() | connections, verified=st.none() | st.just(TUESDAY))
def test_what_is_dumped_is_parsed_again_and_its_clear_part_holds_no_secret(
    connection: Connection, previous: Connection | None, verified: str | None
) -> None:
    credential = Credential(
        name="prod",
        connection=connection,
        version=7,
        created=MONDAY,
        updated=TUESDAY,
        verified=verified,
        verification=Verification(result="failed", cause="bad_password", detail="no"),
        previous=previous,
    )
    clear, secret = json.loads(json.dumps(dump(credential)))
    assert parse(clear, secret) == credential
    assert not set(clear) & {"password", "security_token", "consumer_secret", "private_key", "access_token", "previous"}


@given(connection=connections)
def test_the_dictionary_of_a_lookup_is_a_connection_again(connection: Connection) -> None:
    credential = Credential(name="a", connection=connection, version=1, created=MONDAY, updated=MONDAY)
    assert connection_of(json.loads(json.dumps(to_dict(credential)))) == connection


GREEN = Connection(username="green@example.com", password="canary-green", security_token="canary-green-token")


def pair(
    wanted: Connection = BASIC, standby: Connection | None = GREEN, current: Credential | None = None
) -> Credential:
    """The credential of two users after a change to what is wanted."""
    return declare(current, wanted, standby=standby, name="prod", now=MONDAY)


def renewed(connection: Connection, token: str = "canary-new") -> Connection:
    """The connection after a rotation."""
    return dataclasses.replace(connection, security_token=token)


def test_a_rotation_gives_the_credential_another_token_and_version() -> None:
    after = complete_rotation(passed(present()), renewed(BASIC), now=TUESDAY)
    assert (after.connection, after.version, after.secret_since, after.verified) == (
        renewed(BASIC),
        2,
        TUESDAY,
        TUESDAY,
    )
    assert after.previous is None


def test_a_secret_that_a_rotation_has_replaced_is_not_stored_again_by_those_who_declare_it_still() -> None:
    after = complete_rotation(present(), dataclasses.replace(renewed(BASIC), password="canary-changed"), now=TUESDAY)
    assert present(BASIC, after, WEDNESDAY) is after
    by_hand = present(dataclasses.replace(BASIC, security_token="canary-by-hand"), after, WEDNESDAY)
    assert (by_hand.connection.security_token, by_hand.connection.password) == ("canary-by-hand", "canary-changed")


def test_the_age_of_a_token_is_that_of_the_token_and_not_of_the_version() -> None:
    moved = present(dataclasses.replace(BASIC, api_version="63.0"), present(), TUESDAY)
    assert (moved.version, moved.secret_since) == (2, MONDAY)
    assert present(renewed(BASIC), moved, WEDNESDAY).secret_since == WEDNESDAY
    assert present(dataclasses.replace(BASIC, security_token=""), moved, WEDNESDAY).secret_since is None


def test_a_rotation_of_a_pair_makes_its_users_change_roles() -> None:
    after = complete_rotation(pair(), renewed(GREEN), now=TUESDAY)
    assert (after.connection, after.standby) == (renewed(GREEN), BASIC)
    again = complete_rotation(after, renewed(BASIC), now=WEDNESDAY)
    assert (again.connection, again.standby) == (renewed(BASIC), renewed(GREEN))


def test_a_pair_may_go_on_being_declared_in_its_first_order() -> None:
    turned = complete_rotation(pair(), renewed(GREEN), now=TUESDAY)
    assert pair(current=turned) is turned
    assert pair(standby=None, current=turned) is turned
    assert pair(GREEN, BASIC, current=turned) is turned
    changed = pair(dataclasses.replace(BASIC, password="canary-2"), current=turned)
    assert (changed.connection, changed.standby) == (renewed(GREEN), dataclasses.replace(BASIC, password="canary-2"))


def test_the_users_of_a_pair_share_their_way_to_the_org() -> None:
    both = pair(dataclasses.replace(BASIC, login_url="https://test.salesforce.com"))
    assert both.standby == dataclasses.replace(GREEN, login_url="https://test.salesforce.com")


def test_a_standby_without_a_username_makes_a_pair_a_single_user_again() -> None:
    assert pair(standby=Connection(), current=pair()).standby is None


def test_a_pair_is_of_two_users_who_have_a_token() -> None:
    for same in (USER, USER.upper()):
        with pytest.raises(OptionError, match="^standby.username: "):
            pair(standby=dataclasses.replace(GREEN, username=same))
    with pytest.raises(OptionError, match="^standby: "):
        pair(Connection(username=USER, auth="jwt_bearer", consumer_key="key", private_key="canary-key"))


def test_the_other_user_of_a_pair_can_be_looked_at() -> None:
    assert standby_connection(pair()).connection == GREEN
    with pytest.raises(OptionError, match="^standby: "):
        standby_connection(present())


def test_all_of_a_credential_survives_being_stored() -> None:
    journal = Journal(
        method="password",
        step="requested",
        username=USER,
        started=MONDAY,
        position=(7, 42),
        password="canary-next",
        refused=("canary-wrong",),
    )
    credential = dataclasses.replace(complete_rotation(pair(), renewed(GREEN), now=TUESDAY), rotation=journal)
    clear, secret = json.loads(json.dumps(dump(credential)))
    assert parse(clear, secret) == credential
    assert "canary" not in json.dumps(clear)
    assert clear["rotation"] == {"method": "password", "step": "requested", "username": USER, "started": MONDAY}


def test_a_login_that_passes_ends_what_was_under_way_for_that_user() -> None:
    under_way = Journal(method="reset", step="requesting", username=USER, started=MONDAY)
    assert passed(dataclasses.replace(present(), rotation=under_way)).rotation is None
    of_the_other = dataclasses.replace(under_way, username=GREEN.username or "")
    assert passed(dataclasses.replace(pair(), rotation=of_the_other)).rotation == of_the_other
    let_in = {"other": [GREEN.username], "neither": []}
    rest = {
        who: record_verification(
            dataclasses.replace(pair(), rotation=of_the_other), Verification(result="ok"), now=MONDAY, users=users
        ).rotation
        for who, users in let_in.items()
    }
    assert rest == {"other": None, "neither": of_the_other}


def test_what_is_under_way_for_a_user_ends_when_the_credential_is_given_to_another() -> None:
    under_way = Journal(method="password", step="requested", username=USER, started=MONDAY, password="canary-next")
    current = dataclasses.replace(present(), rotation=under_way)
    assert present(dataclasses.replace(BASIC, api_version="63.0"), current).rotation == under_way
    assert present(dataclasses.replace(BASIC, username="other@example.com"), current).rotation is None


@pytest.mark.parametrize("auth", ["jwt_bearer", "client_credentials", "refresh_token"])
@pytest.mark.parametrize("wanted", ["security_token", "username_password"])
def test_a_password_is_declared_again_for_what_logs_in_by_oauth(auth: str, wanted: str) -> None:
    stored = Credential(name="billing", connection=Connection(auth=auth), version=2, created="", updated="")
    assert returns_to_password(stored, Connection(auth=wanted, username="billing@acme.example"))
    assert not returns_to_password(stored, Connection(auth="session"))
    assert not returns_to_password(dataclasses.replace(stored, connection=Connection(auth=wanted)), Connection())
