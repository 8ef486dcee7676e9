# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a declared list of trusted ranges reaches the org, and what happens when others write at the same time."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.access.apply import (
    Declaration,
    RangesOutcome,
    ensure_ranges,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.access.audit_trail import (
    trusted_range_changes,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError, OrgError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import IpRange, parse_range
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.plan import (
    STATES,
    RangePlan,
    plan_ranges,
)

ME, OTHER = "005000000000001AAA", "005000000000002AAA"
TEXTS = st.sampled_from([None, "a", "b"])
NOON = datetime.datetime(2026, 11, 24, 12, 0, tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True)
class Read:
    ranges: tuple[IpRange, ...]
    read_at: datetime.datetime = NOON


class ScriptedOrg:
    """Keeps ranges, records calls, and lets somebody else act just before a given call."""

    def __init__(self, *ranges: str) -> None:
        self.ranges = {parse_range(text).key: parse_range(text, "old") for text in ranges}
        self.calls: list[str] = []
        self.before: dict[str, list[Callable[[], None]]] = {}
        self.trail: list[dict[str, Any]] | None = []
        self.keeps_writes = True
        self.user_id: str | None = ME

    def _call(self, name: str) -> None:
        self.calls.append(name)
        for action in self.before.pop(f"{name} {self.calls.count(name)}", []):
            action()

    def read(self) -> Read:
        self._call("read")
        return Read(tuple(sorted(self.ranges.values())))

    def write(self, ranges: Iterable[IpRange]) -> None:
        self._call("write")
        if self.keeps_writes:
            self.ranges = {item.key: item for item in ranges}

    title = "the trusted IP ranges"
    changes = staticmethod(trusted_range_changes)

    def check(self, after: tuple[IpRange, ...]) -> None:
        """Trusted ranges can be brought to any list."""

    def query(self, soql: str, into: Any = list) -> Any:
        self._call("query")
        assert "SetupAuditTrail" in soql and "2026-11-24T12:00:00Z" in soql
        if self.trail is None:
            raise OrgError("the org refused the query: INSUFFICIENT_ACCESS")
        return into(iter(self.trail))

    def log(self, text: str, user: str = OTHER) -> None:
        assert self.trail is not None
        who = {"Username": "eve@acme.example" if user == OTHER else "me@acme.example"}
        self.trail.append(
            {
                "Id": f"0Ym{len(self.trail):015}",
                "Action": "x",
                "Section": "Network Access",
                "Display": text,
                "CreatedDate": "2026-11-24T12:00:01.000+0000",
                "CreatedById": user,
                "CreatedBy": who,
            }
        )

    def other_adds(self, text: str, *, told: bool = True) -> Callable[[], None]:
        def action() -> None:
            item = parse_range(text, "theirs")
            self.ranges[item.key] = item
            self.log(f"Added Trusted IP Range from {item.start} to {item.end}" if told else "Changed IP ranges")

        return action

    def other_adds_unseen(self, text: str) -> Callable[[], None]:
        item = parse_range(text, "theirs")
        return lambda: self.ranges.update({item.key: item})

    def other_deletes(self, text: str) -> Callable[[], None]:
        def action() -> None:
            item = parse_range(text)
            del self.ranges[item.key]
            self.log(f"Deleted Trusted IP Range from {item.start} to {item.end}")

        return action

    @property
    def shown(self) -> list[str]:
        return [str(item) for item in sorted(self.ranges.values())]


class KeepsAll(ScriptedOrg):
    """Keeps a range as often as it is sent."""

    def __init__(self, held: list[IpRange]) -> None:
        super().__init__()
        self.held = tuple(held)

    def read(self) -> Read:
        return Read(tuple(sorted(self.held)))

    def write(self, ranges: Iterable[IpRange]) -> None:
        self.held = tuple(ranges)


def ensure(org: ScriptedOrg, desired: list[IpRange], state: str, *, check_mode: bool) -> RangesOutcome:
    return ensure_ranges(org, org, Declaration(tuple(desired), state), check_mode=check_mode)


def wanted(*texts: str) -> list[IpRange]:
    return [parse_range(text) for text in texts]


def test_an_unchanged_list_is_read_once_and_nothing_else_is_called() -> None:
    org = ScriptedOrg("192.0.2.0/24")
    outcome = ensure(org, wanted("192.0.2.0/24"), "present", check_mode=False)
    assert not outcome.plan
    assert org.calls == ["read"]


def test_a_change_is_read_and_written_between_two_looks_into_the_audit_trail_and_read_again() -> None:
    org = ScriptedOrg("192.0.2.0/24")
    outcome = ensure(org, wanted("198.51.100.0/24"), "present", check_mode=False)
    assert org.calls == ["read", "query", "write", "query", "read"]
    assert [str(item) for item in outcome.plan.added] == ["198.51.100.0/24"]
    assert org.shown == ["192.0.2.0/24", "198.51.100.0/24"]
    assert outcome.warnings == ()


def test_check_mode_plans_the_same_and_writes_nothing() -> None:
    org, real = ScriptedOrg("192.0.2.0/24"), ScriptedOrg("192.0.2.0/24")
    predicted = ensure(org, wanted("198.51.100.0/24"), "exact", check_mode=True)
    done = ensure(real, wanted("198.51.100.0/24"), "exact", check_mode=False)
    assert org.calls == ["read"]
    assert predicted.plan == done.plan
    assert predicted.plan.diff() == done.plan.diff()


def test_over_the_limit_nothing_is_written() -> None:
    org = ScriptedOrg("20.0.0.0/8")
    with pytest.raises(OptionError, match=r"most are in 20\.0\.0\.0/8"):
        ensure(org, wanted("21.0.0.1"), "present", check_mode=False)
    assert org.calls == ["read"]


def test_removing_from_a_list_that_is_over_the_limit_already_is_possible() -> None:
    org = ScriptedOrg("20.0.0.0/7", "192.0.2.1")
    ensure(org, wanted("192.0.2.1"), "absent", check_mode=False)
    assert org.shown == ["20.0.0.0/7"]


@settings(deadline=None)
@given(
    st.lists(st.builds(lambda last, text: IpRange(4, 1, last, text), st.integers(1, 2), TEXTS), max_size=4),
    st.lists(
        st.builds(lambda last, text: IpRange(4, 1, last, text), st.integers(1, 2), TEXTS),
        max_size=2,
        unique_by=lambda item: item.key,
    ),
    st.sampled_from(STATES),
)
def test_a_run_tells_what_check_mode_told_where_the_org_holds_a_range_twice_too(
    held: list[IpRange], desired: list[IpRange], state: str
) -> None:
    org = KeepsAll(held)
    predicted = ensure(org, desired, state, check_mode=True).plan
    done = ensure(org, desired, state, check_mode=False).plan
    for name in ("before", "after", "added", "removed", "updated"):
        told, found = ([(item.key, item.description or "") for item in getattr(it, name)] for it in (predicted, done))
        assert sorted(told) == sorted(found), name
    assert not ensure(org, desired, state, check_mode=False).plan


class TestRaces:
    """Somebody else writes while this run does."""

    def test_a_range_added_between_read_and_write_is_restored_and_told(self) -> None:
        org = ScriptedOrg("192.0.2.0/24")
        org.before["write 1"] = [org.other_adds("203.0.113.9")]
        outcome = ensure(org, wanted("198.51.100.0/24"), "present", check_mode=False)
        assert org.shown == ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.9"]
        assert len(outcome.warnings) == 1
        assert "203.0.113.9" in outcome.warnings[0] and "restored" in outcome.warnings[0]
        assert "eve@acme.example at 2026-11-24T12:00:01" in outcome.warnings[0]

    def test_a_range_deleted_between_read_and_write_does_not_come_back(self) -> None:
        org = ScriptedOrg("192.0.2.0/24", "203.0.113.9")
        org.before["write 1"] = [org.other_deletes("203.0.113.9")]
        outcome = ensure(org, wanted("198.51.100.0/24"), "present", check_mode=False)
        assert org.shown == ["192.0.2.0/24", "198.51.100.0/24"]
        assert "deleted again" in outcome.warnings[0]

    @pytest.mark.parametrize(
        ("acts", "left"),
        [
            (["other_adds", "other_deletes"], []),
            (["other_deletes", "other_adds"], ["203.0.113.9"]),
            (["other_adds", "other_deletes", "other_adds"], ["203.0.113.9"]),
        ],
    )
    def test_of_what_somebody_does_to_a_range_the_last_counts(self, acts: list[str], left: list[str]) -> None:
        held = ["203.0.113.9"] if acts[0] == "other_deletes" else []
        org = ScriptedOrg("192.0.2.0/24", *held)
        org.before["write 1"] = [getattr(org, act)("203.0.113.9") for act in acts]
        ensure(org, wanted("198.51.100.0/24"), "present", check_mode=False)
        assert org.shown == ["192.0.2.0/24", "198.51.100.0/24", *left]

    def test_with_exact_the_declaration_wins_and_the_other_is_told(self) -> None:
        org = ScriptedOrg("192.0.2.0/24")
        org.before["write 1"] = [org.other_adds("203.0.113.9")]
        outcome = ensure(org, wanted("198.51.100.0/24"), "exact", check_mode=False)
        assert org.shown == ["198.51.100.0/24"]
        assert "removed as declared" in outcome.warnings[0]

    def test_a_declared_range_that_somebody_deletes_stays_and_is_told(self) -> None:
        org = ScriptedOrg("192.0.2.0/24")
        org.before["write 1"] = [org.other_deletes("192.0.2.0/24")]
        outcome = ensure(org, wanted("192.0.2.0/24", "198.51.100.0/24"), "present", check_mode=False)
        assert org.shown == ["192.0.2.0/24", "198.51.100.0/24"]
        assert "kept as declared" in outcome.warnings[0]

    def test_a_change_whose_text_tells_no_range_is_a_warning_with_who_and_when(self) -> None:
        org = ScriptedOrg("192.0.2.0/24")
        org.before["write 1"] = [org.other_adds("203.0.113.9", told=False)]
        outcome = ensure(org, wanted("198.51.100.0/24"), "present", check_mode=False)
        assert "eve@acme.example at 2026-11-24T12:00:01" in outcome.warnings[0]
        assert "may have undone it" in outcome.warnings[0]

    def test_a_change_between_write_and_second_read_is_merged_again(self) -> None:
        org = ScriptedOrg("192.0.2.0/24")
        org.before["read 2"] = [org.other_deletes("198.51.100.0/24")]
        ensure(org, wanted("198.51.100.0/24"), "present", check_mode=False)
        assert org.shown == ["192.0.2.0/24", "198.51.100.0/24"]
        assert org.calls == ["read", "query", "write", "query", "read"] + ["write", "query", "read"]

    @pytest.mark.parametrize(
        ("state", "undone"), [("present", "198.51.100.0/24 was gone"), ("absent", "192.0.2.0/24 was back")]
    )
    def test_a_write_that_somebody_undoes_unseen_is_repeated_and_reported(self, state: str, undone: str) -> None:
        org = ScriptedOrg("192.0.2.0/24", "203.0.113.9")
        before = dict(org.ranges)
        org.before["read 2"] = [lambda: setattr(org, "ranges", before)]
        declared = wanted("198.51.100.0/24" if state == "present" else "192.0.2.0/24")
        outcome = ensure(org, declared, state, check_mode=False)
        assert undone in outcome.warnings[0] and "written again" in outcome.warnings[0]
        assert {"present": "198.51.100.0/24" in org.shown, "absent": "192.0.2.0/24" not in org.shown}[state]

    def test_what_others_add_after_the_write_is_kept_without_a_second_write(self) -> None:
        org = ScriptedOrg("192.0.2.0/24")
        org.before["read 2"] = [org.other_adds("203.0.113.9")]
        ensure(org, wanted("198.51.100.0/24"), "present", check_mode=False)
        assert "203.0.113.9" in org.shown
        assert org.calls.count("write") == 1

    def test_another_run_of_the_same_user_is_recognised_by_its_ranges(self) -> None:
        org = ScriptedOrg("192.0.2.0/24")

        def same_user_adds() -> None:
            org.log("Added Trusted IP Range from 203.0.113.9 to 203.0.113.9", user=ME)
            org.log("Added Trusted IP Range from 198.51.100.0 to 198.51.100.255", user=ME)

        org.before["write 1"] = [same_user_adds]
        outcome = ensure(org, wanted("198.51.100.0/24"), "present", check_mode=False)
        assert org.shown == ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.9"]
        assert len(outcome.warnings) == 1

    def test_rows_about_login_ranges_of_profiles_are_not_about_trusted_ranges(self) -> None:
        org = ScriptedOrg("192.0.2.0/24")

        def other_restricts_a_profile() -> None:
            org.log("Added Login Ip Range to Admin from 203.0.113.9 to 203.0.113.9")
            assert org.trail is not None
            org.trail[0]["Action"] = "loginIpRange"

        org.before["write 1"] = [other_restricts_a_profile]
        outcome = ensure(org, wanted("198.51.100.0/24"), "present", check_mode=False)
        assert outcome.warnings == () and "203.0.113.9" not in org.shown

    def test_an_unreadable_audit_trail_is_a_warning_because_a_race_is_never_silent(self) -> None:
        org = ScriptedOrg("192.0.2.0/24")
        org.trail = None
        outcome = ensure(org, wanted("198.51.100.0/24"), "present", check_mode=False)
        assert "Setup Audit Trail cannot be read" in outcome.warnings[0]
        assert org.shown == ["192.0.2.0/24", "198.51.100.0/24"]

    def test_a_write_that_does_not_take_is_an_error_that_names_what_is_missing(self) -> None:
        org = ScriptedOrg("192.0.2.0/24")
        org.keeps_writes = False
        with pytest.raises(OrgError, match=r"written 3 times.*lack 198\.51\.100\.0/24") as caught:
            ensure(org, wanted("198.51.100.0/24"), "present", check_mode=False)
        assert org.calls.count("write") == 3
        assert caught.value.result == {"changed": False}

    def test_where_a_later_write_is_refused_the_first_one_is_a_change(self) -> None:
        def refuse() -> None:
            raise OrgError("the org refused")

        org = ScriptedOrg("192.0.2.0/24")
        org.before["write 1"] = [org.other_adds("203.0.113.9")]
        org.before["write 2"] = [refuse]
        with pytest.raises(OrgError, match="refused") as caught:
            ensure(org, wanted("198.51.100.0/24"), "present", check_mode=False)
        assert caught.value.result == {"changed": True}

    def test_a_merge_that_the_review_refuses_is_a_failure_that_changed_something(self) -> None:
        org = ScriptedOrg("192.0.2.0/24", "203.0.113.9")
        org.before["write 1"] = [org.other_deletes("203.0.113.9")]

        def review(step: RangePlan) -> None:
            if step.removed:
                raise OrgError(f"{step.removed[0]} is in use")

        declaration = Declaration(tuple(wanted("198.51.100.0/24")), "present")
        with pytest.raises(OrgError, match=r"203\.0\.113\.9 is in use") as caught:
            ensure_ranges(org, org, declaration, check_mode=False, review=review)
        assert caught.value.result == {"changed": True}
        assert org.shown == ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.9"]


class AuditingOrg(ScriptedOrg):
    """Writes rows of its audit trail for what this run's user changes, all within one second."""

    def __init__(self, style: str, *ranges: str) -> None:
        super().__init__(*ranges)
        self.style = style

    def write(self, ranges: Iterable[IpRange]) -> None:
        self._call("write")
        self.replace(list(ranges), ME)

    def replace(self, ranges: list[IpRange], user: str) -> None:
        old, new = self.ranges, {item.key: item for item in ranges}
        every = self.style == "all"
        self.ranges = new
        for item in (item for key, item in old.items() if every or key not in new):
            self.log(f"Deleted Ip WhiteList from {item.start} to {item.end}", user)
        for item in (item for key, item in new.items() if every or key not in old):
            self.log(f"Added Ip WhiteList from {item.start} to {item.end}", user)

    def another_run(self, *texts: str, state: str = "present", user: str = ME) -> Callable[[], None]:
        """Another task of this user, or of another one, that reads and writes at once."""

        def action() -> None:
            step = plan_ranges(self.ranges.values(), wanted(*texts), state)
            self.replace(list(step.after), user)

        return action


@pytest.mark.parametrize("style", ["difference", "all"])
class TestOwnRows:
    """What this run's own user did before, and what its write leaves in the trail, is nobody else's."""

    @pytest.mark.parametrize(
        ("steps", "left"),
        [
            (
                [("absent", "203.0.113.9"), ("present", "203.0.113.9"), ("present", "198.51.100.7")],
                ["192.0.2.0/24", "198.51.100.7", "203.0.113.9"],
            ),
            (
                [("present", "203.0.113.8"), ("absent", "203.0.113.8"), ("present", "198.51.100.7")],
                ["192.0.2.0/24", "198.51.100.7", "203.0.113.9"],
            ),
            (
                [("exact", "198.51.100.0/23"), ("exact", "198.51.100.0/24"), ("present", "203.0.113.9")],
                ["198.51.100.0/24", "203.0.113.9"],
            ),
            ([("exact",), ("present", "203.0.113.9")], ["203.0.113.9"]),
        ],
    )
    def test_tasks_within_a_second_leave_what_they_declare(
        self, style: str, steps: list[tuple[str, ...]], left: list[str]
    ) -> None:
        org = AuditingOrg(style, "192.0.2.0/24", "203.0.113.9")
        for state, *texts in steps:
            outcome = ensure(org, wanted(*texts), state, check_mode=False)
            assert outcome.warnings == (), (state, texts)
        assert org.shown == left

    def test_a_range_is_added_to_many_by_one_write(self, style: str) -> None:
        org = AuditingOrg(style, "192.0.2.0/24", "203.0.113.9", "2001:db8::/64")
        ensure(org, wanted("198.51.100.7"), "present", check_mode=False)
        assert org.shown == ["192.0.2.0/24", "198.51.100.7", "203.0.113.9", "2001:db8::/64"]
        assert org.calls.count("write") == 1

    def test_a_description_is_corrected_by_one_write(self, style: str) -> None:
        org = AuditingOrg(style, "192.0.2.0/24", "203.0.113.9")
        ensure(org, [parse_range("203.0.113.9", "Build farm")], "present", check_mode=False)
        assert [item.description for item in sorted(org.ranges.values())] == ["old", "Build farm"]

    @pytest.mark.parametrize("user", [ME, OTHER])
    def test_what_another_run_adds_between_read_and_write_is_restored(self, style: str, user: str) -> None:
        org = AuditingOrg(style, "192.0.2.0/24", "203.0.113.9")
        org.before["write 1"] = [org.another_run("203.0.113.20", user=user)]
        ensure(org, wanted("198.51.100.7"), "present", check_mode=False)
        assert org.shown == ["192.0.2.0/24", "198.51.100.7", "203.0.113.9", "203.0.113.20"]

    def test_what_another_user_deletes_between_read_and_write_stays_deleted(self, style: str) -> None:
        org = AuditingOrg(style, "192.0.2.0/24", "203.0.113.9")
        org.before["write 1"] = [org.another_run("203.0.113.9", state="absent", user=OTHER)]
        ensure(org, wanted("198.51.100.7"), "present", check_mode=False)
        assert org.shown == ["192.0.2.0/24", "198.51.100.7"]

    @pytest.mark.parametrize("user", [ME, OTHER])
    def test_what_happens_before_the_write_is_read_and_not_merged(self, style: str, user: str) -> None:
        org = AuditingOrg(style, "192.0.2.0/24")
        opened, closed = (org.another_run("203.0.113.9", state=state, user=user) for state in ("present", "absent"))
        org.before["query 1"] = [opened]
        org.before["read 2"] = [closed]
        outcome = ensure(org, wanted("198.51.100.7"), "present", check_mode=False)
        assert org.shown == ["192.0.2.0/24", "198.51.100.7"]
        assert outcome.warnings == ()

    def test_an_org_in_which_others_never_rest_is_written_all_the_same(self, style: str) -> None:
        org = AuditingOrg(style, "192.0.2.0/24")
        for number in range(1, 30):
            state = "present" if number % 2 else "absent"
            org.before[f"query {number}"] = [org.another_run("203.0.113.9", state=state, user=OTHER)]
        ensure(org, wanted("198.51.100.7"), "present", check_mode=False)
        assert "198.51.100.7" in org.shown


def test_one_users_deletion_between_read_and_write_stays_where_the_trail_has_differences() -> None:
    """Where a replaced list is recorded whole, this cannot be told from one's own write, and the range stays."""
    org = AuditingOrg("difference", "192.0.2.0/24", "203.0.113.9")
    org.before["write 1"] = [org.another_run("203.0.113.9", state="absent")]
    outcome = ensure(org, wanted("198.51.100.7"), "present", check_mode=False)
    assert org.shown == ["192.0.2.0/24", "198.51.100.7"]
    assert "deleted again" in outcome.warnings[0]


class TestLease:
    """A lock that controllers share is held while the list is changed, and only then."""

    def lease(self, org: ScriptedOrg) -> contextlib.AbstractContextManager[None]:
        @contextlib.contextmanager
        def hold() -> Iterator[None]:
            org.calls.append("lock")
            yield
            org.calls.append("unlock")

        return hold()

    def ensure(self, org: ScriptedOrg, *texts: str) -> RangesOutcome:
        declaration = Declaration(tuple(wanted(*texts)), "present")
        return ensure_ranges(org, org, declaration, check_mode=False, lease=self.lease(org))

    def test_the_list_is_read_again_under_it(self) -> None:
        org = ScriptedOrg("192.0.2.0/24")
        org.trail = None
        org.before["read 2"] = [org.other_adds_unseen("203.0.113.9")]
        self.ensure(org, "198.51.100.0/24")
        assert org.calls == ["read", "lock", "read", "query", "write", "read", "unlock"]
        assert org.shown == ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.9"]

    def test_nothing_to_change_needs_none(self) -> None:
        org = ScriptedOrg("192.0.2.0/24")
        self.ensure(org, "192.0.2.0/24")
        assert org.calls == ["read"]
