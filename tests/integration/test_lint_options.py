# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option lint of trusted_ip_ranges and login_ip_ranges."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks
from tests.support.tasks import login, trusted

OFFICE = {"range": "20.0.0.0/24", "description": "Office"}
DESK = {"range": "20.0.0.7", "description": "Desk"}
OVERLAP = "20.0.0.7 (Desk) lies within 20.0.0.0/24 (Office) (overlap)"


def held(sim: SimulatedOrg) -> list[tuple[str, str, str | None]]:
    return [(item["start"], item["end"], item["description"]) for item in sim.control.org()["trusted_ranges"]]


class TestLint:
    """Doubtful entries are warnings or errors, by choice."""

    def test_without_the_option_nothing_is_said(self, playbook: Playbooks) -> None:
        result = playbook([trusted(OFFICE, DESK)]).last
        assert "warnings" not in result and result["lint"] == []

    @pytest.mark.parametrize("task", [trusted, login])
    def test_a_finding_is_a_warning_that_names_both_entries(self, playbook: Playbooks, task: Any) -> None:
        result = playbook([task(OFFICE, DESK, lint={})]).last
        assert result["changed"] is True
        assert result["warnings"] == [f"lint: {OVERLAP}"]
        assert [(finding["code"], len(finding["entries"])) for finding in result["lint"]] == [("overlap", 2)]

    @pytest.mark.parametrize("task", [trusted, login])
    def test_or_an_error_before_anything_is_sent(self, sim: SimulatedOrg, playbook: Playbooks, task: Any) -> None:
        result = playbook([task(OFFICE, DESK, lint={"level": "error"})], ok=False).last
        assert result["msg"] == f"ranges: {OVERLAP}. Nothing was changed; the option lint decides about this"
        assert [finding["code"] for finding in result["lint"]] == ["overlap"]
        assert sim.control.counts() == {}

    def test_a_variable_turns_it_on_for_a_whole_inventory(self, playbook: Playbooks) -> None:
        result = playbook([trusted(OFFICE, DESK)], ok=False, gatehouse_salesforce_lint={"level": "error"}).last
        assert OVERLAP in result["msg"]

    @pytest.mark.parametrize(
        ("ranges", "settings", "codes"),
        [
            (["20.0.0.1", "20.0.0.1/32"], {}, ["duplicate"]),
            (["20.0.0.0/15"], {}, ["wide"]),
            (["20.0.0.0/15"], {"min_prefix_ipv4": 14}, []),
            (["20.0.0.0/17"], {"min_prefix_ipv4": 18}, ["wide"]),
            (["2a00::/47"], {}, ["wide"]),
            (["2a00::/47"], {"min_prefix_ipv6": 32}, []),
            (["192.168.0.0/24"], {}, ["private"]),
            (["198.51.100.0/24"], {}, ["documentation"]),
            (["198.51.100.0/24", "20.0.0.0/15"], {"skip": ["documentation", "wide"]}, []),
            (["20.0.0.0/20"], {"shared_ranges": ["20.0.0.0/16"]}, ["shared"]),
            (["20.0.0.0/28"], {"shared_ranges": [{"range": "20.0.0.0/16", "description": "aws: EC2"}]}, []),
        ],
    )
    def test_what_is_found(
        self, playbook: Playbooks, ranges: list[str], settings: dict[str, Any], codes: list[str]
    ) -> None:
        assert [finding["code"] for finding in playbook([trusted(*ranges, lint=settings)]).last["lint"]] == codes

    def test_shared_ranges_are_what_the_lookup_returns(self, playbook: Playbooks) -> None:
        (playbook.folder / "cloudflare.txt").write_text("20.0.0.0/16\n20.1.0.0/16\n")
        shared = f"{{{{ query('gatehouse.salesforce.published_ip_ranges', '{playbook.folder}/cloudflare.txt') }}}}"
        result = playbook([trusted("20.1.0.0/20", lint={"shared_ranges": shared})]).last
        assert "20.1.0.0/20 holds 4,096 addresses of the shared block 20.0.0.0/15" in result["warnings"][0]

    def test_of_very_many_findings_the_first_are_told_and_the_result_has_all(self, playbook: Playbooks) -> None:
        result = playbook([trusted(*(f"192.168.0.{last}" for last in range(20)), lint={})]).last
        assert len(result["lint"]) == 20
        assert len(result["warnings"]) == 6 and result["warnings"][-1] == "lint: and 15 more findings"

    def test_removing_doubtful_ranges_is_never_doubtful(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_org(trusted_ranges=["198.51.100.0/24"])
        result = playbook([trusted("198.51.100.0/24", state="absent", lint={"level": "error", "unused_days": 90})]).last
        assert result["changed"] is True


class TestUnused:
    """Entries that nobody logged in from; only looked for when asked."""

    @pytest.fixture(autouse=True)
    def logins(self, sim: SimulatedOrg) -> None:
        sim.control.add_user("billing@simulated.example", "Billing-Password-1", profile="Standard User")
        now = datetime.datetime.now(datetime.UTC)
        sim.control.add_logins(
            [
                {
                    "username": user,
                    "source_ip": address,
                    "login_time": (now - datetime.timedelta(days=days)).isoformat(),
                }
                for user, address, days in (
                    (sim.admin.username, "20.0.0.7", 3),
                    ("billing@simulated.example", "20.0.1.7", 3),
                    ("billing@simulated.example", "20.0.2.7", 100),
                )
            ]
        )

    ranges = ("20.0.0.0/24", "20.0.1.0/24", "20.0.2.0/24", {"range": "20.0.9.1", "expires": "2h"})

    def unused(self, playbook: Playbooks, task: dict[str, Any]) -> list[str]:
        return [finding["entries"][0]["range"] for finding in playbook([task]).last["lint"]]

    def test_trusted_ranges_are_used_by_anybody_and_temporary_access_may_wait_for_its_first_login(
        self, playbook: Playbooks
    ) -> None:
        assert self.unused(playbook, trusted(*self.ranges, lint={"unused_days": 90})) == ["20.0.2.0/24"]
        assert self.unused(playbook, trusted(*self.ranges, lint={"unused_days": 120})) == []

    @pytest.mark.parametrize("profile", ["Standard User", "Standard"])
    def test_login_ranges_are_used_by_users_of_the_profile(self, playbook: Playbooks, profile: str) -> None:
        task = login(*self.ranges[:3], lint={"unused_days": 90}, guard="off", profile=profile)
        assert self.unused(playbook, task) == ["20.0.0.0/24", "20.0.2.0/24"]

    def test_as_an_error_it_comes_before_any_change(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        settings = {"unused_days": 90, "level": "error"}
        result = playbook([trusted(*self.ranges, lint=settings)], ok=False).last
        assert "no login came from 20.0.2.0/24 since" in result["msg"]
        assert "updateMetadata" not in sim.control.counts()

    def test_history_is_read_only_when_asked(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        playbook([trusted(*self.ranges, lint={})], "--check")
        assert "query" not in sim.control.counts()


def test_what_is_unused_is_not_told_from_a_history_that_hides_others(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_profile("Admin", permissions=["ApiEnabled", "ModifyAllData"])
    sim.control.add_user("eve@simulated.example", "Eve-Password-1")
    sim.state.user("eve@simulated.example").last_login = datetime.datetime.now(datetime.UTC)
    failed = playbook([trusted("20.0.0.1", lint={"unused_days": 90})], ok=False).last
    assert failed["msg"].startswith(
        "lint.unused_days: cannot find out what is unused: the login history shows one user"
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"lint": {"min_prefix_ipv4": 33}}, "lint.min_prefix_ipv4: must be a prefix length from 0 to 32, not 33"),
        ({"lint": {"min_prefix_ipv6": -1}}, "lint.min_prefix_ipv6: must be a prefix length from 0 to 128, not -1"),
        ({"lint": {"shared_ranges": ["20.0.0.0/24", "20.0.0.0/99"]}}, "lint.shared_ranges[1]: '20.0.0.0/99'"),
        ({"lint": {"skip": ["overlaps"]}}, "overlaps"),
        ({"lint": {"level": "info"}}, "level"),
        ({"lint": {"levle": "warn"}}, "levle"),
        ({"lint": "everything"}, "lint"),
        ({"lint": {"unused_days": 0}}, "lint.unused_days: must be from 1"),
    ],
)
@pytest.mark.parametrize("task", [trusted, login])
def test_bad_input_is_named_and_nothing_is_sent(
    sim: SimulatedOrg, playbook: Playbooks, task: Any, options: dict[str, Any], problem: str
) -> None:
    result = playbook([task("20.0.0.1", **options)], ok=False).last
    assert problem in result["msg"]
    assert sim.control.counts() == {}
