# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of the module security_token."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..durations import parse_duration
from ..errors import OptionError
from ..mailbox.settings import SPEC as MAILBOX
from ..mailbox.settings import mail_settings
from ..rotation.adapters import Gateway
from ..rotation.model import RotationOptions
from ..rotation.run import METHODS, ensure_token_age
from ..task.context import Task
from ..task.options import LOGIN, STORE, Spec

SPEC: Spec = {
    "name": {"type": "str", "required": True},
    "max_age": {"type": "str"},
    "force": {"type": "bool", "default": False},
    "verify": {"type": "bool", "default": False},
    "method": {"type": "str", "choices": list(METHODS), "default": "reset"},
    "new_token": {"type": "str", "no_log": True},
    "mailbox": {"type": "dict", "options": MAILBOX},
    "mail_timeout": {"type": "float", "default": 300.0},
    "diagnose_with": {"type": "str"},
    "timeout": LOGIN["timeout"],
    "source_address": LOGIN["source_address"],
    **STORE,
}
MAX_MAIL_TIMEOUT = 86400.0


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Make the token of a stored credential young enough."""
    given = (options.get("new_token") or "").strip()
    task.secrets.add(given)
    store, mailbox = task.store, options.get("mailbox")
    if not 0 <= options["mail_timeout"] <= MAX_MAIL_TIMEOUT:
        raise OptionError("mail_timeout", f"must be from 0 to {MAX_MAIL_TIMEOUT:.0f} seconds")
    if given and not (given.isascii() and given.isalnum()):
        raise OptionError("new_token", "is no security token, which has letters and digits only; nothing was tried")
    task.require_stored(options["name"])
    settings = None if mailbox is None else mail_settings(mailbox)
    notes = None
    if settings and settings.oauth:
        task.secrets.add(*settings.oauth.secret_texts)
        notes = task.store_options.open_notes()
    wanted = RotationOptions(
        method=options["method"],
        max_age=parse_duration(options["max_age"], "max_age") if options.get("max_age") else None,
        force=options["force"],
        verify=options["verify"],
        new_token=given or None,
        has_mailbox=settings is not None,
        authserv_id=settings.policy.authserv_id if settings else None,
        keep_mail=mailbox is None or mailbox["on_success"] == "keep",
        mail_timeout=options["mail_timeout"],
    )
    gateway = Gateway(
        options["name"],
        store,
        task.sessions,
        settings,
        notes,
        administrator=task.administrator,
        with_limits=task.with_limits,
        secrets=task.secrets,
    )
    result = ensure_token_age(
        store, options["name"], wanted, gateway, check_mode=task.check_mode, progress=task.progress
    )
    return dataclasses.asdict(result)
