# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No wrong secret is tried twice: not by another task or host of a run, and not by the next run."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import multiprocessing
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.attempts import LoginAttempts
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    GatehouseError,
    LoginError,
    LoginUnansweredError,
    OrgError,
)

WRONG = Connection(username="user@example.com", password="CANARY-1", security_token="CANARY-t")
OK = None


class Org:
    """An org that answers logins by a script, and counts them."""

    def __init__(self, folder: Path, *answers: GatehouseError | None, run: str = "run") -> None:
        self.folder, self.answers, self.count, self.run = folder, list(answers), 0, run

    @property
    def attempts(self) -> LoginAttempts:
        """The memory, as each task opens it anew."""
        return LoginAttempts(self.folder / self.run, self.folder / "store")

    def log_in(self) -> str:
        self.count += 1
        answer = self.answers[min(self.count, len(self.answers)) - 1]
        if answer is not None:
            raise answer
        return "session"

    def ask(self, connection: Connection = WRONG, place: str = "") -> str:
        """Return the error of one attempt, or what it returned."""
        try:
            return self.attempts.run_once(connection, self.log_in, place=place)
        except GatehouseError as exc:
            return f"{getattr(exc, 'cause', None)}: {exc}"


def refused(cause: str) -> LoginError:
    return LoginError("the org refused", cause=cause)


class TestOneRun:
    def test_the_second_to_ask_gets_the_refusal_without_another_login(self, tmp_path: Path) -> None:
        org = Org(tmp_path, refused("invalid_credentials"))
        assert org.ask() == "invalid_credentials: the org refused"
        assert org.ask() == (
            "invalid_credentials: the org refused; refused before in this run, so not tried again: failed logins lock "
            "the user"
        )
        assert org.count == 1

    @pytest.mark.parametrize(
        ("answers", "logins"),
        [
            ([OK, OK], 2),
            ([refused("bad_password"), OK], 1),
            ([refused("rate_limited"), OK], 1),
            ([OK, refused("stale_token"), OK], 2),
            ([refused("ip_denied"), OK], 2),
            ([refused("soap_login_disabled"), OK], 2),
            ([OrgError("nobody is there"), refused("user_locked"), OK], 2),
            ([LoginUnansweredError("no answer came"), OK], 1),
            ([OK, LoginUnansweredError("no answer came"), OK], 3),
        ],
    )
    def test_what_another_login_would_only_repeat_is_not_tried_again(
        self, tmp_path: Path, answers: list[GatehouseError | None], logins: int
    ) -> None:
        org = Org(tmp_path, *answers)
        for _unused in answers:
            org.ask()
        assert org.count == logins

    def test_a_lost_answer_may_have_counted_so_nobody_asks_again(self, tmp_path: Path) -> None:
        org = Org(tmp_path, LoginUnansweredError("no answer came"))
        org.ask()
        assert "no answer came; tried before in this run, so not tried again" in org.ask(place="another-host")
        assert org.count == 1

    def test_a_missing_token_is_an_address_s_matter(self, tmp_path: Path) -> None:
        org = Org(tmp_path, refused("token_required_here"))
        for place in ("host1", "host1", "host2"):
            org.ask(place=place)
        assert org.count == 2

    @pytest.mark.parametrize(
        ("change", "logins"),
        [
            ({"password": "CANARY-2"}, 2),
            ({"username": "other@example.com"}, 2),
            ({"login_url": "https://test.salesforce.com"}, 2),
            ({"timeout": 5.0, "source_address": "127.0.0.9", "api_version": "60.0", "ca_path": "/ca.pem"}, 1),
            ({"password": "CANARY-1CANARY-t", "security_token": None}, 1),
            ({"login_url": "https://LOGIN.salesforce.com/"}, 1),
        ],
    )
    def test_the_user_the_host_and_what_is_sent_make_a_login(
        self, tmp_path: Path, change: dict[str, Any], logins: int
    ) -> None:
        """Stored or inline, a joined token or one apart: the same login is the same."""
        org = Org(tmp_path, refused("bad_password"))
        org.ask()
        org.ask(dataclasses.replace(WRONG, **change))
        assert org.count == logins

    def test_two_wrong_secrets_by_turns_are_tried_once_each(self, tmp_path: Path) -> None:
        org = Org(tmp_path, refused("invalid_credentials"))
        for connection in (WRONG, dataclasses.replace(WRONG, password="CANARY-2")) * 2:
            org.ask(connection)
        assert org.count == 2

    def test_of_many_processes_one_tries(self, tmp_path: Path) -> None:
        log = tmp_path / "logins"

        def log_in() -> str:
            with log.open("a") as file:
                file.write("x")
            raise refused("bad_password")

        def work() -> None:
            with pytest.raises(LoginError):
                LoginAttempts(tmp_path / "run", None).run_once(WRONG, log_in)

        workers = [multiprocessing.get_context("fork").Process(target=work) for _unused in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(10)
        assert [worker.exitcode for worker in workers] == [0] * 8
        assert log.read_text() == "x"

    def test_a_login_whose_process_was_killed_is_not_repeated(self, tmp_path: Path) -> None:
        org = Org(tmp_path, OK)

        def killed() -> str:
            os._exit(9)

        worker = multiprocessing.get_context("fork").Process(target=org.attempts.run_once, args=(WRONG, killed))
        worker.start()
        worker.join(10)
        assert "what became of the login is not known; tried before in this run" in org.ask()
        assert org.count == 0

    def test_a_login_that_cannot_be_noted_is_not_made(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """On a full disk each of a hundred hosts would try the same wrong password."""
        org = Org(tmp_path, refused("bad_password"))
        org.ask(dataclasses.replace(WRONG, username="somebody@example.com"))

        def full(*_args: object, **_rest: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("pathlib.Path.replace", full)
        assert "a login cannot be noted there: No space left on device" in org.ask()
        assert org.count == 1

    def test_a_folder_that_cannot_be_used_stops_the_login(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        org = Org(tmp_path, OK, run="file/run")
        assert "file/run/attempts: a login cannot be noted there, so none was made" in org.ask()
        assert org.count == 0

    @pytest.mark.parametrize("content", ["", "junk", "[]", "{}", "[" * 20_000, '{"state": 3}'])
    def test_a_damaged_note_is_one_of_a_login_that_may_have_counted(self, tmp_path: Path, content: str) -> None:
        org = Org(tmp_path, refused("bad_password"))
        org.ask()
        (note,) = (tmp_path / "run" / "attempts").glob("*.json")
        note.write_text(content)
        assert "not tried again" in org.ask()
        assert org.count == 1


class TestLaterRuns:
    """A wrong secret is known until it changes."""

    def later(self, first: Org, *answers: GatehouseError | None) -> Org:
        return Org(first.folder, *answers, run=f"run-{os.urandom(4).hex()}")

    def test_a_refused_secret_is_not_tried_again_and_the_error_says_how_to(self, tmp_path: Path) -> None:
        first = Org(tmp_path, refused("invalid_credentials"))
        first.ask()
        second = self.later(first, OK)
        message = second.ask()
        assert message.startswith("invalid_credentials: the org refused; refused at 20")
        assert "not tried again" in message and second.count == 0
        (note,) = (tmp_path / "store" / ".attempts").glob("*.json")
        assert f"remove {note} and run this again" in message
        note.unlink()
        assert second.ask() == "session"

    @pytest.mark.parametrize("cause", ["user_locked", "rate_limited", "token_required_here", "ip_denied"])
    def test_what_passes_or_may_be_mended_elsewhere_is_tried_again(self, tmp_path: Path, cause: str) -> None:
        first = Org(tmp_path, refused(cause))
        first.ask()
        assert self.later(first, OK).ask() == "session"

    def test_a_lost_answer_is_tried_again(self, tmp_path: Path) -> None:
        first = Org(tmp_path, LoginUnansweredError("no answer came"))
        first.ask()
        assert self.later(first, OK).ask() == "session"

    def test_another_secret_is_tried_and_the_wrong_one_stays_known(self, tmp_path: Path) -> None:
        first = Org(tmp_path, refused("bad_password"))
        first.ask()
        later = self.later(first, OK)
        assert later.ask(dataclasses.replace(WRONG, password="CANARY-2")) == "session"
        assert "not tried again" in later.ask() and later.count == 1

    def test_a_secret_can_be_tried_again_on_request(self, tmp_path: Path) -> None:
        first = Org(tmp_path, refused("bad_password"))
        first.ask()
        later = self.later(first, OK)
        later.attempts.require_retry_allowed(WRONG)
        assert later.ask() == "session"

    @pytest.mark.parametrize("place", ["", "web1"], ids=["by the controller", "by a host"])
    def test_requests_end_before_the_user_is_locked(self, tmp_path: Path, place: str) -> None:
        """What a host reports may be made up, but may have counted as well."""
        logins = 0
        for number in range(14):
            org = Org(tmp_path, refused("bad_password"), run=f"run-{number}")
            for token in ("CANARY-a", "CANARY-b"):
                connection = dataclasses.replace(WRONG, security_token=token)
                with contextlib.suppress(LoginError):
                    org.attempts.require_retry_allowed(connection)
                    org.ask(connection, place=place)
            logins += org.count
        assert logins == 9, "by default the tenth locks the user"

    def test_a_success_begins_the_count_anew(self, tmp_path: Path) -> None:
        for number in range(3):
            for wrong in range(5):
                run = f"run-{number}-{wrong}"
                connection = dataclasses.replace(WRONG, password=f"CANARY-{number}-{wrong}")
                org = Org(tmp_path, refused("bad_password"), run=run)
                org.attempts.require_retry_allowed(connection)
                assert org.ask(connection).startswith("bad_password")
            assert (
                Org(tmp_path, OK, run=f"good-{number}").ask(dataclasses.replace(WRONG, password="right")) == "session"
            )

    def test_only_the_last_ones_of_a_user_are_kept(self, tmp_path: Path) -> None:
        org = Org(tmp_path, refused("bad_password"))
        for number in range(23):
            org.ask(dataclasses.replace(WRONG, password=f"CANARY-{number}"))
        assert len(list((tmp_path / "store" / ".attempts").glob("*.json"))) == 20

    def test_a_folder_that_takes_nothing_changes_nothing_about_the_run(self, tmp_path: Path) -> None:
        (tmp_path / "store").touch()
        org = Org(tmp_path, refused("bad_password"))
        org.ask()
        assert "refused before in this run" in org.ask() and org.count == 1


def test_notes_are_private_hold_no_secret_and_no_plain_digest(tmp_path: Path) -> None:
    def names(folder: Path) -> set[str]:
        Org(folder, refused("bad_password")).ask()
        found = [path for path in folder.rglob("*") if path.is_file()]
        assert not [path for path in found if b"CANARY" in path.read_bytes()]
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in found)
        return {path.name for path in found if path.suffix == ".json"}

    one, other = names(tmp_path / "one"), names(tmp_path / "other")
    assert len(one) == 2 and not one & other
    for folder in (
        tmp_path / "one" / "run" / "attempts",
        tmp_path / "one" / "store",
        tmp_path / "one" / "store" / ".attempts",
    ):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_note_says_what_it_is_about(tmp_path: Path) -> None:
    Org(tmp_path, refused("bad_password")).ask()
    (note,) = (tmp_path / "store" / ".attempts").glob("*.json")
    assert {"state": "refused", "cause": "bad_password", "detail": "the org refused"}.items() <= json.loads(
        note.read_text()
    ).items()
