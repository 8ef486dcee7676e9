# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every store promises: the same tests over a folder and over a real key-value server."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Credential
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.deliveries import (
    Delivery,
    fingerprint,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.serialisation import (
    PublicFields,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    CredentialNotFoundError,
    OptionError,
    StoreError,
    VersionConflictError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import lease
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.base import Store
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.sealed import FORM
from tests.support.openbao import MOUNT, OpenBao
from tests.support.processes import COLLECTIONS
from tests.support.stores import open_store, store_options

NOW = "2026-01-05T08:00:00Z"


def credential(name: str = "prod", version: int = 1, **fields: Any) -> Credential:
    """A credential whose secrets are recognised anywhere."""
    given = {"username": "user@example.com", "password": "CANARY-password", "security_token": "CANARY-token", **fields}
    return Credential(name=name, connection=Connection(**given), version=version, created=NOW, updated=NOW)


@dataclasses.dataclass
class Kind:
    """One kind of store, and how a stranger gets at its records."""

    options: dict[str, Any]
    raw: Callable[[str], dict[str, Any]]
    overwrite: Callable[[str, dict[str, Any]], None]

    def open(self) -> Store:
        """The store as another process opens it."""
        return open_store(**self.options)

    def keys(self, *keys: bytes) -> None:
        """Have these keys from now on."""
        Path(self.options["store_key_file"]).write_bytes(b"\n".join(keys))


@pytest.fixture(params=["file", "server"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    """Each kind of store, empty."""
    key_file = tmp_path / "key"
    key_file.touch(mode=0o600)
    key_file.write_bytes(Fernet.generate_key())
    if request.param == "file":
        folder = tmp_path / "store"

        def overwrite(name: str, content: dict[str, Any]) -> None:
            (folder / f"{name}.json").write_text(json.dumps(content))
            (folder / f"{name}.json").chmod(0o600)

        return Kind(
            {"store": str(folder), "store_key_file": str(key_file)},
            lambda name: dict(json.loads((folder / f"{name}.json").read_text())),
            overwrite,
        )
    bao: OpenBao = request.getfixturevalue("bao")
    kv = bao.admin().secrets.kv.v2

    def put(name: str, content: dict[str, Any]) -> None:
        kv.create_or_update_secret(f"{bao.path}/{name}", content, mount_point=MOUNT)

    return Kind(
        {**bao.options, "store_key_file": str(key_file)},
        lambda name: dict(
            kv.read_secret_version(f"{bao.path}/{name}", mount_point=MOUNT, raise_on_deleted_version=True)["data"][
                "data"
            ]
        ),
        put,
    )


@pytest.fixture
def store(kind: Kind) -> Store:
    """Each kind of store, empty."""
    return kind.open()


def test_what_is_written_is_read(kind: Kind, store: Store) -> None:
    written = dataclasses.replace(credential(), previous=Connection(username="u", password="CANARY-before"))
    store.write(written, replaces=None)
    assert kind.open().read("prod") == written
    assert store.names() == ["prod"]


def test_what_others_can_read_holds_no_secret(kind: Kind, store: Store) -> None:
    store.write(dataclasses.replace(credential(), previous=Connection(username="u", password="CANARY")), replaces=None)
    raw = kind.raw("prod")
    assert raw["credential"]["username"] == "user@example.com"
    assert raw["credential"]["secrets"] == ["password", "security_token"]
    assert "CANARY" not in json.dumps(raw)


@pytest.mark.parametrize("name", ["a", "A.b_c@d+e-f", "x" * 128])
def test_every_allowed_name_is_kept_as_it_is(store: Store, name: str) -> None:
    store.write(credential(name), replaces=None)
    assert store.names() == [name]
    assert store.read(name).name == name


@pytest.mark.parametrize("name", ["../prod", ".locks", "a/b", "", "a\n", "%2e%2e"])
def test_a_name_that_leads_elsewhere_is_refused(store: Store, name: str) -> None:
    uses: list[Callable[[], object]] = [
        lambda: store.read(name),
        lambda: store.history(name),
        lambda: store.write(credential(name), replaces=None),
        lambda: store.delete(name, replaces=1),
    ]
    for use in uses:
        with pytest.raises(OptionError, match="^name: "):
            use()


def test_an_unknown_name_is_told_with_the_store(kind: Kind, store: Store) -> None:
    assert store.names() == []
    for use in (store.read, store.history, store.read_public, store.reseal):
        with pytest.raises(CredentialNotFoundError, match="'other'"):
            use("other")


def test_a_write_names_the_version_that_it_replaces(store: Store) -> None:
    store.write(credential(), replaces=None)
    store.write(credential(version=2), replaces=1)
    with pytest.raises(VersionConflictError, match="the store has version 2, not version 1; nothing was written"):
        store.write(credential(version=2, password="CANARY-late"), replaces=1)
    with pytest.raises(VersionConflictError, match="the store has version 2, not none"):
        store.write(credential(), replaces=None)
    with pytest.raises(VersionConflictError, match="the store has none, not version 1"):
        store.write(credential("other", version=2), replaces=1)
    assert store.read("prod") == credential(version=2)


def test_a_removal_names_the_version_that_it_removes_and_leaves_nothing(kind: Kind, store: Store) -> None:
    store.write(credential(), replaces=None)
    store.write(credential(version=2), replaces=1)
    with pytest.raises(VersionConflictError):
        store.delete("prod", replaces=1)
    store.delete("prod", replaces=2)
    assert store.names() == []
    with pytest.raises(VersionConflictError):
        store.delete("prod", replaces=2)
    store.write(credential(), replaces=None)
    assert kind.open().history("prod") == [credential()]


def test_the_last_ten_writes_are_kept_in_their_order(store: Store) -> None:
    written = [credential(version=number, password=f"CANARY-{number}") for number in range(1, 14)]
    for each in written:
        store.write(each, replaces=each.version - 1 or None)
    assert store.history("prod") == written[-10:]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("login_url", "https://evil.salesforce.com"),
        ("allowed_hosts", ["*"]),
        ("ca_path", "/tmp/evil.pem"),
        ("version", 0),
    ],
)
def test_a_clear_part_changed_by_hand_is_detected(kind: Kind, store: Store, field: str, value: object) -> None:
    store.write(credential(), replaces=None)
    raw = kind.raw("prod")
    raw["credential"][field] = value
    kind.overwrite("prod", raw)
    with pytest.raises(StoreError, match=r"prod.*: it was tampered with") as caught:
        store.read("prod")
    assert "CANARY" not in str(caught.value)
    with pytest.raises(StoreError, match="tampered"):
        store.write(credential(version=2), replaces=1)


def test_records_cannot_be_swapped(kind: Kind, store: Store) -> None:
    store.write(credential("test"), replaces=None)
    kind.overwrite("prod", kind.raw("test"))
    with pytest.raises(StoreError, match=r"it is the credential 'test' under another name"):
        store.read("prod")
    with pytest.raises(StoreError, match=r"is the credential 'test' under another name"):
        store.read_public("prod")


@pytest.mark.parametrize("content", [{}, {"credential": {}, "sealed": 3}, {"sealed": "CANARY"}, {"credential": []}])
def test_what_is_no_record_is_told_without_its_content(kind: Kind, store: Store, content: dict[str, Any]) -> None:
    store.write(credential(), replaces=None)
    kind.overwrite("prod", content)
    for use in (store.read, store.read_public):
        with pytest.raises(StoreError, match="is damaged, or no credential") as caught:
            use("prod")
        assert "CANARY" not in str(caught.value)
        assert not isinstance(caught.value, CredentialNotFoundError)


def test_what_a_newer_release_wrote_is_refused_and_left_as_it_is(kind: Kind, store: Store) -> None:
    store.write(credential(), replaces=None)
    newer = {**kind.raw("prod"), "form": FORM + 1}
    kind.overwrite("prod", newer)
    for use in (
        lambda: store.read("prod"),
        lambda: store.read_public("prod"),
        lambda: store.write(credential(version=2), replaces=1),
        lambda: store.reseal("prod"),
    ):
        with pytest.raises(StoreError, match="newer release of gatehouse.salesforce.*upgrade"):
            use()
    assert kind.raw("prod") == newer


def test_the_clear_part_is_listed_without_any_key(kind: Kind, store: Store) -> None:
    store.write(credential("a"), replaces=None)
    store.write(credential("b"), replaces=None)
    closed = store_options(
        **{name: value for name, value in kind.options.items() if name != "store_key_file"}
    ).open_without_keys()
    found: list[PublicFields] = [closed.read_public(name) for name in closed.names()]
    assert [each["name"] for each in found] == ["a", "b"]
    assert not hasattr(closed, "read") and not hasattr(closed, "fernet")


def test_resealing_makes_the_old_key_useless_and_changes_nothing_else(kind: Kind, store: Store) -> None:
    old, new = Path(kind.options["store_key_file"]).read_bytes(), Fernet.generate_key()
    store.write(credential(), replaces=None)
    store.write(credential(version=2), replaces=1)
    kind.keys(new, old)
    kind.open().reseal("prod")
    kind.keys(new)
    assert kind.open().read("prod") == credential(version=2)
    assert kind.open().history("prod")[-1] == credential(version=2)
    kind.keys(old)
    with pytest.raises(StoreError, match="none of the keys opens it"):
        kind.open().read("prod")


def test_of_fifty_writers_each_winner_is_in_the_history_and_each_loser_is_told(kind: Kind, store: Store) -> None:
    store.write(credential(), replaces=None)
    start = threading.Barrier(50)

    def change(number: int) -> str | None:
        mine = kind.open()
        before = mine.read("prod").version
        start.wait()
        try:
            mine.write(credential(version=before + 1, username=f"writer{number}"), replaces=before)
        except VersionConflictError as exc:
            assert "nothing was written" in str(exc)
            return None
        return f"writer{number}"

    with ThreadPoolExecutor(50) as pool:
        winners = [name for name in pool.map(change, range(50)) if name]
    assert [each.connection.username for each in store.history("prod")] == ["user@example.com", *winners]
    assert len(winners) == 1


def test_writers_that_try_again_lose_no_change(kind: Kind, store: Store) -> None:
    store.write(credential(), replaces=None)
    won: list[tuple[int, str]] = []

    def change(number: int) -> None:
        mine = kind.open()
        while True:
            before = mine.read("prod").version
            try:
                mine.write(credential(version=before + 1, username=f"writer{number}"), replaces=before)
            except VersionConflictError:
                continue
            won.append((before + 1, f"writer{number}"))
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, range(8)))
    found = [(each.version, each.connection.username) for each in store.history("prod")]
    assert found[1:] == sorted(won)


def test_a_holder_keeps_others_waiting_and_may_lock_and_write_again(kind: Kind, store: Store) -> None:
    entered = threading.Event()

    def enter() -> None:
        with kind.open().lock("prod"):
            entered.set()

    other = threading.Thread(target=enter)
    with store.lock("prod"), store.lock("prod"):
        other.start()
        store.write(credential(), replaces=None)
        assert not entered.wait(0.3)
    other.join(10)
    assert entered.is_set()


HOLDER = """
import json, sys, time
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import StoreOptions, lease
lease.LEASE_SECONDS = 1.5
with StoreOptions.read(json.loads(sys.argv[1]).get).open().lock("prod"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_of_a_killed_run_is_free_when_its_lease_has_ended(kind: Kind, store: Store) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, json.dumps(kind.options)],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    started = time.monotonic()
    with store.lock("prod"):
        assert time.monotonic() - started < 5


def test_a_holder_that_lives_keeps_its_lock_beyond_a_lease(
    kind: Kind, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_SECONDS", 1.0)
    other = kind.open()
    with store.lock("prod"):
        time.sleep(2.0)
        with (
            pytest.raises(StoreError, match="'prod' is being changed by another process; gave up after 0 seconds"),
            other.lock("prod", seconds=0),
        ):
            raise AssertionError("the lock was given twice")
    with other.lock("prod", seconds=0):
        pass


def delivery(version: int = 1, content: str = "CANARY-content", **fields: Any) -> Delivery:
    """What a host holds."""
    given = {"format": "env", "encrypted": None, "delivered": NOW, **fields}
    return Delivery(version=version, updated=NOW, fingerprint=fingerprint(content.encode()), **given)


class TestDeliveries:
    """Who holds which version of a credential."""

    def test_what_is_recorded_is_known_to_others(self, kind: Kind, store: Store) -> None:
        assert store.deliveries("prod") == {} and store.delivered_names() == []
        assert store.record_deliveries("prod", {"web1:/etc/app.env": delivery()})
        assert kind.open().record_deliveries("prod", {"web2:/etc/app.env": delivery(2)})
        assert store.deliveries("prod") == {"web1:/etc/app.env": delivery(), "web2:/etc/app.env": delivery(2)}
        assert store.delivered_names() == ["prod"]
        assert store.names() == []

    def test_a_consumer_that_holds_it_no_more_is_forgotten(self, store: Store) -> None:
        store.record_deliveries("prod", {"web1:/a": delivery(), "web2:/a": delivery()})
        assert store.record_deliveries("prod", {"web1:/a": None})
        assert list(store.deliveries("prod")) == ["web2:/a"]
        assert store.record_deliveries("prod", {"web2:/a": None})
        assert store.deliveries("prod") == {}
        assert not store.record_deliveries("prod", {"web2:/a": None})
        assert store.record_deliveries("prod", {"web3:/a": delivery()})
        assert list(store.deliveries("prod")) == ["web3:/a"]

    def test_the_same_again_writes_nothing_and_keeps_its_time(self, kind: Kind, store: Store) -> None:
        store.record_deliveries("prod", {"web1:/a": delivery()})
        raw = kind.raw(".deliveries/prod")
        assert not store.record_deliveries("prod", {"web1:/a": delivery(delivered="2027-01-01T00:00:00Z")})
        assert kind.raw(".deliveries/prod") == raw
        assert store.record_deliveries("prod", {"web1:/a": delivery(2, delivered="2027-01-01T00:00:00Z")})
        assert store.deliveries("prod")["web1:/a"].delivered == "2027-01-01T00:00:00Z"

    def test_many_of_them_push_no_version_out_of_the_history(self, store: Store) -> None:
        store.write(credential(), replaces=None)
        store.write(credential(version=2), replaces=1)
        for version in range(12):
            store.record_deliveries("prod", {"web1:/a": delivery(version)})
        assert store.history("prod") == [credential(), credential(version=2)]

    def test_without_the_keys_all_can_be_read_but_the_fingerprint(self, kind: Kind, store: Store) -> None:
        store.record_deliveries("prod", {"web1:/a": delivery()})
        closed = store_options(
            **{name: value for name, value in kind.options.items() if name != "store_key_file"}
        ).open_without_keys()
        assert closed.delivered_names() == ["prod"]
        assert closed.read_public_deliveries("prod") == {"web1:/a": dataclasses.replace(delivery(), fingerprint=None)}
        assert closed.read_public_deliveries("other") == {}
        assert fingerprint(b"CANARY-content") not in json.dumps(kind.raw(".deliveries/prod"))

    @pytest.mark.parametrize("field", ["version", "format"])
    def test_a_change_made_by_hand_is_detected(self, kind: Kind, store: Store, field: str) -> None:
        store.record_deliveries("prod", {"web1:/a": delivery()})
        raw = kind.raw(".deliveries/prod")
        raw["deliveries"]["web1:/a"][field] = 7
        kind.overwrite(".deliveries/prod", raw)
        for use in (store.deliveries, lambda name: store.record_deliveries(name, {"web2:/a": delivery()})):
            with pytest.raises(StoreError, match=r"\.deliveries/prod.*tampered"):
                use("prod")

    @pytest.mark.parametrize("content", [{}, {"deliveries": {"web1:/a": {}}, "name": "prod"}, {"name": "other"}])
    def test_what_is_no_such_list_is_told(self, kind: Kind, store: Store, content: dict[str, Any]) -> None:
        store.record_deliveries("prod", {"web1:/a": delivery()})
        kind.overwrite(".deliveries/prod", content)
        for use in (store.deliveries, store.read_public_deliveries):
            with pytest.raises(StoreError, match=r"\.deliveries/prod"):
                use("prod")

    def test_the_list_of_one_credential_is_not_taken_for_that_of_another(self, kind: Kind, store: Store) -> None:
        store.record_deliveries("test", {"web1:/a": delivery()})
        store.record_deliveries("prod", {"web1:/a": delivery(2)})
        kind.overwrite(".deliveries/prod", kind.raw(".deliveries/test"))
        for use in (store.deliveries, store.read_public_deliveries):
            with pytest.raises(StoreError, match=r"\.deliveries/prod"):
                use("prod")

    def test_resealing_keeps_fingerprints_and_makes_the_old_key_useless(self, kind: Kind, store: Store) -> None:
        old, new = Path(kind.options["store_key_file"]).read_bytes(), Fernet.generate_key()
        store.write(credential(), replaces=None)
        store.record_deliveries("prod", {"web1:/a": delivery()})
        store.record_deliveries("prod", {"web1:/a": delivery(2)})
        kind.keys(new, old)
        kind.open().reseal("prod")
        kind.keys(new)
        assert kind.open().deliveries("prod") == {"web1:/a": delivery(2)}
        kind.keys(old)
        with pytest.raises(StoreError, match="none of the keys opens it"):
            kind.open().deliveries("prod")

    def test_who_holds_a_credential_is_known_after_it_is_gone(self, store: Store) -> None:
        store.write(credential(), replaces=None)
        store.record_deliveries("prod", {"web1:/a": delivery()})
        store.delete("prod", replaces=1)
        assert store.names() == [] and store.delivered_names() == ["prod"]
        assert store.deliveries("prod") == {"web1:/a": delivery()}

    def test_many_hosts_at_once_lose_nothing(self, kind: Kind, store: Store) -> None:
        def note(number: int) -> bool:
            return kind.open().record_deliveries("prod", {f"web{number}:/a": delivery()})

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(note, range(24)))
        assert len(store.deliveries("prod")) == 24

    def test_nobody_waits_for_a_rotation_that_waits_for_its_mail(self, kind: Kind, store: Store) -> None:
        done = threading.Event()

        def note() -> None:
            kind.open().record_deliveries("prod", {"web1:/a": delivery()})
            done.set()

        with store.lock("prod"):
            other = threading.Thread(target=note)
            other.start()
            assert done.wait(10)
        other.join()

    @pytest.mark.parametrize("name", ["../prod", ".locks", "a/b", ""])
    def test_a_name_that_leads_elsewhere_is_refused(self, store: Store, name: str) -> None:
        for use in (store.deliveries, store.read_public_deliveries, lambda it: store.record_deliveries(it, {})):
            with pytest.raises(OptionError, match="^name: "):
                use(name)
