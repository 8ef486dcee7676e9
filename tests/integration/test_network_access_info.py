# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module network_access_info, and the lookup that leaves the token out where it is not needed."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg, soql, tables
from tests.support.plays import Playbooks

HERE = "127.0.0.1"
OFFICE = {"start": "198.51.100.0", "end": "198.51.100.255", "description": "Office"}
FARM = "203.0.113.7"
USER, PASSWORD, TOKEN = "billing@acme.example", "Billing-Password-1", "BillingToken0000000000001"
# What is given instead of another edition, where Salesforce demands device activation from trusted ranges too.
DEVELOPER = soql.Table(
    "Organization", {"OrganizationType": soql.Field(lambda _org: "Developer Edition")}, attrgetter("id")
)


def ask(**options: Any) -> dict[str, Any]:
    return {"name": "ask", "gatehouse.salesforce.network_access_info": options}


@pytest.fixture(autouse=True)
def org(sim: SimulatedOrg) -> None:
    sim.control.set_org(trusted_ranges=[OFFICE, "2001:db8:10::-2001:db8:10::ff"])
    sim.control.set_profile("Standard", login_ip_ranges=[FARM])


@pytest.fixture
def developer_edition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tables._TABLES, "organization", (lambda _org: DEVELOPER, lambda caller: [caller.org]))


class TestWhatIsThere:
    """Ranges and settings as the org holds them."""

    def test_trusted_ranges_are_normalised(self, playbook: Playbooks) -> None:
        found = playbook([ask()]).last
        assert found["changed"] is False
        assert found["trusted_ip_ranges"] == [
            {"range": "198.51.100.0/24", **OFFICE},
            {
                "range": "2001:db8:10::/120",
                "start": "2001:db8:10::",
                "end": "2001:db8:10::ff",
                "description": None,
            },
        ]
        assert found["login_ip_ranges"] == [] and found["decisions"] == []

    @pytest.mark.parametrize("name", ["Standard", "Standard User"])
    def test_a_profile_is_named_by_its_label_or_its_metadata_name(self, playbook: Playbooks, name: str) -> None:
        (found,) = playbook([ask(profiles=[name])]).last["login_ip_ranges"]
        assert found["profile"] == name
        assert [item["range"] for item in found["ranges"]] == [FARM]

    def test_a_profile_that_is_not_there_is_an_error_that_names_it(self, playbook: Playbooks) -> None:
        assert "profiles: the org has no profile 'Nobody'" in playbook([ask(profiles=["Nobody"])], ok=False).last["msg"]

    def test_session_settings_are_those_that_have_to_do_with_addresses(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        sim.control.set_org(session_settings={"enforceIpRangesEveryRequest": True, "sessionTimeout": "FifteenMinutes"})
        assert playbook([ask()]).last["session_settings"] == {
            "enforceIpRangesEveryRequest": True,
            "lockSessionsToDomain": True,
            "lockSessionsToIp": False,
            "sessionTimeout": "FifteenMinutes",
        }

    def test_the_own_address_is_where_salesforce_sees_this_run(self, playbook: Playbooks) -> None:
        assert playbook([ask()]).last["own_address"] == HERE

    def test_a_session_from_elsewhere_has_no_known_address(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        playbook([ask()])
        token = next(iter(sim.state.sessions))
        session = {"auth": "session", "access_token": token, "instance_url": sim.url}
        assert playbook([ask(**session)]).last["own_address"] is None

    @pytest.mark.ansible
    def test_check_mode_is_the_same_and_nothing_is_ever_written(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        options = {"profiles": ["Standard"], "addresses": [FARM]}
        asked, checked = playbook([ask(**options)]), playbook([ask(**options)], "--check", "--diff")
        assert asked.last == checked.last
        assert set(sim.control.counts()) == {"login", "readMetadata", "query"}


class TestDecisions:
    """For each address and profile, what a login meets there and why."""

    @pytest.mark.parametrize(
        ("address", "profile", "expected"),
        [
            ("198.51.100.7", None, ("allowed", "trusted_ranges", "198.51.100.0/24")),
            (FARM, None, ("token_required", "no_range", None)),
            (FARM, "Standard", ("allowed", "profile_ranges", FARM)),
            ("198.51.100.7", "Standard", ("denied", "profile_ranges", None)),
            ("198.51.100.7", "System Administrator", ("allowed", "trusted_ranges", "198.51.100.0/24")),
            ("2001:DB8:10::7", "Admin", ("allowed", "trusted_ranges", "2001:db8:10::/120")),
            ("::ffff:198.51.100.7", None, ("allowed", "trusted_ranges", "198.51.100.0/24")),
        ],
    )
    def test_a_decision_names_result_rule_and_range(
        self, playbook: Playbooks, address: str, profile: str | None, expected: tuple[str, str, str | None]
    ) -> None:
        (found,) = playbook([ask(addresses=[address], profiles=[profile] if profile else [])]).last["decisions"]
        assert (found["result"], found["rule"], found["range"]) == expected
        assert found["profile"] == profile
        assert found["reason"]

    def test_every_profile_meets_every_address(self, playbook: Playbooks) -> None:
        asked = playbook([ask(addresses=["198.51.100.7", FARM], profiles=["Admin", "Standard"])]).last["decisions"]
        assert [(item["profile"], item["address"], item["result"]) for item in asked] == [
            ("Admin", "198.51.100.7", "allowed"),
            ("Admin", FARM, "token_required"),
            ("Standard", "198.51.100.7", "denied"),
            ("Standard", FARM, "allowed"),
        ]

    @pytest.mark.parametrize("address", ["198.51.100.0/24", "office", "", "fe80::1%eth0"])
    def test_what_is_no_address_is_refused_before_anything_is_sent(
        self, sim: SimulatedOrg, playbook: Playbooks, address: str
    ) -> None:
        failed = playbook([ask(addresses=[FARM, address])], ok=False).last
        assert failed["msg"] == f"addresses[1]: {address!r} is not an IP address"
        assert sim.control.counts() == {}

    @pytest.mark.parametrize(
        ("ranges", "result", "cause"),
        [
            ([HERE], "allowed", "ok"),
            ([FARM], "denied", "ip_denied"),
            ([], "token_required", "token_required_here"),
        ],
    )
    def test_the_decision_is_what_a_login_then_meets(
        self, sim: SimulatedOrg, playbook: Playbooks, ranges: list[str], result: str, cause: str
    ) -> None:
        sim.control.set_profile("Standard", login_ip_ranges=ranges)
        sim.control.add_user(USER, PASSWORD, security_token=TOKEN, profile="Standard")
        bare = {"name": "bare", "verify": "warn", "username": USER, "password": PASSWORD, "security_token": ""}
        told = playbook([ask(profiles=["Standard"], addresses=[HERE]), {"gatehouse.salesforce.credential": bare}])
        assert told.of("ask")["decisions"][0]["result"] == result
        assert told.last["verification"]["cause"] == cause

    @pytest.mark.usefixtures("developer_edition")
    def test_a_developer_edition_may_need_the_token_from_a_trusted_range_too(self, playbook: Playbooks) -> None:
        (found,) = playbook([ask(addresses=["198.51.100.7"])]).last["decisions"]
        assert (found["result"], found["rule"]) == ("token_required", "device_activation")


def lookup(count: int = 1, **options: str) -> dict[str, Any]:
    """Show what the lookup returns, for read(), as often as wanted: in Base64, since a secret would be masked."""
    given = "".join(f", {name}='{value}'" for name, value in {"token": "auto", **options}.items())
    calls = [f"lookup('gatehouse.salesforce.login_password', 'billing'{given})"] * count
    return {
        "name": "look",
        "ansible.builtin.debug": {"msg": f"{{{{ [{', '.join(calls)}] | unique | to_json | b64encode }}}}"},
    }


def read(result: Mapping[str, Any]) -> list[str]:
    """Return the different values that the lookup returned."""
    return list(json.loads(base64.b64decode(result["msg"])))


def stored(name: str, username: str, password: str, token: str) -> dict[str, Any]:
    options = {"name": name, "username": username, "password": password, "security_token": token, "verify": "skip"}
    return {"name": f"store {name}", "gatehouse.salesforce.credential": options}


@pytest.mark.ansible
class TestAutomaticToken:
    """C(token=auto) leaves the token out where the org lets the user in without it, and appends it otherwise."""

    @pytest.fixture(autouse=True)
    def credentials(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.add_user(USER, PASSWORD, security_token=TOKEN, profile="Standard")
        admin = sim.admin
        playbook(
            [
                stored("billing", USER, PASSWORD, TOKEN),
                stored("admin", admin.username, admin.password, admin.security_token),
            ]
        )
        assert sim.control.counts() == {}

    @pytest.mark.parametrize(
        ("login_ranges", "trusted", "expected"),
        [
            ([HERE], [], PASSWORD),
            ([], [HERE], PASSWORD),
            ([], [], PASSWORD + TOKEN),
            ([FARM], [HERE], PASSWORD + TOKEN),
        ],
        ids=["in the profile's ranges", "in a trusted range", "in no range", "denied"],
    )
    def test_it_is_left_out_where_the_decision_for_this_machine_allows(
        self, sim: SimulatedOrg, playbook: Playbooks, login_ranges: list[str], trusted: list[str], expected: str
    ) -> None:
        sim.control.set_org(trusted_ranges=trusted)
        sim.control.set_profile("Standard", login_ip_ranges=login_ranges)
        found = playbook([lookup(credential="admin")])
        assert read(found.last) == [expected]
        assert "was appended" not in found.output

    @pytest.mark.usefixtures("developer_edition")
    def test_in_a_developer_edition_a_trusted_range_is_not_enough(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_org(trusted_ranges=[HERE])
        sim.control.set_profile("Standard", login_ip_ranges=[])
        assert read(playbook([lookup(credential="admin")]).last) == [PASSWORD + TOKEN]

    def test_the_other_choices_ask_nobody(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        first, second = playbook([lookup(token="append"), lookup(token="omit")])
        assert read(first["result"]) == [PASSWORD + TOKEN] and read(second["result"]) == [PASSWORD]
        assert sim.control.counts() == {}

    def test_a_credential_that_may_read_the_ranges_asks_for_itself(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        sim.control.set_profile("Standard", login_ip_ranges=[HERE], permissions=["ApiEnabled", "ModifyAllData"])
        assert read(playbook([lookup()]).last) == [PASSWORD]
        assert {entry["username"] for entry in sim.control.requests()} == {USER}

    def test_one_that_may_not_is_given_its_token_with_a_warning(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_profile("Standard", login_ip_ranges=[HERE])
        found = playbook([lookup()])
        assert read(found.last) == [PASSWORD + TOKEN]
        assert "The security token of 'billing' was appended" in found.output.replace("\n", " ")

    def test_a_secret_that_one_run_saw_refused_is_not_tried_by_the_next(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        """The org says no more of a frozen user than of a wrong password, so the token is appended to be safe."""
        sim.control.set_org(trusted_ranges=[HERE])
        sim.control.set_profile("Standard", login_ip_ranges=[])
        sim.control.set_user(sim.admin.username, frozen=True)
        assert read(playbook([lookup(credential="admin")]).last) == [PASSWORD + TOKEN]
        sim.control.set_user(sim.admin.username, frozen=False)
        assert read(playbook([lookup(credential="admin")]).last) == [PASSWORD + TOKEN]
        assert sim.control.counts()["login"] == 1

    def test_a_hundred_lookups_on_many_hosts_ask_once(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_org(trusted_ranges=[HERE])
        sim.control.set_profile("Standard", login_ip_ranges=[])
        (playbook.folder / "hosts.json").write_text(json.dumps({"all": {"hosts": {f"h{n}": {} for n in range(5)}}}))
        tasks = [lookup(10, credential="admin"), lookup(10, credential="admin")]
        play = {"hosts": "all", "gather_facts": False, "tasks": tasks}
        found = playbook.run([play], "-i", "hosts.json", "--forks", "5")
        assert {tuple(read(item["result"])) for item in found} == {(PASSWORD,)}
        # Two reads of metadata, and queries for the own address, the user and the edition.
        assert sim.control.counts() == {"login": 1, "readMetadata": 2, "query": 3}

    def test_a_refused_login_is_not_repeated_by_a_hundred_lookups(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_user(USER, password="Changed-Password-1")
        found = playbook([lookup(50), lookup(50)])
        assert {tuple(read(item["result"])) for item in found} == {(PASSWORD + TOKEN,)}
        assert sim.control.counts() == {"login": 1}

    def test_where_the_org_is_out_of_reach_the_token_is_appended(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.inject("reset", times=None)
        assert read(playbook([lookup()]).last) == [PASSWORD + TOKEN]

    def test_a_user_of_another_org_is_not_judged_by_this_one(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_org(trusted_ranges=[HERE])
        playbook([stored("billing", "billing@other.example", PASSWORD, TOKEN)])
        found = playbook([lookup(credential="admin")])
        assert read(found.last) == [PASSWORD + TOKEN]
        assert "does not show the profile of a user" in found.output.replace("\n", " ")

    def test_a_name_in_credential_that_the_store_does_not_have_is_an_error(self, playbook: Playbooks) -> None:
        assert "no credential 'nobody'" in playbook([lookup(credential="nobody")], ok=False).output.replace("\n", " ")

    def test_a_credential_without_a_token_asks_nobody(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        playbook([stored("billing", USER, PASSWORD, "")])
        assert read(playbook([lookup()]).last) == [PASSWORD]
        assert sim.control.counts() == {}

    def test_no_secret_is_in_what_is_kept_for_the_run(self, playbook: Playbooks) -> None:
        show = {"name": "show", "ansible.builtin.shell": f"cat {playbook.folder}/tmp/*/gatehouse/token/*"}
        kept = playbook([lookup(), show]).of("show")["stdout"]
        assert '"needed": true' in kept
        assert PASSWORD not in kept and TOKEN not in kept
