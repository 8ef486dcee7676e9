# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an app as declared, from reading it to its being known at the token endpoint."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import GatehouseError, OrgError
from .apply import AppWriter
from .model import App, Component, DeclaredApp
from .plan import AppPlan, plan_absent, plan_disabled, plan_present, require_own
from .read import read_app

ROUNDS = 2  # an org that makes policies of its own needs a second one


@dataclasses.dataclass(frozen=True)
class AppOutcome:
    """What became of a declaration.

    Attributes:
        app: as it was read afterwards; in check mode, as it would be.
    """

    changed: bool
    diff: dict[str, Any]
    app: App


def ensure_present(
    writer: AppWriter,
    declared: DeclaredApp,
    *,
    adopt: bool,
    check_mode: bool,
    require_allowed: Callable[[AppPlan], object],
    begin: Callable[[], object],
) -> AppOutcome:
    """Make the org have the app as declared; raises OptionError, or OrgError that says what was done before it.

    Args:
        require_allowed: raises for a plan that must not be carried out.
        begin: called once the org has taken the plan, before anything is changed.
    """
    before = read_app(writer.org, declared.name, declared.permission_set)
    require_own(before, adopt=adopt)
    plan = plan_present(before, declared)
    require_allowed(plan)
    if declared.run_as:
        writer.user_ids([declared.run_as], "run_as")
    writer.user_ids(plan.added_users, "users")
    components = writer.check(plan)
    if check_mode or not plan:
        return AppOutcome(bool(plan), plan.diff(), plan.after)
    begin()
    with _reported(writer):
        after = _write(writer, plan, components, declared)
    return AppOutcome(True, {"before": before.summary(), "after": after.summary()}, after)


def ensure_unusable(
    writer: AppWriter,
    name: str,
    permission_set: str,
    *,
    absent: bool,
    adopt: bool,
    check_mode: bool,
    require_allowed: Callable[[AppPlan], object],
) -> AppOutcome:
    """Switch an app off, or delete it with the permission set that was made for it; there may be none.

    Raises as ensure_present().
    """
    make_plan = plan_absent if absent else plan_disabled
    before = read_app(writer.org, name, permission_set)
    require_own(before, adopt=adopt)
    plan = make_plan(before)
    require_allowed(plan)
    if absent:
        writer.check_deletion(plan)
    else:
        writer.check(plan)
    if check_mode or not plan:
        return AppOutcome(bool(plan), plan.diff(), plan.after)
    with _reported(writer):
        if absent:
            writer.delete(plan)
        else:
            writer.switch_off(plan)
        after = read_app(writer.org, name, permission_set)
        _require_done(make_plan(after))
    return AppOutcome(True, plan.diff(), after)


def _write(writer: AppWriter, plan: AppPlan, components: Sequence[Component], declared: DeclaredApp) -> App:
    """Carry out a plan that the org has checked, and what is left afterwards; return the app as it then is."""
    for number in range(ROUNDS):
        writer.write(plan, components if number == 0 else writer.check(plan))
        after = read_app(writer.org, declared.name, declared.permission_set)
        plan = plan_present(after if after.permission_set.opens else writer.open(after), declared)
        if not plan:
            break
    _require_done(plan)
    return plan.before


def _require_done(rest: AppPlan) -> None:
    """Raise OrgError when the org reported success and something is left to be done."""
    if rest:
        before, after = rest.before.summary(), rest.after.summary()
        keys = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
        kinds = [component.kind for component in rest.components]
        raise OrgError(f"the org reported success, but did not take over {', '.join(keys or kinds)}")


@contextlib.contextmanager
def _reported(writer: AppWriter) -> Iterator[None]:
    """Add to an error what was done before it."""
    try:
        yield
    except GatehouseError as exc:
        exc.result = {**exc.result, "changed": bool(writer.done), "done": list(writer.done)}
        raise
