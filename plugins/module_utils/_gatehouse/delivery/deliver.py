# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a credential to a target, or remove it, and record which target contains which version.

A file is compared and written by its host, in one call of C(deliver). To a service the role's tasks bring it, between
C(prepare), which says what they have to do, and C(finish), which records what they have done.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..credentials.changes import standby_connection
from ..credentials.credential import Credential
from ..credentials.deliveries import Delivery, fingerprint
from ..errors import GatehouseError, OptionError
from ..formats import SECRET_OPTIONS, render
from ..host.app_file import MAX_CONTENT, MISSING, OTHER
from ..masking import register
from .consumer import Consumer
from .plan import KEEP, REFUSE, WRITE, Plan, plan, status_of


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What a target is to contain.

    Attributes:
        text: the credential in the target's format.
        data: the same by key, for a service that keeps texts by key; empty where there are no keys.
        delivery: what is recorded of it.
        fallback: whether there is a user on standby to fall back to.
    """

    text: str = field(repr=False)
    data: Mapping[str, str] = field(repr=False)
    delivery: Delivery
    fallback: bool


def deliver(consumer: Consumer) -> dict[str, Any]:
    """Bring a file into the state of its options and return the task's result; raises GatehouseError."""
    if consumer.target.state == "forgotten":
        return _forget(consumer)
    wanted, before = _want(consumer), consumer.before
    if wanted is None:
        answer = consumer.query(None, encrypted=before.encrypted if before else None)
        change = plan(before, None, answer.status, restart=consumer.restart)
        _require_removable(consumer, change)
        return _record(consumer, change, _result(consumer, change, None))
    encrypted = consumer.target.encrypted
    answer = consumer.query(wanted.delivery.fingerprint, encrypted=encrypted)
    change = plan(before, wanted.delivery, answer.status, restart=consumer.restart, touched=answer.changed)
    result = _result(consumer, change, wanted.fallback)
    if answer.diff and change.action != WRITE and not change.overdue:
        result["diff"] = _headed(consumer, **answer.diff)
    if change.action == WRITE and not consumer.check_mode:
        written = consumer.query(wanted.delivery.fingerprint, content=wanted.text, encrypted=encrypted)
        result["changed"] = written.changed
        if written.backup_file:
            result["backup_file"] = written.backup_file
    return _record(consumer, change, result)


def prepare(consumer: Consumer, mark: str) -> dict[str, Any]:
    """Return what the tasks of a service have to do, and what to write; raises GatehouseError.

    Args:
        mark: what the service shows of what it contains; empty when that is nothing.

    Returns:
        C(action), C(value) and C(data), which are secret, and C(planned), which C(finish) takes.
    """
    wanted = _want(consumer)
    delivery = wanted.delivery if wanted else None
    change = plan(consumer.before, delivery, status_of(mark, consumer.before, delivery), restart=consumer.restart)
    _require_removable(consumer, change)
    _require_one_owner(consumer, change, mark)
    planned = {
        **dataclasses.asdict(change),
        "mark": mark,
        "new_mark": secrets.token_hex(16),
        "fallback": wanted.fallback if wanted else None,
    }
    if consumer.check_mode:
        return {"action": KEEP, "planned": planned}
    if wanted is None or change.action != WRITE:
        return {"action": change.action, "planned": planned}
    given = {"value": wanted.text, "data": wanted.data, "mark": planned["new_mark"]}
    return {"action": change.action, "planned": planned, "given": given}


def finish(consumer: Consumer, planned: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """Record what the tasks of a service have done, and return the task's result; raises GatehouseError.

    Args:
        planned: what C(prepare) has returned.
        mark: what the service shows now; what it showed before when the user's tasks keep the mark that they are given.
    """
    names = [each.name for each in dataclasses.fields(Plan)]
    change = Plan(**{name: planned[name] for name in names})
    delivery = Delivery(**planned["delivery"]) if planned["delivery"] else None
    # A service with versions of its own keeps the one that it has when its content was the same already.
    of_the_user = consumer.target.service is not None and consumer.target.service.collection is None
    if of_the_user and delivery and change.action == WRITE and mark == planned["mark"]:
        mark = planned["new_mark"]
    change = dataclasses.replace(change, delivery=dataclasses.replace(delivery, mark=mark) if delivery else None)
    return _record(consumer, change, _result(consumer, change, planned["fallback"]))


def record_restart(consumer: Consumer, version: int | None) -> None:
    """Record that the application was restarted after its target got this version, or was removed (None)."""
    before = consumer.before
    if before is None or consumer.check_mode:
        return
    if version is None:
        consumer.record(None, consumer.result)
    elif version == before.version and not before.settled:  # otherwise another run has written it since
        consumer.record(dataclasses.replace(before, settled=True, delivered=_now()), consumer.result)


def learn_secrets(consumer: Consumer) -> None:
    """Have the task mask what the target was to contain."""
    with contextlib.suppress(GatehouseError):
        _want(consumer)


def _want(consumer: Consumer) -> _Wanted | None:
    """Return what the target is to contain; None when nothing."""
    target = consumer.target
    if target.state == "absent":
        return None
    credential = consumer.store.read(target.credential)
    fallback = credential.standby is not None and not target.standby
    if target.standby:
        credential = standby_connection(credential)
    text = _render(consumer, credential)
    data = _by_key(consumer, text)
    delivery = Delivery(
        version=credential.version,
        updated=credential.updated,
        format=target.format,
        encrypted=target.encrypted,
        delivered=_now(),
        standby=target.standby,
        fingerprint=fingerprint((text if target.service is None else json.dumps([text, target.key])).encode()),
    )
    return _Wanted(text=text, data=data, delivery=delivery, fallback=fallback)


def _render(consumer: Consumer, credential: Credential) -> str:
    """Return what the target is to contain, which the task masks in all that it prints."""
    connection, target = credential.connection, consumer.target
    given = target.format_options
    texts = (*connection.secret_texts, *(str(given[name]) for name in SECRET_OPTIONS if given.get(name)))
    consumer.secrets.add(*texts)
    register(*texts)
    content = render(connection, target.format, given)
    consumer.secrets.add(content)
    if len(content.encode()) > MAX_CONTENT:
        raise GatehouseError(f"{target.shown}: the content would be over {MAX_CONTENT} bytes; nothing was sent")
    return content


def _by_key(consumer: Consumer, text: str) -> dict[str, str]:
    """Return the text under its key, or each member of a JSON object; nothing where there are no keys."""
    target = consumer.target
    if target.service is None or target.service.keyed is False:
        return {}
    if target.key:
        return {target.key: text}
    try:
        members = json.loads(text)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        if target.service.keyed is None:
            return {}
        raise OptionError(
            "key",
            f"format {target.format} is one text: name the key under which {target.kind} is to keep it, or give a "
            "format that is a JSON object, such as json, or mapping with the encoder json",
        )
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in members.items()}


def _require_removable(consumer: Consumer, change: Plan) -> None:
    if change.action != REFUSE:
        return
    target = consumer.target
    what = "something else than what" if consumer.before else "nothing that"
    how = "it with ansible.builtin.file" if target.service is None else "it there"
    raise GatehouseError(
        f"{target.shown} contains {what} was written there of {target.credential}, and was left as it is. Look at it; "
        f"if nobody needs it, remove {how}"
    )


def _require_one_owner(consumer: Consumer, change: Plan, mark: str) -> None:
    """Refuse to write what another host of the inventory has written: the two would do so in turns for ever."""
    place = f":{consumer.target.place}"
    for credential in consumer.store.delivered_names() if change.action == WRITE and change.status == OTHER else ():
        for name, delivery in consumer.store.read_public_deliveries(credential).items():
            if name != consumer.name and name.endswith(place) and delivery.mark == mark:
                raise GatehouseError(
                    f"{consumer.target.place} was written for {name.removesuffix(place)}; list it for one host of the "
                    "inventory only"
                )


def _forget(consumer: Consumer) -> dict[str, Any]:
    """Remove the delivery from the store; neither host nor service is asked."""
    before = consumer.before
    result = {**consumer.result, "changed": before is not None, "version_before": before.version if before else None}
    if before:
        result["diff"] = _headed(consumer, _describe(consumer, before), "")
        if not consumer.check_mode:
            consumer.record(None, result)
    return result


def _result(consumer: Consumer, change: Plan, fallback: bool | None) -> dict[str, Any]:
    """Return the result of a task; of one that removes, without what is known of what it has written."""
    before, after = consumer.before, change.delivery if fallback is not None else None
    result = {**consumer.result, "changed": change.changed}
    if after:
        result |= {
            "version_before": before.version if before and change.known else None,
            "version": after.version,
            "standby": after.standby,
            "fallback": fallback,
            "restarted": after.settled,
        }
    elif before and change.changed:
        result["version_before"] = before.version
    if change.overdue and (after or before):
        result["diff"] = _overdue_diff(consumer, after or before, removed=after is None)
    elif change.action == WRITE or (change.changed and before and not after):
        result["diff"] = _diff(consumer, change.status, after)
    return result


def _record(consumer: Consumer, change: Plan, result: dict[str, Any]) -> dict[str, Any]:
    """Record what the target contains now, and return the result."""
    if not consumer.check_mode:
        if consumer.target.state == "present" and change.status != MISSING and not change.known:
            consumer.take_from_others(result)
        consumer.record(change.delivery, result)
    return result


def _diff(consumer: Consumer, status: str, after: Delivery | None) -> dict[str, Any]:
    """Return the change for Ansible's diff: versions in place of secrets."""
    texts = {"missing": "", "other": "content that is not known here\n"}
    before, shown = texts.get(status, _describe(consumer, consumer.before)), _describe(consumer, after)
    return _headed(consumer, f"{before.rstrip()}, in another form\n" if before == shown else before, shown)


def _overdue_diff(consumer: Consumer, delivery: Delivery | None, *, removed: bool) -> dict[str, Any]:
    text, what = _describe(consumer, delivery), "removed" if removed else "written"
    return _headed(consumer, f"{text.rstrip()}, not restarted since it was {what}\n", "" if removed else text)


def _headed(consumer: Consumer, before: Any, after: Any) -> dict[str, Any]:
    shown = consumer.target.shown
    return {"before_header": shown, "after_header": shown, "before": before, "after": after}


def _describe(consumer: Consumer, delivery: Delivery | None) -> str:
    if delivery is None:
        return ""
    standby = ", the user on standby" if delivery.standby else ""
    return f"credential {consumer.target.credential}, version {delivery.version}{standby}\n"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
