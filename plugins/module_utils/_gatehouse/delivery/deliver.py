# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a credential's file on a host, or remove it, and record who holds which version."""

from __future__ import annotations

import dataclasses
import datetime
import re
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ..credentials.changes import standby_connection
from ..credentials.credential import Credential
from ..credentials.deliveries import Delivery, fingerprint
from ..errors import GatehouseError, OptionError
from ..formats import SECRET_OPTIONS, render
from ..masking import register
from ..task.context import Task
from .consumer import Consumer

MODE = re.compile(r"0?[0-7]{3}")


def ensure_present(consumer: Consumer, task: Task) -> dict[str, Any]:
    options, before = consumer.options, consumer.before
    credential = consumer.store.read(options["credential"])
    fallback = credential.standby is not None and not options["standby"]
    if options["standby"]:
        credential = standby_connection(credential)
    content = _content(credential, options, task)
    wanted = fingerprint(content.encode())
    answer = consumer.asked(wanted)
    held = answer["held"]
    noted = before is not None and before.fingerprint == wanted
    # Whoever has written it has died before the restart, or even before it was noted down.
    overdue = options["restart"] and held == "wanted" and not (before and noted and before.settled)
    delivery = Delivery(
        version=credential.version,
        updated=credential.updated,
        format=options["format"],
        encrypted=_encrypted_as(options),
        delivered=_now(),
        standby=options["standby"],
        settled=not options["restart"] or not (answer["changed"] or overdue),
        fingerprint=wanted,
    )
    known = before and (held == "recorded" or (held == "wanted" and noted))
    result = {
        **consumer.result,
        "changed": answer["changed"] or overdue,
        "version_before": before.version if before and known else None,
        "version": credential.version,
        "standby": options["standby"],
        "fallback": fallback,
    }
    if overdue:
        result["diff"] = _overdue(consumer, delivery, "written")
    elif "diff" in answer:
        result["diff"] = _headed(consumer, **answer["diff"])
    if held != "wanted":
        result["diff"] = _diff(consumer, held, delivery)
        if not task.check_mode:
            again = consumer.asked(wanted, content=content)
            result |= {key: again[key] for key in ("changed", "backup_file") if key in again}
    if not task.check_mode:
        if held != "nothing" and not known:
            consumer.take_from_others(result)
        consumer.note(delivery, result)
    return result


def ensure_absent(consumer: Consumer, task: Task) -> dict[str, Any]:
    before, restart = consumer.before, consumer.options["restart"]
    encrypted = before.encrypted if before else None
    answer = consumer.asked(None, encrypt=encrypted is not None, encrypt_name=encrypted)
    if answer["held"] == "other":
        told = "something else than what" if before else "nothing that"
        raise GatehouseError(
            f"{consumer.options['dest']} holds {told} was written there of {consumer.options['credential']}, and was "
            "left as it is. Look at it; if nobody needs it, remove it with ansible.builtin.file"
        )
    # Whoever has removed it has died before the restart, or it was somebody else.
    overdue = restart and before is not None and answer["held"] == "nothing"
    result = {**consumer.result, "changed": answer["changed"] or overdue}
    if before and result["changed"]:
        diff = _overdue(consumer, before, "removed") if overdue else _diff(consumer, answer["held"], None)
        result |= {"version_before": before.version, "diff": diff}
    if not task.check_mode:
        consumer.note(dataclasses.replace(before, settled=False) if restart and before else None, result)
    return result


def _forget(consumer: Consumer, task: Task) -> dict[str, Any]:
    """Have the store forget a consumer, whose host is not asked."""
    before = consumer.before
    result = {**consumer.result, "changed": before is not None, "version_before": before.version if before else None}
    if before:
        result["diff"] = _diff(consumer, "recorded", None)
        if not task.check_mode:
            consumer.note(None, result)
    return result


def record_restart(consumer: Consumer, task: Task) -> dict[str, Any]:
    """Have it known that the application was restarted since its file was written. The host has no part in it."""
    before, options = consumer.before, consumer.options
    result = {**consumer.result, "changed": False}
    if before:
        result |= {"version_before": before.version, "version": before.version}
        is_of = options["version"] in (None, before.version)
        if is_of and not before.settled and not task.check_mode:
            consumer.note(dataclasses.replace(before, settled=True, delivered=_now()), result)
    return result


def _content(credential: Credential, options: Mapping[str, Any], task: Task) -> str:
    """What the file is to hold, which is kept out of whatever the task tells."""
    connection = credential.connection
    given = options["format_options"]
    task.secrets.add(*connection.secret_texts)
    task.secrets.add(*(str(given[name]) for name in SECRET_OPTIONS if given.get(name)))
    register(*connection.secret_texts)
    content = render(connection, options["format"], given)
    task.secrets.add(content)
    return content


def _require_usable(options: Mapping[str, Any]) -> None:
    if not options["dest"].startswith(("/", "~")) or options["dest"].endswith("/"):
        raise OptionError("dest", f"{options['dest']!r} must be the absolute path of a file on the host")
    mode = options["mode"]
    if not isinstance(mode, str) or not MODE.fullmatch(mode):
        raise OptionError("mode", f"{mode!r} must be a quoted octal number of permissions, such as '0600'")
    if int(mode, 8) & 0o007 and not options["encrypt"]:
        raise OptionError("mode", f"{mode!r} would open the secret to everybody on the host")
    if options["validate"] and "%s" not in options["validate"]:
        raise OptionError("validate", "must contain %s, which stands for the new file")
    try:
        shlex.split(options["validate"] or "")
    except ValueError as exc:
        raise OptionError("validate", f"{options['validate']!r} cannot be split into words: {exc}") from None


def _encrypted_as(options: Mapping[str, Any]) -> str | None:
    """The name under which the host encrypts it; None when it does not."""
    if not options["encrypt"]:
        return None
    return str(options["encrypt_name"] or PurePosixPath(options["dest"]).name)


def _diff(consumer: Consumer, held: str, after: Delivery | None) -> dict[str, Any]:
    """The change for Ansible's diff: versions in place of secrets."""
    texts = {"nothing": "", "other": "content that is not known here\n"}
    before, shown = texts.get(held, _shown(consumer, consumer.before)), _shown(consumer, after)
    return _headed(consumer, f"{before.rstrip()}, in another form\n" if before == shown else before, shown)


def _overdue(consumer: Consumer, delivery: Delivery, what: str) -> dict[str, Any]:
    shown = _shown(consumer, delivery)
    after = shown if what == "written" else ""
    return _headed(consumer, f"{shown.rstrip()}, not restarted since it was {what}\n", after)


def _headed(consumer: Consumer, before: Any, after: Any) -> dict[str, Any]:
    dest = consumer.options["dest"]
    return {"before_header": dest, "after_header": dest, "before": before, "after": after}


def _shown(consumer: Consumer, delivery: Delivery | None) -> str:
    if delivery is None:
        return ""
    standby = ", the user on standby" if delivery.standby else ""
    return f"credential {consumer.options['credential']}, version {delivery.version}{standby}\n"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
