# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the role app_credentials: Python decides, the role's tasks notify handlers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends import app_credentials
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.delivery.applications import Application
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError, OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app.model import FLOWS
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.rotation.run import wait_for_renewal
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.options import StoreOptions
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.options import (
    VARIABLE_PREFIX,
    require_text,
)
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.action import without_values
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.host import AppFileAction
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.variables import TrustedVariables

TARGETS = "app_credentials_targets"
STORE = f"{VARIABLE_PREFIX}store"


class ActionModule(AppFileAction):
    """See the module of the same name."""

    spec = app_credentials.SPEC

    def backend(self, options: Mapping[str, Any], task: Task) -> dict[str, Any]:
        """Run one step of the role, on the targets that the host's own variables list."""
        if options["step"] == "list":
            return self._list(options["hosts"])
        if options["step"] == "wait":
            awaited = options["pending"]
            seen, seconds = int(awaited["version"]), float(awaited["seconds"])
            wait_for_renewal(task.store, awaited["name"], seen=seen, seconds=seconds)
            return {"changed": False}
        applications, problems = _read(_items(TrustedVariables(self._task_vars, self._templar)))
        # The playbook drift, which compares, notifies nobody.
        if options["step"] in ("write", "compare"):
            applications, missing = _without_missing_parts(applications)
            problems += missing
        if options["step"] == "write" and self._task._role and constants.ERROR_ON_MISSING_HANDLER:
            applications, missing = self._without_missing_handlers(applications)
            problems += missing
        result = app_credentials.run(
            options,
            task,
            applications=applications,
            problems=problems,
            host=self.host_name,
            ask=self.asker(task),
        )
        if self._task.check_mode and "topics" in result:
            result["restarts"] = []
            # Handlers run for real where only a keyword has put the role into check mode.
            result["topics"] = result["topics"] if self._task_vars["ansible_check_mode"] else []
        return self.with_notes(result)

    def _without_missing_handlers(self, applications: Sequence[Application]) -> tuple[list[Application], list[str]]:
        """Return the applications whose topics have handlers, and why the others cannot be delivered.

        Without this, Ansible ends the whole run at the first topic to which nobody listens, with files written.
        """
        handled = self._topics()
        usable, problems = list[Application](), list[str]()
        for application in applications:
            missing = [topic for topic in application.topics or () if topic not in handled]
            if missing:
                problems.append(
                    f"{application.target.place}: not written, as no handler of this play has the name or listens to "
                    f"{', '.join(missing)}; write one, which the playbook deliver reads from handlers.yml beside the "
                    "inventory or from deliver_handlers, or give notify: [] if the application needs no restart"
                )
            else:
                usable.append(application)
        return usable, problems

    def _topics(self) -> set[str]:
        """Return what the handlers of this play listen to, as Ansible's strategies look for it."""
        topics = set[str]()
        for handler in (handler for block in self._task.get_play().handlers for handler in block.block):
            topics.update(handler.listen or ())
            try:
                name = self._templar.template(handler.name)
            except AnsibleError:
                continue  # nor does Ansible find it
            if name:
                topics.update((name, handler.get_name(include_role_fqcn=False), handler.get_name()))
        return topics

    def _list(self, hosts: list[str]) -> dict[str, Any]:
        """Return what the targets of other hosts contain, by host; one whose lists cannot be read is a problem."""
        targets: dict[str, list[dict[str, Any]]] = {}
        users: dict[str, list[str]] = {}
        unread: list[str] = []
        own_store = _store(TrustedVariables(self._task_vars, self._templar))
        for host in hosts:
            try:
                hostvars = self._task_vars["hostvars"]
                # Its lists may be made of other variables of its own, or of other hosts.
                variables = TrustedVariables(
                    {**hostvars.raw_get(host), "hostvars": hostvars}, self._templar, of_another_host=True
                )
                if own_store and (_store(variables) or own_store) != own_store:
                    continue  # what has the same name there is another credential
                applications, problems = _read(_items(variables))
            except (GatehouseError, AnsibleError) as exc:
                unread.append(f"{host}: {exc}")
                continue
            unread += [f"{host}: {problem}" for problem in problems]
            targets[host] = [
                {
                    "credential": application.target.credential,
                    "target": application.target.kind,
                    "dest": application.target.place,
                    "obstacles": application.target.obstacles(FLOWS),
                }
                for application in applications
                if application.target.state == "present"
            ]
            for credential in dict.fromkeys(target["credential"] for target in targets[host]):
                users.setdefault(credential, []).append(host)
        return {
            "changed": False,
            "targets": targets,
            "credentials": sorted(users),
            "users": users,
            "problems": unread,
        }


def _without_missing_parts(applications: Sequence[Application]) -> tuple[list[Application], list[str]]:
    """Return the applications whose services can be reached with what is installed here, and what the others need."""
    usable, problems = list[Application](), list[str]()
    for application in applications:
        try:
            app_credentials.require_service(application, keeps_files=constants.DEFAULT_KEEP_REMOTE_FILES)
            usable.append(application)
        except GatehouseError as exc:
            problems.append(f"{application.target.place}: {exc}")
    return usable, problems


def _store(variables: TrustedVariables) -> str | None:
    """Return the store that a host's variables name, in one spelling."""
    location = variables.read(STORE)
    return StoreOptions(location=location).resolved if isinstance(location, str) and location else None


def _items(variables: TrustedVariables) -> list[Any]:
    """Return the role's list and the lists that groups add to it under other names."""
    items: list[Any] = []
    for name in sorted(str(name) for name in variables):
        if name != TARGETS and not name.startswith(f"{TARGETS}_"):
            continue
        given = variables.read(name)
        if not isinstance(given, list):
            raise OptionError(name, f"must be a list of targets, not {type(given).__name__}")
        items.extend(given)
    return items


def _read(items: list[Any]) -> tuple[list[Application], list[str]]:
    """Return the applications of these items, and the problems of others."""
    applications, problems = [], []
    for number, item in enumerate(items):
        name = item.get("dest") if isinstance(item, Mapping) else None
        try:
            applications.append(app_credentials.read_application(_validated(item)))
        except GatehouseError as exc:
            problems.append(f"{name or f'{TARGETS}[{number}]'}: {exc}")
    return applications, problems


def _validated(item: Any) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise GatehouseError(f"must be a dictionary with credential and dest, not {type(item).__name__}")
    item = {**item, "notify": [item["notify"]]} if isinstance(item.get("notify"), str) else dict(item)
    require_text(app_credentials.APPLICATION, item)
    validated = ArgumentSpecValidator(app_credentials.APPLICATION).validate(item)
    if validated.error_messages:
        raise GatehouseError(without_values(validated.error_messages, item))
    return dict(validated.validated_parameters)
