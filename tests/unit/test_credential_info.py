# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of stored credentials without opening them, and when they will stop working."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import (
    AUTH_FLOWS,
    Connection,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.retirement import (
    RETIREMENTS,
    retirements,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends import credential_info
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.credential_info import (
    described,
    run,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.changes import declare
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.deliveries import (
    Delivery,
    consumer_of,
    parts_of,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError, StoreError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from tests.support.folder_store import FolderStore

NOVEMBER = datetime.date(2026, 11, 24)


def ends(auth: str, verified: str | None = None, today: datetime.date = NOVEMBER) -> list[tuple[str, int]]:
    return [(item["what"], item["days_left"]) for item in retirements(auth, verified, today)]


class TestRetirement:
    """The ends that Salesforce has announced."""

    def test_a_security_token_meets_the_permission_first_and_then_the_end_of_soap_login(self) -> None:
        assert ends("security_token") == [("use_any_api_auth", 7), ("soap_login", 158)]

    def test_the_password_flow_ends_in_february(self) -> None:
        assert ends("username_password") == [("username_password_flow", 88)]

    @pytest.mark.parametrize("auth", ["jwt_bearer", "client_credentials", "session"])
    def test_of_other_ways_no_end_is_known(self, auth: str) -> None:
        assert auth in AUTH_FLOWS
        assert ends(auth) == []

    def test_a_login_that_passed_since_shows_that_the_permission_is_there(self) -> None:
        later = datetime.date(2026, 12, 5)
        assert ends("security_token", "2026-12-02T08:00:00Z", later) == [("soap_login", 147)]
        assert ends("security_token", "2026-11-30T08:00:00Z", later)[0] == ("use_any_api_auth", -4)

    def test_each_says_how_sure_it_is_and_what_to_do(self) -> None:
        grades = {item.what: (item.grade, item.date_grade) for item in RETIREMENTS}
        assert grades == {
            "use_any_api_auth": ("reported", "reported"),
            "username_password_flow": ("confirmed", "confirmed"),
            "soap_login": ("confirmed", "assumed"),
        }
        assert all(item.change for item in RETIREMENTS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of three credentials."""
    store = FolderStore(tmp_path / "store", MultiFernet([Fernet(Fernet.generate_key())]))
    for name, auth in (("app", "jwt_bearer"), ("billing", "security_token"), ("old", "username_password")):
        secrets: dict[str, Any] = {"password": "CANARY-1", "security_token": "CANARY-t", "consumer_secret": "CANARY-s"}
        connection = Connection(
            auth=auth, username=f"{name}@acme.example", consumer_key="key", private_key="CANARY-k", **secrets
        )
        store.write(declare(None, connection, name=name, now="2026-11-01T00:00:00Z"), replaces=None)
    return tmp_path / "store"


def info(folder: Path | str, names: list[str] | None = None, warn_days: int = 90, **more: Any) -> dict[str, Any]:
    options = {"store": str(folder), "names": names, "max_age": None, "warn_days": warn_days, **more}
    return run(options, Task.read(options, check_mode=False, folder=Path("/nonexistent")))


def test_what_is_older_than_max_age_or_half_renewed_is_due(folder: Path) -> None:
    assert info(folder)["due"] == []
    assert info(folder, max_age="1m")["due"] == ["app", "billing", "old"]
    assert info(folder, max_age="36500d")["due"] == []
    with pytest.raises(OptionError, match="max_age: must be a duration"):
        info(folder, max_age="soon")


def test_it_tells_all_but_the_secrets_and_needs_no_key(folder: Path) -> None:
    found = info(folder)
    assert [item["name"] for item in found["credentials"]] == ["app", "billing", "old"]
    billing = found["credentials"][1]
    assert billing["secrets"] == ["consumer_secret", "password", "private_key", "security_token"]
    assert billing["verification"]["result"] == "skipped"
    assert billing["ages"]["verified"] is None and billing["ages"]["created"] >= 0
    assert "CANARY" not in json.dumps(found)


def test_ages_are_whole_days() -> None:
    clear = {"name": "x", "auth": "session", "created": "2026-11-01T00:00:00Z", "updated": "2026-11-23T12:00:01Z"}
    now = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
    assert described({**clear, "verified": None}, now)["ages"] == {"created": 23, "updated": 0, "verified": None}


def test_names_choose_and_those_that_are_not_there_are_told(folder: Path) -> None:
    found = info(folder, ["old", "nobody", "app", "old"])
    assert [item["name"] for item in found["credentials"]] == ["old", "app"]
    assert found["missing"] == ["nobody"]
    assert any("nobody" in text for text in found["warnings"])


def test_no_names_are_none(folder: Path) -> None:
    assert info(folder, [])["credentials"] == []


def test_a_name_that_cannot_be_one_is_an_error(folder: Path) -> None:
    with pytest.raises(OptionError, match="name"):
        info(folder, ["../escape"])


def test_what_is_near_is_a_warning_and_what_is_not_is_none(folder: Path) -> None:
    found = info(folder, warn_days=100_000)
    assert found["retiring"] == ["billing", "old"]
    assert any(text.startswith("billing: the SOAP login") and "cautious guess" in text for text in found["warnings"])
    assert any(text.startswith("old: ") and "(confirmed; 2027-02-20" in text for text in found["warnings"])
    nothing = info(folder, warn_days=-100_000)
    assert nothing["retiring"] == [] and nothing["warnings"] == []


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"credential": 3}', '{"credential": {"name": "billing"}}', '{"credential": {"name": "other"}}'],
)
def test_one_that_is_damaged_is_told_and_the_others_are_told_all_the_same(folder: Path, content: str) -> None:
    (folder / "billing.json").write_text(content)
    found = info(folder)
    assert [item["name"] for item in found["credentials"]] == ["app", "old"]
    assert [item["name"] for item in found["unreadable"]] == ["billing"]
    assert any("billing" in text for text in found["warnings"])


def test_one_that_others_may_read_is_not_believed(folder: Path) -> None:
    (folder / "billing.json").chmod(0o644)
    assert "open to others" in info(folder)["unreadable"][0]["problem"]


def test_a_store_that_does_not_exist_yet_has_none(tmp_path: Path) -> None:
    assert info(tmp_path / "nothing")["credentials"] == []
    assert info(tmp_path / "nothing", ["billing"])["missing"] == ["billing"]


def test_a_store_that_anybody_may_change_is_refused(folder: Path) -> None:
    folder.chmod(0o777)
    with pytest.raises((OptionError, StoreError), match="chmod"):
        info(folder)


def hold(store: FolderStore, name: str, version: int, *consumers: str, updated: str = "2026-11-01T00:00:00Z") -> None:
    given = {"format": "env", "encrypted": None, "delivered": "2026-11-02T00:00:00Z", "fingerprint": "CANARY"}
    store.record_deliveries(
        name, {each: Delivery(version=version, updated=updated, **given) for each in consumers}  # type: ignore[arg-type]
    )


@pytest.fixture
def store(folder: Path) -> FolderStore:
    """The store in that folder, opened with another key than its credentials, which are not opened here."""
    return FolderStore(folder, MultiFernet([Fernet(Fernet.generate_key())]))


class TestConsumers:
    """Who holds a credential, and who has an outdated version."""

    def test_those_that_hold_the_current_version_are_listed_without_a_warning(
        self, folder: Path, store: FolderStore
    ) -> None:
        hold(store, "billing", 1, "web2:/etc/b.env", "web1:/etc/b.env")
        found = info(folder, warn_days=-100_000)
        assert [item["consumers"] for item in found["credentials"] if item["name"] != "billing"] == [[], []]
        assert found["credentials"][1]["consumers"] == [
            {
                "consumer": f"{host}:/etc/b.env",
                "host": host,
                "target": "file",
                "dest": "/etc/b.env",
                "format": "env",
                "version": 1,
                "delivered": "2026-11-02T00:00:00Z",
                "standby": False,
                "restarted": True,
                "outdated": False,
            }
            for host in ("web1", "web2")
        ]
        assert (found["outdated"], found["deleted"], found["warnings"]) == ([], [], [])
        assert "CANARY" not in json.dumps(found)

    def test_outdated_files_are_named_in_a_warning(self, folder: Path, store: FolderStore) -> None:
        hold(store, "billing", 1, "web1:/etc/b.env")
        hold(store, "billing", 0, *(f"old{number}:/etc/b.env" for number in range(7)))
        found = info(folder, warn_days=-100_000)
        assert found["outdated"] == [f"old{number}:/etc/b.env" for number in range(7)]
        (warning,) = found["warnings"]
        assert warning.startswith("billing: not on version 1 yet: old0:/etc/b.env (version 0), old1")
        assert "and 2 more" in warning and "web1" not in warning

    def test_a_file_of_an_earlier_credential_of_that_name_is_outdated(self, folder: Path, store: FolderStore) -> None:
        hold(store, "billing", 1, "web1:/etc/b.env", updated="2025-01-01T00:00:00Z")
        assert info(folder)["outdated"] == ["web1:/etc/b.env"]

    @pytest.mark.parametrize(("names", "missing"), [(None, []), (["gone"], ["gone"])])
    def test_who_holds_a_credential_that_is_gone_is_told(
        self, folder: Path, store: FolderStore, names: list[str] | None, missing: list[str]
    ) -> None:
        hold(store, "gone", 4, "web1:/etc/b.env")
        found = info(folder, names, warn_days=-100_000)
        assert [(item["name"], len(item["consumers"])) for item in found["deleted"]] == [("gone", 1)]
        assert (found["outdated"], found["missing"]) == (["web1:/etc/b.env"], missing)
        assert any("gone is deleted, but still in web1:/etc/b.env" in text for text in found["warnings"])

    def test_a_list_that_is_damaged_is_told_and_the_other_credentials_all_the_same(
        self, folder: Path, store: FolderStore
    ) -> None:
        hold(store, "billing", 1, "web1:/etc/b.env")
        (folder / ".deliveries" / "billing.json").write_text("{}")
        found = info(folder)
        assert [item["name"] for item in found["credentials"]] == ["app", "old"]
        assert ".deliveries/billing.json" in found["unreadable"][0]["problem"]


@pytest.mark.parametrize("host", ["web1", "2001:db8::1", "a host"])
@pytest.mark.parametrize(
    ("target", "dest"),
    [("file", "/etc/a:b"), ("file", "~/a"), ("file", "/a:/b"), ("kv", "secret/a:b"), ("kv", "a/kv://b")],
)
def test_a_consumer_is_taken_apart_as_it_was_put_together(host: str, target: str, dest: str) -> None:
    assert parts_of(consumer_of(host, target, dest)) == (host, target, dest)


@pytest.mark.parametrize(("left", "words"), [(2, "in 2 days)"), (1, "in 1 day)"), (0, "today)"), (-1, " 1 day ago)")])
def test_one_day_is_a_day(left: int, words: str) -> None:
    item = dict.fromkeys(("grade", "when", "date", "why", "change"), "x") | {"date_grade": "", "days_left": left}
    assert words in credential_info._text(item)
