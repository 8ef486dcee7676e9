# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The suite for real orgs (tests/live), in a simulated org of each answer: the report finds them all."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import time
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from unittest import mock

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.login import login
from tests.live.__main__ import main
from tests.live.calls import Caller
from tests.live.catalogue import ALL, UNANSWERABLE
from tests.live.journal import Journal, JournalError
from tests.live.report import Report
from tests.live.run import WrongOrg, ask_all, check_org
from tests.live.scene import KINDS, Scene
from tests.live.undo import restore, username_of
from tests.simulated_org import SimulatedOrg
from tests.simulated_org.switches import Switches
from tests.support.processes import ROOT

# Of switches that are numbers: what is tried.
NUMBERS: dict[str, tuple[Any, ...]] = {
    "description_cap": (255, 80, 0),
    "query_batch_size": (2000, 200),
    "deploy_seconds": (0.0, 3.0),
    "eca_known_after": (0.0, 1.0),
    "eca_change_after": (0.0, 1.0),
    "eca_rotated_pair_days": (30.0, 7.0),
}
# What an org must be like for a switch to matter.
CIRCUMSTANCES: dict[str, dict[str, Any]] = {
    "soap_login_off_text": {"soap_login_enabled": False},
    "soap_login_off_check": {"soap_login_enabled": False},
    "wrong_host_code": {"own_host_only": True},
    "token_from_trusted": {"trusted_ranges": ["127.0.0.0/8"]},
    "enforced_range_code": {"session_settings": {"enforceIpRangesEveryRequest": True}},
    "blocked_flow_error": {"username_password_flow_enabled": False},
    "eca_off": {"external_client_apps_enabled": False},
    "eca_not_yet": {"switches": {"eca_known_after": 1.0}},
}
ADMIN = "admin@simulated.example"


# Switches whose answers depend on each other's, so that each is tried alone.
ALONE = {"token_reset_csrf", "range_check", "oauth_error_text", "eca_crud", "eca_default_policies"}


def values_of(name: str) -> tuple[Any, ...]:
    """The values of a switch that are tried; the default is what the run of everything finds."""
    hint = typing.get_type_hints(Switches)[name]
    values = get_args(hint) if get_origin(hint) is Literal else NUMBERS.get(name, (False, True))
    led = name in (*CIRCUMSTANCES, "query_batch_size")
    return tuple(value for value in values if led or value != getattr(Switches(), name))


def cases() -> Iterator[Any]:
    """Each value of each switch with a question; several switches at once where they are apart."""
    names = [name for name in typing.get_type_hints(Switches) if name not in UNANSWERABLE]
    together: dict[tuple[str, int], dict[str, Any]] = {}
    for name in names:
        for number, value in enumerate(values_of(name)):
            if name in ALONE or name in CIRCUMSTANCES or name not in ALL:
                yield pytest.param({name: value}, id=f"{name}-{value}")
            else:
                subject = ALL[name].ask.__module__.rpartition(".")[2]
                together.setdefault((subject, number), {})[name] = value
    for (subject, number), switches in together.items():
        yield pytest.param(switches, id=f"{subject}-{number}")


class Robot:
    """An owner who allows everything, and looks at the simulated org where it is asked."""

    def __init__(self, sim: SimulatedOrg, allowed: frozenset[str] | None = None) -> None:
        self.sim, self.allowed, self.mails = sim, allowed, 0

    def allows(self, kind: str) -> bool:
        return self.allowed is None or kind in self.allowed

    def answer(self, question: str, *, secret: bool = False) -> str | None:
        mails = self.sim.commands.mails()
        if secret:
            self.mails = len(mails)
            return str(mails[-1]["token"])
        if "Has a" in question:
            came, self.mails = len(mails) > self.mails, len(mails)
            return "yes" if came else "no"
        org = self.sim.state.org()
        return "yes" if "My Domain" in question and org.own_host_only or not org.soap_login_enabled else "no"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedOrg]:
    with SimulatedOrg(folder=tmp_path_factory.mktemp("live"), addresses=("127.0.0.1", "127.0.0.2")) as sim:
        yield sim


@pytest.fixture
def sim(server: SimulatedOrg) -> SimulatedOrg:
    """A Developer Edition whose own host is not the login host."""
    server.commands.reset()
    server.commands.set_org(organization_type="Developer Edition", instance_url=server.listeners[1].url)
    permissions = ["ExternalClientAppAdmin", "ExternalClientAppDeveloper", "ViewClientSecret"]
    server.commands.set_permission_set("Apps", permissions=permissions, assigned=[ADMIN])
    return server


def admin_of(sim: SimulatedOrg) -> Caller:
    """The administrator's session."""
    connection = Connection(
        login_url=sim.url,
        username=ADMIN,
        password=sim.admin.password,
        security_token=sim.admin.security_token,
        ca_path=sim.ca_path,
        allowed_hosts=("localhost", "127.0.0.1", "127.0.0.2"),
        timeout=1.0,
    )
    return Caller(connection, login(connection))


def run(sim: SimulatedOrg, admin: Caller, folder: Path, *only: str, allowed: frozenset[str] | None = None) -> Report:
    """Ask questions."""
    org = check_org(admin, sim.state.org().id)
    journal = Journal(folder / "journal", org["org"])
    scene = Scene(admin, journal, Robot(sim, allowed), org_id=org["org"], wait=sim.commands.advance)
    return ask_all(scene, org, only=only)


def picture(sim: SimulatedOrg) -> dict[str, Any]:
    """What of an org must be after a run as before: all but the history of it."""
    org = sim.state.org()
    return {
        "trusted": org.trusted_ranges,
        "profiles": {one.name: dataclasses.asdict(one) for one in org.profiles.values()},
        "users": {one.username: (one.profile_id, one.active) for one in org.users.values() if one.username == ADMIN},
        "active": [one.username for one in org.users.values() if one.active],
        "sets": sorted(one.name for one in org.grants.sets.values()),
        "assignments": sorted(org.grants.assignments.values()),
        "accesses": dict(org.grants.accesses),
        "apps": list(org.external_client_apps),
        "app_settings": dict(org.external_client_app_settings),
        "session_settings": dict(org.session_settings),
        "policies": dict(org.password_policies),
    }


@pytest.mark.parametrize("switches", list(cases()))
def test_the_report_names_what_the_org_does(sim: SimulatedOrg, tmp_path: Path, switches: dict[str, Any]) -> None:
    fields = {"trusted_ranges": ["198.51.100.200/30"], **CIRCUMSTANCES.get(next(iter(switches)), {})}
    admin = admin_of(sim)
    sim.commands.set_org(**{**fields, "switches": {**fields.get("switches", {}), **switches}})
    if "query_batch_size" in switches:
        rows = {"username": ADMIN, "source_ip": "192.0.2.1", "count": switches["query_batch_size"] + 1}
        sim.commands.add_logins([rows])
    before = picture(sim)
    report = run(sim, admin, tmp_path, *switches)
    assert report.switches == switches, report.as_markdown()
    assert not report.problems
    assert picture(sim) == before
    assert not [one for one in sim.state.org().users.values() if one.locked_until or one.failed_attempts > 5]


def test_one_run_asks_everything(sim: SimulatedOrg, tmp_path: Path) -> None:
    admin, before = admin_of(sim), picture(sim)
    report = run(sim, admin, tmp_path)
    answers = {one.name: one for one in report.answers}
    assert {name for name, one in answers.items() if one.has_switch and one.answered and not one.is_default} == set()
    # Of the open questions that this org can answer, all are answered; of the others the report says why.
    unanswered = {name for name, one in answers.items() if not one.answered}
    assert unanswered == set(UNANSWERABLE) | set(CIRCUMSTANCES) | {"query_batch_size"}
    assert all(answers[name].why for name in unanswered)
    assert answers["range_error_texts"].value["start above end"].startswith("FIELD_INTEGRITY_EXCEPTION: The start")
    assert picture(sim) == before
    assert stat.S_IMODE((tmp_path / "journal").stat().st_mode) == 0o600
    text = report.as_json() + report.as_markdown() + (tmp_path / "journal").read_text()
    user = next(one for name, one in sim.state.usernames.items() if name.startswith("gatehouse-live"))
    secrets = [admin.token, sim.admin.password, sim.admin.security_token, user.password, *user.old_passwords]
    secrets += [str(mail["token"]) for mail in sim.commands.mails()]
    assert not [secret for secret in secrets if secret and secret in text]
    # A second run takes up the user that the first one left inactive, and says what such a user cannot tell.
    again = {one.name: one for one in run(sim, admin, tmp_path, "token_mail", "missing_token").answers}
    assert again["missing_token"].answered
    assert "an earlier run" in again["token_mail"].why
    assert len([name for name in sim.state.usernames if name.startswith("gatehouse-live")]) == 1


def test_a_secret_that_the_org_repeats_is_masked(sim: SimulatedOrg, tmp_path: Path) -> None:
    admin = admin_of(sim)
    text = f"not {admin.token}, and not {sim.admin.password}"
    sim.commands.inject("error", operation="updateMetadata", code="FIELD_INTEGRITY_EXCEPTION", message=text)
    report = run(sim, admin, tmp_path, "ipv4_notation")
    assert "FIELD_INTEGRITY_EXCEPTION: not ********, and not ********" in report.answers[0].why


@pytest.mark.parametrize(
    "allowed", [frozenset(), frozenset({"user"}), frozenset({"ranges"}), frozenset({"app", "user"})]
)
def test_nothing_is_changed_that_the_owner_does_not_allow(
    sim: SimulatedOrg, tmp_path: Path, allowed: frozenset[str]
) -> None:
    admin = admin_of(sim)
    sim.commands.clear_requests()
    report = run(sim, admin, tmp_path, allowed=allowed)
    done = {one["operation"] for one in sim.commands.requests()}
    assert ("login" in done, "setPassword" in done, "resetToken" in done) == (False, False, False)
    assert (len(sim.state.org().users) > 1) == (allowed == {"app", "user"})
    assert bool(sim.commands.audit_trail()) == (allowed in ({"ranges"}, {"user"}, {"app", "user"}))
    for answer in report.answers:
        question = ALL.get(answer.name)
        if question and not set(question.needs) <= allowed:
            assert "the owner does not allow" in answer.why, answer


def test_a_user_is_never_locked_and_no_refused_login_sent_again(sim: SimulatedOrg, tmp_path: Path) -> None:
    admin = admin_of(sim)
    sim.commands.set_org(password_policies={"maxLoginAttempts": "FiveAttempts"})
    sim.commands.clear_requests()
    report = run(sim, admin, tmp_path, *(name for name, one in ALL.items() if "login" in one.needs))
    user = next(one for name, one in sim.state.usernames.items() if name.startswith("gatehouse-live"))
    assert user.locked_until is None
    assert any("half as many as lock a user" in one.why for one in report.answers)
    logins = [one for one in sim.commands.requests("login") if one["username"] == user.username]
    refused = [one["secrets"]["password"] for one in logins if one["result"] not in ("ok", "INVALID_OPERATION")]
    assert len(refused) == len(set(refused)) == 2
    # Those of the first run count in the next one.
    assert "2 logins in a row were refused" in run(sim, admin, tmp_path, "missing_token").answers[0].why
    sim.commands.advance(2 * 86400)
    assert run(sim, admin_of(sim), tmp_path, "missing_token").switches


def test_the_org_is_put_back_when_its_owner_ends_the_run(sim: SimulatedOrg, tmp_path: Path) -> None:
    class Impatient(Robot):
        def allows(self, kind: str) -> bool:
            if kind == "secret":
                raise KeyboardInterrupt
            return True

    admin, before = admin_of(sim), picture(sim)
    org = check_org(admin, sim.state.org().id)
    scene = Scene(
        admin, Journal(tmp_path / "journal", org["org"]), Impatient(sim), org_id=org["org"], wait=lambda _s: None
    )
    report = ask_all(scene, org, only=["ipv4_notation", "eca_pkce", "eca_usage", "token_mail"])
    assert {one.name: one.value or one.why for one in report.answers} == {
        "ipv4_notation": "dotted",
        "eca_pkce": "as_sent",
        "eca_usage": "the run was ended before",
        "token_mail": "the run was ended before",
    }
    assert picture(sim) == before


def test_what_could_not_be_put_back_is_named_and_stays_in_the_journal(sim: SimulatedOrg, tmp_path: Path) -> None:
    admin, before = admin_of(sim), picture(sim)
    sim.commands.inject("error", operation="deleteMetadata", code="UNKNOWN_EXCEPTION", message="try again", times=1)
    report = run(sim, admin, tmp_path, "empty_login_ip_ranges")
    assert report.switches == {"empty_login_ip_ranges": "ignored"}
    assert [one.partition(" ")[0] for one in report.problems] == ["profile"]
    assert "UNKNOWN_EXCEPTION: try again" in report.problems[0]
    assert "## Not put back" in report.as_markdown()
    journal = Journal(tmp_path / "journal", sim.state.org().id[:15])
    assert len(journal.open_entries()) == 1
    assert restore(admin, journal, lambda _s: None) == []
    assert picture(sim) == before


def test_a_journal_survives_a_line_that_was_cut(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", "00D000000000001")
    journal.begin("app", "GatehouseLive_1")
    with (tmp_path / "journal").open("a") as file:
        file.write('{"number": 2, "undo": "prof')
    again = Journal(tmp_path / "journal", "00D000000000001")
    again.begin("user", "somebody@example.com")
    assert [one.undo for one in Journal(tmp_path / "journal", "00D000000000001").open_entries()] == ["user", "app"]
    with pytest.raises(JournalError, match="journal of another org"):
        Journal(tmp_path / "journal", "00D000000000002")


@pytest.mark.parametrize(
    ("fields", "given", "problem"),
    [
        ({"organization_type": "Enterprise Edition"}, None, "is a production org"),
        ({"organization_type": "Enterprise Edition", "sandbox": True}, "", "and no org is named"),
        ({}, "00D000000000001", "not in 00D000000000001"),
        ({}, "00D", "not in 00D"),
    ],
)
def test_nothing_is_tried_in_another_org(
    sim: SimulatedOrg, fields: dict[str, Any], given: str | None, problem: str
) -> None:
    admin = admin_of(sim)
    sim.commands.set_org(**fields)
    with pytest.raises(WrongOrg, match=problem):
        check_org(admin, sim.state.org().id if given is None else given)


def test_ranges_of_others_stay_and_a_lost_one_is_reported(sim: SimulatedOrg, tmp_path: Path) -> None:
    admin = admin_of(sim)
    sim.commands.set_org(trusted_ranges=[{"start": "203.0.113.1", "end": "203.0.113.1", "description": "A & <B>"}])
    before = sim.state.org().trusted_ranges
    assert not run(sim, admin, tmp_path, "ipv4_notation", "description_cap").problems
    assert sim.state.org().trusted_ranges == before
    saved = json.loads((tmp_path / "journal.trusted-ranges.json").read_text())
    assert saved == [{"description": "A & <B>", "end": "203.0.113.1", "start": "203.0.113.1"}]
    # Another administrator removes one between reading and writing.
    sim.commands.hook("updateMetadata", [{"command": "set_trusted_ranges", "ranges": []}], when="after")
    report = run(sim, admin, tmp_path, "ipv4_notation")
    assert "ranges of others are not as they were" in report.answers[0].why


def test_no_ranges_are_written_where_the_org_shows_none(sim: SimulatedOrg, tmp_path: Path) -> None:
    """An empty list is an element, too; without it, the ranges of others may only be hidden."""
    admin = admin_of(sim)
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><readMetadataResponse '
        'xmlns="http://soap.sforce.com/2006/04/metadata"><result><records><fullName>Security</fullName></records>'
        "</result></readMetadataResponse></e:Body></e:Envelope>"
    )
    sim.commands.inject("status", operation="readMetadata", status=200, body=body, times=None)
    report = run(sim, admin, tmp_path, "ipv4_notation", "manage_ip_addresses_checked")
    assert all("does not show its trusted IP ranges" in one.why for one in report.answers)
    assert not sim.commands.requests("updateMetadata")


def test_a_user_of_somebody_else_is_left_alone(sim: SimulatedOrg, tmp_path: Path) -> None:
    admin = admin_of(sim)
    sim.commands.add_user(username_of(sim.state.org().id[:15]), "Invented-1", last_name="Somebody")
    before = picture(sim)
    report = run(sim, admin, tmp_path, "missing_token")
    assert "is not of this suite" in report.answers[0].why
    assert picture(sim) == before


@pytest.mark.parametrize("after", [60, 300])
def test_a_run_that_is_killed_is_undone_by_its_journal(
    sim: SimulatedOrg, tmp_path: Path, capsys: pytest.CaptureFixture[str], after: int
) -> None:
    """The process ends where it is; what it did is undone by another run."""
    before, org = picture(sim), sim.state.org().id
    # Without the pauses of a real run: the simulated org knows everything at once.
    begin = "import sys, time; time.sleep = lambda _s: None; from tests.live.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", begin, "--org", org, "--login-url", sim.url, "--ca-path", sim.ca_path]
    command += ["--folder", str(tmp_path / "state"), *(f"--allowed-host=127.0.0.{n}" for n in (1, 2))]
    command += ["--allowed-host", "localhost"]
    login = {"USERNAME": ADMIN, "PASSWORD": sim.admin.password, "SECURITY_TOKEN": sim.admin.security_token}
    env = {**os.environ, **{f"GATEHOUSE_LIVE_{name}": value for name, value in login.items()}}
    running = subprocess.Popen(
        [*command, *(f"--yes={kind}" for kind in KINDS)],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while running.poll() is None and len(sim.commands.requests()) < after and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == -signal.SIGKILL
    with mock.patch.dict(os.environ, env):
        assert main(command[3:]) == 2
        assert "run this with --restore first" in capsys.readouterr().err
        assert main([*command[3:], "--restore"]) == 0
    assert picture(sim) == before
    assert not list((tmp_path / "state").glob("*.jsonl"))


def test_what_is_missing_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_LIVE_ACCESS_TOKEN", "Invented-1")
    assert main(["--org", "00D000000000062"]) == 2
    assert "give GATEHOUSE_LIVE_INSTANCE_URL, or instance_url in the file of --vault" in capsys.readouterr().err


def test_without_a_terminal_nothing_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    for name in [name for name in os.environ if name.startswith("GATEHOUSE_LIVE_")]:
        monkeypatch.delenv(name)
    assert main(["--org", "00D000000000062"]) == 2
    assert "give GATEHOUSE_LIVE_USERNAME and GATEHOUSE_LIVE_PASSWORD, or --vault" in capsys.readouterr().err


PAGE = ROOT / "docs" / "live.md"


def test_the_page_names_each_kind_of_change() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE.read_text(), re.MULTILINE))
    assert rows == dict(KINDS)


def test_the_commands_of_the_page_run(
    sim: SimulatedOrg, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a vault file and by the environment; without a terminal nothing is allowed but what --yes names."""
    secrets = {"username": ADMIN, "password": sim.admin.password, "security_token": sim.admin.security_token}
    sealed = VaultLib().encrypt(yaml.safe_dump(secrets), VaultSecret(b"Invented-Vault-1"))
    (tmp_path / "admin.yml").write_bytes(sealed)
    (tmp_path / "vault-password").write_text("Invented-Vault-1")
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(tmp_path / "vault-password"))
    more = ["--yes=ranges", "--only=duplicate_ranges", "--only=missing_token", "--login-url", sim.url]
    more += ["--ca-path", sim.ca_path, "--folder", str(tmp_path / "state")]
    more += [f"--allowed-host={host}" for host in ("localhost", "127.0.0.1", "127.0.0.2")]
    found = re.findall(r'\$ make live ARGS="(.*)"', PAGE.read_text())
    first, second = (shlex.split(one.replace("00D000000000062", sim.state.org().id)) for one in found)
    assert main([*first, *more, "--vault", str(tmp_path / "admin.yml")]) == 0
    for name, value in secrets.items():
        monkeypatch.setenv(f"GATEHOUSE_LIVE_{name.upper()}", value)
    assert "--restore" in second and main([*second, *more]) == 0
    assert "everything is put back" in capsys.readouterr().out
    report = json.loads((tmp_path / "state" / f"{sim.state.org().id[:15]}.report.json").read_text())
    assert report["switches"] == {"duplicate_ranges": "kept"}
    assert Switches().changed(report["switches"]) == Switches()
