# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read permission sets of an org, and carry out the plan of one. Every step may be done again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ..errors import OrgError
from ..oauth_app.package import write_package
from ..oauth_app.read import read_members, require_users
from ..org import queries
from ..org.client import Org
from ..org.deploy import deploy, read_components
from ..org.records import create_record, delete_record
from ..progress import Progress
from .model import KIND, PermissionSet, Plan, parse_record


def read_permission_set(org: Org, name: str) -> PermissionSet | None:
    """Return the permission set of that API name; None where there is none. Raises OrgError."""
    found = queries.find_permission_set(org, name)
    if found is None:
        return None
    record = next(iter(read_components(org, KIND, [name])), None)
    if record is None:
        raise OrgError(f"the org does not show the permission set {name} as metadata")
    return parse_record(name, record, read_members(org, found[0]))


@dataclasses.dataclass
class SetWriter:
    """Writes to one org.

    Attributes:
        seconds: how long one deployment may take.
        progress: shows a person what is waited for.
        done: what has been changed so far, in words.
    """

    org: Org
    seconds: float
    progress: Progress
    done: list[str] = dataclasses.field(default_factory=list)

    def check(self, plan: Plan) -> None:
        """Have the org check what a plan would deploy; raises DeployError. Nothing is changed."""
        if plan.deploys:
            self._deploy(plan, check_only=True)

    def write(self, plan: Plan, user_ids: Sequence[str]) -> None:
        """Carry out a plan. Those who are to have the set get it before others lose it.

        Args:
            user_ids: of those who are to get it.
        """
        after = plan.after or plan.before
        if after is None:
            return
        if plan.deploys:
            self._deploy(plan, check_only=False)
            self._require_written(plan)
            self.done.append(f"the permission set {after.name} is deployed")
        if plan.added:
            set_id = self._id(after.name)
            for name, user_id in zip(plan.added, user_ids, strict=True):
                create_record(self.org, "PermissionSetAssignment", {"AssigneeId": user_id, "PermissionSetId": set_id})
                self.done.append(f"{name} has it")
        for name in plan.removed:
            delete_record(self.org, "PermissionSetAssignment", plan.before.users[name] if plan.before else "")
            self.done.append(f"{name} no longer has it")
        if plan.after is None:
            delete_record(self.org, "PermissionSet", self._id(after.name))
            self.done.append(f"the permission set {after.name} is deleted")

    def user_ids(self, plan: Plan) -> list[str]:
        """Return the ids of those who are to get the set; raises OptionError for one who does not exist."""
        ids = require_users(self.org, plan.added, "users")
        return [ids[name.lower()] for name in plan.added]

    def _deploy(self, plan: Plan, *, check_only: bool) -> None:
        version = self.org.with_session(lambda _transport, _session, version: version)
        package = write_package(version, [plan.component])
        deploy(self.org, package, check_only=check_only, seconds=self.seconds, progress=self.progress)

    def _require_written(self, plan: Plan) -> None:
        """Raise OrgError where the org says that it has deployed the set, and it is not so."""
        written = read_permission_set(self.org, plan.after.name) if plan.after else None
        if written is None or Plan(written, plan.after).deploys:
            raise OrgError("the org reports the deployment as done, but the permission set is not as deployed")

    def _id(self, name: str) -> str:
        found = queries.find_permission_set(self.org, name)
        if found is None:
            raise OrgError(f"the org does not show the permission set {name}")
        return found[0]
