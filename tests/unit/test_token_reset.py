# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token is reset once or not at all, whatever the page looks like, and who cannot reset it hears so before."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.attempts import LoginAttempts
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    LoginError,
    NoResponseError,
    OrgError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org import retry
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.client import Org
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.pages import Page
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.sessions import SessionCache
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.token_reset import _says_done
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.transport import MAX_PAGE, open_pages
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.rotation.obstacles import (
    rotation_obstacles,
)
from tests.simulated_org import SimulatedOrg, ca
from tests.simulated_org.fixtures import simulated_org, simulated_org_server
from tests.unit.test_hostile_answers import HTML, SHORT, Liar, Pieces, chunked, http, slowly

__all__ = ["simulated_org", "simulated_org_server"]

OTHER = "int@simulated.example"
PAGES = ("frontdoor", "resetTokenPage", "resetToken")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BACKOFF_SECONDS", (0.01, 0.01))


def connect(sim: SimulatedOrg, folder: Path, **changes: Any) -> Org:
    given: dict[str, Any] = {
        "login_url": sim.url,
        "username": sim.admin.username,
        "password": sim.admin.password,
        "security_token": sim.admin.security_token,
        "ca_path": sim.ca_path,
        "allowed_hosts": ("localhost",),
    }
    return Org(
        Connection(**{**given, **changes}),
        SessionCache(folder / "sessions", Fernet(Fernet.generate_key()), LoginAttempts(folder, None)),
    )


@pytest.fixture
def org(simulated_org: SimulatedOrg, tmp_path: Path) -> Org:
    org = connect(simulated_org, tmp_path)
    org.session()
    simulated_org.control.clear_requests()
    return org


def token(sim: SimulatedOrg) -> str:
    return str(sim.control.user(sim.admin.username)["security_token"])


def asked(sim: SimulatedOrg) -> dict[str, int]:
    """How often what was asked."""
    return dict(sim.control.counts())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> ca.Certificates:
    return ca.create(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def liar(certificates: ca.Certificates) -> Iterator[Liar]:
    liar = Liar(certificates)
    yield liar
    liar.close()


class TestReset:
    """A page that nobody has documented."""

    @pytest.mark.parametrize("answer", ["page", "redirect"])
    @pytest.mark.parametrize(
        "page",
        [
            {"token_reset_page": "form"},
            {"token_reset_page": "get_form"},
            {"token_reset_page": "link"},
            {"token_reset_page": "button"},
            {"token_reset_csrf": "post"},
        ],
        ids=lambda page: "-".join(page.values()),
    )
    def test_it_presses_the_button_whatever_makes_it(
        self, simulated_org: SimulatedOrg, org: Org, page: dict[str, str], answer: str
    ) -> None:
        simulated_org.control.set_switches(token_reset_answer=answer, **page)
        before = token(simulated_org)
        org.reset_security_token()
        assert token(simulated_org) != before
        assert [mail["token"] for mail in simulated_org.control.mails()] == [token(simulated_org)]
        assert asked(simulated_org) == {"frontdoor": 1, "resetTokenPage": 1, "resetToken": 1}

    def test_an_answer_that_does_not_tell_leaves_open_what_was_done(
        self, simulated_org: SimulatedOrg, org: Org
    ) -> None:
        simulated_org.control.set_switches(token_reset_answer="other_words")
        with pytest.raises(NoResponseError, match="does not tell its outcome") as caught:
            org.reset_security_token()
        assert caught.value.sent
        assert asked(simulated_org)["resetToken"] == 1

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "reset", "executed": True},
            {"kind": "reset"},
            {"kind": "status", "status": 503},
            {"kind": "status", "status": 500},
            {"kind": "truncate"},
            {"kind": "html", "status": 200, "body": "<p>Welcome to the hotel</p>"},
            {"kind": "redirect", "url": "https://evil.example/"},
            {"kind": "huge", "size": 2 * MAX_PAGE, "content_type": HTML},
        ],
        ids=lambda fault: "-".join(map(str, fault.values()))[:30],
    )
    def test_it_is_never_asked_twice(self, simulated_org: SimulatedOrg, org: Org, fault: dict[str, Any]) -> None:
        simulated_org.control.inject(operation="resetToken", times=None, **fault)
        with pytest.raises(NoResponseError) as caught:
            org.reset_security_token()
        assert caught.value.sent
        assert asked(simulated_org)["resetToken"] == 1

    @pytest.mark.parametrize("operation", ["frontdoor", "resetTokenPage"])
    def test_what_comes_before_is_asked_again(self, simulated_org: SimulatedOrg, org: Org, operation: str) -> None:
        simulated_org.control.inject("reset", operation=operation, times=2)
        org.reset_security_token()
        assert asked(simulated_org)["resetToken"] == 1

    @pytest.mark.parametrize("operation", ["frontdoor", "resetTokenPage"])
    def test_while_only_the_page_was_asked_for_it_is_certain_that_nothing_was_reset(
        self, simulated_org: SimulatedOrg, org: Org, operation: str
    ) -> None:
        simulated_org.control.inject("status", operation=operation, status=503, times=None)
        with pytest.raises(NoResponseError) as caught:
            org.reset_security_token()
        assert not caught.value.sent
        assert "resetToken" not in asked(simulated_org)

    def test_the_front_page_as_the_answer_leaves_open_what_was_done(
        self, simulated_org: SimulatedOrg, org: Org
    ) -> None:
        simulated_org.control.inject(
            "redirect", operation="resetToken", url=f"{simulated_org.url}/", executed=True, times=None
        )
        with pytest.raises(NoResponseError, match="does not tell its outcome") as caught:
            org.reset_security_token()
        assert caught.value.sent

    def test_a_refusal_is_no_reset(self, simulated_org: SimulatedOrg, org: Org) -> None:
        simulated_org.control.inject("status", operation="resetToken", status=403, content_type=HTML)
        before = token(simulated_org)
        with pytest.raises(OrgError, match=r"refused to reset the security token \(HTTP 403\)") as caught:
            org.reset_security_token()
        assert not isinstance(caught.value, NoResponseError)
        assert token(simulated_org) == before

    @pytest.mark.parametrize("style", ["redirect", "script"])
    def test_the_login_page_is_no_success(self, simulated_org: SimulatedOrg, org: Org, style: str) -> None:
        simulated_org.control.set_switches(no_page_session=style)
        simulated_org.control.hook("resetToken", [{"command": "end_sessions"}])
        before = token(simulated_org)
        with pytest.raises(OrgError, match="wanted a login|does not tell its outcome"):
            org.reset_security_token()
        assert token(simulated_org) == before
        assert asked(simulated_org)["resetToken"] == 1

    @pytest.mark.parametrize("style", ["redirect", "script"])
    def test_a_session_that_has_ended_is_opened_anew_once(
        self, simulated_org: SimulatedOrg, org: Org, style: str
    ) -> None:
        simulated_org.control.set_switches(no_page_session=style)
        simulated_org.control.end_sessions()
        org.reset_security_token()
        assert asked(simulated_org)["login"] == 1
        assert asked(simulated_org)["resetToken"] == 1

    def test_a_session_that_was_given_is_not_opened_anew(self, simulated_org: SimulatedOrg, tmp_path: Path) -> None:
        org = connect(simulated_org, tmp_path, auth="session", access_token="00D!ended", instance_url=simulated_org.url)
        with pytest.raises(LoginError, match="the session has ended"):
            org.reset_security_token()
        assert "login" not in asked(simulated_org)

    def test_a_session_without_the_scope_costs_no_login(self, simulated_org: SimulatedOrg, tmp_path: Path) -> None:
        control = simulated_org.control
        control.add_app("key", consumer_secret="secret", permitted_users="self_authorize", web=False)
        org = connect(simulated_org, tmp_path, auth="username_password", consumer_key="key", consumer_secret="secret")
        with pytest.raises(OrgError, match="an app needs the scope web or full"):
            org.reset_security_token()
        assert asked(simulated_org)["token"] == 1
        assert "resetToken" not in asked(simulated_org)

    @pytest.mark.parametrize("permission", ["ApiUserOnly", "TwoFactorApi"])
    def test_without_a_button_nothing_is_done(self, simulated_org: SimulatedOrg, org: Org, permission: str) -> None:
        simulated_org.control.set_user(simulated_org.admin.username, permissions=[permission])
        with pytest.raises(OrgError, match="no button to reset the security token, so nothing was done"):
            org.reset_security_token()
        assert "resetToken" not in asked(simulated_org)

    def test_the_session_is_in_no_address_and_no_log(
        self, simulated_org: SimulatedOrg, org: Org, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        simulated_org.control.set_switches(token_reset_csrf="post")
        session = org.session().access_token
        org.reset_security_token()
        assert "/secur/frontdoor.jsp" in caplog.text
        for secret in (session, session.partition("!")[2], token(simulated_org), "CONFIRMATIONTOKEN"):
            assert secret not in caplog.text
        assert [one["method"] for one in simulated_org.control.requests("frontdoor")] == ["POST"]

    def test_cookies_of_pages_go_to_no_other_request(self, simulated_org: SimulatedOrg, org: Org) -> None:
        org.reset_security_token()
        assert not org._transport.cookies

    def test_the_next_session_may_reset_too(self, simulated_org: SimulatedOrg, org: Org) -> None:
        org.reset_security_token()
        first = token(simulated_org)
        org.reset_security_token()
        assert token(simulated_org) != first


class TestPagesOfSomebodyElse:
    """Whatever answers in the org's place gets nothing done, in bounded time."""

    @pytest.fixture
    def org(self, liar: Liar, certificates: ca.Certificates, tmp_path: Path, request: pytest.FixtureRequest) -> Org:
        connection = Connection(
            auth="session",
            access_token="00DCanary!session",
            instance_url=liar.url,
            login_url=liar.url,
            ca_path=str(certificates.ca),
            allowed_hosts=("localhost",),
            timeout=SHORT if "dripping" in request.node.name else 1.0,
        )
        return Org(connection, SessionCache(tmp_path, Fernet(Fernet.generate_key()), LoginAttempts(tmp_path, None)))

    @staticmethod
    def in_turn(*answers: Pieces) -> Callable[[], Pieces]:
        """One answer after the other; the last one from then on."""
        left = [list(answer) for answer in answers]
        return lambda: left.pop(0) if len(left) > 1 else left[0]

    DOOR = http(b"", HTML, "302 Found", Set_Cookie="sid=other; Secure; Path=/", Location="/x")

    @pytest.mark.parametrize(
        "page",
        [
            '<form method="post" action="https://evil.example/ResetApiTokenConfirm"><input name="sid"></form>',
            '<form method="post" action="https://localhost:1/a/ResetApiTokenConfirm"></form>',
            '<form method="post" action="http://localhost/a/ResetApiTokenConfirm"></form>',
            '<a href="//evil.example/a/ResetApiTokenConfirm">x</a>',
            "<a onclick=\"go('https://evil.example/a/ResetApiTokenConfirm')\">x</a>",
            '<a href="https://localhost:x/a/ResetApiTokenConfirm">x</a>',
        ],
    )
    def test_a_button_that_leads_elsewhere_is_not_pressed(self, liar: Liar, org: Org, page: str) -> None:
        liar.requests = 0
        liar.answer = self.in_turn(self.DOOR, http(page.encode(), HTML))
        with pytest.raises(OrgError, match="not followed"):
            org.reset_security_token()
        assert liar.requests == 2

    @pytest.mark.parametrize(
        "target",
        [
            "https://evil.example/",
            "http://localhost/_ui/system/security/ResetApiTokenEdit",
            "https://[",
            "/_ui/system/security/ResetApiTokenConfirm",
            "/_ui/system/security/ResetApiTokenConfirm;a=b",
            "/_ui/system/security/resetapitoken%43onfirm/",
        ],
    )
    def test_a_page_that_moved_elsewhere_is_not_followed(self, liar: Liar, org: Org, target: str) -> None:
        liar.requests = 0
        liar.answer = self.in_turn(self.DOOR, http(b"", HTML, "302 Found", Location=target))
        with pytest.raises(OrgError, match="not followed"):
            org.reset_security_token()
        assert liar.requests == 2

    def test_a_page_that_moves_without_end(self, liar: Liar, org: Org) -> None:
        liar.answer = self.in_turn(self.DOOR, http(b"", HTML, "302 Found", Location="/again"))
        with pytest.raises(OrgError, match="from page to page without end"):
            org.reset_security_token()

    def test_no_redirect_is_ever_followed(self, liar: Liar, org: Org) -> None:
        liar.requests = 0
        liar.answer = lambda: http(b"", HTML, "302 Found", Location="/elsewhere")
        with open_pages(org._connection) as pages:
            assert pages.get(liar.url).status_code == 302
        assert liar.requests == 1

    CASES: dict[str, Callable[[], Pieces]] = {
        "empty": lambda: http(b"", HTML),
        "no-page": lambda: http(b"CANARY", "text/plain"),
        "nul": lambda: http(b"<p>CANARY\0</p>", HTML),
        "json": lambda: http(b'["CANARY"]', "application/json"),
        "without-end": lambda: chunked([b"<p>CANARY"] * 100_000, HTML),
        "dripping": lambda: slowly([http(b"x", HTML)[0].replace(b": 1", b": 1000"), *[b"<"] * 999]),
        "no-address": lambda: http(b'<a href="https://[/ResetApiTokenConfirm">CANARY</a>', HTML),
        "no-location": lambda: http(b"", HTML, "302 Found"),
    }

    @pytest.mark.parametrize("after_door", [False, True])
    @pytest.mark.parametrize("case", CASES)
    def test_what_is_no_page_of_setup(self, liar: Liar, org: Org, case: str, after_door: bool) -> None:
        liar.answer = self.CASES[case] if not after_door else self._after_door(case)
        started = time.monotonic()
        with pytest.raises(OrgError) as caught:
            org.reset_security_token()
        assert "CANARY" not in str(caught.value)
        assert "Canary" not in str(caught.value)
        assert time.monotonic() - started < 12

    def _after_door(self, case: str) -> Callable[[], Pieces]:
        doors = [self.DOOR]
        return lambda: doors.pop() if doors else self.CASES[case]()


@pytest.mark.parametrize(
    "piece",
    [
        *("<", "<a", "<!--", "<![CDATA[", "&", "<a b='", "<script>", "</", "<!", "<?", "<form>", "<p a=b ", "&#"),
        *("<div>", "<div><form>", "<form><input name=a>", "<table><form><td>", "<script>startURL", "<a onclick='\"'>"),
    ],
)
def test_no_page_that_is_taken_keeps_its_reader_busy(piece: str) -> None:
    """The parser of the standard library would be busy for hours."""
    content = (piece * MAX_PAGE)[:MAX_PAGE]
    started = time.process_time()
    Page("https://org.example/", content.encode())
    assert time.process_time() - started < 30


@pytest.mark.parametrize("piece", ["sent ", "security token ", "sent security token was ", "security token reset "])
def test_no_text_of_a_page_keeps_its_reader_busy(piece: str) -> None:
    """A pattern of two words with anything between them would be busy for nine minutes."""
    started = time.process_time()
    _says_done((piece * MAX_PAGE)[:MAX_PAGE])
    assert time.process_time() - started < 30


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("a new security token has been sent to you.", True),
        ("we have emailed your security token", True),
        ("your security token was reset. close this page", True),
        ("a mail was sent. reset your security token", False),
        ("this has been reset: your security token", False),
    ],
)
def test_a_reset_is_done_when_one_sentence_says_so(text: str, done: bool) -> None:
    assert _says_done(text) is done


def test_a_page_cannot_have_other_files_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("CANARY")
    text = f'<!DOCTYPE html [<!ENTITY x SYSTEM "file://{secret}">]><p>&x;</p><form action="&x;"></form>'
    page = Page("https://org.example/", text.encode())
    assert "CANARY" not in page.text + page.forms[0].action


class TestObstacles:
    """What is known to stand in the way, and the way out, without changing anything."""

    @pytest.fixture
    def user(self, simulated_org: SimulatedOrg) -> str:
        control = simulated_org.control
        control.set_profile("Integration", permissions=["ApiEnabled"])
        control.add_user(OTHER, "Other-Pass1", profile="Integration")
        return OTHER

    def test_none(self, org: Org, user: str) -> None:
        assert rotation_obstacles(org, user) == []

    def test_login_ranges_of_the_profile(self, simulated_org: SimulatedOrg, org: Org, user: str) -> None:
        simulated_org.control.set_profile("Integration", login_ip_ranges=["192.0.2.0/24"])
        (told,) = rotation_obstacles(org, user)
        assert told.startswith(f"the profile Integration of {user} has login IP ranges")
        assert "the API cannot remove the last one" in told and "OAuth" in told

    def test_login_ranges_of_a_standard_profile(self, simulated_org: SimulatedOrg, org: Org) -> None:
        simulated_org.control.set_profile("Admin", login_ip_ranges=["127.0.0.0/8"])
        (told,) = rotation_obstacles(org, simulated_org.admin.username)
        assert "the profile System Administrator" in told

    @pytest.mark.parametrize(
        ("permission", "name"), [("ApiUserOnly", "API Only User"), ("TwoFactorApi", "MFA for API Logins")]
    )
    def test_permissions_by_profile_or_permission_set(
        self, simulated_org: SimulatedOrg, org: Org, user: str, permission: str, name: str
    ) -> None:
        simulated_org.control.set_user(user, permissions=[permission])
        (told,) = rotation_obstacles(org, user)
        assert told.startswith(f"{user} has the permission {name} (by the permission set More Permissions)")
        simulated_org.control.set_user(user, permissions=[])
        simulated_org.control.set_profile("Integration", permissions=["ApiEnabled", permission])
        (told,) = rotation_obstacles(org, user)
        assert "(by the profile Integration)" in told

    def test_all_at_once(self, simulated_org: SimulatedOrg, org: Org, user: str) -> None:
        simulated_org.control.set_profile("Integration", login_ip_ranges=["192.0.2.0/24"])
        simulated_org.control.set_user(user, permissions=["ApiUserOnly", "TwoFactorApi"])
        assert len(rotation_obstacles(org, user)) == 3

    def test_what_the_user_may_not_see_is_no_obstacle(
        self, simulated_org: SimulatedOrg, user: str, tmp_path: Path
    ) -> None:
        simulated_org.control.set_profile("Integration", login_ip_ranges=["127.0.0.0/8"])
        simulated_org.control.set_user(user, permissions=["ApiUserOnly"])
        org = connect(simulated_org, tmp_path, username=user, password="Other-Pass1", security_token=None)
        assert rotation_obstacles(org, user) == []

    def test_a_name_with_a_quotation_mark(self, simulated_org: SimulatedOrg, org: Org) -> None:
        simulated_org.control.add_user("o'neill@simulated.example", "Other-Pass1", permissions=["ApiUserOnly"])
        assert len(rotation_obstacles(org, "o'neill@simulated.example")) == 1

    def test_an_org_that_cannot_be_asked_is_an_error(self, simulated_org: SimulatedOrg, org: Org) -> None:
        simulated_org.control.inject("reset", operation="query", times=None)
        with pytest.raises(NoResponseError):
            rotation_obstacles(org, OTHER)

    def test_looking_changes_nothing(self, simulated_org: SimulatedOrg, org: Org, user: str) -> None:
        before = token(simulated_org)
        rotation_obstacles(org, user)
        assert token(simulated_org) == before
        assert set(asked(simulated_org)) == {"listMetadata", "query", "readMetadata"}

    def test_a_password_may_have_to_last_a_day(self, simulated_org: SimulatedOrg, org: Org) -> None:
        control, user = simulated_org.control, simulated_org.admin.username
        assert rotation_obstacles(org, user, "password") == []
        control.set_org(password_policies={"minimumPasswordLifetime": True})
        (told,) = rotation_obstacles(org, user, "password")
        assert re.search(r"changed less than a day ago.*; try again after 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$", told)
        control.advance(-26 * 3600)
        control.set_user(user, password=simulated_org.admin.password)
        assert rotation_obstacles(org, user, "password") == []
