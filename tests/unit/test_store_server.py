# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a key-value server is reached: its options, its logins, and what is told when it refuses."""

from __future__ import annotations

import contextlib
import http.server
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hvac.exceptions import InvalidPath

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.authorities import AUTHORITY_VARIABLES
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    CredentialNotFoundError,
    OptionError,
    StoreError,
    VersionConflictError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import client, kv, lease
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.base import Store
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.client import KvAddress
from tests.support.openbao import MOUNT, OpenBao
from tests.support.processes import free_port
from tests.support.stores import open_store, store_options
from tests.unit.test_stores import credential, delivery

URL = "https://vault.example:8200/v1/secret/salesforce"


@pytest.fixture(autouse=True)
def no_token_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a token of their own."""
    for name in ("VAULT_TOKEN", "BAO_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    """A file with one key."""
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_bytes(Fernet.generate_key())
    return str(file)


def opened(options: dict[str, Any], key_file: str) -> Store:
    """The store of these options."""
    return open_store(**{**options, "store_key_file": key_file})


def address(options: dict[str, Any]) -> KvAddress:
    """The address that these options name."""
    return KvAddress.of(store_options(**options))


def test_the_address_names_the_engine_and_the_path_below() -> None:
    found = address({"store": "https://vault.example/v1/secret/teams/salesforce/", "store_token": "t"})
    assert (found.address, found.mount, found.path) == ("https://vault.example:443", "secret", "teams/salesforce")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"store": "http://vault.example/v1/secret/salesforce"}, "store: must start with https://"),
        ({"store": "s3://bucket"}, "store: must start with https://"),
        ({"store": "https://"}, "store: must start with https://"),
        ({"store": "https://vault.example"}, "store: a server is named as https://HOST:PORT/v1/MOUNT/PATH"),
        ({"store": "https://vault.example/v1/secret"}, "store: a server is named as"),
        ({"store": "https://vault.example/v1/secret/.."}, "store: a server is named as"),
        ({"store": "https://vault.example/v1/secret/%2e%2e/x"}, "store: a server is named as"),
        ({"store": "https://u:CANARY@vault.example/v1/secret/x"}, "store: a server is named as"),
        ({"store": "https://vault.example/v1/secret/x?token=CANARY"}, "store: a server is named as"),
        ({"store": "https://vault.example:CANARY/v1/secret/x"}, "store: is not a valid URL"),
        ({"store_token": None}, "store_token: a server needs it, or store_role_id and store_secret_id"),
        ({"store_token": None, "store_role_id": "r"}, "store_secret_id: must be given too"),
        ({"store_secret_id": "CANARY"}, "store_role_id: must be given too"),
        ({"store_ca_path": "/nonexistent"}, "store_ca_path: /nonexistent is not a file"),
        ({"store_token": "s.CANARY\n"}, "store_token: holds a blank or another character that no header may have"),
        ({"store_token": "s.CANARY\u00e4"}, "store_token: holds a blank or another"),
        ({"store_namespace": "team\n"}, "store_namespace: holds a blank or another"),
    ],
)
def test_options_that_cannot_work_are_told_before_anything_is_sent(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(OptionError) as caught:
        address({"store": URL, "store_token": "CANARY", **changes})
    assert str(caught.value).startswith(problem)
    assert "CANARY" not in str(caught.value)


def test_secrets_do_not_show_in_a_repr() -> None:
    options = {"store": URL, "store_token": "CANARY", "store_role_id": "r", "store_secret_id": "CANARY"}
    assert "CANARY" not in repr(address(options))


@pytest.mark.parametrize("variable", ["VAULT_TOKEN", "BAO_TOKEN"])
def test_the_token_of_the_environment_comes_last(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "around")
    assert address({"store": URL}).token == "around"
    assert address({"store": URL, "store_token": "given"}).token == "given"
    assert address({"store": URL, "store_role_id": "r", "store_secret_id": "s"}).token is None


def test_an_approle_logs_in_once_for_many_requests(
    bao: OpenBao, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logins: list[client.KvClient] = []
    log_in = client.KvClient._log_in

    def count(link: client.KvClient) -> None:
        logins.append(link)
        log_in(link)

    monkeypatch.setattr(client.KvClient, "_log_in", count)
    store = opened(bao.by_role, key_file)
    for _number in range(3):
        assert store.names() == []
    assert len(logins) == 1


def test_a_token_of_an_approle_that_has_run_out_is_replaced(bao: OpenBao, key_file: str) -> None:
    store = opened(bao.by_role, key_file)
    store.write(credential(), replaces=None)
    bao.admin().auth.token.revoke(store._records._client.token)  # type: ignore[attr-defined]
    assert store.read("prod") == credential()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"store_token": "s.CANARY"}, "permission denied"),
        ({"store_namespace": "other"}, "refused .status 404."),
        ({"store_ca_path": None}, "its certificate is not trusted .*; see store_ca_path"),
        ({"store_token": None, "store_role_id": "r", "store_secret_id": "CANARY"}, "AppRole login was refused"),
    ],
)
def test_a_refusal_is_told_at_once_and_without_a_secret(
    bao: OpenBao, key_file: str, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], problem: str
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setattr(client, "RETRY_SECONDS", 600)
    with pytest.raises(StoreError, match=problem) as caught:
        opened({**bao.options, **changes}, key_file).read("prod")
    assert bao.url in str(caught.value)
    assert "CANARY" not in str(caught.value)


def test_a_path_that_the_policy_does_not_allow_is_told(bao: OpenBao, key_file: str) -> None:
    token = bao.admin().auth.token.create(policies=["default"])["auth"]["client_token"]
    uses: list[Callable[[Store], object]] = [
        lambda store: store.read("prod"),
        lambda store: store.write(credential(), replaces=None),
    ]
    for use in uses:
        with pytest.raises(StoreError, match="permission denied"):
            use(opened({**bao.options, "store_token": token}, key_file))


def test_an_engine_of_another_kind_is_told(bao: OpenBao, key_file: str) -> None:
    root = {**bao.options, "store_token": bao.root_token, "store_namespace": None}
    with pytest.raises(StoreError, match="is this a key-value engine of version 2"):
        opened({**root, "store": f"{bao.node.url}/v1/nothing/there"}, key_file).read("prod")


def test_a_server_that_is_not_there_is_given_up_in_time(
    bao: OpenBao, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.3)
    options = {**bao.options, "store": f"https://127.0.0.1:{free_port()}/v1/secret/salesforce"}
    with pytest.raises(StoreError, match="cannot be reached; gave up after 0.3 seconds"):
        opened(options, key_file).names()


def test_a_sealed_server_is_waited_for(bao: OpenBao, key_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(bao.options, key_file)
    asked: list[int] = []
    real = client.KvClient._exchange

    def sealed_at_first(link: client.KvClient, *request: Any) -> Any:
        asked.append(1)
        return (503, {"errors": ["Vault is sealed"]}) if len(asked) < 3 else real(link, *request)

    monkeypatch.setattr(client.KvClient, "_exchange", sealed_at_first)
    assert store.names() == []
    assert len(asked) == 4  # twice in vain, the list, and where the engine is, as the list is empty


def test_a_write_whose_answer_was_lost_is_recognised(
    bao: OpenBao, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(bao.options, key_file)
    lost: list[int] = []
    real = client.KvClient._exchange

    def lose_the_first_write(link: client.KvClient, *request: Any) -> Any:
        status, body = real(link, *request)
        if "created_time" in (body.get("data") or {}) and not lost:
            lost.append(1)
            return 503, {}
        return status, body

    with store.lock("prod"):
        monkeypatch.setattr(client.KvClient, "_exchange", lose_the_first_write)
        store.write(credential(), replaces=None)
    assert lost == [1]
    assert store.history("prod") == [credential()]


def test_sessions_stay_on_this_machine_apart_for_each_store(
    bao: OpenBao, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    one = opened(bao.options, key_file).local_folder
    other = opened({**bao.options, "store_namespace": "other"}, key_file).local_folder
    assert one and other and one != other
    assert one.parent == other.parent == Path("/cache/gatehouse/salesforce")


def test_the_policy_of_the_guide_allows_nothing_else(bao: OpenBao) -> None:
    capabilities = bao.node.client(bao.token, "team").sys.get_capabilities(
        [f"{MOUNT}/config", f"{MOUNT}/delete/{bao.path}/prod", f"{MOUNT}/metadata/", "sys/mounts"]
    )["data"]
    assert {value for found in capabilities.values() for value in map(tuple, [found])} == {("deny",)}


def test_a_server_needs_no_package_of_its_own(bao: OpenBao, key_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("hvac", "requests", "urllib3"):
        monkeypatch.setitem(sys.modules, package, None)
    store = opened(bao.by_role, key_file)
    store.write(credential(), replaces=None)
    store.reseal("prod")
    store.delete("prod", replaces=1)
    assert store.names() == []


def test_a_redirect_takes_the_token_nowhere(bao: OpenBao, key_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.1)
    asked: list[str] = []

    class Redirecting(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(307)
            self.send_header("Location", f"{bao.node.url}{self.path}")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    files = bao.node.certificates
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as other:
        other.socket = context.wrap_socket(other.socket, server_side=True)
        threading.Thread(target=other.serve_forever, daemon=True).start()
        moved = f"https://127.0.0.1:{other.server_port}/v1/{MOUNT}/{bao.path}"
        uses: list[Callable[[Store], object]] = [lambda store: store.read("prod"), lambda store: store.names()]
        for use in uses:
            with pytest.raises(StoreError, match="does not work at the moment .status 307."):
                use(opened({**bao.options, "store": moved}, key_file))
        other.shutdown()
    assert {path.split("?")[0] for path in asked} == {
        f"/v1/{MOUNT}/data/{bao.path}/prod",
        f"/v1/{MOUNT}/metadata/{bao.path}",
    }


def test_a_holder_whose_lease_ran_out_writes_nothing(
    bao: OpenBao, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(lease.Lease, "keep", lambda _lease: None)  # as when the server cannot be reached meanwhile
    store, other = opened(bao.options, key_file), opened(bao.options, key_file)
    with store.lock("prod"):
        time.sleep(1.1)
        other.write(credential(), replaces=None)
        with pytest.raises(StoreError, match="the lock was lost"):
            store.write(credential(version=2), replaces=1)
    assert other.history("prod") == [credential()]


def test_where_locks_fail_the_server_still_lets_one_writer_win(
    bao: OpenBao, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(bao.options, key_file).write(credential(), replaces=None)

    class NoLease:
        def require(self) -> None:
            pass

    @contextlib.contextmanager
    def unlocked(*_args: object, **_options: object) -> Iterator[NoLease]:
        yield NoLease()

    monkeypatch.setattr(kv, "hold_lease", unlocked)
    start = threading.Barrier(10)

    def change(number: int) -> bool:
        mine = opened(bao.options, key_file)
        start.wait()
        try:
            mine.write(credential(version=2, username=f"writer{number}"), replaces=1)
        except VersionConflictError as exc:
            assert "nothing was written" in str(exc)
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        won = list(pool.map(change, range(10)))
    assert won.count(True) == 1
    found = opened(bao.options, key_file).history("prod")
    assert [each.connection.username for each in found[1:]] == [f"writer{won.index(True)}"]


def test_a_token_of_the_environment_that_cannot_be_sent_is_told_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "s.CANARY\n")
    with pytest.raises(OptionError, match="^store_token: holds a blank") as caught:
        address({"store": URL})
    assert "CANARY" not in str(caught.value)


def test_a_listing_where_there_is_no_engine_is_told(bao: OpenBao, key_file: str) -> None:
    options = {**bao.options, "store_token": bao.root_token, "store_namespace": None}
    with pytest.raises(StoreError, match="is this a key-value engine of version 2"):
        opened({**options, "store": f"{bao.node.url}/v1/nothing/there"}, key_file).names()


def test_an_engine_of_version_1_is_refused_and_nothing_is_left_in_it(bao: OpenBao, key_file: str) -> None:
    """It takes anything as a secret, so that a lock would be one."""
    admin, mount = bao.admin(), f"old-{bao.path}"
    admin.sys.enable_secrets_engine("kv", path=mount, options={"version": "1"})
    options = {**bao.options, "store_token": bao.root_token, "store": f"{bao.node.url}/v1/{mount}/salesforce"}
    uses: list[Callable[[Store], object]] = [
        lambda store: store.read("prod"),
        lambda store: store.names(),
        lambda store: store.write(credential(), replaces=None),
        lambda store: store.record_deliveries("prod", {"web1:/a": delivery()}),
    ]
    for use in uses:
        with pytest.raises(StoreError, match="is this a key-value engine of version 2.*version '1'"):
            use(opened(options, key_file))
    with pytest.raises(InvalidPath):
        admin.secrets.kv.v1.list_secrets("", mount_point=mount)


@pytest.mark.parametrize("written", ["secret/data/{path}", "secret/data/{path}/", "/secret//data/{path}"])
def test_an_address_as_the_api_and_its_policies_write_it_is_the_same_store(
    bao: OpenBao, key_file: str, written: str
) -> None:
    opened(bao.options, key_file).write(credential(), replaces=None)
    same = {**bao.options, "store": f"{bao.node.url}/v1/{written.format(path=bao.path)}"}
    assert opened(same, key_file).read("prod") == credential()
    opened(same, key_file).write(credential("other"), replaces=None)
    assert opened(bao.options, key_file).names() == ["other", "prod"]


def test_an_engine_without_a_path_in_it_is_refused(bao: OpenBao, key_file: str) -> None:
    for where in ("secret/data", "secret/data/"):
        with pytest.raises(OptionError, match="^store: names an engine without a path in it"):
            opened({**bao.options, "store": f"{bao.node.url}/v1/{where}"}, key_file)


@pytest.mark.parametrize("written", ["{mount}/salesforce", "{mount}/data/salesforce", "{mount}/data/data/salesforce"])
def test_a_mount_with_a_slash_works(bao: OpenBao, key_file: str, written: str) -> None:
    admin, mount = bao.admin(), f"teams/{bao.path}/kv"
    admin.sys.enable_secrets_engine("kv", path=mount, options={"version": "2"})
    where = f"{bao.node.url}/v1/{written.format(mount=mount)}"
    options = {**bao.options, "store_token": bao.root_token, "store": where}
    store = opened(options, key_file)
    with pytest.raises(CredentialNotFoundError):
        store.read("prod")
    store.write(credential(), replaces=None)
    for use in (opened(options, key_file), store):
        assert use.read("prod") == credential()
        assert use.names() == ["prod"]
    path = "data/salesforce" if written.endswith("data/data/salesforce") else "salesforce"
    assert "prod" in admin.secrets.kv.v2.list_secrets(path, mount_point=mount)["data"]["keys"]
    with pytest.raises(OptionError, match="^store: names the engine"):
        opened({**options, "store": f"{bao.node.url}/v1/{mount}"}, key_file).write(credential(), replaces=None)


def test_a_path_with_a_part_called_data_is_told_apart_by_the_server(bao: OpenBao, key_file: str) -> None:
    options = {**bao.options, "store_token": bao.root_token, "store": f"{bao.url}/data/deep"}
    opened(options, key_file).write(credential(), replaces=None)
    found = bao.admin().secrets.kv.v2.list_secrets(f"{bao.path}/data/deep", mount_point=MOUNT)["data"]["keys"]
    assert "prod" in found
    assert opened(options, key_file).read("prod") == credential()


def test_what_was_deleted_by_hand_as_a_whole_is_destroyed_before_a_key_is_retired(bao: OpenBao, key_file: str) -> None:
    """It is listed as gone, could be recovered, and the old key would open it."""
    store = opened(bao.options, key_file)
    for version in (1, 2):
        store.write(credential(version=version), replaces=version - 1 or None)
    kv2, where = bao.admin().secrets.kv.v2, {"path": f"{bao.path}/prod", "mount_point": MOUNT}
    kv2.delete_latest_version_of_secret(**where)
    store.purge()
    versions = kv2.read_secret_metadata(**where)["data"]["versions"]
    assert [versions[number]["destroyed"] for number in ("1", "2")] == [True, True]


def test_a_login_that_is_answered_by_something_else_is_told(
    bao: OpenBao, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.KvClient, "_exchange", lambda *_args: (200, {"welcome": "to the airport"}))
    with pytest.raises(StoreError, match="AppRole login"):
        opened(bao.by_role, key_file).read("prod")


def test_writes_that_the_server_is_to_delete_later_are_a_part_of_the_history(bao: OpenBao, key_file: str) -> None:
    """An administrator may have told the engine to delete what is old."""
    store = opened(bao.options, key_file)
    store.write(credential(), replaces=None)
    where = {"path": f"{bao.path}/prod", "mount_point": MOUNT}
    bao.admin().secrets.kv.v2.update_metadata(**where, delete_version_after="100h")
    for version in (2, 3):
        store.write(credential(version=version), replaces=version - 1)
    assert [each.version for each in store.history("prod")] == [1, 2, 3]


def test_what_was_deleted_by_hand_is_destroyed_when_the_key_is_replaced(bao: OpenBao, key_file: str) -> None:
    """It could be recovered, and the old key would open it."""
    store = opened(bao.options, key_file)
    for version in (1, 2):
        store.write(credential(version=version), replaces=version - 1 or None)
    kv2, where = bao.admin().secrets.kv.v2, {"path": f"{bao.path}/prod", "mount_point": MOUNT}
    kv2.delete_secret_versions(**where, versions=[1])
    assert [each.version for each in store.history("prod")] == [2]
    store.reseal("prod")
    assert kv2.read_secret_metadata(**where)["data"]["versions"]["1"]["destroyed"] is True


@pytest.mark.parametrize("variable", AUTHORITY_VARIABLES)
def test_reads_and_writes_trust_the_same_authorities(
    bao: OpenBao, key_file: str, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Without store_ca_path those of the system, or of the company."""
    for name in AUTHORITY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StoreError, match="its certificate is not trusted"):
        opened({**bao.options, "store_ca_path": ""}, key_file).names()
    monkeypatch.setenv(variable, "/nonexistent.pem")
    with pytest.raises(OptionError, match=f"^store_ca_path: is not given, and {variable} names /nonexistent.pem"):
        opened({**bao.options, "store_ca_path": ""}, key_file).names()
    monkeypatch.setenv(variable, bao.options["store_ca_path"])
    store = opened({**bao.options, "store_ca_path": ""}, key_file)
    store.write(credential(), replaces=None)
    assert store.read("prod") == credential()
