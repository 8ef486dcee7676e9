# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credentials move to OAuth, and why others do not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.gatehouse.salesforce.plugins.filter.oauth_moves import oauth_moves
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.formats import FORMATS, obstacle
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app.moves import app_name

END = {"when": "Summer '27", "date": "2027-05-01", "days_left": 152}


def stored(name: str = "billing", **changes: Any) -> dict[str, Any]:
    fields = {"auth": "security_token", "username": f"{name}@acme.example", "rotation": None, "retirement": [END]}
    return {"name": name, **fields, **changes}


def plan(item: Any = "billing", *records: dict[str, Any], **files: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = oauth_moves([item], records, files)
    return found


def file(**obstacles: str) -> dict[str, Any]:
    return {"credential": "billing", "dest": "/etc/billing.json", "obstacles": obstacles}


def test_a_credential_by_token_moves_and_the_plan_says_how_and_where_to() -> None:
    found = plan("billing", stored(), web1=[file()], web2=[{**file(), "credential": "other"}])
    assert (found["decision"], found["auth"], found["app"]) == ("move", "jwt_bearer", "billing")
    assert (found["username"], found["hosts"], found["new_name"]) == ("billing@acme.example", ["web1"], "billing.oauth")
    assert found["text"] == (
        "billing: from security_token to jwt_bearer by the app billing, then to web1:/etc/billing.json"
    )


@pytest.mark.parametrize("auth", ["jwt_bearer", "client_credentials", "refresh_token"])
def test_what_logs_in_by_oauth_has_moved_whatever_is_asked(auth: str) -> None:
    refused = {"jwt_bearer": "no field"}
    assert plan("billing", stored(auth=auth, retirement=[]), web1=[file(**refused)])["decision"] == "moved"


@pytest.mark.parametrize(
    ("auth", "user", "left"),
    [
        ("jwt_bearer", "Billing@acme.example", True),
        ("jwt_bearer", "other@acme.example", False),
        ("security_token", "billing@acme.example", False),
    ],
    ids=["left", "of another user", "still moves"],
)
def test_what_a_killed_move_has_left_beside_the_credential_is_that_of_its_user(
    auth: str, user: str, left: bool
) -> None:
    beside = stored("billing.oauth", auth="jwt_bearer", username=user)
    assert plan("billing", stored(auth=auth), beside)["left"] is left
    assert plan("billing", stored(auth="jwt_bearer"))["left"] is False


@pytest.mark.parametrize(
    ("item", "record", "files", "why"),
    [
        ("billing", stored("other"), [], "the store does not have it; store it first, or say its username"),
        ("billing", stored(auth="session"), [], "it logs in by session, which others open"),
        ("billing", stored(rotation={"step": "requested"}), [], "a rotation of its token has not come to its end"),
        ({"name": "billing", "username": "x@y.example"}, stored(), [], "it is of billing@acme.example, not of x@y"),
        ("billing", stored(), [file(jwt_bearer="no field for it")], "web1:/etc/billing.json: no field for it"),
    ],
)
def test_what_stays_says_why(item: Any, record: dict[str, Any], files: list[dict[str, Any]], why: str) -> None:
    found = plan(item, record, web1=files)
    assert found["decision"] == "stays" and found["why"].startswith(why) and why in found["text"]


def test_what_stays_says_when_its_login_ends() -> None:
    text = plan("billing", stored(auth="username_password"), web1=[file(jwt_bearer="no field")])["text"]
    assert text.startswith(
        "billing: stays on username_password, which ends with Summer '27 (counted to 2027-05-01, 152 days left): web1:"
    )


def test_one_flow_may_be_possible_where_the_other_is_not() -> None:
    item = {"name": "billing", "auth": "client_credentials", "app": "Nightly"}
    found = plan(item, stored(), web1=[file(jwt_bearer="no field")])
    assert (found["decision"], found["app"]) == ("move", "Nightly")


def test_one_that_is_not_stored_moves_by_its_user_name() -> None:
    assert plan({"name": "new", "username": "new@acme.example"})["text"].startswith("new: from nothing to jwt_bearer")


def test_a_failure_counts_and_the_administrator_is_last() -> None:
    records = [stored(name) for name in ("admin", "billing")]
    found = oauth_moves(["admin", "billing"], records, {}, last="admin", failed={"billing": "refused"})
    assert [(item["name"], item["decision"]) for item in found] == [("billing", "stays"), ("admin", "move")]


def test_two_credentials_need_two_apps() -> None:
    found = oauth_moves(["a.b", "a-b"], [stored("a.b"), stored("a-b")], {})
    assert {item["decision"] for item in found} == {"stays"} and "has the app a_b, too" in found[0]["why"]


@pytest.mark.parametrize(
    ("credential", "name"), [("billing", "billing"), ("a--b.c", "a_b_c"), ("1st", "app_1st"), ("@", "app")]
)
def test_an_app_has_the_name_of_its_credential_as_far_as_apps_may(credential: str, name: str) -> None:
    assert app_name(credential) == name


@pytest.mark.parametrize("given", ["billing", {"name": "billing"}, [None], [{"name": ""}], [["billing"]]])
def test_what_is_no_list_of_credentials_is_refused(given: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="oauth_moves: "):
        oauth_moves(given, [], {})


@pytest.mark.parametrize("flow", ["jwt_bearer", "client_credentials"])
@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"mapping"}))
def test_an_obstacle_is_named_for_each_format_that_does_not_have_the_flow(name: str, flow: str) -> None:
    options: dict[str, Any] = {
        option: "value" for option in ("name", "encryption_key") if option in FORMATS[name].options
    }
    problem = obstacle(flow, name, options)
    if flow not in FORMATS[name].flows:
        assert problem and f"format {name} cannot hold {flow}" in problem
    else:
        assert problem is None or "login_url" in problem or "encryption_key" in problem, problem


def test_a_mapping_can_hold_what_it_has_fields_for() -> None:
    fields = {"user": "username", "key": "private_key"}
    assert obstacle("jwt_bearer", "mapping", {"encoder": "json", "fields": fields}) is None
    assert obstacle("jwt_bearer", "mapping", {"encoder": "json", "fields": {"password": "login_password"}})
