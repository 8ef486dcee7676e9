# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins by a refresh token, as the Salesforce CLI has it, of which an org may give a new one with each session."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Credential
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.transport import OrgAdapter
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import Store
from tests.simulated_org import SimulatedOrg
from tests.support.kills import any_call, killed_at
from tests.support.plays import Playbooks
from tests.support.stores import open_store
from tests.support.tasks import NOBODY

APP, SECRET = "TeamCLI", "Canary-App-Secret"
READ = {"name": "read", "gatehouse.salesforce.network_access_info": {"credential": "dev"}}


@pytest.fixture
def token(sim: SimulatedOrg) -> str:
    """What the CLI has of an org that was authorised in a browser, by an app that gives a new one each time."""
    sim.control.set_org(instance_url=sim.url)
    sim.control.add_app(APP, consumer_secret=SECRET, rotates_refresh_tokens=True)
    return str(sim.control.grant_refresh_token(APP, sim.admin.username))


def url_of(sim: SimulatedOrg, token: str, *, key: str = APP, secret: str = SECRET, host: str = "") -> str:
    return f"force://{key}:{secret}:{token}@{host or urlsplit(sim.url).netloc}"


def store(url: str, **options: Any) -> dict[str, Any]:
    return {"name": "store", "gatehouse.salesforce.credential": {"name": "dev", "sfdx_auth_url": url, **options}}


def stored(playbook: Playbooks) -> Credential:
    return open_store(str(playbook.folder / "store"), str(playbook.key_file)).read("dev")


def forget_session(playbook: Playbooks) -> None:
    for file in (playbook.folder / "store" / ".sessions").glob("*.session"):
        file.unlink()


def live_tokens(sim: SimulatedOrg) -> list[str]:
    return list(sim.state.apps[APP].refresh_tokens)


def test_a_url_of_the_cli_is_stored_and_its_new_token_with_it(
    sim: SimulatedOrg, playbook: Playbooks, token: str
) -> None:
    done = playbook([store(url_of(sim, token))], **NOBODY).last
    assert done["changed"] and done["verification"]["cause"] == "ok"
    assert done["credential"]["secrets"] == ["consumer_secret", "refresh_token"]
    assert [stored(playbook).connection.refresh_token] == live_tokens(sim) != [token]
    assert token not in str(done) and SECRET not in str(done)
    # The next nights: the URL of the first one is known to be replaced, and nothing is sent.
    sim.control.clear_requests()
    assert not playbook([store(url_of(sim, token))], **NOBODY).last["changed"]
    assert sim.control.counts() == {}


def test_each_new_token_is_stored_before_its_session_is_used(
    sim: SimulatedOrg, playbook: Playbooks, token: str
) -> None:
    playbook([store(url_of(sim, token)), READ, READ], **NOBODY)
    assert sim.control.counts()["token"] == 1, "one session serves all tasks"
    for _night in range(3):
        before = stored(playbook)
        forget_session(playbook)
        playbook([READ], **NOBODY)
        after = stored(playbook)
        assert after.version == before.version + 1
        assert [after.connection.refresh_token] == live_tokens(sim)


def test_a_session_that_has_ended_is_opened_again(sim: SimulatedOrg, playbook: Playbooks, token: str) -> None:
    playbook([store(url_of(sim, token)), READ], **NOBODY)
    sim.control.end_sessions()
    assert playbook([READ], **NOBODY).last["org"]["id"]
    assert [stored(playbook).connection.refresh_token] == live_tokens(sim)


def test_without_rotation_the_token_stays_and_an_app_of_the_cli_needs_no_secret(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    sim.control.set_org(instance_url=sim.url)
    sim.control.add_app("PlatformCLI", consumer_secret="")
    value = sim.control.grant_refresh_token("PlatformCLI", sim.admin.username)
    task = store(url_of(sim, value, key="PlatformCLI", secret=""))
    playbook([task, READ], **NOBODY)
    assert (stored(playbook).version, stored(playbook).connection.refresh_token) == (1, value)
    assert not playbook([task], **NOBODY).last["changed"]


def test_the_parts_may_be_given_one_by_one(sim: SimulatedOrg, playbook: Playbooks, token: str) -> None:
    parts = {"auth": "refresh_token", "consumer_key": APP, "consumer_secret": SECRET, "refresh_token": token}
    playbook([{"gatehouse.salesforce.credential": {"name": "dev", **parts}}, READ], **NOBODY)
    assert stored(playbook).verified


def test_check_mode_sends_nothing(sim: SimulatedOrg, playbook: Playbooks, token: str) -> None:
    assert playbook([store(url_of(sim, token))], "--check", **NOBODY).last["changed"]
    assert sim.control.counts() == {} and live_tokens(sim) == [token]


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"token": "5AepCanaryWrong"}, "the refresh token has expired, was revoked or was exchanged elsewhere"),
        ({"key": "Nobody"}, "no app has this consumer key"),
        ({"secret": "Canary-Wrong-Secret"}, "the consumer key or the consumer secret is not right"),
        ({"host": "evil.example"}, "sfdx_auth_url: host 'evil.example' is not one of Salesforce's"),
        ({"host": "acme.lightning.force.com"}, "sfdx_auth_url: acme.lightning.force.com is where a browser shows"),
        ({"host": "test.salesforce.com"}, "sfdx_auth_url: is for https://test.salesforce.com, but login_url is"),
        ({"key": ""}, "sfdx_auth_url: is not of the form force://"),
    ],
)
def test_what_cannot_log_in_is_explained_and_nothing_is_stored_or_shown(
    sim: SimulatedOrg, playbook: Playbooks, token: str, changes: dict[str, str], problem: str
) -> None:
    url = url_of(sim, **{"token": token, **changes})
    login_url = sim.url if "host" in changes and "salesforce" in changes["host"] else None
    failed = playbook([store(url)], ok=False, gatehouse_salesforce_login_url=login_url, **NOBODY).last
    assert problem in failed["msg"]
    assert not (playbook.folder / "store" / "dev.json").exists()
    for part in (url, token, SECRET, changes.get("secret") or url, changes.get("token") or url):
        assert part not in failed["msg"]


def test_a_part_that_is_percent_encoded_is_masked_in_both_forms(
    sim: SimulatedOrg, playbook: Playbooks, token: str
) -> None:
    odd = "5Aep+Canary/odd=="
    failed = playbook([store(url_of(sim, quote(odd, safe="")))], ok=False, **NOBODY).last
    assert odd not in str(failed) and quote(odd, safe="") not in str(failed)


def test_a_task_of_its_own_is_refused_as_it_could_keep_no_new_token(
    sim: SimulatedOrg, playbook: Playbooks, token: str
) -> None:
    parts = {"auth": "refresh_token", "consumer_key": APP, "consumer_secret": SECRET, "refresh_token": token}
    failed = playbook([{"gatehouse.salesforce.network_access_info": parts}], ok=False, **NOBODY).last
    assert "auth: refresh_token is for stored credentials" in failed["msg"]
    assert sim.control.counts() == {}


def test_a_token_that_somebody_revoked_is_refused_once_and_not_sent_again(
    sim: SimulatedOrg, playbook: Playbooks, token: str
) -> None:
    playbook([store(url_of(sim, token))], **NOBODY)
    sim.state.apps[APP].refresh_tokens.clear()
    forget_session(playbook)
    sim.control.clear_requests()
    for _run in range(2):
        failed = playbook([READ], ok=False, **NOBODY).last
        assert "authorise the org again" in failed["msg"]
    assert sim.control.counts()["token"] == 1


# -- hosts -------------------------------------------------------------------------------------------------------------


@pytest.mark.ansible
def test_a_host_is_given_a_session_and_never_spends_the_token(
    sim: SimulatedOrg, playbook: Playbooks, token: str
) -> None:
    check = {"name": "check", "gatehouse.salesforce.login_check": {"credential": "dev"}}
    play = {"hosts": "all", "gather_facts": False, "tasks": [check]}
    playbook([store(url_of(sim, token))], **NOBODY)
    before = stored(playbook).connection.refresh_token
    results = playbook.run([play], "-i", "web1,web2,", "-e", "ansible_connection=local", "-vvvv", **NOBODY)
    assert {item["result"]["verification"]["cause"] for item in results} == {"ok"}
    assert sim.control.counts()["token"] == 1 and stored(playbook).connection.refresh_token == before
    assert before and before not in results.output and before not in json.dumps(results)


# -- at the same time, and killed --------------------------------------------------------------------------------------


@pytest.mark.ansible
def test_hosts_at_a_time_share_one_session_and_never_send_a_token_that_was_exchanged(
    sim: SimulatedOrg, playbook: Playbooks, token: str
) -> None:
    sim.control.set_switches(exchanged_refresh_token="revokes_all")
    playbook([store(url_of(sim, token))], **NOBODY)
    for _night in range(3):
        forget_session(playbook)
        sim.control.clear_requests()
        play = {"hosts": "all", "gather_facts": False, "tasks": [READ, READ]}
        playbook.run([play], "-i", "a,b,c,d,", "--forks", "4", "-e", "ansible_connection=local", **NOBODY)
        assert sim.control.counts()["token"] == 1
    assert [stored(playbook).connection.refresh_token] == live_tokens(sim)


CALLS = [(OrgAdapter, "send", any_call), (Store, "write", any_call)]


def test_a_run_that_is_killed_at_any_step_loses_no_token(sim: SimulatedOrg, playbook: Playbooks, token: str) -> None:
    # Between the org's answer and the write a new token is nowhere but in the memory of the process that dies. An org
    # that takes the old one for a moment helps; with any other, the last test below says what happens.
    sim.control.set_switches(exchanged_refresh_token="accepted_for_a_minute")
    playbook([store(url_of(sim, token))], **NOBODY)
    kills = 0
    for number in range(50):
        forget_session(playbook)
        was_killed = killed_at(number, playbook, [READ], CALLS, **NOBODY)
        playbook([READ], **NOBODY)
        assert stored(playbook).connection.refresh_token in live_tokens(sim), number
        if not was_killed:
            break
        kills += 1
    assert kills >= 2 * 3, "the exchange, the write, and what is read with the session"


@pytest.mark.parametrize(("step", "lost"), [(0, False), (1, True), (2, True), (3, False), (4, False)])
def test_only_between_the_answer_and_the_write_can_a_new_token_be_lost_and_that_is_explained(
    sim: SimulatedOrg, playbook: Playbooks, token: str, step: int, lost: bool
) -> None:
    playbook([store(url_of(sim, token))], **NOBODY)
    forget_session(playbook)
    assert killed_at(step, playbook, [READ], CALLS, **NOBODY)
    last = playbook([READ], ok=not lost, **NOBODY).last
    assert ("authorise the org again" in last.get("msg", "")) == lost
    again = sim.control.grant_refresh_token(APP, sim.admin.username)
    assert playbook([store(url_of(sim, again)), READ], **NOBODY)[0]["result"]["verification"]["result"] == "ok"
