# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a credential's file on a host, or remove it, and record which file contains which version."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from ..credentials.changes import standby_connection
from ..credentials.credential import Credential
from ..credentials.deliveries import Delivery, fingerprint
from ..errors import GatehouseError
from ..formats import SECRET_OPTIONS, render
from ..host.app_file import MAX_CONTENT
from ..masking import register
from .consumer import Consumer, HostAnswer


def deliver(consumer: Consumer) -> dict[str, Any]:
    """Bring the file into the state of its options and return the task's result; raises GatehouseError."""
    ensure = {"present": _ensure_present, "absent": _ensure_absent, "forgotten": _forget}
    return ensure[consumer.file.state](consumer)


def record_restart(consumer: Consumer, version: int | None) -> None:
    """Record that the application was restarted after its file got this version, or was removed (None)."""
    before = consumer.before
    if before is None or consumer.check_mode:
        return
    if version is None:
        consumer.record(None, consumer.result)
    elif version == before.version and not before.settled:  # otherwise another run has written it since
        consumer.record(dataclasses.replace(before, settled=True, delivered=_now()), consumer.result)


def _ensure_present(consumer: Consumer) -> dict[str, Any]:
    file, before = consumer.file, consumer.before
    credential = consumer.store.read(file.credential)
    fallback = credential.standby is not None and not file.standby
    if file.standby:
        credential = standby_connection(credential)
    content = _render(consumer, credential)
    wanted = fingerprint(content.encode())
    answer = consumer.query(wanted, encrypted=file.encrypted)
    recorded = before if before is not None and before.fingerprint == wanted else None
    settled, overdue = _restarted(consumer, answer, recorded)
    delivery = Delivery(
        version=credential.version,
        updated=credential.updated,
        format=file.format,
        encrypted=file.encrypted,
        delivered=_now(),
        standby=file.standby,
        settled=settled,
        fingerprint=wanted,
    )
    is_known = answer.status == "previous" or (answer.status == "current" and recorded is not None)
    result = {
        **consumer.result,
        "changed": answer.changed or overdue,
        "version_before": before.version if before and is_known else None,
        "version": credential.version,
        "standby": file.standby,
        "fallback": fallback,
        "restarted": settled,
    }
    if overdue:
        result["diff"] = _overdue_diff(consumer, delivery, "written")
    elif answer.diff:
        result["diff"] = _headed(consumer, **answer.diff)
    if answer.status != "current":
        result["diff"] = _diff(consumer, answer.status, delivery)
        if not consumer.check_mode:
            written = consumer.query(wanted, content=content, encrypted=file.encrypted)
            result["changed"] = written.changed
            if written.backup_file:
                result["backup_file"] = written.backup_file
    if not consumer.check_mode:
        if answer.status != "missing" and not is_known:
            consumer.take_from_others(result)
        consumer.record(delivery, result)
    return result


def _restarted(consumer: Consumer, answer: HostAnswer, recorded: Delivery | None) -> tuple[bool, bool]:
    """Return whether the application reads what the file is to contain, and whether its restart is overdue."""
    is_current = answer.status == "current"
    was_restarted = is_current and recorded is not None and recorded.settled
    if consumer.restart is None:  # nobody restarts it
        return was_restarted, False
    if not consumer.restart:
        return True, False
    # The run that wrote it may have ended before the restart, or even before the delivery was recorded.
    overdue = is_current and not was_restarted
    return not (answer.changed or overdue), overdue


def _ensure_absent(consumer: Consumer) -> dict[str, Any]:
    before = consumer.before
    answer = consumer.query(None, encrypted=before.encrypted if before else None)
    if answer.status == "other":
        what = "something else than what" if before else "nothing that"
        raise GatehouseError(
            f"{consumer.file.dest} contains {what} was written there of {consumer.file.credential}, and was left as it "
            "is. Look at it; if nobody needs it, remove it with ansible.builtin.file"
        )
    # The run that removed it may have ended before the restart, or somebody else has removed it.
    overdue = bool(consumer.restart) and before is not None and answer.status == "missing"
    result = {**consumer.result, "changed": answer.changed or overdue}
    if before and result["changed"]:
        diff = _overdue_diff(consumer, before, "removed") if overdue else _diff(consumer, answer.status, None)
        result |= {"version_before": before.version, "diff": diff}
    if not consumer.check_mode:
        consumer.record(dataclasses.replace(before, settled=False) if consumer.restart and before else None, result)
    return result


def _forget(consumer: Consumer) -> dict[str, Any]:
    """Remove the delivery from the store; the host is not asked."""
    before = consumer.before
    result = {**consumer.result, "changed": before is not None, "version_before": before.version if before else None}
    if before:
        result["diff"] = _diff(consumer, "previous", None)
        if not consumer.check_mode:
            consumer.record(None, result)
    return result


def _render(consumer: Consumer, credential: Credential) -> str:
    """Return what the file is to contain, which the task masks in all that it prints."""
    connection, file = credential.connection, consumer.file
    given = file.format_options
    secrets = (*connection.secret_texts, *(str(given[name]) for name in SECRET_OPTIONS if given.get(name)))
    consumer.secrets.add(*secrets)
    register(*secrets)
    content = render(connection, file.format, given)
    consumer.secrets.add(content)
    if len(content.encode()) > MAX_CONTENT:
        raise GatehouseError(f"{file.dest}: the content would be over {MAX_CONTENT} bytes; nothing was sent")
    return content


def _diff(consumer: Consumer, status: str, after: Delivery | None) -> dict[str, Any]:
    """Return the change for Ansible's diff: versions in place of secrets."""
    texts = {"missing": "", "other": "content that is not known here\n"}
    before, shown = texts.get(status, _describe(consumer, consumer.before)), _describe(consumer, after)
    return _headed(consumer, f"{before.rstrip()}, in another form\n" if before == shown else before, shown)


def _overdue_diff(consumer: Consumer, delivery: Delivery, what: str) -> dict[str, Any]:
    text = _describe(consumer, delivery)
    return _headed(consumer, f"{text.rstrip()}, not restarted since it was {what}\n", text if what == "written" else "")


def _headed(consumer: Consumer, before: Any, after: Any) -> dict[str, Any]:
    dest = consumer.file.dest
    return {"before_header": dest, "after_header": dest, "before": before, "after": after}


def _describe(consumer: Consumer, delivery: Delivery | None) -> str:
    if delivery is None:
        return ""
    standby = ", the user on standby" if delivery.standby else ""
    return f"credential {consumer.file.credential}, version {delivery.version}{standby}\n"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
