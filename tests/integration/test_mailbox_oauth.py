# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mailboxes that take no password: a real Dovecot that asks a token endpoint about each access token."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from cryptography import x509
from cryptography.fernet import Fernet, MultiFernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    GatehouseError,
    MailError,
    OptionError,
    StoreError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox import oauth as oauth_module
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox.mailbox import (
    Mailbox,
    open_mailbox,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox.settings import mail_settings
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.folder import FolderBlobs
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.notes import NOTES, Notes
from tests.support.dovecot import Dovecot
from tests.support.processes import ROOT
from tests.support.rotations import USER, scene
from tests.support.token_endpoint import JWT_BEARER, Client, TokenEndpoint
from tests.unit.simulator.apps import key_pair

KEY, CERTIFICATE = key_pair()
OTHER_KEY, OTHER_CERTIFICATE = key_pair("another")


@dataclasses.dataclass
class Box:
    """A mailbox whose provider wants OAuth, and where its tokens are kept."""

    server: Dovecot
    notes: Notes
    user: str
    client_id: str

    @property
    def endpoint(self) -> TokenEndpoint:
        """The provider's."""
        return self.server.endpoint

    def register(self, **fields: Any) -> Client:
        """Have the provider know a client."""
        if certificate := fields.pop("certificate", None):
            fields["certificate"] = x509.load_pem_x509_certificate(certificate.encode())
        client = self.endpoint.clients[self.client_id] = Client(self.user, **fields)
        return client

    def options(self, **oauth: Any) -> dict[str, Any]:
        """The options of the mailbox."""
        return {
            "host": "localhost",
            "port": self.server.port,
            "username": self.user,
            "ca_path": self.server.ca_path,
            "timeout": 5.0,
            "oauth": {"token_url": self.endpoint.url, "client_id": self.client_id, **oauth},
        }

    def open(self, **oauth: Any) -> AbstractContextManager[Mailbox]:
        """Open the mailbox as a run of its own does."""
        return open_mailbox(mail_settings(self.options(**oauth)), self.notes)

    def enter(self, **oauth: Any) -> None:
        """Open the mailbox, and look into it."""
        with self.open(**oauth) as mailbox:
            assert mailbox.position().next_uid == 1


@pytest.fixture
def box(server: Dovecot, tmp_path: Path) -> Iterator[Box]:
    notes = Notes(FolderBlobs(tmp_path / "store", NOTES, history=1), MultiFernet([Fernet(Fernet.generate_key())]))
    name = secrets.token_hex(4)
    endpoint = server.endpoint
    endpoint.requests.clear()
    yield Box(server, notes, f"box-{name}@example.org", f"client-{name}")
    endpoint.lifetime, endpoint.rotates, endpoint.answer = 3600, False, None


WAYS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a secret": ({"secret": "Canary!secret"}, {"client_secret": "Canary!secret"}, "client_credentials"),
    "a refresh token": ({"refresh_token": "Canary!refresh"}, {"refresh_token": "Canary!refresh"}, "refresh_token"),
    "a refresh token and a secret": (
        {"refresh_token": "Canary!refresh", "secret": "Canary!secret"},
        {"refresh_token": "Canary!refresh", "client_secret": "Canary!secret"},
        "refresh_token",
    ),
    "a key with its certificate": (
        {"certificate": CERTIFICATE},
        {"private_key": KEY, "certificate": CERTIFICATE},
        "client_credentials",
    ),
    "a key": ({"certificate": CERTIFICATE}, {"private_key": KEY}, JWT_BEARER),
}


@pytest.mark.parametrize(("known", "given", "grant"), WAYS.values(), ids=list(WAYS))
def test_what_there_is_to_show_decides_how_a_token_is_asked_for(
    box: Box, known: dict[str, Any], given: dict[str, Any], grant: str
) -> None:
    box.register(**known)
    box.enter(**given, scope="mail")
    assert [form["grant_type"] for form in box.endpoint.requests] == [grant]


def test_an_access_token_is_used_again_while_it_lives(box: Box) -> None:
    box.register(secret="s")
    for _run in range(3):
        box.enter(client_secret="s")
    assert len(box.endpoint.requests) == 1


@pytest.mark.parametrize("lifetime", [60, None], ids=["is about to end", "may end at any time"])
def test_an_access_token_that_ends_soon_is_not_used_again(box: Box, lifetime: int | None) -> None:
    box.endpoint.lifetime = lifetime
    box.register(secret="s")
    box.enter(client_secret="s")
    box.enter(client_secret="s")
    assert len(box.endpoint.requests) == 2


def test_a_clock_that_was_set_back_makes_no_token_live_for_ever(box: Box) -> None:
    box.register(secret="s")
    box.enter(client_secret="s")
    with mock.patch("time.time", lambda now=time.time: now() - 86400):
        box.enter(client_secret="s")
    assert len(box.endpoint.requests) == 2


def test_another_secret_never_gets_the_token_of_the_one_before(box: Box) -> None:
    box.register(secret="s")
    box.enter(client_secret="s")
    with pytest.raises(MailError, match="as invalid_client"):
        box.enter(client_secret="wrong")


def test_tokens_are_kept_sealed(box: Box, tmp_path: Path) -> None:
    box.register(refresh_token="Canary!refresh")
    box.enter(refresh_token="Canary!refresh")
    kept = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert any(kept)
    for secret in ("Canary!refresh", *box.endpoint.tokens):
        assert not any(secret.encode() in content for content in kept)


class TestRotatedRefreshTokens:
    """A provider that replaces each refresh token, and revokes all when one is used twice."""

    @pytest.fixture(autouse=True)
    def _strict(self, box: Box) -> None:
        box.endpoint.rotates, box.endpoint.lifetime = True, 60
        box.register(refresh_token="first")

    def test_each_run_uses_the_newest(self, box: Box) -> None:
        for _run in range(4):
            box.enter(refresh_token="first")
        assert len({form["refresh_token"] for form in box.endpoint.requests}) == 4

    def test_runs_at_the_same_time_take_turns(self, box: Box) -> None:
        problems: list[BaseException] = []

        def run() -> None:
            try:
                box.enter(refresh_token="first")
            except BaseException as exc:
                problems.append(exc)

        threads = [threading.Thread(target=run) for _number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []

    def test_one_that_cannot_be_kept_is_not_used(self, box: Box) -> None:
        settings = mail_settings(box.options(refresh_token="first"))
        full = mock.patch.object(box.notes, "write", side_effect=StoreError("the disk is full"))
        with full, pytest.raises(StoreError), open_mailbox(settings, box.notes):
            pass
        assert box.endpoint.requests == [] and box.user not in box.server.log

    @pytest.mark.parametrize("change", [{"client_secret": "second"}, {"scope": "more"}], ids=["secret", "scope"])
    def test_it_outlives_a_change_of_the_rest(self, box: Box, change: dict[str, str]) -> None:
        client = box.register(refresh_token="first", secret="s")
        for _run in range(2):
            box.enter(refresh_token="first", client_secret="s")
        client.secret = change.get("client_secret", "s")
        box.enter(**{"refresh_token": "first", "client_secret": "s", **change})

    def test_one_that_comes_with_an_answer_that_is_of_no_use_is_kept(self, box: Box) -> None:
        client = box.register(refresh_token="first")
        box.endpoint.answer = (200, b'{"refresh_token": "second"}')
        with pytest.raises(MailError, match="answered without an access token"):
            box.enter(refresh_token="first")
        box.endpoint.answer, client.refresh_token = None, "second"
        box.enter(refresh_token="first")

    def test_a_new_one_that_is_declared_replaces_the_one_that_is_kept(self, box: Box) -> None:
        box.enter(refresh_token="first")
        box.register(refresh_token="authorised-again")
        box.enter(refresh_token="authorised-again")
        box.enter(refresh_token="authorised-again")

    def test_one_that_was_used_elsewhere_says_what_to_do(self, box: Box) -> None:
        box.register(refresh_token="of somebody else's run")
        with pytest.raises(MailError, match="as invalid_grant.*: .*authorise the client again"):
            box.enter(refresh_token="first")


class TestRefusals:
    """What the provider or the mail server refuses is said in their codes, without their words."""

    def test_of_the_provider(self, box: Box) -> None:
        box.register(secret="s")
        with pytest.raises(MailError) as refusal:
            box.enter(client_secret="Canary!wrong")
        told = str(refusal.value)
        assert told == (
            "mailbox.oauth: localhost refused an access token as invalid_client (AADSTS7000215): the client_id, or its "
            "client_secret or key, is wrong or has expired"
        )
        assert len(box.endpoint.requests) == 1, "a refused request is not repeated"

    def test_of_a_certificate_that_the_provider_does_not_know(self, box: Box) -> None:
        box.register(certificate=CERTIFICATE)
        with pytest.raises(MailError, match="as invalid_client"):
            box.enter(private_key=OTHER_KEY, certificate=OTHER_CERTIFICATE)

    def test_of_the_mail_server(self, box: Box) -> None:
        box.register(secret="s")
        box.enter(client_secret="s")
        box.endpoint.tokens.clear()  # revoked
        with pytest.raises(MailError, match=f"refused the login of {box.user}: the access token is refused with"):
            box.enter(client_secret="s")
        box.enter(client_secret="s")
        assert len(box.endpoint.requests) == 2, "the token that was refused is not used again"

    @pytest.mark.parametrize(
        "answer",
        [
            (200, b"<html>Log in</html>"),
            (200, b"{}"),
            (200, b"[]"),
            (200, b'{"access_token": "two words"}'),
            (200, b'{"access_token": 5, "expires_in": "later"}'),
            (200, b"[" * 100_000),
            (200, b'{"access_token": "t", "x": "' + b"x" * 300_000 + b'"}'),
            (302, b""),
            (400, b'{"error": "\\u001b[31m you sent Canary!"}'),
            (500, b""),
            (200, b"\xff\xfe"),
        ],
    )
    def test_of_something_that_is_no_token_endpoint(self, box: Box, answer: tuple[int, bytes]) -> None:
        box.endpoint.answer = answer
        with pytest.raises(MailError) as refusal:
            box.enter(client_secret="Canary!")
        assert str(refusal.value).startswith("mailbox.oauth: localhost ")
        assert str(refusal.value).isprintable() and "Canary" not in str(refusal.value)

    def test_of_one_that_cannot_be_reached(self, box: Box) -> None:
        box.endpoint.url, url = "https://localhost:9/token", box.endpoint.url
        try:
            with pytest.raises(MailError, match="localhost cannot be reached: Connection refused"):
                box.enter(client_secret="s")
        finally:
            box.endpoint.url = url


@pytest.mark.parametrize(
    ("oauth", "problem"),
    [
        ({"token_url": "http://idp.example/token"}, "oauth.token_url: must be an https URL"),
        ({"token_url": "https://user:pass@idp.example/token"}, "oauth.token_url: must be an https URL"),
        ({"token_url": "https://[idp"}, "oauth.token_url: must be an https URL"),
        ({"client_id": " "}, "oauth.client_id: is required"),
        ({"client_secret": None}, "oauth: needs client_secret, refresh_token or private_key"),
        ({"client_secret": "two words"}, "oauth.client_secret: holds a blank"),
        ({"certificate": CERTIFICATE}, "oauth.certificate: needs the private_key"),
        ({"private_key": "no key"}, "oauth.private_key: is not a private key in PEM form"),
        ({"private_key": OTHER_KEY, "certificate": CERTIFICATE}, "oauth.certificate: does not belong to private_key"),
        ({"private_key": KEY, "certificate": "none"}, "oauth.certificate: is not a certificate"),
    ],
)
def test_what_cannot_be_used_names_the_option(oauth: dict[str, Any], problem: str) -> None:
    given = {"token_url": "https://idp.example/token", "client_id": "c", "client_secret": "s", **oauth}
    with pytest.raises(OptionError, match=f"^mailbox.{problem}"):
        mail_settings({"host": "imap.example", "username": "u", "oauth": given})


@pytest.mark.parametrize("others", [{"password": "p"}, {"access_token": "t"}])
def test_there_is_one_way_to_log_in(others: dict[str, str]) -> None:
    given = {"token_url": "https://idp.example/token", "client_id": "c", "client_secret": "s"}
    with pytest.raises(OptionError, match="exactly one of this, access_token and oauth"):
        mail_settings({"host": "imap.example", "username": "u", "oauth": given, **others})


@pytest.mark.parametrize("provider", ["microsoft", "google"])
def test_a_token_is_rotated_through_a_mailbox_as_the_guide_describes_it(
    server: Dovecot, tmp_path: Path, provider: str
) -> None:
    page = (ROOT / "docs" / "mailboxes.md").read_text()
    block = page.partition(f"# {provider}.yml\n")[2].partition("```")[0]
    documented = yaml.safe_load(block)["gatehouse_salesforce_mailbox"]
    with scene(tmp_path / "rotation", server) as rotation:
        here = rotation.options["mailbox"]
        certificate = x509.load_pem_x509_certificate(CERTIFICATE.encode())
        server.endpoint.clients[documented["oauth"]["client_id"]] = Client(here["username"], certificate=certificate)
        files = {"{{ vault_mailbox_key }}": KEY, "{{ mailbox_certificate }}": CERTIFICATE}
        oauth = {name: files.get(value, value) for name, value in documented["oauth"].items()}
        oauth["token_url"] = server.endpoint.url
        mailbox = {**here, "on_success": documented["on_success"], "password": None, "oauth": oauth}
        assert all(rotation.run(force=True, mailbox=mailbox)["rotated"] for _time in range(2))
        stored = rotation.store.read("billing").connection
        assert stored.security_token == rotation.control.user(USER)["security_token"]


def test_a_retired_key_of_the_store_opens_no_token_any_more(tmp_path: Path) -> None:
    old, new = Fernet(Fernet.generate_key()), Fernet(Fernet.generate_key())
    blobs = FolderBlobs(tmp_path, NOTES, history=1)
    Notes(blobs, MultiFernet([old])).write("mailbox-1", {"refresh_token": "newest"})
    Notes(blobs, MultiFernet([new, old])).reseal()
    assert Notes(blobs, MultiFernet([new])).read("mailbox-1") == {"refresh_token": "newest"}
    assert Notes(blobs, MultiFernet([old])).read("mailbox-1") is None


def test_a_provider_that_never_ends_its_answer_is_given_up(box: Box) -> None:
    box.register(secret="s")
    waiting = threading.Event()
    with (
        mock.patch.object(oauth_module, "MAX_SECONDS", 0.5),
        mock.patch.object(box.endpoint, "give", lambda _form: waiting.wait(5) or {}),
        pytest.raises(GatehouseError, match="did not answer in time"),
    ):
        box.enter(client_secret="s")
    waiting.set()
    with contextlib.suppress(MailError):
        box.enter(client_secret="s")
