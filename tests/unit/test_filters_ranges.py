# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ip_ranges and the test in_ip_ranges, as templates use them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.gatehouse.salesforce.plugins.filter import ip_ranges as filter_module
from ansible_collections.gatehouse.salesforce.plugins.test import in_ip_ranges as test_module

pytestmark = [pytest.mark.ansible, pytest.mark.every_core]


def render(expression: str, **variables: Any) -> Any:
    """What Ansible makes of an expression."""
    return Templar(loader=DataLoader(), variables=variables).template(trust_as_template(expression))


def normalise(ranges: list[Any], options: str = "") -> Any:
    return render("{{ ranges | gatehouse.salesforce.ip_ranges(" + options + ") }}", ranges=ranges)


class TestFilter:
    """Ranges in their normal form."""

    def test_any_notation_becomes_the_shortest_sorted_and_each_once(self) -> None:
        ranges = ["2001:DB8::0", "198.51.100.0-198.51.100.255", "::ffff:192.0.2.1", "198.51.100.0/24"]
        assert normalise(ranges) == [{"range": "192.0.2.1"}, {"range": "198.51.100.0/24"}, {"range": "2001:db8::"}]

    def test_descriptions_are_kept(self) -> None:
        entries = [{"range": "198.51.100.0/24", "description": "Office"}]
        assert normalise(entries) == entries

    def test_results_of_modules_can_be_declared_again(self) -> None:
        result = {"range": "192.0.2.1", "start": "192.0.2.1", "end": "192.0.2.1", "description": None}
        assert normalise([result]) == [{"range": "192.0.2.1"}]

    def test_collapsing_joins_neighbours_and_their_descriptions(self) -> None:
        entries = [{"range": "198.51.100.0/25", "description": "Office"}, "198.51.100.64/26", "198.51.100.128/25"]
        assert normalise(entries, "collapse=true") == [{"range": "198.51.100.0/24", "description": "Office"}]

    def test_two_descriptions_of_one_range_are_an_error_unless_collapsed(self) -> None:
        entries = [{"range": "192.0.2.1", "description": text} for text in ("a", "b")]
        with pytest.raises(AnsibleError, match=r"ip_ranges: ranges\[1\]: 192\.0\.2\.1 is declared twice"):
            normalise(entries)
        assert normalise(entries, "collapse=true") == [{"range": "192.0.2.1", "description": "a; b"}]

    @pytest.mark.parametrize("options", ["", "collapse=true"])
    @pytest.mark.parametrize("entry", ["198.51.100", {"range": "192.0.2.1", "descripton": "typo"}, 5, None])
    def test_the_entry_at_fault_is_named(self, entry: Any, options: str) -> None:
        with pytest.raises(AnsibleError, match=r"ip_ranges: ranges\[1\]: "):
            normalise(["192.0.2.1", entry], options)

    def test_a_single_text_is_no_list(self) -> None:
        with pytest.raises(AnsibleError, match="must be a list"):
            render("{{ '192.0.2.1' | gatehouse.salesforce.ip_ranges }}")


class TestTest:
    """Membership of an address."""

    RANGES = ["198.51.100.3-198.51.100.9", {"range": "2001:db8::/64", "description": "VPN"}]

    def holds(self, address: Any, ranges: Any = None) -> Any:
        return render(
            "{{ address is gatehouse.salesforce.in_ip_ranges(ranges) }}",
            address=address,
            ranges=self.RANGES if ranges is None else ranges,
        )

    @pytest.mark.parametrize(
        ("address", "held"),
        [
            ("198.51.100.2", False),
            ("198.51.100.3", True),
            ("198.51.100.9", True),
            ("198.51.100.10", False),
            ("::ffff:198.51.100.3", True),
            ("2001:DB8::1", True),
            ("2001:db8:0:1::", False),
        ],
    )
    def test_bounds_belong_to_a_range(self, address: str, held: bool) -> None:
        assert self.holds(address) is held

    def test_no_ranges_hold_nothing(self) -> None:
        assert self.holds("192.0.2.1", []) is False

    @pytest.mark.parametrize(
        ("address", "ranges", "problem"),
        [
            ("office", [], "'office' does not appear to be"),
            (None, [], "'None' does not appear to be"),
            ("192.0.2.1", ["192.0.2.1", "198.51.100"], r"ranges\[1\]: '198.51.100' is not a usable range"),
            ("192.0.2.1", [{"cidr": "192.0.2.1"}], r"ranges\[0\]: has unknown keys: cidr"),
            ("192.0.2.1", ["192.0.2.1", ["198.51.100.0/24"]], r"ranges\[1\]: must be a range"),
            ("192.0.2.1", [{"range": ["192.0.2.1"]}], r"ranges\[0\]: its range must be text"),
            ("192.0.2.1", [""], r"ranges\[0\]: is empty; leave it out"),
            ("192.0.2.1", "192.0.2.0/24", "the ranges must be a list"),
        ],
    )
    def test_what_is_neither_address_nor_ranges_is_an_error(self, address: Any, ranges: Any, problem: str) -> None:
        with pytest.raises(AnsibleError, match=f"in_ip_ranges: {problem}"):
            self.holds(address, ranges)

    def test_the_ranges_are_read_once_for_many_addresses(self) -> None:
        test_module._index.cache_clear()
        render(
            "{{ addresses | select('gatehouse.salesforce.in_ip_ranges', ranges) }}",
            addresses=ADDRESSES,
            ranges=self.RANGES,
        )
        assert (test_module._index.cache_info().misses, test_module._index.cache_info().hits) == (1, 99)


ADDRESSES = [f"198.51.100.{number}" for number in range(100)]
VARIABLES = {
    "office_ranges": ["198.51.100.0/24"],
    "vpn_ranges": [{"range": "198.51.100.7", "description": "VPN"}],
    "controller_address": "198.51.100.7",
    "trusted_ranges": ["198.51.100.0/24"],
    "addresses": ["198.51.100.7", "203.0.113.7"],
}


@pytest.mark.parametrize(
    ("examples", "number", "expected"),
    [
        (filter_module.EXAMPLES, 0, [{"range": "198.51.100.0/24", "description": "VPN"}]),
        (filter_module.EXAMPLES, 1, [{"range": "198.51.100.0/24"}]),
        (test_module.EXAMPLES, 0, True),
        (test_module.EXAMPLES, 1, ["203.0.113.7"]),
    ],
)
def test_each_example_of_the_documentation_works(examples: str, number: int, expected: Any) -> None:
    task = yaml.safe_load(examples)[number]
    (arguments,) = (value for key, value in task.items() if key != "name")
    expression = arguments.get("ranges") or arguments.get("msg") or "{{ " + arguments["that"] + " }}"
    assert render(expression, **VARIABLES) == expected
