# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password that every policy takes, and one change of it whose outcome is told apart."""

from __future__ import annotations

import logging
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    LoginError,
    NoResponseError,
    OrgError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.client import Org
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.password import (
    KINDS,
    NewPasswordRefused,
    OldPasswordRefused,
    generate_password,
)
from tests.simulated_org import SimulatedOrg
from tests.simulated_org.fixtures import simulated_org, simulated_org_server
from tests.simulated_org.passwords import COMPLEXITY, _kinds
from tests.unit.test_token_reset import connect

__all__ = ["simulated_org", "simulated_org_server"]

NEW = "Canary-New-Passw0rd"
AWKWARD = """Canary 1 <a href='x'>&amp;]]>"é€\N{GRINNING FACE}"""


class TestGenerated:
    """Whatever the policy: the org takes it, and no application stumbles over it."""

    POLICIES = st.fixed_dictionaries(
        {},
        optional={
            "minimumPasswordLength": st.one_of(st.integers(5, 50).map(str), st.sampled_from(["", "many", "90"])),
            "complexity": st.sampled_from(sorted(COMPLEXITY)),
        },
    )

    @given(POLICIES)
    @settings(max_examples=200)
    def test_it_meets_every_policy(self, policies: dict[str, str]) -> None:
        password = generate_password(policies)
        asked = policies.get("minimumPasswordLength", "")
        assert len(password) == max(50, int(asked) if asked.isdecimal() else 0)
        assert all(meets(_kinds(password)) for meets in COMPLEXITY.values())
        assert set(password) <= set("".join(KINDS))
        assert password[0] in string.ascii_letters and password[-1] in string.ascii_letters

    def test_an_absurd_length_is_no_longer_than_salesforce_takes(self) -> None:
        assert len(generate_password({"minimumPasswordLength": "9" * 12})) == 16_000

    def test_each_is_another_and_uses_the_whole_alphabet(self) -> None:
        passwords = {generate_password({}) for _unused in range(200)}
        assert len(passwords) == 200
        assert set("".join(passwords)) == set("".join(KINDS))

    @pytest.mark.parametrize("complexity", sorted(COMPLEXITY))
    def test_the_org_takes_it(self, simulated_org: SimulatedOrg, tmp_path: Path, complexity: str) -> None:
        simulated_org.control.set_org(password_policies={"complexity": complexity, "minimumPasswordLength": 50})
        org = connect(simulated_org, tmp_path)
        new = generate_password(org.metadata(lambda api: api.read_password_policies()))
        org.change_own_password(simulated_org.admin.password, new)
        assert simulated_org.control.user(simulated_org.admin.username)["password"] == new


class TestChange:
    """Done, refused for one of two reasons, or not known."""

    @pytest.fixture
    def org(self, simulated_org: SimulatedOrg, tmp_path: Path) -> Org:
        org = connect(simulated_org, tmp_path)
        org.session()
        simulated_org.control.clear_requests()
        return org

    @staticmethod
    def held(sim: SimulatedOrg) -> str:
        return str(sim.control.user(sim.admin.username)["password"])

    @pytest.mark.parametrize("new", [NEW, AWKWARD])
    def test_done(self, simulated_org: SimulatedOrg, org: Org, new: str) -> None:
        org.change_own_password(simulated_org.admin.password, new)
        assert self.held(simulated_org) == new
        org.change_own_password(new, NEW + "2")
        assert simulated_org.control.counts() == {"changeOwnPassword": 2}
        assert len(simulated_org.control.mails()) == 2

    @pytest.mark.parametrize("new", ["onlyletters", "Sh0rt", "Correct-Horse1"])
    def test_the_policy_refuses_the_new_one(self, simulated_org: SimulatedOrg, org: Org, new: str) -> None:
        with pytest.raises(NewPasswordRefused, match=r"INVALID_NEW_PASSWORD.*Setup > Password Policies"):
            org.change_own_password(simulated_org.admin.password, new)
        assert self.held(simulated_org) == simulated_org.admin.password

    def test_the_old_one_is_not_the_present_one(self, simulated_org: SimulatedOrg, org: Org) -> None:
        with pytest.raises(OldPasswordRefused, match="INVALID_OLD_PASSWORD"):
            org.change_own_password("another", NEW)
        assert self.held(simulated_org) != NEW

    @pytest.mark.parametrize(
        ("switch", "refusal"), [("old_first", OldPasswordRefused), ("new_first", NewPasswordRefused)]
    )
    def test_the_same_once_more_as_after_a_crash(
        self, simulated_org: SimulatedOrg, org: Org, switch: str, refusal: type[OrgError]
    ) -> None:
        simulated_org.control.set_switches(own_change_check=switch)
        old = simulated_org.admin.password
        org.change_own_password(old, NEW)
        with pytest.raises(refusal):
            org.change_own_password(old, NEW)
        assert self.held(simulated_org) == NEW

    @pytest.mark.parametrize(
        ("fault", "done"),
        [
            ({"kind": "reset", "executed": True}, True),
            ({"kind": "reset"}, False),
            ({"kind": "truncate"}, True),
            ({"kind": "status", "status": 503}, False),
            ({"kind": "html", "status": 200}, False),
            ({"kind": "html", "status": 200, "executed": True}, True),
            ({"kind": "redirect", "url": "https://evil.example/"}, False),
            ({"kind": "status", "status": 200, "body": "<a/>"}, False),
            ({"kind": "status", "status": 200, "body": "no xml"}, False),
            ({"kind": "error", "code": "SERVER_UNAVAILABLE"}, False),
        ],
        ids=lambda value: str(value) if isinstance(value, bool) else "-".join(map(str, value.values()))[:30],
    )
    def test_whatever_the_answer_it_is_asked_once_and_not_known(
        self, simulated_org: SimulatedOrg, org: Org, fault: dict[str, Any], done: bool
    ) -> None:
        simulated_org.control.inject(operation="changeOwnPassword", times=None, **fault)
        with pytest.raises(NoResponseError) as caught:
            org.change_own_password(simulated_org.admin.password, NEW)
        assert caught.value.sent
        assert simulated_org.control.counts() == {"changeOwnPassword": 1}
        assert (self.held(simulated_org) == NEW) is done

    def test_another_refusal_is_told_by_its_code(self, simulated_org: SimulatedOrg, org: Org) -> None:
        old = simulated_org.admin.password
        simulated_org.control.inject(
            "error", operation="changeOwnPassword", code="INSUFFICIENT_ACCESS", message=f"no {old} to {NEW}"
        )
        with pytest.raises(OrgError, match=r"refused to change the password \(INSUFFICIENT_ACCESS\)$") as caught:
            org.change_own_password(old, NEW)
        assert not isinstance(caught.value, NoResponseError)

    @pytest.mark.parametrize("code", ["INVALID_NEW_PASSWORD", "INVALID_OLD_PASSWORD", "X", f"X {NEW}"])
    def test_no_error_says_what_was_sent(self, simulated_org: SimulatedOrg, org: Org, code: str) -> None:
        old = simulated_org.admin.password
        simulated_org.control.inject("error", operation="changeOwnPassword", code=code, message=f"{old} {NEW}")
        with pytest.raises(OrgError) as caught:
            org.change_own_password(old, NEW)
        assert old not in str(caught.value) and NEW not in str(caught.value)

    def test_no_log_says_it_either(
        self, simulated_org: SimulatedOrg, org: Org, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        org.change_own_password(simulated_org.admin.password, NEW)
        assert "/services/Soap/u/" in caplog.text
        assert simulated_org.admin.password not in caplog.text and NEW not in caplog.text

    def test_a_session_that_has_ended_is_opened_anew_once(self, simulated_org: SimulatedOrg, org: Org) -> None:
        simulated_org.control.end_sessions()
        org.change_own_password(simulated_org.admin.password, NEW)
        assert simulated_org.control.counts() == {"changeOwnPassword": 2, "login": 1}
        assert self.held(simulated_org) == NEW

    def test_a_session_that_was_given_is_not(self, simulated_org: SimulatedOrg, tmp_path: Path) -> None:
        org = connect(simulated_org, tmp_path, auth="session", access_token="00D!ended", instance_url=simulated_org.url)
        with pytest.raises(LoginError, match="the session has ended"):
            org.change_own_password(simulated_org.admin.password, NEW)
        assert self.held(simulated_org) == simulated_org.admin.password
