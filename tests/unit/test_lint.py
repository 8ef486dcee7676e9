# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is doubtful in a list of ranges, and how a list is collapsed."""

from __future__ import annotations

import datetime
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.collapse import collapse
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.lint import Finding, lint
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import (
    LIMITS,
    IpRange,
    parse_range,
)

NOW = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)


def parse(*texts: str) -> list[IpRange]:
    """Each "range" or "range description"."""
    return [parse_range(*text.split(" ", 1)) for text in texts]


def told(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(finding.code, finding.text) for finding in findings]


class TestOverlaps:
    """Entries that share addresses; both are named."""

    def test_a_duplicate(self) -> None:
        assert told(lint(parse("20.0.0.1 Office", "20.0.0.1/32 Gateway"))) == [
            ("duplicate", "20.0.0.1 (Gateway) repeats 20.0.0.1 (Office)")
        ]

    def test_a_duplicate_within_a_wider_entry_is_still_told(self) -> None:
        findings = lint(parse("20.0.0.0/24", "20.0.0.1", "20.0.0.1"))
        assert [finding.code for finding in findings] == ["overlap", "duplicate"]

    @pytest.mark.parametrize(
        ("entries", "text"),
        [
            (("20.0.0.0/24 Office", "20.0.0.7"), "20.0.0.7 lies within 20.0.0.0/24 (Office)"),
            (("20.0.0.0/24", "20.0.0.0/25"), "20.0.0.0/25 lies within 20.0.0.0/24"),
            (("20.0.0.0-20.0.0.9", "20.0.0.9-20.0.0.12"), "20.0.0.0-20.0.0.9 and 20.0.0.9-20.0.0.12 overlap"),
            (("2a00::/48", "2a00::1"), "2a00::1 lies within 2a00::/48"),
        ],
    )
    def test_an_overlap(self, entries: tuple[str, ...], text: str) -> None:
        findings = lint(parse(*entries))
        assert told(findings) == [("overlap", text)]
        assert len(findings[0].entries) == 2

    def test_neighbours_and_equal_numbers_of_two_families_do_not_overlap(self) -> None:
        assert (
            lint(
                [*parse("20.0.0.0/25", "20.0.0.128/25"), IpRange(6, 2**100, 2**100), IpRange(4, 1, 9), IpRange(6, 2, 9)]
            )
            == ()
        )


class TestSizeAndKind:
    """Entries that are too wide, that nobody can come from, or that let a whole provider in."""

    def test_an_entry_wider_than_a_sixteen_or_a_forty_eight(self) -> None:
        assert lint(parse("20.0.0.0/16", "2a00::/48")) == ()
        assert told(lint(parse("20.0.0.0-20.1.0.0", "2a00::/47"))) == [
            ("wide", "20.0.0.0-20.1.0.0 holds 65,537 addresses, more than 65,536"),
            ("wide", f"2a00::/47 holds {2**81:,} addresses, more than {2**80:,}"),
        ]

    def test_the_size_is_the_callers_choice(self) -> None:
        assert [finding.code for finding in lint(parse("20.0.0.0/24"), max_size={4: 128, 6: 128})] == ["wide"]

    @pytest.mark.parametrize("text", ["10.1.0.0/16", "192.168.0.7", "172.31.255.255", "100.64.1.1", "fd00::1", "::1"])
    def test_private_addresses(self, text: str) -> None:
        (finding,) = lint(parse(text))
        assert (finding.code, finding.level) == ("private", "warning")
        assert "never seen as a source on the internet" in finding.text

    @pytest.mark.parametrize("text", ["192.0.2.1", "198.51.100.0/24", "203.0.113.7", "2001:db8::1", "3fff::1"])
    def test_documentation_addresses(self, text: str) -> None:
        (finding,) = lint(parse(text))
        assert (finding.code, finding.level) == ("documentation", "error")

    @pytest.mark.parametrize("text", ["9.255.255.255", "172.32.0.0", "192.0.3.0", "2001:db9::", "198.51.99.255"])
    def test_their_neighbours_are_ordinary(self, text: str) -> None:
        assert lint(parse(text)) == ()

    def test_an_entry_that_touches_both_kinds_has_one_finding_of_each(self) -> None:
        codes = [finding.code for finding in lint(parse("192.0.0.0-192.200.0.0"), max_size=LIMITS)]
        assert codes == ["documentation", "private"]

    def test_an_entry_that_holds_a_whole_published_block(self) -> None:
        blocks = parse("20.0.0.0/14 AWS EC2", "20.0.1.0/24 AWS S3", "20.9.0.1 GitHub")
        (finding,) = lint(parse("20.0.0.0/23 Build farm"), shared=blocks)
        assert finding.code == "shared"
        assert finding.text.startswith("20.0.0.0/23 (Build farm) holds the whole shared block 20.0.1.0/24 (AWS S3)")
        assert [str(item) for item in finding.entries] == ["20.0.0.0/23", "20.0.1.0/24"]

    @pytest.mark.parametrize(
        ("entry", "shared"),
        [("20.0.0.0/20", "4,096"), ("19.255.0.0-20.0.3.255", "1,024"), ("20.3.255.0-20.4.255.255", None)],
    )
    def test_much_of_a_block_is_shared_too_because_a_list_of_them_may_be_collapsed(
        self, entry: str, shared: str | None
    ) -> None:
        texts = [text for code, text in told(lint(parse(entry), shared=parse("20.0.0.0/14 AWS"))) if code == "shared"]
        assert texts == (
            [f"{entry} holds {shared} addresses of the shared block 20.0.0.0/14 (AWS), with all who share them"]
            if shared
            else []
        )

    def test_a_part_of_a_block_or_a_single_published_address_is_not_shared(self) -> None:
        assert lint(parse("20.0.0.0/24", "20.9.0.1"), shared=parse("20.0.0.0/14", "20.9.0.1")) == ()


class TestUnused:
    """Entries that no login has used."""

    ENTRIES = parse("20.0.0.0/24 Office", "20.9.0.0/24 Former office", "2a00::/64 VPN")

    def lint(self, *logins: tuple[str, int], days: int = 90) -> list[str]:
        seen = [(address, NOW - datetime.timedelta(days=age)) for address, age in logins]
        return [finding.text for finding in lint(self.ENTRIES, logins=seen, unused_days=days, now=NOW)]

    def test_an_entry_without_a_login_for_so_many_days(self) -> None:
        assert self.lint(("20.0.0.7", 1), ("20.9.0.1", 91), ("2a00::7", 90)) == [
            "no login came from 20.9.0.0/24 (Former office) since 2026-08-26"
        ]

    def test_no_more_is_claimed_than_the_logins_show(self) -> None:
        assert self.lint(("20.0.0.7", 1), ("20.9.0.1", 5)) == ["no login came from 2a00::/64 (VPN) since 2026-11-19"]

    def test_without_logins_nothing_is_known(self) -> None:
        assert self.lint() == []

    def test_salesforces_own_logins_have_no_address_and_an_ipv4_mapped_one_counts_as_ipv4(self) -> None:
        assert len(self.lint(("Salesforce.com IP", 1), ("::ffff:20.0.0.7", 1))) == 2


class TestCollapsing:
    """Ranges that overlap or touch become one."""

    def test_what_would_become_thousands_of_entries_is_refused(self) -> None:
        with pytest.raises(OptionError, match=r"^ranges: 2000::/3 would become 67,108,864 entries"):
            collapse(parse("2000::/3"))

    def test_neighbours_become_one_entry_with_both_descriptions(self) -> None:
        (item,) = collapse(parse("20.0.0.128/25 Annexe", "20.0.0.0/25 Office", "20.0.0.7 Office", "20.0.0.9"))
        assert (str(item), item.description) == ("20.0.0.0/24", "Office; Annexe")

    def test_a_description_that_stands_alone_is_left_as_it_is(self) -> None:
        assert collapse(parse("20.0.0.7 A; A"))[0].description == "A; A"
        assert collapse(parse("20.0.0.7"))[0].description is None

    def test_joined_descriptions_stay_within_what_salesforce_holds(self) -> None:
        (item,) = collapse(IpRange(4, number, number, f"Host number {number}") for number in range(100))
        assert item.description is not None
        assert len(item.description) <= 255
        assert item.description.startswith("Host number 0; Host number 1; ")
        assert item.description.endswith("…")

    def test_legal_neighbours_are_not_joined_into_an_illegal_entry_nor_their_descriptions_mixed(self) -> None:
        entries = parse("20.0.0.0/8 A", "21.0.0.0/8 B")
        assert [(str(item), item.description) for item in collapse(entries)] == [
            ("20.0.0.0/8", "A"),
            ("21.0.0.0/8", "B"),
        ]


LIMIT = {4: 4, 6: 3}
few_ranges = st.lists(
    st.tuples(
        st.sampled_from([4, 6]), st.integers(0, 20), st.integers(0, 20), st.sampled_from([None, "a", "b", "a; b"])
    ).map(lambda parts: IpRange(parts[0], min(parts[1:3]), max(parts[1:3]), parts[3])),
    max_size=8,
)


def addresses(ranges: list[IpRange] | tuple[IpRange, ...]) -> set[tuple[int, int]]:
    return {(item.version, number) for item in ranges for number in range(item.first, item.last + 1)}


@given(few_ranges)
def test_collapsing_keeps_the_addresses_each_once_and_is_done_once(ranges: list[IpRange]) -> None:
    result = collapse(ranges, limits=LIMIT)
    assert addresses(result) == addresses(ranges)
    assert sum(item.size for item in result) == len(addresses(ranges))
    assert all(item.size <= LIMIT[item.version] for item in result)
    again = collapse(result, limits=LIMIT)
    assert [(item.key, item.description) for item in again] == [(item.key, item.description) for item in result]


@given(few_ranges)
def test_collapsed_without_limits_no_two_entries_touch(ranges: list[IpRange]) -> None:
    result = collapse(ranges)
    assert not [
        1
        for one, two in zip(result, result[1:], strict=False)
        if one.version == two.version and one.last + 1 >= two.first
    ]


@given(few_ranges)
def test_exactly_the_entries_that_share_addresses_are_named(ranges: list[IpRange]) -> None:
    def share(one: IpRange, two: IpRange) -> bool:
        return one.version == two.version and one.first <= two.last and two.first <= one.last

    sharing = {
        one.key
        for place, one in enumerate(ranges)
        for other, two in enumerate(ranges)
        if place != other and share(one, two)
    }
    findings = [finding for finding in lint(ranges, max_size=LIMITS) if finding.code in ("duplicate", "overlap")]
    assert {item.key for finding in findings for item in finding.entries} == sharing
    assert all(share(*finding.entries) for finding in findings)
    assert all(
        (finding.code == "duplicate") == (finding.entries[0].key == finding.entries[1].key) for finding in findings
    )


@given(few_ranges, few_ranges)
def test_an_entry_is_shared_exactly_when_it_holds_a_published_block(
    ranges: list[IpRange], blocks: list[IpRange]
) -> None:
    def is_shared(item: IpRange) -> bool:
        return any(
            block.size > 1 and block.version == item.version and item.first <= block.first and block.last <= item.last
            for block in blocks
        )

    found = [finding.entries[0].key for finding in lint(ranges, shared=blocks) if finding.code == "shared"]
    assert sorted(found) == sorted(item.key for item in ranges if is_shared(item))


@given(few_ranges, st.sets(st.integers(0, 20)))
def test_an_entry_is_unused_exactly_when_no_login_came_from_it(ranges: list[IpRange], seen: set[int]) -> None:
    logins = [(str(ipaddress.IPv4Address(number)), NOW) for number in seen]
    entries = [item for item in ranges if item.version == 4]
    found = [finding.entries[0] for finding in lint(entries, logins=logins, now=NOW) if finding.code == "unused"]
    unused = [item for item in sorted(entries) if seen.isdisjoint(range(item.first, item.last + 1))]
    assert found == (unused if seen else [])
