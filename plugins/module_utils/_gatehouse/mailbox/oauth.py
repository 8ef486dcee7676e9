# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An access token for the mailbox, where the provider wants OAuth instead of a password (RFC 6749, RFC 7523).

What there is to show decides the grant: a refresh token; a key with its certificate, as Microsoft has it; a key alone,
as Google has it; or a client secret.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit

from ansible.module_utils.basic import env_fallback
from ansible.module_utils.urls import ConnectionError as AnsibleConnectionError
from ansible.module_utils.urls import open_url

from ..deadline import call_within
from ..errors import MailError, OptionError
from ..libraries import require_cryptography

try:
    import jwt
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
except ImportError:  # reported by require_cryptography()
    pass


def _secret(variable: str) -> dict[str, Any]:
    return {"type": "str", "no_log": True, "fallback": (env_fallback, [f"GATEHOUSE_MAILBOX_{variable}"])}


SPEC: dict[str, dict[str, Any]] = {
    "token_url": {"type": "str", "required": True, "no_log": False},
    "client_id": {"type": "str", "required": True},
    "client_secret": _secret("CLIENT_SECRET"),
    "refresh_token": _secret("REFRESH_TOKEN"),
    "private_key": _secret("PRIVATE_KEY"),
    "certificate": {"type": "str"},
    "scope": {"type": "str"},
}
SECRETS = ("client_secret", "refresh_token", "private_key")
MAX_SECONDS = 60.0
MAX_BYTES = 256 * 1024
ASSERTION_SECONDS = 300
SLACK_SECONDS = 120  # before its end, an access token is no longer used
_VISIBLE = re.compile(r"[!-~]+")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,60}")
_MICROSOFT_CODE = re.compile(r"AADSTS[0-9]{4,8}")
_WAYS_OUT = {
    "invalid_client": "the client_id, or its client_secret or key, is wrong or has expired",
    "invalid_grant": "the refresh token or the assertion has expired or was revoked: authorise the client again",
    "unauthorized_client": "the client may not use this grant: see which one the provider's guide names",
    "invalid_scope": "scope names something that this client was not given",
    "invalid_request": "see whether token_url, scope and what to show are those of the provider's guide",
}


class Note(Protocol):
    """The tokens of one mailbox, which nobody else changes meanwhile."""

    def read(self) -> dict[str, Any] | None: ...
    def write(self, value: dict[str, Any]) -> None: ...


class Memory(Protocol):
    """What keeps tokens durably between runs."""

    def hold(self, name: str) -> AbstractContextManager[Note]: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class MailOAuth:
    """How to get an access token.

    Attributes:
        token_url: the provider's token endpoint, by https.
        refresh_token: that the user declared; a provider may replace it, and then the newest one counts.
        private_key: RSA, in PEM form; with a certificate it proves who the client is, alone it signs for the user.
        certificate: in PEM form.
        username: of the mailbox, for which a key alone signs.
        ca_path: a PEM file to trust instead of the system's authorities.
        timeout: seconds without an answer.
    """

    token_url: str
    client_id: str
    username: str
    client_secret: str | None = dataclasses.field(default=None, repr=False)
    refresh_token: str | None = dataclasses.field(default=None, repr=False)
    private_key: str | None = dataclasses.field(default=None, repr=False)
    certificate: str | None = None
    scope: str | None = None
    ca_path: str | None = None
    timeout: float = 30.0

    @property
    def name(self) -> str:
        """Under which its tokens are kept."""
        return "mailbox-" + _digest([self.client_id, self.username])

    @property
    def secret_texts(self) -> tuple[str, ...]:
        """What must not be printed."""
        return tuple(value for name in SECRETS if (value := getattr(self, name)))

    @property
    def fingerprint(self) -> str:
        """Of all that is declared: an access token that was given for something else is not used."""
        return _digest([self.token_url, self.scope, *(getattr(self, name) for name in SECRETS)])

    @property
    def lineage(self) -> str:
        """Of the refresh token that is declared: what replaced it is used until another one is declared."""
        return _digest([self.refresh_token])


def mail_oauth(given: Mapping[str, Any], *, option: str, **rest: Any) -> MailOAuth:
    """Parse the suboptions of SPEC; raises OptionError naming the one at fault."""
    fields = {name: value.strip() for name in SPEC if (value := given.get(name)) and value.strip()}
    for name in ("token_url", "client_id"):
        if name not in fields:
            raise OptionError(f"{option}.{name}", "is required")
    for name in ("token_url", "client_id", "client_secret", "refresh_token"):
        if not _VISIBLE.fullmatch(fields.get(name, "-")):
            raise OptionError(f"{option}.{name}", "holds a blank or another character that none has")
    try:
        parts = urlsplit(fields["token_url"])
        is_usable = parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        is_usable = False
    if not is_usable:
        raise OptionError(f"{option}.token_url", "must be an https URL without user or password")
    if not any(name in fields for name in SECRETS):
        raise OptionError(option, "needs client_secret, refresh_token or private_key")
    if "certificate" in fields and "private_key" not in fields:
        raise OptionError(f"{option}.certificate", "needs the private_key that belongs to it")
    oauth = MailOAuth(**fields, **rest)
    if oauth.private_key:
        require_cryptography()
        _require_pair(oauth, option)
    return oauth


def _require_pair(oauth: MailOAuth, option: str) -> None:
    try:
        key = load_pem_private_key((oauth.private_key or "").encode(), None)
    except (ValueError, TypeError):
        raise OptionError(f"{option}.private_key", "is not a private key in PEM form without a passphrase") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise OptionError(f"{option}.private_key", "is not an RSA key")
    if oauth.certificate is None:
        return
    try:
        certificate = x509.load_pem_x509_certificate(oauth.certificate.encode())
    except ValueError:
        raise OptionError(f"{option}.certificate", "is not a certificate in PEM form") from None
    if certificate.public_key() != key.public_key():
        raise OptionError(f"{option}.certificate", "does not belong to private_key")


@contextmanager
def access_token(oauth: MailOAuth, memory: Memory) -> Iterator[str]:
    """Return an access token that still lives: the one that is kept, or a new one.

    If it is refused inside, which raises MailError with the cause login_refused, it is not used again. A refresh token
    that the provider replaces is kept before the access token is used.

    Raises:
        MailError: the provider gives none.
    """
    with memory.hold(oauth.name) as note:
        kept = note.read() or {}
        token = _living(kept) if kept.get("fingerprint") == oauth.fingerprint else None
        if token is None:
            token = _renew(oauth, kept, note)
    try:
        yield token
    except MailError as exc:
        if exc.cause == "login_refused":
            with memory.hold(oauth.name) as note:
                kept = note.read() or {}
                if kept.get("access_token") == token:
                    note.write({**kept, "access_token": None})
        raise


def _living(kept: Mapping[str, Any]) -> str | None:
    token, begun, ends = kept.get("access_token"), kept.get("begun", 0), kept.get("ends", 0)
    # A clock that was set back makes no token live for ever.
    return token if isinstance(token, str) and begun <= time.time() < ends - SLACK_SECONDS else None


def _renew(oauth: MailOAuth, kept: Mapping[str, Any], note: Note) -> str:
    """Return a new access token, and keep it with the refresh token that the provider may have replaced."""
    same = kept.get("lineage") == oauth.lineage
    refresh_token = (kept.get("refresh_token") if same else None) or oauth.refresh_token
    state = {"lineage": oauth.lineage, "refresh_token": refresh_token, "fingerprint": oauth.fingerprint}
    # First, so that a store that cannot be written costs no refresh token.
    note.write(state)
    begun = int(time.time())
    answer = _ask(oauth, _form(oauth, refresh_token))
    token, replaced = answer.get("access_token"), answer.get("refresh_token")
    if refresh_token and isinstance(replaced, str) and _VISIBLE.fullmatch(replaced):
        state["refresh_token"] = replaced
    is_token = isinstance(token, str) and _VISIBLE.fullmatch(token)
    lasts = str(answer.get("expires_in"))
    seconds = int(lasts) if re.fullmatch("[0-9]{1,9}", lasts) else 0  # if it does not say, the token is used only now
    note.write({**state, "access_token": token if is_token else None, "begun": begun, "ends": begun + seconds})
    if not is_token:
        raise _error(oauth, "answered without an access token")
    return str(token)


def _form(oauth: MailOAuth, refresh_token: str | None) -> dict[str, str]:
    """Return what is sent: RFC 6749, section 6 or 4.4; RFC 7523, section 2.2 or 2.1."""
    form = {"client_id": oauth.client_id}
    if oauth.scope:
        form["scope"] = oauth.scope
    if oauth.client_secret:
        form["client_secret"] = oauth.client_secret
    if oauth.private_key and (oauth.certificate or refresh_token):
        form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        form["client_assertion"] = _assertion(oauth, oauth.client_id)
    elif oauth.private_key:
        assertion = _assertion(oauth, oauth.username)
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    if refresh_token:
        return {**form, "grant_type": "refresh_token", "refresh_token": refresh_token}
    return {**form, "grant_type": "client_credentials"}


def _assertion(oauth: MailOAuth, subject: str) -> str:
    """Return a signed assertion: of the client itself, or for the user of the mailbox."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": oauth.client_id,
        "sub": subject,
        "aud": oauth.token_url,
        "iat": now,
        "nbf": now,
        "exp": now + ASSERTION_SECONDS,
        "jti": secrets.token_hex(16),
    }
    if oauth.certificate is None:
        if oauth.scope:
            claims["scope"] = oauth.scope
        return str(jwt.encode(claims, oauth.private_key or "", algorithm="RS256"))
    print_ = x509.load_pem_x509_certificate(oauth.certificate.encode()).fingerprint(hashes.SHA256())
    header = {"x5t#S256": base64.urlsafe_b64encode(print_).rstrip(b"=").decode()}
    return str(jwt.encode(claims, oauth.private_key or "", algorithm="PS256", headers=header))


def _ask(oauth: MailOAuth, form: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the provider's answer; raises MailError. Redirects are not followed, as they could lead secrets away."""

    def exchange() -> tuple[int, bytes]:
        try:
            with open_url(
                oauth.token_url,
                method="POST",
                data=urlencode(form),
                headers={"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"},
                timeout=oauth.timeout,
                ca_path=oauth.ca_path,
                validate_certs=True,
                follow_redirects="none",
                use_netrc=False,
                http_agent="gatehouse.salesforce",
            ) as response:
                return response.status, response.read(MAX_BYTES + 1)
        except HTTPError as exc:
            return exc.code, exc.read(MAX_BYTES + 1)

    try:
        status, body = call_within(MAX_SECONDS, exchange)
    except TimeoutError:
        raise _error(oauth, "did not answer in time", cause="unreachable") from None
    except (OSError, AnsibleConnectionError) as exc:
        reason = getattr(exc, "reason", None)
        detail = getattr(reason, "verify_message", None) or getattr(reason, "strerror", None) or type(exc).__name__
        raise _error(oauth, f"cannot be reached: {detail}", cause="unreachable") from None
    except Exception as exc:  # what the library raises on what is no HTTP
        raise _error(oauth, f"did not answer as a web server does ({type(exc).__name__})") from None
    try:
        answer = json.loads(body) if len(body) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise _error(oauth, f"did not answer as a token endpoint does: HTTP {status}")
    if status != 200:
        raise _refusal(oauth, status, answer)
    return answer


def _refusal(oauth: MailOAuth, status: int, answer: Mapping[str, Any]) -> MailError:
    """Return the error for what a provider refused: its codes, not its words, which may repeat what was sent."""
    found = str(answer.get("error"))
    code = found if _CODE.fullmatch(found) else f"HTTP {status}"
    numbers = _MICROSOFT_CODE.search(str(answer.get("error_description")))
    way_out = _WAYS_OUT.get(code)
    text = f"refused an access token as {code}{f' ({numbers[0]})' if numbers else ''}"
    return _error(oauth, f"{text}: {way_out}" if way_out else text)


def _error(oauth: MailOAuth, problem: str, *, cause: str = "login_refused") -> MailError:
    return MailError(f"mailbox.oauth: {urlsplit(oauth.token_url).hostname} {problem}", cause=cause)


def _digest(parts: Sequence[str | None]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
