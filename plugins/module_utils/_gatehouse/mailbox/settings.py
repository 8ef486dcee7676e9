# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach a mailbox, and which of its mails count."""

from __future__ import annotations

import dataclasses
import re
import ssl
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import env_fallback

from ..errors import OptionError
from . import token_mail
from .oauth import SPEC as OAUTH
from .oauth import MailOAuth, mail_oauth

PORTS = {"implicit": 993, "starttls": 143}
ON_SUCCESS = ("keep", "flag", "move", "delete")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
_DOMAIN = re.compile(token_mail.DOMAIN)
_AUTHSERV_ID = re.compile(r"[^\s;\"()=\\]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _option(variable: str, **rest: Any) -> dict[str, Any]:
    return {"type": "str", "fallback": (env_fallback, [f"GATEHOUSE_MAILBOX_{variable}"]), **rest}


SPEC: dict[str, dict[str, Any]] = {
    "host": _option("HOST"),
    "port": {"type": "int"},
    "username": _option("USERNAME"),
    "password": _option("PASSWORD", no_log=True),
    "access_token": _option("ACCESS_TOKEN", no_log=True),
    "oauth": {"type": "dict", "options": OAUTH},
    "tls": {"type": "str", "choices": list(PORTS), "default": "implicit"},
    "ca_path": {"type": "path"},
    "folder": {"type": "str", "default": "INBOX"},
    "allowed_senders": {"type": "list", "elements": "str", "default": list(token_mail.SENDERS)},
    "authserv_id": {"type": "str"},
    "timeout": {"type": "float", "default": 30.0},
    "on_success": {"type": "str", "choices": list(ON_SUCCESS), "default": "keep"},
    "move_to": {"type": "str"},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class MailSettings:
    """How to reach a mailbox, and which of its mails count.

    Attributes:
        access_token: of OAuth, instead of a password.
        oauth: how to get an access token.
        tls: C(implicit) or C(starttls); the certificate is verified either way.
        ca_path: a PEM file to trust instead of the system's authorities.
        timeout: seconds without an answer before the connection is given up.
        on_success: what becomes of the mail whose token is stored: C(keep), C(flag), C(move) or C(delete).
    """

    host: str
    username: str
    port: int = PORTS["implicit"]
    password: str | None = dataclasses.field(default=None, repr=False)
    access_token: str | None = dataclasses.field(default=None, repr=False)
    oauth: MailOAuth | None = None
    tls: str = "implicit"
    ca_path: str | None = None
    folder: str = "INBOX"
    policy: token_mail.Policy = token_mail.Policy()
    timeout: float = 30.0
    on_success: str = "keep"
    move_to: str | None = None


def mail_settings(options: Mapping[str, Any], *, option: str = "mailbox") -> MailSettings:
    """Parse the suboptions of SPEC; raises OptionError naming the one at fault."""
    given = {name: value for name, value in options.items() if value is not None}
    for name in ("host", "username"):
        if not given.get(name, "").strip():
            raise OptionError(f"{option}.{name}", "must not be empty")
    for name in ("username", "password", "access_token", "folder", "move_to"):
        if _CONTROL.search(given.get(name, "")):
            raise OptionError(f"{option}.{name}", "holds a control character")
    if not _HOST.fullmatch(given["host"]):
        raise OptionError(f"{option}.host", f"{given['host']!r} is not a host name; no scheme, port or path")
    if len([name for name in ("password", "access_token", "oauth") if given.get(name)]) != 1:
        raise OptionError(f"{option}.password", "exactly one of this, access_token and oauth must be given")
    if given.get("oauth"):
        timeout = given.get("timeout", 30.0)
        given["oauth"] = mail_oauth(
            given["oauth"],
            option=f"{option}.oauth",
            username=given["username"],
            ca_path=given.get("ca_path"),
            timeout=timeout,
        )
    policy = token_mail.Policy(
        allowed_senders=tuple(given.pop("allowed_senders", token_mail.SENDERS)),
        authserv_id=given.pop("authserv_id", None),
    )
    settings = MailSettings(**{"port": PORTS.get(given.get("tls", "implicit"), 0), **given, "policy": policy})
    _check(settings, option)
    return settings


def _check(settings: MailSettings, option: str) -> None:
    for name, known in (("tls", tuple(PORTS)), ("on_success", ON_SUCCESS)):
        if getattr(settings, name) not in known:
            raise OptionError(f"{option}.{name}", f"{getattr(settings, name)!r} is not one of {', '.join(known)}")
    if not 0 < settings.port < 65536:
        raise OptionError(f"{option}.port", f"{settings.port} is not a port")
    if settings.timeout <= 0:
        raise OptionError(f"{option}.timeout", "must be more than 0 seconds")
    if not settings.folder:
        raise OptionError(f"{option}.folder", "must not be empty")
    if not settings.policy.allowed_senders:
        raise OptionError(f"{option}.allowed_senders", "must not be empty, as anybody can send mails to a mailbox")
    for domain in settings.policy.allowed_senders:
        if not _DOMAIN.fullmatch(domain):
            raise OptionError(f"{option}.allowed_senders", f"{domain!r} is not a domain such as salesforce.com")
    if settings.policy.authserv_id is not None and not _AUTHSERV_ID.fullmatch(settings.policy.authserv_id):
        raise OptionError(
            f"{option}.authserv_id", "is not the name at the beginning of a header field Authentication-Results"
        )
    if settings.on_success == "move" and settings.move_to in (None, "", settings.folder):
        raise OptionError(f"{option}.move_to", "must be another folder when on_success is move")
    tls_context(settings, option)


def tls_context(settings: MailSettings, option: str = "mailbox") -> ssl.SSLContext:
    """Make a context for verified TLS; raises OptionError when ca_path cannot be read."""
    try:
        return ssl.create_default_context(cafile=settings.ca_path)
    except OSError:
        raise OptionError(f"{option}.ca_path", f"{settings.ca_path} has no certificates that can be read") from None
