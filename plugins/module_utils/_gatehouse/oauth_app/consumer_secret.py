# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The consumer key and secret of an app, by Connect REST: to read them, and to renew them.

A new pair is staged and then rotated: it becomes the app's, and the one that the app had stays valid for a while.

The org gives it only while a setting of all apps allows it, and only to a user with two permissions. Both are opened
for the moment of reading. What has to be undone is written down first, so that the next run undoes it when this one is
killed.

Sources: the Connect REST guide, version 67.0, and the help page on staging OAuth credentials.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from ..errors import GatehouseError, OptionError, OrgError
from ..files import file_lock, replace_file, sync_folder
from ..org import queries
from ..org.client import Org
from ..org.deploy import deploy, read_components, update_setting
from ..org.records import RestError, create_record, delete_record, send
from ..org.token_endpoint import read_own_user_id
from ..progress import Progress
from ..text import HEADER_VALUE
from .package import parse_component, permission_set_component, write_package

SETTINGS = "ExternalClientAppSettings"
SETTING = "enableClientSecretInRestApiAccess"
PERMISSIONS = ("ExternalClientAppDeveloper", "ViewClientSecret")
PREFIX = "gatehouse_secret_"
LOCK_SECONDS = 300.0
STAGED_SINCE = "65.0"  # version of the API
ACTIVE = "Active"  # the state of a pair that is staged and not rotated yet
T = TypeVar("T")
DESCRIPTION = "Lets gatehouse.salesforce read a consumer secret. If you see this, run its task again, which removes it."


@dataclasses.dataclass(frozen=True)
class Pair:
    """A consumer key, and the secret that belongs to it."""

    key: str
    secret: str = dataclasses.field(repr=False)


class SecretReader:
    """Reads and renews consumer secrets of one org.

    Attributes:
        journal: the file that says what has to be undone; it exists only meanwhile.
    """

    def __init__(self, org: Org, folder: Path, *, seconds: float, progress: Progress) -> None:
        """Read secrets of an org.

        Args:
            folder: of this machine, where the journal is kept.
            seconds: how long one deployment may take.
            progress: shows a person what is waited for.
        """
        self._org = org
        self._seconds = seconds
        self._progress = progress
        self.journal = folder / ".external_client_apps" / f"{org.org_id}.json"  # whatever host a session leads to

    def read(self, app: str, consumer_key: str) -> str:
        """Return the secret that belongs to a consumer key of an app.

        Raises:
            OrgError: the org does not give it; what was opened is closed again, or the error says that it is not.
            OptionError: the journal cannot be written; nothing was opened.
        """
        return self._with_access(app, lambda base: self._read(base, consumer_key))

    def renew(self, app: str, consumer_key: str, *, staged_by_us: bool, begin: Callable[[], None]) -> Pair:
        """Give an app a new key and secret and return them; its old ones stay valid for a while. May be done again.

        Args:
            app: its API name.
            consumer_key: the one that is to be replaced, or has been since.
            staged_by_us: whether a pair that is staged already is to be used.
            begin: called once all is checked, before the pair is changed; perhaps more than once.

        Raises as read().
        """
        return self._with_access(app, lambda base: self._renew(base, consumer_key, staged_by_us, begin))

    def end_old(self, app: str, consumer_key: str) -> None:
        """End the pair that an app had before the one with that consumer key; there may be none. Raises as read()."""
        self._with_access(app, lambda base: self._end_old(base, consumer_key))

    def restore(self) -> bool:
        """Close what a run that was killed has left open; return whether there was anything. Raises OrgError."""
        if not self.journal.exists():
            return False
        with self._locked():
            return self._undo()

    def _with_access(self, app: str, operation: Callable[[str], T]) -> T:
        """Return what an operation makes of the resource of an app's credentials, opened for it where needed."""
        app_id = queries.external_client_app_id(self._org, app)
        if app_id is None:
            raise OrgError(f"the org does not show the app {app}")
        base = f"apps/oauth/credentials/{quote(app_id)}"
        with self._locked():
            self._undo()
            try:
                return operation(base)
            except RestError:
                pass  # closed, as it should be
            with self._opened():
                try:
                    return operation(base)
                except RestError as exc:
                    raise OrgError(
                        f"{exc}. Whether a session by password and token may do this is not known; try it with a "
                        "credential of an administrator that logs in by an app"
                    ) from exc

    def _read(self, base: str, consumer_key: str) -> str:
        consumer = next((row for row in self._consumers(base) if row.get("key") == consumer_key), None)
        if consumer is None:
            raise OrgError("the org does not list the consumer key of the app among its credentials")
        pair = self._pair(f"{base}/{quote(str(consumer.get('id')))}")
        if pair.key != consumer_key:
            raise OrgError("the org did not return the consumer secret of the app")
        return pair.secret

    def _renew(self, base: str, consumer_key: str, staged_by_us: bool, begin: Callable[[], None]) -> Pair:
        consumer, url = self._only_consumer(base)
        staged = self._staged(url)
        if consumer.get("key") != consumer_key:
            if staged and staged["key"] == consumer_key:  # done already
                return self._pair(url)
            raise OrgError(
                f"the app has another consumer key than {consumer_key}, which it did not have before, either"
            )
        if staged and staged["state"] == ACTIVE and not staged_by_us:
            raise OrgError("the app has staged credentials that somebody else has made; rotate or delete them in Setup")
        begin()
        if not staged or staged["state"] != ACTIVE:
            if staged:
                self._send("DELETE", f"{url}/staged/{quote(staged['id'])}")
            staged = self._stage(url)
        if staged is None:
            raise OrgError("the org did not return the credentials that it has staged")
        new = _pair_of(staged)
        try:
            self._send("PATCH", f"{url}/staged/{quote(staged['id'])}", {"command": "rotate"})
        except RestError:  # also where the answer to a first try was lost
            rotated = self._staged(url)
            if not rotated or rotated["key"] != consumer_key:
                raise
        return new

    def _stage(self, url: str) -> dict[str, str] | None:
        try:
            return self._first(self._send("POST", f"{url}/staged", {}))  # without a body it is reported to hang
        except RestError:  # also where the answer to a first try was lost
            staged = self._staged(url)
            if not staged or staged["state"] != ACTIVE:
                raise
            return staged

    def _end_old(self, base: str, consumer_key: str) -> None:
        consumer, url = self._only_consumer(base)
        staged = self._staged(url)
        if consumer.get("key") == consumer_key and staged and staged["state"] != ACTIVE:
            self._send("DELETE", f"{url}/staged/{quote(staged['id'])}")

    def _consumers(self, base: str) -> list[dict[str, Any]]:
        consumers = send(self._org, "GET", base).get("consumers")
        return [row for row in consumers if isinstance(row, dict)] if isinstance(consumers, list) else []

    def _only_consumer(self, base: str) -> tuple[dict[str, Any], str]:
        rows = self._consumers(base)
        if len(rows) != 1:
            raise OrgError(f"the org lists {len(rows)} consumers of the app, where one is expected")
        return rows[0], f"{base}/{quote(str(rows[0].get('id')))}"

    def _pair(self, url: str) -> Pair:
        return _pair_of(send(self._org, "GET", f"{url}?part=keyandsecret"))

    def _staged(self, url: str) -> dict[str, str] | None:
        return self._first(self._send("GET", f"{url}/staged"))

    @staticmethod
    def _first(answer: dict[str, Any]) -> dict[str, str] | None:
        """Return the staged pair in an answer, if it has one."""
        rows = answer.get("stagedCredentials")
        first = rows[0] if isinstance(rows, list) and rows else None
        if not isinstance(first, dict):
            return None
        return {name: str(first.get(name)) for name in ("id", "key", "secret", "state")}

    def _send(self, method: str, path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
        return send(self._org, method, path, content, at_least=STAGED_SINCE)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        """Open what is needed; close it again however it ends."""
        permission_set = f"{PREFIX}{secrets.token_hex(4)}"
        setting = self._setting()
        self._write({"setting": setting, "permission_set": permission_set})
        try:
            if setting != "true":
                update_setting(self._org, SETTINGS, "ExternalClientApp", SETTING, "true")
            component = permission_set_component(permission_set, DESCRIPTION, PERMISSIONS)
            version = self._org.with_session(lambda _transport, _session, version: version)
            package = write_package(version, [component])
            deploy(self._org, package, check_only=False, seconds=self._seconds, progress=self._progress)
            fields = {"AssigneeId": self._own_id(), "PermissionSetId": self._set_id(permission_set)}
            create_record(self._org, "PermissionSetAssignment", fields)
            yield
        finally:
            try:
                self._undo()
            except GatehouseError as exc:
                raise OrgError(
                    f"the setting {SETTING} and the permission set {permission_set} could not be taken back: {exc}. "
                    "Run the task again, which does it first"
                ) from exc

    def _undo(self) -> bool:
        """Undo what the journal names, then remove it; every step may have been done already."""
        journal = self._journal()
        if journal is None:
            return False
        name = str(journal.get("permission_set"))
        set_id = self._set_id(name) if name.startswith(PREFIX) else None
        if set_id:
            for assignment in queries.permission_set_members(self._org, set_id).values():
                delete_record(self._org, "PermissionSetAssignment", assignment)
            delete_record(self._org, "PermissionSet", set_id)
        if journal.get("setting") != "true" and self._setting() == "true":
            update_setting(self._org, SETTINGS, "ExternalClientApp", SETTING, "false")
        self.journal.unlink()
        sync_folder(self.journal.parent)
        return True

    def _setting(self) -> str:
        records = list(read_components(self._org, SETTINGS, ["ExternalClientApp"]))
        if not records:
            raise OrgError("the org does not show its settings of External Client Apps")
        return parse_component(SETTINGS, records[0]).values.get(SETTING, "false")

    def _set_id(self, name: str) -> str | None:
        found = queries.find_permission_set(self._org, name)
        return found[0] if found else None

    def _own_id(self) -> str:
        return self._org.user_id or read_own_user_id(self._org)

    # -- the journal -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with file_lock(self.journal.with_suffix(".lock"), seconds=LOCK_SECONDS):
                yield
        except TimeoutError:
            raise OrgError("another run reads a consumer secret of this org, for five minutes now") from None
        except OSError as exc:
            raise OptionError("store", f"{self.journal}: {exc.strerror}; the journal is kept there") from None

    def _write(self, content: dict[str, Any]) -> None:
        replace_file(self.journal, json.dumps(content).encode())

    def _journal(self) -> dict[str, Any] | None:
        try:
            content = json.loads(self.journal.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise OptionError("store", f"{self.journal} is no journal; see what it holds, and remove it")
        return content


def _pair_of(answer: dict[str, Any]) -> Pair:
    """Return the pair in an answer; raises OrgError for anything that cannot be one."""
    key, secret = answer.get("key"), answer.get("secret")
    for text in (key, secret):
        if not isinstance(text, str) or not HEADER_VALUE.fullmatch(text):
            raise OrgError("the org did not return the consumer secret of the app")
    return Pair(str(key), str(secret))
