# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources inside the real ansible-rulebook, with rules that print each event."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.changes import declare
from tests.format_readers.install import Absent
from tests.rulebooks.applications import application, mailbox_environment, webhook
from tests.rulebooks.runner import RULEBOOKS, install_rulebook, run_rulebook
from tests.support.dovecot import Dovecot
from tests.support.processes import ROOT, write_private
from tests.support.rotations import PASSWORD, TOKEN, USER, scene
from tests.support.stores import open_store

CANARY = "CanarySecret42"


@pytest.fixture(scope="session", autouse=True)
def _installed() -> None:
    try:
        install_rulebook()
    except Absent as exc:
        pytest.skip(f"ansible-rulebook: {exc}")


@pytest.fixture
def store(tmp_path: Path) -> dict[str, str]:
    """The options of a store with one credential, whose token is from January."""
    write_private(tmp_path / "store.key", Fernet.generate_key().decode() + "\n")
    options = {"store": str(tmp_path / "store"), "store_key_file": str(tmp_path / "store.key")}
    connection = Connection(username="billing@acme.example", password=CANARY, security_token=CANARY)
    open_store(**options).write(declare(None, connection, name="billing", now="2026-01-01T00:00:00Z"), replaces=None)
    return options


def ruleset(source: str, **arguments: Any) -> list[dict[str, Any]]:
    """A rulebook that prints each event of a source."""
    rule = {"name": "Print", "condition": f'event.kind == "{source}"', "action": {"print_event": {"pretty": False}}}
    watched = {"name": "watched", f"gatehouse.salesforce.{source}": arguments}
    return [{"name": "Watch", "hosts": "all", "sources": [watched], "rules": [rule]}]


def test_an_event_comes_once_and_again_with_the_same_id_only_after_a_death(
    tmp_path: Path, store: dict[str, str]
) -> None:
    rulebook = ruleset("credential_age", max_age="90d", warn_days=0, names=["billing"], interval=1, **store)
    with run_rulebook(tmp_path, rulebook) as running:
        running.wait_for(lambda it: it.events)
        (event,) = (one for one in running.events if one["what"] == "secret_age")
        assert (event["credential"], event["stage"], event["redelivered"]) == ("billing", "due", False)
    with run_rulebook(tmp_path, rulebook) as running:
        running.wait_for(lambda it: it.events[-1]["redelivered"])
        again = running.events[-1]
        assert {one["id"] for one in running.events if one["what"] == "secret_age"} == {event["id"]}
        assert again["meta"]["uuid"] == again["id"]
        assert CANARY not in running.output


def test_a_secret_in_a_rulebook_is_refused_and_not_repeated(tmp_path: Path, store: dict[str, str]) -> None:
    rulebook = ruleset("credential_age", store_token=CANARY, **store)
    with run_rulebook(tmp_path, rulebook) as running:
        running.wait_for(lambda it: "GATEHOUSE_STORE_TOKEN" in it.output)
        assert CANARY not in running.output


def test_the_rulebook_of_the_guide_prints_what_ends_soon(tmp_path: Path, store: dict[str, str]) -> None:
    (rulebook,) = re.findall(r"```yaml\n(# watch.yml.*?)```", (ROOT / "docs" / "events.md").read_text(), re.DOTALL)
    environment = {"GATEHOUSE_STORE": store["store"], "GATEHOUSE_STORE_KEY_FILE": store["store_key_file"]}
    with run_rulebook(tmp_path, yaml.safe_load(rulebook), variables=environment) as running:
        running.wait_for(lambda it: "'secret_age'" in it.output)


def test_a_token_that_somebody_resets_in_setup_reaches_the_application(tmp_path: Path, server: Dovecot) -> None:
    """By the rulebook take_token: verified, stored, delivered, and the application logs in with it."""
    with scene(tmp_path, server) as made:
        file = application(made)
        options = ("--vars", str(tmp_path / "variables.yml"))
        environment = mailbox_environment(made)
        with run_rulebook(tmp_path, RULEBOOKS / "take_token.yml", *options, variables=environment) as running:
            running.wait_for(lambda it: "begins to watch" in it.output)
            token = made.control.reset_token(USER)
            running.wait_for(lambda _it: file.exists() and token in file.read_text())
            running.wait_for(lambda _it: made.is_whole())
            output = running.output
    assert "'kind': 'security_token_mail'" in output
    assert not [secret for secret in (PASSWORD, TOKEN, token, server.password) if secret in output]


def test_refused_logins_and_old_tokens_become_tickets(tmp_path: Path, server: Dovecot) -> None:
    """By the rulebook raise_ticket; the address of the webhook is a secret, too."""
    with scene(tmp_path, server) as made, webhook() as (url, tickets):
        application(made)
        options = ("--vars", str(tmp_path / "variables.yml"))
        environment = {**mailbox_environment(made), "GATEHOUSE_TICKET_URL": url}
        with run_rulebook(tmp_path, RULEBOOKS / "raise_ticket.yml", *options, variables=environment) as running:
            running.wait_for(lambda it: it.output.count("begins to watch") >= 2)
            refused = {"username": USER, "source_ip": "192.0.2.7", "status": "Invalid Password"}
            made.control.add_logins([{**refused, "count": 4}])
            running.wait_for(
                lambda _it: {one["event"]["kind"] for one in tickets} == {"credential_age", "login_failures"}
            )
            output = running.output
    (failure,) = (one["event"] for one in tickets if one["event"]["kind"] == "login_failures")
    # The source has logged in as the same user since, so that none has failed in a row.
    assert (failure["credential"], failure["failures"], failure["failed_in_a_row"]) == ("billing", 4, 0)
    assert not [secret for secret in (PASSWORD, TOKEN, url) if secret in output]
