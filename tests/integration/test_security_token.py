# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The security token is renewed by playbooks: an org mails it to a real Dovecot, where the module reads it."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.dovecot import Dovecot
from tests.support.plays import Playbooks, Results
from tests.support.rotations import mailbox_option, rotations_in_use
from tests.support.tasks import seen, use

pytestmark = pytest.mark.ansible

USER, PASSWORD, TOKEN = "billing@acme.example", "Billing-Password-1", "OldToken00000000000000001"
GREEN = "billing-green@acme.example"
NUMBERS = itertools.count(1)


@pytest.fixture
def sim(server: Dovecot) -> Iterator[SimulatedOrg]:
    """An org that mails tokens, with a user whose mailbox is empty."""
    with SimulatedOrg(mail_server=f"lmtp://127.0.0.1:{server.lmtp_port}") as org:
        for user in (USER, GREEN):
            box = f"box{next(NUMBERS)}@acme.example"
            org.control.add_user(user, PASSWORD, security_token=TOKEN, profile="Standard User", email=box)
        yield org


@pytest.fixture
def mailbox(server: Dovecot, sim: SimulatedOrg) -> dict[str, Any]:
    """The option that leads to the mailbox of the user."""
    return mailbox_option(server, sim.control.user(USER)["email"])


@pytest.fixture
def rotate(playbook: Playbooks, sim: SimulatedOrg, mailbox: dict[str, Any]) -> Rotate:
    """Runs the module over a credential that is stored already."""
    credential = {"name": "billing", "username": USER, "password": PASSWORD, "security_token": TOKEN}
    admin = {"name": "admin", **sim.admin.__dict__}
    playbook([{"gatehouse.salesforce.credential": one} for one in (credential, admin)])
    sim.control.clear_requests()
    return Rotate(playbook, sim, mailbox)


class Rotate:
    """Runs security_token, and logs in with what is stored afterwards."""

    def __init__(self, playbook: Playbooks, sim: SimulatedOrg, mailbox: dict[str, Any]) -> None:
        self.playbook = playbook
        self.sim = sim
        self.mailbox = mailbox

    def __call__(self, *options: str, ok: bool = True, **arguments: Any) -> Results:
        given = {"name": "billing", "mailbox": self.mailbox, "mail_timeout": 20, **arguments}
        task = {
            "gatehouse.salesforce.security_token": {key: value for key, value in given.items() if value is not None}
        }
        results = self.playbook([task], *options, ok=ok)
        for secret in (PASSWORD, TOKEN, self.mailbox["password"], self.org_token()):
            assert secret not in results.output
        return results

    def org_token(self, user: str = USER) -> str:
        return str(self.sim.state.user(user).security_token)

    def stored(self) -> dict[str, Any]:
        """The credential with its secrets."""
        return dict(seen(self.playbook([use("lookup('gatehouse.salesforce.credential', 'billing')")])))

    def lets_in(self) -> bool:
        """Whether what is stored is what the org knows."""
        stored = self.stored()
        user = self.sim.state.user(stored["username"])
        return bool((stored["password"], stored["security_token"]) == (user.password, user.security_token))

    def operations(self) -> list[str]:
        return [request["operation"] for request in self.sim.control.requests()]


@pytest.mark.parametrize("method", ["reset", "password"])
def test_a_token_is_renewed_and_the_next_run_has_nothing_to_do(rotate: Rotate, sim: SimulatedOrg, method: str) -> None:
    sim.control.set_user(USER, token_was_reset=True)
    result = rotate(force=True, method=method).last
    assert (result["rotated"], result["changed"], result["resumed"], result["version"]) == (True, True, False, 2)
    assert rotate.lets_in()
    assert sim.state.user(USER).password != PASSWORD or method == "reset"
    sim.control.clear_requests()
    again = rotate(max_age="90d").last
    assert (again["rotated"], again["changed"]) == (False, False)
    assert rotate.operations() == []


def test_a_token_is_renewed_when_it_is_too_old(rotate: Rotate, sim: SimulatedOrg) -> None:
    assert not rotate(max_age="1d").last["changed"]
    assert rotate.operations() == []
    assert "max_age: must be a duration" in rotate(max_age="often", ok=False).last["msg"]
    for endless in ("9999999999d", f"{'9' * 5000}d"):
        assert "max_age: is too long" in rotate(max_age=endless, ok=False).last["msg"]


def test_check_mode_and_diff_tell_the_truth_and_touch_no_page(rotate: Rotate, sim: SimulatedOrg) -> None:
    result = rotate("--check", "--diff", force=True).last
    assert (result["changed"], result["rotated"], result["version"]) == (True, True, 2)
    assert result["diff"]["before"]["security_token"] == "(secret, version 1)"
    assert result["diff"]["after"]["security_token"] == "(secret, version 2)"
    assert not {"frontdoor", "resetTokenPage", "resetToken"} & set(rotate.operations())
    assert rotate.org_token() == TOKEN
    real = rotate("--diff", force=True).last
    assert real["diff"] == result["diff"]


@pytest.mark.parametrize(
    ("obstacle", "told"),
    [("ranges", "login IP ranges"), ("api_only", "API"), ("mfa", "(?i)multi-factor|MFA")],
)
def test_what_makes_a_reset_impossible_is_told_before_anything_is_done(
    rotate: Rotate, sim: SimulatedOrg, obstacle: str, told: str
) -> None:
    if obstacle == "ranges":
        sim.control.set_profile("Standard", login_ip_ranges=["127.0.0.0/8"])
    else:
        permission = {"api_only": "ApiUserOnly", "mfa": "TwoFactorApi"}[obstacle]
        sim.control.set_user(USER, permissions=[permission])
    for options in ([], ["--check"]):
        result = rotate(*options, force=True, diagnose_with="admin", ok=False)
        assert "nothing was done" in result.last["msg"]
        assert re.search(told, result.last["msg"]), result.last["msg"]
    assert "resetTokenPage" not in rotate.operations()
    # A user who may not see so much of the org learns it from the page.
    result = rotate(force=True, ok=False)
    assert "nothing was done" in result.last["msg"]
    assert "resetToken" not in rotate.operations()
    assert rotate.lets_in()


def test_without_a_mailbox_nothing_is_reset(rotate: Rotate) -> None:
    assert "mailbox: is needed, here or in the variable gatehouse_salesforce_mailbox" in (
        rotate(force=True, mailbox=None, ok=False).last["msg"]
    )
    assert rotate.org_token() == TOKEN


def test_a_mailbox_that_cannot_be_entered_stops_the_run_before_anything_is_done(rotate: Rotate) -> None:
    rotate.mailbox = {**rotate.mailbox, "password": "Wrong-Mailbox-Password"}
    assert "refused the login" in rotate(force=True, ok=False).last["msg"]
    assert rotate.org_token() == TOKEN


def test_a_mail_that_comes_too_late_is_read_by_the_next_run(rotate: Rotate, sim: SimulatedOrg) -> None:
    sim.control.set_mail(delay=3)
    message = rotate(force=True, mail_timeout=0.5, ok=False).last["msg"]
    assert "no mail with the new one was found within 0.5 seconds" in message
    result = rotate(max_age="90d").last
    assert (result["rotated"], result["resumed"]) == (True, True)
    assert rotate.lets_in()
    assert rotate.operations().count("resetToken") == 1


@pytest.mark.parametrize("kind", ["right_sender", "lookalike", "stacked"])
def test_a_forged_mail_is_not_even_tried(rotate: Rotate, sim: SimulatedOrg, kind: str) -> None:
    sim.control.set_mail(delay=1)
    sim.control.hook("resetToken", [{"command": "send_forged", "username": USER, "kind": kind}], when="after")
    assert rotate(force=True).last["rotated"]
    assert rotate.lets_in()
    assert {row["status"] for row in sim.control.login_history()} == {"Success"}


def test_a_password_change_that_brings_no_mail_is_explained_and_can_be_finished(
    rotate: Rotate, sim: SimulatedOrg
) -> None:
    sim.control.set_user(USER, token_was_reset=False)
    message = rotate(force=True, method="password", mail_timeout=0.5, ok=False).last["msg"]
    assert "was changed at" in message
    assert "only to a user who has reset the token once before" in message
    assert sim.state.user(USER).password not in message
    assert rotate(method="reset").last["resumed"]
    assert rotate.lets_in()


@pytest.mark.parametrize("looks_at", ["old_first", "new_first"])
def test_a_password_change_whose_answer_is_lost_is_told_from_one_that_was_not_made(
    rotate: Rotate, sim: SimulatedOrg, looks_at: str
) -> None:
    sim.control.set_user(USER, token_was_reset=False)
    sim.control.set_switches(own_change_check=looks_at)
    sim.control.inject("reset", operation="changeOwnPassword", executed=True)
    assert "may have been changed" in rotate(force=True, method="password", mail_timeout=0.5, ok=False).last["msg"]
    assert "was changed at" in rotate(method="password", mail_timeout=0.5, ok=False).last["msg"]
    assert rotate(method="reset").last["resumed"]
    assert rotate.lets_in()
    refused = [row for row in sim.control.login_history() if row["status"] != "Success"]
    assert len(refused) == (looks_at == "new_first")


def test_a_token_that_somebody_received_is_verified_and_stored(rotate: Rotate, sim: SimulatedOrg) -> None:
    token = sim.control.reset_token(USER)
    wrong = rotate(new_token="Mistyped0000000000000000", mailbox=None, ok=False)
    assert "Mistyped" not in wrong.output
    assert rotate(new_token=token, mailbox=None).last["rotated"]
    assert rotate.lets_in()
    assert not rotate(new_token=token, mailbox=None).last["changed"]


def test_what_is_no_token_is_not_even_tried(rotate: Rotate, sim: SimulatedOrg) -> None:
    message = rotate(new_token="Security token: Canary000000000000000001", mailbox=None, ok=False).last["msg"]
    assert "new_token: is no security token" in message
    assert "Canary" not in message
    assert rotate(new_token=f" {TOKEN}\n", mailbox=None).last["changed"] is False
    assert "mail_timeout: must be from 0 to 86400 seconds" in rotate(mail_timeout=float("inf"), ok=False).last["msg"]
    assert rotate.operations() == []


def test_a_stored_token_that_is_refused_is_explained_and_not_tried_when_that_would_lock_the_user_out(
    rotate: Rotate, sim: SimulatedOrg
) -> None:
    sim.control.set_user(USER, security_token="Another00000000000000001")
    sim.control.end_sessions()
    message = rotate(force=True, diagnose_with="admin", ok=False).last["msg"]
    assert "so the security token is no longer right" in message
    sim.control.set_org(password_policies={"maxLoginAttempts": "ThreeAttempts"})
    sim.control.clear_requests()
    rotate(force=True, diagnose_with="admin", ok=False)
    message = rotate(force=True, diagnose_with="admin", ok=False).last["msg"]
    assert "one more would lock the user, so no login was made" in message
    refused = [row for row in sim.control.login_history() if row["status"] != "Success"]
    assert len(refused) == 2


def test_a_token_that_somebody_else_has_reset_is_taken_from_the_mailbox(rotate: Rotate, sim: SimulatedOrg) -> None:
    sim.control.reset_token(USER)
    sim.control.end_sessions()
    assert rotate(verify=True).last["rotated"]
    assert rotate.lets_in()


def test_the_mail_can_be_deleted_when_its_token_is_stored(rotate: Rotate, server: Dovecot, sim: SimulatedOrg) -> None:
    rotate.mailbox = {**rotate.mailbox, "on_success": "delete"}
    results = rotate("-v", force=True)
    assert results.last["rotated"]
    assert f"looked into INBOX: 1 new mails with a token of {USER}" in results.output
    folder = server.folder / "mail" / rotate.mailbox["username"]
    assert [file for part in ("cur", "new") for file in (folder / part).glob("*")] == []


def test_a_secret_that_was_renewed_may_go_on_being_declared(rotate: Rotate, playbook: Playbooks) -> None:
    rotate(force=True)
    declared = {"name": "billing", "username": USER, "password": PASSWORD, "security_token": TOKEN}
    assert not playbook([{"gatehouse.salesforce.credential": declared}]).last["changed"]
    assert rotate.lets_in()


def test_of_a_pair_the_user_who_is_not_in_use_is_renewed(
    rotate: Rotate, playbook: Playbooks, sim: SimulatedOrg
) -> None:
    sim.control.set_user(GREEN, email=rotate.mailbox["username"])
    pair = {
        "name": "billing",
        "username": USER,
        "password": PASSWORD,
        "security_token": TOKEN,
        "standby": {"username": GREEN, "password": PASSWORD, "security_token": TOKEN},
    }
    playbook([{"gatehouse.salesforce.credential": pair}])
    result = rotate(force=True).last
    assert (result["credential"]["username"], result["credential"]["standby"]) == (GREEN, USER)
    assert rotate.lets_in()
    assert rotate.org_token() == TOKEN
    assert not playbook([{"gatehouse.salesforce.credential": pair}]).last["changed"]


def test_of_two_runs_at_once_one_rotates_and_the_other_finds_it_fresh(
    rotate: Rotate, playbook: Playbooks, sim: SimulatedOrg, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sim.control.set_mail(delay=2)
    other_folder = tmp_path_factory.mktemp("other")
    other = Playbooks(other_folder, sim)
    other.variables = playbook.variables
    outcomes = []

    def run(playbooks: Playbooks) -> None:
        outcomes.append(Rotate(playbooks, sim, rotate.mailbox)(force=True).last["rotated"])

    threads = [threading.Thread(target=run, args=(playbooks,)) for playbooks in (playbook, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False, True]
    assert rotate.operations().count("resetToken") == 1
    assert rotate.lets_in()


@pytest.mark.parametrize("pair", [True, False], ids=["pair", "single"])
def test_an_application_logs_in_all_the_time_while_the_user_of_a_pair_who_is_not_in_use_is_renewed(
    server: Dovecot, tmp_path: Path, pair: bool
) -> None:
    with SimulatedOrg(mail_server=f"lmtp://127.0.0.1:{server.lmtp_port}") as org:
        application = rotations_in_use(Playbooks(tmp_path, org), org, server, pair=pair, rotations=10 if pair else 2)
    assert application.logins > 50
    assert (application.failed == 0) == pair
