# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe how to reach and enter one org: pure values and the rules they must obey."""

from __future__ import annotations

import dataclasses
import fnmatch
import ipaddress
import re
from urllib.parse import urlsplit

from ..errors import OptionError
from ..text import HEADER_VALUE, NOT_XML_CHAR

DEFAULT_LOGIN_URL = "https://login.salesforce.com"
DEFAULT_API_VERSION = "64.0"
SOAP_LOGIN_LAST_VERSION = 64.0  # the login call does not exist from 65.0 on
LOGIN_HOSTS = ("login.salesforce.com", "test.salesforce.com")
SALESFORCE_HOSTS = ("*.salesforce.com", "*.force.com", "*.salesforce.mil")
MAX_TIMEOUT = 3600.0  # seconds
AUTH_FLOWS = ("security_token", "jwt_bearer", "client_credentials", "refresh_token", "username_password", "session")
SECRET_FIELDS = ("password", "security_token", "consumer_secret", "private_key", "refresh_token", "access_token")
_AUDIENCE = re.compile(r"https://[!-~]+")
NEEDS = {
    "security_token": ("username", "password"),
    "username_password": ("username", "password", "consumer_key", "consumer_secret"),
    "jwt_bearer": ("username", "consumer_key", "private_key"),
    "client_credentials": ("consumer_key", "consumer_secret"),
    "refresh_token": ("consumer_key", "refresh_token"),
    "session": ("access_token", "instance_url"),
}
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.IGNORECASE)
MAX_HOST_NAME = 253
# Where a browser shows an org, and the end of the address at which the same org takes logins.
_BROWSER_HOSTS = (
    (".lightning.force.com", ".my.salesforce.com"),
    (".my.salesforce-setup.com", ".my.salesforce.com"),
    (".lightning.force.mil", ".my.salesforce.mil"),
)
_OWN_HOSTS = (".salesforce.com", ".salesforce.mil")


@dataclasses.dataclass(frozen=True)  # without kw_only, as hosts may have Python 3.9
class Connection:
    """One way into one org. Secrets never show in its repr.

    Attributes:
        login_url: where credentials are sent, always https.
        api_version: as text, such as "64.0".
        ca_path: a PEM file to trust instead of the system's authorities.
        timeout: seconds without an answer before a request is given up.
        source_address: the local address to connect from.
        allowed_hosts: hosts, or C(*.) patterns, to trust beside Salesforce's own.
        audience: whom an assertion of jwt_bearer is for, where that is not the host of the login URL.
    """

    auth: str = "security_token"
    login_url: str = DEFAULT_LOGIN_URL
    username: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    security_token: str | None = dataclasses.field(default=None, repr=False)
    consumer_key: str | None = None
    consumer_secret: str | None = dataclasses.field(default=None, repr=False)
    private_key: str | None = dataclasses.field(default=None, repr=False)
    refresh_token: str | None = dataclasses.field(default=None, repr=False)
    access_token: str | None = dataclasses.field(default=None, repr=False)
    instance_url: str | None = None
    api_version: str = DEFAULT_API_VERSION
    ca_path: str | None = None
    timeout: float = 30.0
    source_address: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    audience: str | None = None

    def __post_init__(self) -> None:
        if self.username is not None:  # frozen, so not by assignment
            object.__setattr__(self, "username", self.username.strip())

    @property
    def login_password(self) -> str:
        """The password immediately followed by the security token: what Salesforce calls the login password."""
        return (self.password or "") + (self.security_token or "")

    @property
    def secret_texts(self) -> list[str]:
        """What must not be printed: each secret, and what password and token are composed to."""
        return [*self.secrets.values(), self.login_password]

    @property
    def secrets(self) -> dict[str, str]:
        """The secret fields that are set."""
        return {name: value for name in SECRET_FIELDS if (value := getattr(self, name))}

    def checked(self) -> Connection:
        """Return itself when it can be used; raises OptionError naming the option at fault. Nothing is sent."""
        if self.auth not in AUTH_FLOWS:
            raise OptionError("auth", f"{self.auth!r} is not one of {', '.join(AUTH_FLOWS)}")
        for option in NEEDS[self.auth]:
            if not (getattr(self, option) or "").strip():
                raise OptionError(option, f"is required for auth {self.auth}")
        for option in ("username", "consumer_key", *SECRET_FIELDS):
            _require_sendable(option, getattr(self, option) or "")
        if self.access_token and not HEADER_VALUE.fullmatch(self.access_token):
            raise OptionError("access_token", "holds a blank, a line break or another character that none has")
        self._check_reach()
        self._check_login_url()
        if self.instance_url is not None:
            self.require_allowed(self.instance_url, option="instance_url")
        if self.audience is not None and not _AUDIENCE.fullmatch(self.audience):
            raise OptionError("audience", "must be an address that begins with https://, such as the org's My Domain")
        return self

    def _check_login_url(self) -> None:
        _refuse_browser_url(self.login_url)
        self.require_allowed(self.login_url, option="login_url")
        if self.auth == "client_credentials" and urlsplit(self.login_url).hostname in LOGIN_HOSTS:
            raise OptionError(
                "login_url",
                "client_credentials works at the org's own My Domain address only, such as "
                "https://acme.my.salesforce.com, which Setup > My Domain shows",
            )

    def _check_reach(self) -> None:
        for pattern in self.allowed_hosts:
            if not is_host(pattern[2:] if pattern.startswith("*.") else pattern):
                raise OptionError("allowed_hosts", f"{pattern!r} is not a host name; no scheme, port or path")
        if not re.fullmatch(r"[1-9][0-9]\.0", self.api_version):
            raise OptionError("api_version", f"{self.api_version!r} is not a version such as {DEFAULT_API_VERSION}")
        if not 0 < self.timeout <= MAX_TIMEOUT:
            raise OptionError("timeout", f"must be more than 0 and at most {MAX_TIMEOUT:.0f} seconds")
        if self.source_address is not None:
            try:
                ipaddress.ip_address(self.source_address)
            except ValueError:
                raise OptionError("source_address", f"{self.source_address!r} is not an IP address") from None

    def require_allowed(self, url: str, *, option: str) -> None:
        """Raise OptionError unless a secret may be sent to the URL: https, and a host that is allowed."""
        try:
            parts = urlsplit(url)
            host, _port = parts.hostname, parts.port
        except ValueError:
            raise OptionError(option, "is not a valid URL") from None
        # Others, who send it or write it, read these in another way than urlsplit.
        if not (url.isascii() and url.isprintable()) or " " in url or "\\" in url:
            raise OptionError(option, "is not a valid URL: it has a blank, a backslash or a character beyond ASCII")
        if parts.scheme != "https" or not host:
            raise OptionError(option, f"{_shown(url)} must start with https:// so that no secret travels in the clear")
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise OptionError(option, "must be a plain address, without a user, a query or a fragment")
        if not is_host(host):
            raise OptionError(option, f"{host!r} is not a host name")
        if not is_allowed(host, self.allowed_hosts):
            raise OptionError(
                option,
                f"host {host!r} is not one of Salesforce's ({', '.join(SALESFORCE_HOSTS)}); "
                "name it in allowed_hosts if secrets may be sent there",
            )


def is_allowed(host: str, allowed_hosts: tuple[str, ...]) -> bool:
    """Whether secrets may be sent to the host: one of Salesforce's own, or one that the user named."""
    if not is_host(host):
        return False
    patterns = (*SALESFORCE_HOSTS, *allowed_hosts)
    return any(fnmatch.fnmatchcase(host.lower(), pattern.lower()) for pattern in patterns)


def is_host(text: str) -> bool:
    """Whether a text is a host name, with labels of 1 to 63 letters, digits and hyphens, or an IP address."""
    if ":" in text:
        try:
            return "%" not in text and ipaddress.ip_address(text).version == 6
        except ValueError:
            return False
    return len(text) <= MAX_HOST_NAME and _HOST_NAME.fullmatch(text) is not None


def _require_sendable(option: str, value: str) -> None:
    """Raise OptionError for a value that cannot be what Salesforce has, though it may look like it."""
    if NOT_XML_CHAR.search(value):
        raise OptionError(option, "holds a control character, which cannot be sent to Salesforce")
    if option == "private_key":
        return
    if value != value.strip():
        raise OptionError(
            option, "begins or ends with a blank or a line end, as text from a file may: remove it, for example by trim"
        )
    if "\n" in value or "\r" in value:
        raise OptionError(option, "has more than one line")


def _refuse_browser_url(url: str) -> None:
    """Raise OptionError with the address to use for one that was copied from a browser's address bar."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return  # reported by require_allowed()
    if not is_host(host) or parts.username is not None:
        return
    for end, login_end in _BROWSER_HOSTS:
        if host.endswith(end):
            right = f"https://{host[: -len(end)]}{login_end}"
            raise OptionError("login_url", f"{host} is where a browser shows the org; use {right}")
    if host.endswith(_OWN_HOSTS) and parts.path.strip("/"):
        raise OptionError("login_url", f"has a path, as an address from a browser has; use https://{parts.netloc}")


def _shown(url: str) -> str:
    """Return a URL for an error text: without a user and password, which a careless one may contain."""
    return repr(re.sub(r"//[^/@]*@", "//***@", url))
