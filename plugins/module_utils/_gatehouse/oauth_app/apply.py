# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out the plan of an app. Every step may be done again, so the next run finishes one that was killed."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Sequence

from ..auth.connection import Connection
from ..errors import GatehouseError, LoginError, NoResponseError, OrgError
from ..org.client import Org
from ..org.deploy import DeployError, deploy
from ..org.login import Session, login
from ..org.queries import external_client_app_id
from ..org.records import RestError, create_record, delete_record
from ..org.token_endpoint import knows_app
from ..progress import Progress
from .model import APP, OAUTH, OAUTH_POLICY, SET_DESCRIPTION, App, Component, PermissionSet
from .package import permission_set_component, write_deletion, write_package
from .plan import AppPlan, plan_disabled
from .read import NOT_AVAILABLE, read_app, read_permission_set, require_users

POLL_SECONDS = (1.0, 2.0, 5.0, 10.0)  # before each try at the token endpoint; the last one repeats
# What an org without External Client Apps says of their types (UNKNOWN; so of other types that are off).
UNKNOWN_TYPE = ("Unknown type name", "Not available for deploy")

INVALID_RUN_AS = "Enter a valid execution user"


@dataclasses.dataclass
class AppWriter:
    """Writes to one org.

    Attributes:
        seconds: how long one deployment may take, and how long the token endpoint is waited for.
        progress: shows a person what is waited for.
        done: what has been changed so far, in words.
        warnings: what the user should know.
    """

    org: Org
    seconds: float
    progress: Progress
    done: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    _user_ids: dict[str, str] = dataclasses.field(default_factory=dict)

    def user_ids(self, names: Sequence[str], option: str) -> list[str]:
        """Return the ids of users, each of whom is looked for once; raises OptionError for one who does not exist."""
        unknown = [name for name in names if name.lower() not in self._user_ids]
        self._user_ids |= require_users(self.org, unknown, option)
        return [self._user_ids[name.lower()] for name in names]

    def check(self, plan: AppPlan) -> list[Component]:
        """Have the org check what a plan would write; return the components in the form that the org takes.

        Raises DeployError when it refuses them; the org is as it was.
        """
        components, own = plan.components, plan.after.permission_set
        if not components:
            return []
        extra = [] if own.id else [permission_set_component(own.name, SET_DESCRIPTION.format(plan.after.name))]
        try:
            self.deploy([*extra, *components], check_only=True)
        except DeployError as exc:
            if any(text in str(exc) for text in UNKNOWN_TYPE):
                raise OrgError(NOT_AVAILABLE) from None
            if "no ExternalClientApplication named" in str(exc) and not plan.before.exists:
                # REPORTED only without it: a check may miss an app that is in the same package.
                self.warnings.append("the org checks only the app itself before it exists, not its settings")
                self.deploy([*extra, *components[:1]], check_only=True)
                return components
            if INVALID_RUN_AS in str(exc):
                raise OrgError(f"run_as: {exc}. Salesforce's guide asks for a user who is API Only") from exc
            retried = _retried(exc, components, own)
            if retried is None:
                raise
            self.deploy([*extra, *retried], check_only=True)
            return retried
        return components

    def write(self, plan: AppPlan, components: Sequence[Component]) -> None:
        """Make the app and its permission set as planned; users come first, so that none is shut out meanwhile."""
        own = plan.after.permission_set
        self._assign(plan)
        if components:
            self.deploy(components)
            self.done.append(f"the app {plan.after.name} is deployed")
        for user in plan.removed_users:
            delete_record(self.org, "PermissionSetAssignment", plan.before.permission_set.users[user])
            self.done.append(f"{user} no longer has the permission set {own.name}")

    def deploy(self, components: Sequence[Component], *, check_only: bool = False) -> None:
        """Deploy components, or have them checked; raises DeployError, or OrgError when nothing is known of it."""
        self._deploy_package(lambda version: write_package(version, components), check_only)

    def check_deletion(self, plan: AppPlan) -> None:
        """Have the org check that the app can be deleted; raises DeployError."""
        if plan.before.exists:
            self._deploy_package(lambda version: write_deletion(version, plan.before.components.values()), True)

    def switch_off(self, plan: AppPlan) -> None:
        """Deploy a plan by which nobody can log in through the app any more."""
        self.deploy(plan.components)
        self.done.append(f"the app {plan.before.name} is switched off")

    def delete(self, plan: AppPlan) -> None:
        """Switch the app off, delete it whole, then its permission set if this collection made it."""
        before = plan.before
        if before.exists:
            if before.enabled:
                self.switch_off(plan_disabled(before))
            self._delete_app(plan)
            self.done.append(f"the app {before.name} is deleted")
        own = before.permission_set
        if own.id and own.made:
            for assignment in own.users.values():
                delete_record(self.org, "PermissionSetAssignment", assignment)
            delete_record(self.org, "PermissionSet", own.id)
            self.done.append(f"the permission set {own.name} is deleted")

    def wait_until_known(self, consumer_key: str) -> None:
        """Wait until the token endpoint knows the app; raises NoResponseError when time is up."""
        started = time.monotonic()
        tries = 0
        while not knows_app(self.org, consumer_key):
            elapsed = time.monotonic() - started
            if elapsed > self.seconds:
                raise NoResponseError(
                    f"the app is made, but the token endpoint does not know it after {elapsed:.0f} s; Salesforce says "
                    "that it may take 30 minutes, so run the task again later"
                )
            if not tries:
                self.progress.stage(
                    f"waiting for up to {self.seconds:.0f} s until the token endpoint knows the new app"
                )
            self.progress.poll(f"the token endpoint does not know the app after {elapsed:.0f} s")
            time.sleep(POLL_SECONDS[min(tries, len(POLL_SECONDS) - 1)])
            tries += 1

    def log_in(self, connection: Connection) -> Session:
        """Log in by an app that has just been changed.

        The token endpoint may refuse its new key for some minutes (REPORTED). So this asks again for so long; there is
        no password that a refusal could be about. Raises as login().
        """
        started = time.monotonic()
        for tries in itertools.count():
            try:
                return login(connection)
            except LoginError as exc:
                elapsed = time.monotonic() - started
                if exc.cause != "invalid_credentials" or elapsed > self.seconds:
                    raise
            if not tries:
                self.progress.stage(
                    f"waiting for up to {self.seconds:.0f} s until the token endpoint takes the new key"
                )
            self.progress.poll(f"the token endpoint does not take the key after {elapsed:.0f} s")
            time.sleep(POLL_SECONDS[min(tries, len(POLL_SECONDS) - 1)])
        raise AssertionError("it ends before")

    def open(self, app: App) -> App:
        """Open an app to its permission set where its policy has not done so (REPORTED that it does)."""
        own, app_id = app.permission_set, external_client_app_id(self.org, app.name)
        if app_id is None:
            raise OrgError(f"the org deployed the app {app.name} without showing it")
        create_record(self.org, "SetupEntityAccess", {"ParentId": own.id, "SetupEntityId": app_id})
        self.done.append(f"the permission set {own.name} opens the app")
        return dataclasses.replace(app, permission_set=read_permission_set(self.org, app.name, own.name))

    def _assign(self, plan: AppPlan) -> None:
        """Give users the permission set, which is made where there is none; a refusal leaves none that is new."""
        own, made = plan.after.permission_set, []
        ids = self.user_ids(plan.added_users, "users")
        set_id = own.id or self._make_set(plan)
        try:
            for user, user_id in zip(plan.added_users, ids, strict=True):
                fields = {"AssigneeId": user_id, "PermissionSetId": set_id}
                made.append(create_record(self.org, "PermissionSetAssignment", fields))
                self.done.append(f"{user} has the permission set {own.name}")
        except RestError:
            if own.id is None:
                for assignment in filter(None, made):
                    delete_record(self.org, "PermissionSetAssignment", assignment)
                delete_record(self.org, "PermissionSet", set_id)
                self.done.clear()
            raise

    def _make_set(self, plan: AppPlan) -> str:
        name = plan.after.permission_set.name
        description = SET_DESCRIPTION.format(plan.after.name)
        made = create_record(self.org, "PermissionSet", {"Name": name, "Label": name, "Description": description})
        made = made or read_permission_set(self.org, plan.after.name, name).id
        if made is None:
            raise GatehouseError(f"the org made the permission set {name} without showing it")
        self.done.append(f"the permission set {name} is made")
        return made

    def _delete_app(self, plan: AppPlan) -> None:
        before = plan.before
        try:
            self._deploy_package(lambda version: write_deletion(version, before.components.values()), False)
        except DeployError:
            # A first try whose answer was lost may have done it.
            if read_app(self.org, before.name, before.permission_set.name).exists:
                raise

    def _deploy_package(self, package: Callable[[str], bytes], check_only: bool) -> None:
        version = self.org.with_session(lambda _transport, _session, version: version)
        deploy(self.org, package(version), check_only=check_only, seconds=self.seconds, progress=self.progress)


def _retried(exc: DeployError, components: Sequence[Component], own: PermissionSet) -> list[Component] | None:
    """Return the components in another form that the org may take; None when there is none.

    Salesforce's guide has ids of permission sets where most orgs are reported to take names. An org may also make
    policies of its own, under other names, as soon as an app has OAuth settings: then these come first, and the rest
    follows once the names are known.
    """
    text = str(exc)
    if "permission sets called" in text:
        return [_with_set_id(one, own) if one.kind == OAUTH_POLICY else one for one in components]
    first = [one for one in components if one.kind in (APP, OAUTH)]
    if "DUPLICATE_VALUE" in text and first and len(first) < len(components):
        return first
    return None


def _with_set_id(policy: Component, own: PermissionSet) -> Component:
    """Return the policy with the id of the permission set; without any list while there is no such set yet."""
    if own.id is None:
        return policy.changed({"commaSeparatedPermissionSet": None})
    words = [word.strip() for word in policy.values.get("commaSeparatedPermissionSet", "").split(",")]
    listed = ",".join(own.id or word if word == own.name else word for word in words)
    return policy.changed({"commaSeparatedPermissionSet": listed})
