# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of the module password_login."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ..auth.my_domain import leads_to
from ..credentials.credential import OAUTH_FLOWS, PASSWORD_FLOWS, Credential
from ..credentials.serialisation import to_public
from ..errors import GatehouseError, OptionError, OrgError
from ..org.client import Org
from ..org.password import generate_password
from ..org.queries import User, find_user
from ..org.records import send
from ..store.base import Store
from ..task.context import Task
from ..task.options import CONNECTION, Spec

SPEC: Spec = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["absent"], "required": True},
    **CONNECTION,
}


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Give the user of a credential that has moved to OAuth a password that nobody knows."""
    credential = task.store.read(options["name"])
    username = _require_moved(credential)
    _require_delivered(credential, task.store)
    _require_no_other(credential, username, task.store)
    org = task.org()
    user = _find(org, username)
    administrator = org.with_session(lambda _transport, session, _version: session.user_id)
    if administrator and administrator[:15] == user.id[:15]:
        raise OptionError(
            "name",
            f"{username} is the user that this task logs in as, whose password is left as the way back in; change it "
            "in Setup, or by another administrator",
        )
    notes, note = task.store_options.open_notes(), _note_name(username)
    of_close = (notes.read(note) or {}).get("password_changed")
    changed = not user.password_changed or user.password_changed != of_close
    if changed and not task.check_mode:
        _replace_password(org, user, task)
        notes.write(note, {"username": username, "password_changed": _find(org, username).password_changed})
    closed = {"user": username, "password": "known to nobody"}
    before = {**closed, "password": f"as of {user.password_changed}"} if changed else closed
    return {"changed": changed, "user": username, "diff": {"before": before, "after": closed}}


def _note_name(username: str) -> str:
    """Return under what name the store notes when the password of a user was closed: of all credentials of the user."""
    return f"closed-{hashlib.sha256(username.lower().encode()).hexdigest()[:32]}"


def _require_moved(credential: Credential) -> str:
    connection = credential.connection
    if connection.auth not in OAUTH_FLOWS or not credential.verified:
        raise OptionError("name", f"{credential.name} logs in by {connection.auth}: move it to OAuth first")
    if not connection.username:
        raise OptionError("name", f"{credential.name} does not say its user; declare it with its username")
    return connection.username


def _require_delivered(credential: Credential, store: Store) -> None:
    """Raise GatehouseError while an application may use an earlier version."""
    public = to_public(credential)
    left = [name for name, found in sorted(store.deliveries(credential.name).items()) if not found.is_of(public)]
    if left:
        raise GatehouseError(
            f"{credential.name}: not closed, as these may still use its password: {', '.join(left)}. Deliver it there, "
            "list a file that is not read any more with state: absent, or forget them with app_credential"
        )


def _require_no_other(credential: Credential, username: str, store: Store) -> None:
    """Raise OptionError while another credential needs the password of the user."""
    own = credential.connection.login_url
    others = [
        other.name
        for other in map(store.read, store.names())
        if other.connection.auth in PASSWORD_FLOWS
        and any((user.username or "").lower() == username.lower() for user in other.users)
        and (leads_to(other.connection.login_url, own) or leads_to(own, other.connection.login_url))
    ]
    if others:
        raise OptionError(
            "name",
            f"{credential.name} is not closed, as these log in by the password of {username}, too: "
            f"{', '.join(others)}. Move them to OAuth first, or remove them from the store",
        )


def _find(org: Org, username: str) -> User:
    user = find_user(org, username)
    if user is None:
        raise OptionError("name", f"{username} is not a user of this org")
    return user


def _replace_password(org: Org, user: User, task: Task) -> None:
    """Set a password and forget it; raises OrgError."""
    password = generate_password({})
    task.secrets.add(password)
    try:
        send(org, "POST", f"sobjects/User/{user.id}/password", {"NewPassword": password})
    except OrgError:
        # The org refuses the same password again, as it would when the first answer was lost.
        if _find(org, user.username).password_changed == user.password_changed:
            raise
