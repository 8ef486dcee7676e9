# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module credential and the lookups, as a playbook meets them."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.login import login
from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks
from tests.support.tasks import NOBODY, seen, store, use
from tests.unit.simulator.apps import key_pair


def forget() -> dict[str, Any]:
    return {"name": "forget", "gatehouse.salesforce.credential": {"name": "billing", "state": "absent"}}


def records(playbook: Playbooks) -> list[Path]:
    return sorted((playbook.folder / "store").glob("*.json"))


def test_a_new_credential_is_verified_by_exactly_one_login_and_stored_encrypted(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    result = playbook([store(sim)], "--diff", **NOBODY).last
    assert result["changed"] is True
    assert result["verification"] == {"result": "ok", "cause": "ok", "detail": "logged in"}
    assert sim.control.counts() == {"login": 1}
    (record,) = records(playbook)
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    content = record.read_text()
    assert sim.admin.username in content
    assert sim.admin.password not in content and sim.admin.security_token not in content


def test_the_second_run_changes_nothing_and_makes_no_login(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([store(sim)], **NOBODY)
    sim.control.clear_requests()
    result = playbook([store(sim)], **NOBODY).last
    assert result["changed"] is False
    assert result["verification"]["result"] == "skipped"
    assert sim.control.counts() == {}


@pytest.mark.ansible
def test_check_mode_predicts_without_login_and_without_writing(sim: SimulatedOrg, playbook: Playbooks) -> None:
    result = playbook([store(sim)], "--check", "--diff", **NOBODY).last
    assert result["changed"] is True
    assert result["verification"]["result"] == "skipped"
    assert sim.control.counts() == {}
    assert not (playbook.folder / "store").exists()


@pytest.mark.ansible
def test_the_diff_tells_that_a_secret_changes_but_not_the_secret(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([store(sim)], **NOBODY)
    sim.control.set_user(sim.admin.username, password="Canary-New-2", security_token="CanaryNewToken")
    result = playbook([store(sim, password="Canary-New-2", security_token="CanaryNewToken")], "--diff", **NOBODY)
    diff = result.last["diff"]
    assert diff["before"]["password"] != diff["after"]["password"]
    assert "Canary" not in result.output and "Canary" not in json.dumps(result)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"password": "Wrong-Password-1"}, "invalid_credentials"),
        ({"security_token": "WrongToken"}, "invalid_credentials"),
        ({"security_token": None}, "token_required_here"),
    ],
)
def test_a_failed_verification_stores_nothing_and_is_tried_once(
    sim: SimulatedOrg, playbook: Playbooks, changes: dict[str, Any], cause: str
) -> None:
    result = playbook([store(sim, **changes)], ok=False, **NOBODY).last
    assert "'billing' was not stored" in result["msg"]
    assert result["verification"]["cause"] == cause
    assert records(playbook) == []
    assert sim.control.counts() == {"login": 1}


@pytest.mark.ansible
def test_when_told_to_it_stores_unverified_and_warns(sim: SimulatedOrg, playbook: Playbooks) -> None:
    result = playbook([store(sim, password="Wrong-Password-1", verify="warn")], **NOBODY).last
    assert result["changed"] is True
    assert result["verification"]["result"] == "failed"
    assert "invalid_credentials" in result["warnings"][0]
    assert len(records(playbook)) == 1
    assert sim.control.counts() == {"login": 1}


@pytest.mark.ansible
def test_a_failed_update_leaves_the_working_version_in_place(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([store(sim)], **NOBODY)
    playbook([store(sim, password="Wrong-Password-1")], ok=False, **NOBODY)
    found = playbook([use("lookup('gatehouse.salesforce.login_password', 'billing')")], **NOBODY)
    assert seen(found) == sim.admin.login_password


@pytest.mark.parametrize(
    ("prepare", "cause"),
    [
        (lambda sim: sim.control.set_org(soap_login_enabled=False), "soap_login_disabled"),
        (lambda sim: sim.control.set_org(api_enabled=False), "api_disabled"),
        (lambda sim: sim.control.set_user(sim.admin.username, password_expired=True), "password_expired"),
        (lambda sim: sim.control.set_profile("Admin", login_ip_ranges=["203.0.113.0-203.0.113.9"]), "ip_denied"),
        (lambda sim: sim.control.set_profile("Admin", login_hours={}), "hours_denied"),
        (
            lambda sim: (
                sim.control.set_switches(require_use_any_api_auth=True),
                sim.control.set_profile("Admin", permissions=["ApiEnabled"]),
            ),
            "not_approved",
        ),
        (
            lambda sim: sim.control.set_switches(login_rate=0, rate_limit_code="REQUEST_LIMIT_EXCEEDED"),
            "rate_limited",
        ),
        (lambda sim: sim.control.inject("reset", operation="login"), "unreachable"),
    ],
)
def test_the_cause_of_a_refused_login_is_told(sim: SimulatedOrg, playbook: Playbooks, prepare: Any, cause: str) -> None:
    prepare(sim)
    result = playbook([store(sim)], ok=False, **NOBODY).last
    assert result["verification"]["cause"] == cause
    assert sim.control.counts()["login"] == 1


def test_an_unknown_authority_is_told_as_such(sim: SimulatedOrg, playbook: Playbooks) -> None:
    result = playbook([store(sim)], ok=False, gatehouse_salesforce_ca_path=None, **NOBODY).last
    assert result["verification"]["cause"] == "tls_untrusted"


def test_without_a_token_from_a_trusted_address(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_org(trusted_ranges=["127.0.0.5"])
    playbook([store(sim, security_token=None, source_address="127.0.0.5")], **NOBODY)
    assert [entry["peer"] for entry in sim.control.requests("login")] == ["127.0.0.5"]


def test_soap_login_is_never_sent_above_64_whatever_the_api_version(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([store(sim, api_version="67.0")], **NOBODY)
    assert sim.control.requests("login")[0]["path"].endswith("/u/64.0")


@pytest.mark.ansible
def test_a_token_received_by_a_person_replaces_the_old_one_and_keeps_the_password(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    playbook([store(sim)], **NOBODY)
    token = sim.control.reset_token(sim.admin.username)
    result = playbook([store(sim, password=None, security_token=token)], **NOBODY).last
    assert result["credential"]["version"] == 2
    assert result["verification"]["result"] == "ok"
    found = playbook([use("lookup('gatehouse.salesforce.login_password', 'billing')")], **NOBODY)
    assert seen(found) == sim.admin.password + token


def test_a_task_by_credential_name_uses_its_connection_and_its_kept_session(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    ranges = {"gatehouse.salesforce.trusted_ip_ranges": {"credential": "billing", "ranges": ["192.0.2.1"]}}
    bare: dict[str, Any] = {name: None for name in playbook.variables if "store" not in name}
    playbook([store(sim), ranges], **NOBODY)
    sim.control.clear_requests()
    # No login URL, authority or user is given: the record has them, and its session serves the next run too.
    playbook([ranges], **bare)
    assert sim.control.counts() == {"readMetadata": 1}


def test_absent_forgets_and_says_so_once(sim: SimulatedOrg, playbook: Playbooks) -> None:
    first, second, third = playbook([store(sim), forget(), forget()], **NOBODY)
    assert [item["result"]["changed"] for item in (first, second, third)] == [True, True, False]
    assert records(playbook) == []
    assert list((playbook.folder / "store").rglob("*.session")) == []


@pytest.mark.ansible
def test_a_given_session_is_verified_by_asking_the_org_whether_it_takes_it(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    given: dict[str, Any] = {"username": None, "password": None, "security_token": None, "auth": "session"}
    ended = store(sim, **given, access_token="00DCanary!ended", instance_url=sim.url)
    result = playbook([ended], ok=False, **NOBODY)
    assert "access_token: the session has ended" in result.last["msg"]
    assert "Canary" not in result.output
    assert records(playbook) == []
    admin = sim.admin
    session = login(
        Connection(
            login_url=sim.url,
            ca_path=sim.ca_path,
            allowed_hosts=("localhost",),
            username=admin.username,
            password=admin.password,
            security_token=admin.security_token,
        )
    )
    open_one = store(sim, **given, access_token=session.access_token, instance_url=session.instance_url)
    assert playbook([open_one], **NOBODY).last["verification"]["result"] == "ok"


def test_a_relative_ca_path_is_stored_as_an_absolute_one(sim: SimulatedOrg, playbook: Playbooks) -> None:
    copy = playbook.folder / "ca.pem"
    copy.write_bytes(Path(sim.ca_path).read_bytes())
    stored = playbook([store(sim, ca_path="ca.pem")], **NOBODY).last
    assert stored["credential"]["ca_path"] == str(copy)
    assert not playbook([store(sim, ca_path="ca.pem")], **NOBODY).last["changed"]


def test_a_stored_ca_path_that_is_gone_names_the_credential(sim: SimulatedOrg, playbook: Playbooks) -> None:
    copy = playbook.folder / "ca.pem"
    copy.write_bytes(Path(sim.ca_path).read_bytes())
    playbook([store(sim, ca_path=str(copy))], **NOBODY)
    copy.unlink()
    for module in ("network_access_info", "login_check"):
        failed = playbook([{f"gatehouse.salesforce.{module}": {"credential": "billing"}}], ok=False, **NOBODY).last
        assert f"credential: 'billing' is stored with ca_path {copy}, which is not a readable file" in failed["msg"]


@pytest.mark.ansible
def test_a_stored_secret_that_the_org_echoes_is_masked(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_user(sim.admin.username, password="CANARY_STORED")
    playbook([store(sim, password="CANARY_STORED")], **NOBODY)
    sim.control.inject("error", operation="login", code="CANARY_STORED")
    result = playbook([store(sim, password=None, security_token="another")], ok=False, **NOBODY)
    assert "the org refused it as ********" in result.last["msg"]
    assert "CANARY" not in result.output


@pytest.mark.ansible
class TestLookups:
    """What plays read out of the store."""

    @pytest.fixture(autouse=True)
    def stored(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        playbook([store(sim)], **NOBODY)

    def test_login_password_is_password_and_token_joined(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        found = playbook([use("lookup('gatehouse.salesforce.login_password', 'billing')")])
        assert seen(found) == sim.admin.password + sim.admin.security_token

    def test_credential_is_the_whole_record(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        found = seen(playbook([use("lookup('gatehouse.salesforce.credential', 'billing')")]))
        assert found["username"] == sim.admin.username
        assert found["security_token"] == sim.admin.security_token

    def test_an_unknown_name_is_named(self, playbook: Playbooks) -> None:
        result = playbook([use("lookup('gatehouse.salesforce.login_password', 'nobody')")], ok=False)
        assert "nobody" in result.output

    def test_a_record_changed_by_hand_is_refused(self, playbook: Playbooks) -> None:
        (record,) = records(playbook)
        record.write_text(record.read_text().replace("https://localhost", "https://l0calhost"))
        result = playbook([use("lookup('gatehouse.salesforce.login_password', 'billing')")], ok=False)
        assert "changed" in result.output and "billing" in result.output

    def test_a_password_with_template_syntax_is_never_templated(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        odd = "a{{ 1 + 1 }}b{% raw %}'\"\\"
        sim.control.set_user(sim.admin.username, password=odd)
        unsafe = {"__ansible_unsafe": odd}
        playbook([store(sim, password=unsafe)], **NOBODY)
        found = playbook([use("lookup('gatehouse.salesforce.login_password', 'billing', token='omit')")])
        assert seen(found) == odd


@pytest.mark.parametrize(
    ("changes", "extra", "problem"),
    [
        ({"username": ""}, {}, "username"),
        ({"password": None}, {}, "password"),
        ({"login_url": "http://localhost"}, {}, "login_url"),
        ({"login_url": "https://evil.example"}, {}, "allowed_hosts"),
        ({"name": "../escape"}, {}, "name"),
        ({}, {"gatehouse_salesforce_store_key_file": "/nonexistent/key"}, "store_key_file"),
        ({}, {"gatehouse_salesforce_store": "https://vault.example/v1/secret"}, "store"),
        ({"auth": "jwt_bearer"}, {}, "consumer_key"),
    ],
)
def test_bad_input_is_named_nothing_is_sent_and_nothing_written(
    sim: SimulatedOrg, playbook: Playbooks, changes: dict[str, Any], extra: dict[str, Any], problem: str
) -> None:
    result = playbook([store(sim, **changes)], ok=False, **{**NOBODY, **extra}).last
    assert problem in result["msg"]
    assert sim.admin.password not in json.dumps(result)
    assert sim.control.counts() == {}
    assert records(playbook) == []


def test_a_key_file_that_others_may_read_is_refused(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook.key_file.chmod(0o644)
    result = playbook([store(sim)], ok=False, **NOBODY).last
    assert "store_key_file" in result["msg"]
    assert sim.control.counts() == {}


def test_a_wrong_key_is_told_without_a_login(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([store(sim)], **NOBODY)
    from cryptography.fernet import Fernet

    playbook.key_file.write_bytes(Fernet.generate_key())
    sim.control.clear_requests()
    result = playbook([store(sim)], ok=False, **NOBODY).last
    assert "key" in result["msg"]
    assert sim.control.counts() == {}


# -- a credential that has moved to OAuth ------------------------------------------------------------------------------

KEY, CERTIFICATE = key_pair()


def moved(sim: SimulatedOrg, playbook: Playbooks) -> dict[str, Any]:
    """Store billing by its token, with a user on standby, and then by a key."""
    sim.control.add_user("other@acme.example", "Other-Password-1", security_token="OtherToken", profile="Admin")
    sim.control.set_org(instance_url=sim.url)
    sim.control.add_app("SimKey", certificate=CERTIFICATE, approved_users=[sim.admin.username])
    standby = {"username": "other@acme.example", "password": "Other-Password-1", "security_token": "OtherToken"}
    playbook([store(sim, standby=standby)], **NOBODY)
    by_key = {"auth": "jwt_bearer", "consumer_key": "SimKey", "private_key": KEY}
    task = store(sim, password=None, security_token=None, **by_key)
    sim.control.clear_requests()
    return dict(playbook([task], **NOBODY).last["credential"])


def test_a_change_of_the_flow_drops_the_secrets_and_the_standby_of_the_old_one(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    credential = moved(sim, playbook)
    assert (credential["auth"], credential["secrets"]) == ("jwt_bearer", ["private_key"])
    assert credential["standby"] is None and sim.control.counts() == {"token": 1}


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["run", "check"])
def test_a_declaration_from_before_the_move_is_ignored_with_a_warning(
    sim: SimulatedOrg, playbook: Playbooks, options: list[str]
) -> None:
    before = moved(sim, playbook)
    sim.control.clear_requests()
    result = playbook([store(sim)], "--diff", *options, **NOBODY).last
    assert result["changed"] is False and result["diff"]["before"] == result["diff"]["after"]
    assert result["credential"] == before and result["verification"]["result"] == "skipped"
    (warning,) = result["warnings"]
    assert "'billing' has moved to jwt_bearer" in warning and "undo_move: true" in warning
    assert sim.control.counts() == {}


def test_it_goes_back_when_the_declaration_asks_for_it(sim: SimulatedOrg, playbook: Playbooks) -> None:
    moved(sim, playbook)
    result = playbook([store(sim, undo_move=True)], **NOBODY).last
    assert result["changed"] is True and result["verification"]["result"] == "ok"
    assert result["credential"]["secrets"] == ["password", "security_token"]
    assert playbook([store(sim, undo_move=True)], **NOBODY).last["changed"] is False


def test_another_user_under_the_name_of_a_moved_credential_is_refused(sim: SimulatedOrg, playbook: Playbooks) -> None:
    moved(sim, playbook)
    refused = playbook([store(sim, username="other@acme.example")], ok=False, **NOBODY).last
    assert refused["msg"].startswith("username: other@acme.example by security_token is declared for credential")
