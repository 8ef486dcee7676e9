# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give an application its credential, and note down which version it holds. Private to gatehouse.salesforce."""

from __future__ import annotations

import dataclasses
import datetime
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from ..backend import Run
from ..deliveries import Delivery, consumer_of, fingerprint
from ..errors import GatehouseError, OptionError, StoreError
from ..formats import render
from ..host_file import AS_GIVEN, FILE
from ..options import STORE, Spec
from ..record import Credential, on_standby
from ..store import Store, store_from
from ..store.masking import hide_from_output

# The path is one of the host, where it is expanded.
SPEC: Spec = {**FILE, "dest": {"type": "str", "required": True}, **STORE}
MODE = re.compile(r"0?[0-7]{3}")
Host = Callable[[dict[str, Any]], dict[str, Any]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Consumer:
    """A file on a host, and what is known of it.

    Attributes:
        before: what was delivered to it; None when nothing was.
        ask: asks the host about the file, or to change it.
    """

    name: str
    options: Mapping[str, Any]
    store: Store
    before: Delivery | None
    ask: Host

    @property
    def result(self) -> dict[str, Any]:
        """What every result tells."""
        return {
            "consumer": self.name,
            "credential": self.options["credential"],
            "dest": self.options["dest"],
            "version_before": None,
            "version": None,
        }

    def asked(self, wanted: str | None, *, content: str | None = None, **more: Any) -> dict[str, Any]:
        """What the host answers; with the content it writes the file."""
        recorded = self.before.fingerprint if self.before else None
        return self.ask(
            {name: self.options[name] for name in AS_GIVEN}
            | {name: self.options[name] for name in ("credential", "encrypt", "encrypt_name")}
            | {"format_options": {"wanted": wanted, "recorded": recorded, "content": content}}
            | more
        )

    def note(self, delivery: Delivery | None, result: dict[str, Any], *, credential: str | None = None) -> None:
        """Have the store know what the consumer holds now of this credential, or of another one."""
        try:
            self.store.record_deliveries(credential or self.options["credential"], {self.name: delivery})
        except StoreError as exc:
            exc.result = result
            raise

    def take_from_others(self, result: dict[str, Any]) -> None:
        """Have the store know that the consumer holds no other credential any more."""
        for other in self.store.delivered():
            if other != self.options["credential"] and self.name in self.store.clear_deliveries(other):
                self.note(None, result, credential=other)


def run(options: Mapping[str, Any], run: Run, *, host: str, ask: Host) -> dict[str, Any]:
    """Bring the file of one application on one host into the state that the options name.

    Args:
        host: its name in the inventory.
        ask: has the host do its part.
    """
    _require_usable(options)
    store, name = store_from(options), consumer_of(host, options["dest"])
    before = store.deliveries(options["credential"]).get(name)
    consumer = Consumer(name=name, options=options, store=store, before=before, ask=ask)
    ensure = {
        "absent": _ensure_absent,
        "forgotten": _forget,
        "present": _ensure_present,
        "restarted": _note_restart,
    }
    return ensure[options["state"]](consumer, run)


def _ensure_present(consumer: Consumer, run: Run) -> dict[str, Any]:
    options, before = consumer.options, consumer.before
    credential = consumer.store.read(options["credential"])
    fallback = credential.standby is not None and not options["standby"]
    if options["standby"]:
        credential = on_standby(credential)
    content = _content(credential, options, run)
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
        if not run.check_mode:
            again = consumer.asked(wanted, content=content)
            result |= {key: again[key] for key in ("changed", "backup_file") if key in again}
    if not run.check_mode:
        if held != "nothing" and not known:
            consumer.take_from_others(result)
        consumer.note(delivery, result)
    return result


def _ensure_absent(consumer: Consumer, run: Run) -> dict[str, Any]:
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
    if not run.check_mode:
        consumer.note(dataclasses.replace(before, settled=False) if restart and before else None, result)
    return result


def _forget(consumer: Consumer, run: Run) -> dict[str, Any]:
    """Have the store forget a consumer, whose host is not asked."""
    before = consumer.before
    result = {**consumer.result, "changed": before is not None, "version_before": before.version if before else None}
    if before:
        result["diff"] = _diff(consumer, "recorded", None)
        if not run.check_mode:
            consumer.note(None, result)
    return result


def _note_restart(consumer: Consumer, run: Run) -> dict[str, Any]:
    """Have it known that the application was restarted since its file was written. The host has no part in it."""
    before, options = consumer.before, consumer.options
    result = {**consumer.result, "changed": False}
    if before:
        result |= {"version_before": before.version, "version": before.version}
        is_of = options["version"] in (None, before.version)
        if is_of and not before.settled and not run.check_mode:
            consumer.note(dataclasses.replace(before, settled=True, delivered=_now()), result)
    return result


def _content(credential: Credential, options: Mapping[str, Any], run: Run) -> str:
    """What the file is to hold, which is kept out of whatever the task tells."""
    connection = credential.connection
    given = {name: None if value is None else str(value) for name, value in options["format_options"].items()}
    run.hide(connection)
    run.secrets.extend(filter(None, given.values()))
    hide_from_output(connection)
    content = render(connection, options["format"], given)
    run.secrets.append(content)
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
