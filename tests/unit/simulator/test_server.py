# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On real sockets: TLS of our own authority, peer addresses, faults on the wire, hooks, the log, and the control."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.simulated_org import Control, ControlError, SimulatedOrg

from .wire import LOGIN_BODY, METADATA_BODY


class FromAddress(HTTPAdapter):
    """Connects from a chosen local address."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, source_address=(self._address, 0), **kwargs)


def login(sim: SimulatedOrg, session: requests.Session | None = None, **options: Any) -> requests.Response:
    body = LOGIN_BODY.format(username=sim.admin.username, secret=sim.admin.login_password)
    url = f"{sim.url}/services/Soap/u/64.0"
    options = {"allow_redirects": False, "timeout": 10, **options}
    return (session or requests).post(url, body, headers={"SOAPAction": '""'}, **options)


def test_the_certificate_holds_only_with_our_authority(
    simulated_org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert login(simulated_org).status_code == 200
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(requests.exceptions.SSLError):
        login(simulated_org)


def test_plain_http_gets_no_answer_from_the_services(simulated_org: SimulatedOrg) -> None:
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(simulated_org.url.replace("https://localhost", "http://127.0.0.1"), timeout=5)
    assert simulated_org.journal.counts() == {}


def test_the_callers_address_is_the_real_one(simulated_org: SimulatedOrg) -> None:
    control = simulated_org.control
    control.set_org(trusted_ranges=["127.9.0.0/16"])
    for address in ("127.0.0.1", "127.9.1.2"):
        with requests.Session() as session:
            session.mount("https://", FromAddress(address))
            assert login(simulated_org, session).status_code == 200
    assert [row["source_ip"] for row in control.login_history()] == ["127.0.0.1", "127.9.1.2"]


@pytest.mark.parametrize("address", ["127.0.0.3", "::1"])
def test_other_loopback_addresses(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with SimulatedOrg(folder=tmp_path, addresses=["127.0.0.1", address]) as sim:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", sim.ca_path)
        url = sim.listeners[1].url
        answer = requests.get(f"{url}/services/data", timeout=10)
        assert answer.json()[0]["version"] == "31.0"


def test_a_connection_serves_many_requests(simulated_org: SimulatedOrg) -> None:
    with requests.Session() as session:
        for _unused in range(5):
            answer = session.get(f"{simulated_org.url}/services/data", timeout=10)
        assert answer.headers.get("Connection") != "close"


def test_a_silent_connection_does_not_hold_up_others(simulated_org: SimulatedOrg) -> None:
    port = simulated_org.listeners[0].port
    with socket.create_connection(("127.0.0.1", port)):
        assert login(simulated_org, timeout=5).status_code == 200


def test_the_date_header_shows_the_simulated_clock(simulated_org: SimulatedOrg) -> None:
    simulated_org.control.set_clock("2031-05-06T07:08:09+00:00", frozen=True)
    assert parsedate_to_datetime(login(simulated_org).headers["Date"]).isoformat() == "2031-05-06T07:08:09+00:00"
    assert simulated_org.control.advance(3600) == "2031-05-06T08:08:09+00:00"


class TestFaults:
    def test_a_status_for_one_request(self, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.inject("status", operation="login", status=503, body="busy", headers={"Retry-After": "7"})
        answer = login(simulated_org)
        assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (503, "busy", "7")
        assert login(simulated_org).status_code == 200
        assert len(simulated_org.control.login_history()) == 1, "a spoiled login is not carried out"

    def test_a_page_for_the_third_request(self, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.inject("html", operation="login", after=2, status=200)
        types = [login(simulated_org).headers["Content-Type"] for _unused in range(4)]
        assert [one.partition(";")[0] for one in types] == ["text/xml", "text/xml", "text/html", "text/xml"]

    def test_other_operations_and_users_are_left_alone(self, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.inject("status", operation="query")
        simulated_org.control.inject("status", operation="login", username="somebody@else.example")
        assert login(simulated_org).status_code == 200
        assert len(simulated_org.control.pending()["faults"]) == 2
        simulated_org.control.clear_faults()
        assert simulated_org.control.pending() == {"faults": [], "hooks": []}

    @pytest.mark.parametrize("executed", [True, False])
    def test_a_reset_connection(self, simulated_org: SimulatedOrg, executed: bool) -> None:
        simulated_org.control.inject("reset", operation="login", executed=executed)
        with pytest.raises(requests.exceptions.ConnectionError, match="Connection aborted"):
            login(simulated_org)
        assert len(simulated_org.control.login_history()) == int(executed)
        assert login(simulated_org).status_code == 200

    def test_a_body_cut_short(self, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.inject("truncate", operation="login", size=100)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            login(simulated_org)
        assert len(simulated_org.control.login_history()) == 1

    def test_a_redirect(self, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.inject("redirect", operation="login", url="https://evil.example/", status=307)
        answer = login(simulated_org)
        assert (answer.status_code, answer.headers["Location"]) == (307, "https://evil.example/")

    def test_a_huge_body(self, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.inject("huge", operation="login", size=5_000_000)
        assert len(login(simulated_org).content) == 5_000_000

    def test_a_delay(self, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.inject("delay", operation="login", seconds=30, executed=True)
        with pytest.raises(requests.exceptions.ReadTimeout):
            login(simulated_org, timeout=0.05)
        assert simulated_org.control.requests("login")[0]["fault_injected"] == "delay"

    def test_a_hostile_server_url(self, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.inject("server_url", operation="login", url="https://evil.example")
        text = login(simulated_org).text
        organization = simulated_org.control.org()["id"][:15]
        assert f"<serverUrl>https://evil.example/services/Soap/u/64.0/{organization}</serverUrl>" in text
        assert f"<metadataServerUrl>https://evil.example/services/Soap/m/64.0/{organization}<" in text
        assert "evil" not in login(simulated_org).text

    def test_a_salesforce_error_in_the_form_of_the_service(self, simulated_org: SimulatedOrg) -> None:
        control = simulated_org.control
        control.inject("error", operation="login", code="SERVER_UNAVAILABLE", message="try later")
        answer = login(simulated_org)
        assert answer.status_code == 500
        assert "<faultcode>sf:SERVER_UNAVAILABLE</faultcode>" in answer.text
        assert "<sf:LoginFault" in answer.text
        control.inject("error", operation="query", code="REQUEST_LIMIT_EXCEEDED", message="enough")
        answer = requests.get(f"{simulated_org.url}/services/data/v64.0/query", timeout=10)
        assert (answer.status_code, answer.json()) == (
            403,
            [{"message": "enough", "errorCode": "REQUEST_LIMIT_EXCEEDED"}],
        )
        assert control.requests("query")[0]["result"] == "REQUEST_LIMIT_EXCEEDED"

    def test_unknown_kinds_are_refused(self, simulated_org: SimulatedOrg) -> None:
        with pytest.raises(ControlError, match="unknown kind"):
            simulated_org.control.inject("flood")


class TestHooks:
    def test_another_administrator_comes_first(self, simulated_org: SimulatedOrg) -> None:
        control = simulated_org.control
        control.hook(
            "login", [{"command": "add_trusted_range", "range": "192.0.2.0/24", "by": simulated_org.admin.username}]
        )
        assert control.audit_trail() == []
        login(simulated_org)
        login(simulated_org)
        assert [row["display"] for row in control.audit_trail()] == [
            "Created Ip WhiteList from 192.0.2.0 to 192.0.2.255"
        ]

    def test_commands_are_checked_beforehand(self, simulated_org: SimulatedOrg) -> None:
        with pytest.raises(ControlError, match="no command"):
            simulated_org.control.hook("login", [{"command": "explode"}])

    def test_after_every_request_until_cleared(self, simulated_org: SimulatedOrg) -> None:
        control = simulated_org.control
        control.hook("login", [{"command": "end_sessions"}], when="after", times=None)
        for _unused in range(2):
            login(simulated_org)
            assert control.sessions() == []
        control.clear_faults()
        login(simulated_org)
        assert len(control.sessions()) == 1


class TestLog:
    def test_requests_are_logged_with_secrets_as_digests(self, simulated_org: SimulatedOrg) -> None:
        answer = login(simulated_org)
        session = answer.text.partition("<sessionId>")[2].partition("<")[0]
        url = f"{simulated_org.url}/services/data/v64.0/query?q=SELECT+Id+FROM+User"
        requests.get(url, headers={"Authorization": f"Bearer {session}"}, timeout=10)
        first, second = simulated_org.control.requests()
        assert (first["operation"], first["peer"], first["status"], first["result"]) == (
            "login",
            "127.0.0.1",
            200,
            "ok",
        )
        assert first["username"] == second["username"] == simulated_org.admin.username
        assert first["secrets"] == {"password": hashlib.sha256(simulated_org.admin.login_password.encode()).hexdigest()}
        assert second["secrets"] == {"session": hashlib.sha256(session.encode()).hexdigest()}
        log = str(simulated_org.control.requests())
        assert simulated_org.admin.password not in log
        assert session not in log

    def test_counting_and_clearing(self, simulated_org: SimulatedOrg) -> None:
        control = simulated_org.control
        for _unused in range(3):
            login(simulated_org)
        requests.get(f"{simulated_org.url}/services/data", timeout=10)
        assert control.counts() == {"login": 3, "versions": 1}
        control.clear_requests()
        assert (control.counts(), control.requests()) == ({}, [])

    def test_refusals_are_logged_with_their_code(self, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.set_user(simulated_org.admin.username, frozen=True)
        login(simulated_org)
        assert simulated_org.control.requests("login")[0]["result"] == "INVALID_LOGIN"


class TestControl:
    def test_it_needs_its_token(self, simulated_org: SimulatedOrg) -> None:
        with pytest.raises(ControlError, match="wrong control token"):
            Control(simulated_org.control_url, "guess").orgs()

    def test_commands_that_there_are_not(self, simulated_org: SimulatedOrg) -> None:
        for name in ("explode", "run", "_state"):
            with pytest.raises(ControlError, match="no command"):
                simulated_org.control.call(name)
        with pytest.raises(AttributeError):
            simulated_org.control.explode()

    @pytest.mark.parametrize(
        "switches", [{"range_order": "sideways"}, {"no_such_switch": True}, {"login_rate": "many"}]
    )
    def test_switches_are_checked(self, simulated_org: SimulatedOrg, switches: dict[str, Any]) -> None:
        with pytest.raises(ControlError, match=next(iter(switches))):
            simulated_org.control.set_switches(**switches)

    def test_misspelt_fields_are_refused(self, simulated_org: SimulatedOrg) -> None:
        with pytest.raises(ControlError, match="passwort"):
            simulated_org.control.set_user(simulated_org.admin.username, passwort="x")
        with pytest.raises(ControlError, match="sessionTimeOut"):
            simulated_org.control.set_org(session_settings={"sessionTimeOut": "TwoHours"})

    def test_positional_arguments(self, simulated_org: SimulatedOrg) -> None:
        control = simulated_org.control
        control.add_org("beta")
        control.add_user("b@beta.example", "Beta-Pass1", "beta")
        assert control.user("b@beta.example")["org"] == "beta"
        assert control.org("beta")["users"] == ["b@beta.example"]
        assert control.orgs() == ["simulated", "beta"]
        with pytest.raises(ValueError, match="zip"):
            control.orgs("one too many")

    def test_ranges_as_setup_changes_them(self, simulated_org: SimulatedOrg) -> None:
        control = simulated_org.control
        control.add_login_ip_range("System Administrator", "192.0.2.0/24")
        control.remove_login_ip_range("Admin", "192.0.2.0/24")
        control.set_trusted_ranges(["192.0.2.0/24", "198.51.100.0/24"])
        control.remove_trusted_range("192.0.2.0/24")
        assert [row["action"] for row in control.audit_trail()] == [
            "loginIpRange",
            "deletedLoginIpRange_withProfile",
            "createIpWhiteList",
            "createIpWhiteList",
            "deleteIpWhiteList",
        ]
        assert [one["start"] for one in control.org()["trusted_ranges"]] == ["198.51.100.0"]

    def test_reset_starts_anew(self, simulated_org: SimulatedOrg) -> None:
        control = simulated_org.control
        control.advance(86400 * 365)
        control.reset({"orgs": [{"name": "fresh"}]})
        assert control.orgs() == ["fresh"]
        assert not control.now().startswith("2027-11")


def test_only_current_tls(simulated_org: SimulatedOrg) -> None:
    context = ssl.create_default_context(cafile=simulated_org.ca_path)
    with (
        socket.create_connection(("127.0.0.1", simulated_org.listeners[0].port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert secure.version() in ("TLSv1.2", "TLSv1.3")


def test_fifty_orgs_and_many_callers_at_once(simulated_org: SimulatedOrg) -> None:
    """Each caller replaces the ranges of an org of its own, and then reads back exactly those."""
    control = simulated_org.control
    for number in range(50):
        user = {"username": f"u{number}@many.example", "password": f"Pass-Word{number}"}
        control.add_org(f"org{number}", users=[user], trusted_ranges=["127.0.0.0/8"])

    def work(number: int) -> list[str]:
        with requests.Session() as session:
            body = LOGIN_BODY.format(username=f"u{number}@many.example", secret=f"Pass-Word{number}")
            answer = session.post(f"{simulated_org.url}/services/Soap/u/64.0", body, timeout=30)
            sid = answer.text.partition("<sessionId>")[2].partition("<")[0]
            network = f"<ipRanges><end>192.0.2.{number}</end><start>192.0.2.{number}</start></ipRanges>"
            update = (
                '<metadata xsi:type="SecuritySettings"><fullName>Security</fullName>'
                f"<networkAccess>{network}</networkAccess></metadata>"
            )
            read = "<type>SecuritySettings</type><fullNames>Security</fullNames>"
            for name, inner in (("updateMetadata", update), ("readMetadata", read)):
                envelope = METADATA_BODY.format(session=sid, operation=name, body=inner)
                answer = session.post(f"{simulated_org.url}/services/Soap/m/64.0", envelope, timeout=30)
                assert answer.status_code == 200, answer.text
            return re.findall("<start>(.*?)</start>", answer.text)

    with ThreadPoolExecutor(max_workers=20) as pool:
        assert list(pool.map(work, range(50))) == [[f"192.0.2.{number}"] for number in range(50)]
    assert control.counts() == {"login": 50, "updateMetadata": 50, "readMetadata": 50}
