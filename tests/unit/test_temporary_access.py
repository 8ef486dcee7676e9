# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary access: how an expiry is declared, kept in a description, and acted on."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.collapse import collapse
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import (
    IpRange,
    parse_range,
    unique,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.plan import STATES, RangePlan
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.temporary_access import (
    expiry,
    has_expired,
    parse_entries,
    plan_temporary,
    with_expiry,
    without_expiry,
)

NOW = datetime.datetime(2026, 11, 24, 20, 9, 30, tzinfo=datetime.UTC)
RUNNER = "203.0.113.7"
OPEN, OVER = "(expires 2026-11-24T22:10Z)", "(expires 2026-11-24T20:09Z)"


def held(description: str | None, address: str = RUNNER) -> IpRange:
    return parse_range(address, description)


def declare(*entries: Any, on: list[IpRange], state: str = "present") -> RangePlan:
    items, at_least = parse_entries(entries, NOW)
    return plan_temporary(on, unique(items), state, now=NOW, at_least=at_least)


def texts(change: RangePlan) -> list[str | None]:
    return [item.description for item in change.after]


@pytest.mark.parametrize(
    ("expires", "description"),
    [
        ("2h", "CI runner (expires 2026-11-24T22:10Z)"),
        ("1d2h30m", "CI runner (expires 2026-11-25T22:40Z)"),
        (" 90m ", "CI runner (expires 2026-11-24T21:40Z)"),
        ("2026-11-24T22:10Z", "CI runner (expires 2026-11-24T22:10Z)"),
        ("2026-11-24T22:09:01+00:00", "CI runner (expires 2026-11-24T22:10Z)"),
        ("2026-11-24 23:10+01:00", "CI runner (expires 2026-11-24T22:10Z)"),
        (datetime.datetime(2026, 11, 24, 22, 10, tzinfo=datetime.UTC), "CI runner (expires 2026-11-24T22:10Z)"),
        (None, "CI runner"),
    ],
)
def test_an_expiry_is_a_duration_or_a_time_and_kept_where_a_person_reads_it(expires: Any, description: str) -> None:
    (item,), _at_least = parse_entries([{"range": RUNNER, "description": "CI runner", "expires": expires}], NOW)
    assert item.description == description


def test_without_a_description_the_expiry_stands_alone() -> None:
    (item,), _at_least = parse_entries([{"range": RUNNER, "expires": "2h"}], NOW)
    assert item.description == OPEN


@pytest.mark.parametrize(
    "expires",
    [
        *("", "tomorrow", "2", "0m", "-1h", "2h30", "1.5h", "99999999999d", "9" * 5000 + "d"),
        *("2026-11-24", "2026-11-24T22:10", "2026-13-01T00:00Z", "0999-01-01T00:00Z", "9999-12-31T23:59:59Z"),
        *(7200, True, ["2h"], datetime.date(2026, 11, 24)),
    ],
)
def test_what_is_no_expiry_is_an_error_that_names_the_entry(expires: Any) -> None:
    with pytest.raises(OptionError, match=r"^ranges\[1\]: its key 'expires' must be a duration such as '2h'") as caught:
        parse_entries([RUNNER, {"range": RUNNER, "expires": expires}], NOW)
    assert len(str(caught.value)) < 250


def test_a_description_must_leave_room_for_the_expiry() -> None:
    entry = {"range": RUNNER, "description": "x" * 227, "expires": "2h"}
    (item,), _at_least = parse_entries([entry], NOW)
    assert len(item.description or "") == 255
    with pytest.raises(OptionError, match=r"ranges\[0\]: .*255 characters with its expiry"):
        parse_entries([{**entry, "description": "x" * 228}], NOW)


def test_two_expiries_of_one_entry_are_an_error() -> None:
    entry = {"range": RUNNER, "description": f"CI runner {OPEN}", "expires": "2h"}
    with pytest.raises(OptionError, match=r"ranges\[0\]: .*in its description too"):
        parse_entries([entry], NOW)


@pytest.mark.parametrize(
    "description",
    [
        None,
        "Office",
        "expires 2026-11-24T22:10Z",
        "Office(expires 2026-11-24T22:10Z)",
        "(expires soon)",
        "(expires 2026-11-24)",
        "(expires 2026-11-24T22:10)",
        "Lease (expires 2026-11-24T22:10Z) of the office",
    ],
)
def test_only_an_expiry_at_the_end_that_can_be_read_makes_a_pass(description: str | None) -> None:
    assert expiry(held(description)) is None
    assert without_expiry(held(description)) == description


def test_a_pass_ends_in_the_minute_that_it_tells() -> None:
    end = datetime.datetime(2026, 11, 24, 22, 10, tzinfo=datetime.UTC)
    assert has_expired(held(f"CI {OPEN}"), end)
    assert not has_expired(held(f"CI {OPEN}"), end - datetime.timedelta(seconds=1))


class TestDeclaring:
    """What becomes of a range that is in the org already."""

    @pytest.mark.parametrize(
        ("before", "expires", "after"),
        [
            (f"CI {OPEN}", "2h", f"CI {OPEN}"),
            (f"CI {OPEN}", "1h", f"CI {OPEN}"),
            (f"CI {OPEN}", "3h", "CI (expires 2026-11-24T23:10Z)"),
            (f"CI {OVER}", "2h", f"CI {OPEN}"),
            ("Office", "2h", "Office"),
            (None, "2h", None),
            (f"CI {OPEN}", "2026-11-24T21:00Z", "CI (expires 2026-11-24T21:00Z)"),
            (f"CI {OPEN}", "2026-11-25T21:00Z", "CI (expires 2026-11-25T21:00Z)"),
            ("Office", "2026-12-31T00:00Z", "Office (expires 2026-12-31T00:00Z)"),
            ("CI (expires 2026-11-24T22:10:00+00:00)", "2026-11-24T22:10Z", "CI (expires 2026-11-24T22:10:00+00:00)"),
        ],
    )
    def test_a_duration_never_shortens_and_a_time_is_set(
        self, before: str | None, expires: str, after: str | None
    ) -> None:
        change = declare({"range": RUNNER, "expires": expires}, on=[held(before)])
        assert texts(change) == [after]
        assert bool(change.updated) == (before != after)

    @pytest.mark.parametrize(("before", "after"), [(f"CI {OPEN}", "CI"), (OPEN, None), (f"CI {OVER}", "CI")])
    def test_a_range_declared_for_good_stays_though_it_was_a_pass(self, before: str, after: str | None) -> None:
        change = declare(RUNNER, on=[held(before)])
        assert texts(change) == [after]
        assert not declare(state="swept", on=list(change.after))

    def test_a_pass_is_renamed_and_keeps_its_later_end(self) -> None:
        change = declare({"range": RUNNER, "description": "Build", "expires": "3h"}, on=[held(f"CI {OPEN}")])
        assert texts(change) == ["Build (expires 2026-11-24T23:10Z)"]

    def test_a_long_description_in_the_org_is_cut_for_the_expiry(self) -> None:
        change = declare({"range": RUNNER, "expires": "2026-12-31T00:00Z"}, on=[held("x" * 255)])
        (text,) = texts(change)
        assert text is not None and len(text) == 255 and text.endswith("x… (expires 2026-12-31T00:00Z)")

    @pytest.mark.parametrize("state", ["present", "exact"])
    def test_a_pass_declared_after_its_time_is_closed(self, state: str) -> None:
        entry = {"range": RUNNER, "expires": "2026-11-24T20:00Z"}
        change = declare(entry, on=[held(f"CI {OVER}")], state=state)
        assert change.after == () and [str(item) for item in change.removed] == [RUNNER]
        assert not declare(entry, on=[], state=state)

    def test_exact_closes_passes_that_are_not_declared(self) -> None:
        assert declare(on=[held(f"CI {OPEN}")], state="exact").removed


class TestClosing:
    """By what opened it, and by a sweep."""

    def test_the_entry_that_opened_a_pass_closes_it_and_no_range_that_was_there_for_good(self) -> None:
        entry = {"range": RUNNER, "description": "CI", "expires": "2h"}
        assert texts(declare(entry, on=[held(f"CI {OPEN}")], state="absent")) == []
        assert texts(declare(entry, on=[held(f"CI {OVER}")], state="absent")) == []
        assert texts(declare(entry, on=[held("Office")], state="absent")) == ["Office"]

    def test_an_entry_without_expiry_is_removed_whatever_it_is(self) -> None:
        assert texts(declare(RUNNER, on=[held(f"CI {OPEN}")], state="absent")) == []

    def test_a_sweep_removes_what_is_over_and_nothing_else(self) -> None:
        org = [held(f"CI {OVER}"), held(f"CI {OPEN}", "203.0.113.8"), held("Office", "203.0.113.9")]
        change = declare(on=org, state="swept")
        assert [str(item) for item in change.removed] == [RUNNER]
        assert texts(change) == [f"CI {OPEN}", "Office"]

    def test_of_a_range_held_twice_a_sweep_removes_the_pass_only(self) -> None:
        assert texts(declare(on=[held(f"CI {OVER}"), held("Office")], state="swept")) == ["Office"]


def test_collapsing_joins_no_pass_with_what_stays() -> None:
    org = [held("Office", "203.0.113.6"), held(f"CI {OPEN}"), held("Office", "203.0.113.8")]
    assert [item.description for item in collapse(org)] == ["Office", f"CI {OPEN}", "Office"]


moments = st.datetimes(
    datetime.datetime(2026, 11, 24, 18), datetime.datetime(2026, 11, 24, 23), timezones=st.just(datetime.UTC)
)
labels = st.one_of(
    st.none(), st.text(max_size=260), st.sampled_from(["Office", OPEN, f"a {OPEN} {OVER}", "(expires soon)"])
)
descriptions = st.one_of(
    labels.filter(lambda text: len(text or "") <= 255),
    st.builds(with_expiry, labels, moments),
).map(lambda text: parse_range(RUNNER, text).description)
orgs = st.lists(
    st.builds(lambda address, text: IpRange(4, address, address, text), st.integers(0, 2), descriptions), max_size=6
)
entries = st.lists(
    st.fixed_dictionaries(
        {"range": st.integers(0, 2).map(lambda last: f"0.0.0.{last}")},
        optional={
            "description": st.sampled_from(["Office", "CI", "", OPEN]),
            "expires": st.one_of(st.sampled_from(["1m", "1h", "2h", "3h"]), moments, moments.map(str), st.none()),
        },
    ),
    max_size=5,
    unique_by=lambda entry: str(entry["range"]),
).filter(lambda found: not any(entry.get("description") == OPEN and entry.get("expires") for entry in found))


@given(labels, moments)
def test_every_expiry_reads_back_from_a_description_that_fits(text: str | None, until: datetime.datetime) -> None:
    item = held(with_expiry(text, until))
    assert item.description is not None and len(item.description) <= 255
    told = expiry(item)
    assert told is not None and datetime.timedelta() <= told - until < datetime.timedelta(minutes=1)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_an_expiry_or_a_clear_error(expires: str, description: str) -> None:
    try:
        (item,), _at_least = parse_entries([{"range": RUNNER, "description": description, "expires": expires}], NOW)
    except OptionError as exc:
        assert exc.option == "ranges[0]"
    else:
        assert expiry(item) is not None


@settings(max_examples=500)
@given(orgs, entries, st.sampled_from([*STATES, "swept"]))
def test_a_plan_applied_twice_changes_nothing_more(org: list[IpRange], declared: list[Any], state: str) -> None:
    if state == "swept":
        declared = []
    change = declare(*declared, on=org, state=state)
    assert not declare(*declared, on=list(change.after), state=state)
    assert all(len(item.description or "") <= 255 for item in change.after)


@settings(max_examples=500)
@given(orgs, entries, st.sampled_from([*STATES, "swept"]))
def test_no_change_is_silent(org: list[IpRange], declared: list[Any], state: str) -> None:
    """What is in the result is what was there, less what is told as removed, more what is told as added or updated."""
    change = declare(*(declared if state != "swept" else []), on=org, state=state)
    assert bool(change) == (
        change.before != change.after or _descriptions(change.before) != _descriptions(change.after)
    )
    assert len(change.after) == len(org) - len(change.removed) + len(change.added)
    if state in ("absent", "swept"):
        assert not change.added and not change.updated
    if state == "swept":
        assert all(has_expired(item, NOW) for item in change.removed)
        assert not any(has_expired(item, NOW) for item in change.after)


def _descriptions(ranges: tuple[IpRange, ...]) -> list[str | None]:
    return [item.description for item in ranges]


@given(orgs, entries)
def test_what_is_declared_for_good_outlives_every_sweep(org: list[IpRange], declared: list[Any]) -> None:
    change = declare(*declared, on=org)
    forever = datetime.datetime(9000, 1, 1, tzinfo=datetime.UTC)
    swept = plan_temporary(change.after, (), "swept", now=forever)
    kept = {item.key for item in swept.after}
    for entry in declared:
        if not entry.get("expires") and entry.get("description") != OPEN:
            assert parse_range(entry["range"]).key in kept
