# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import (
    Connection,
    is_allowed,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.my_domain import leads_to
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError

GOOD: dict[str, Any] = {"username": "int@example.com", "password": "Canary-Pass-1"}


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"username": ""}, "username"),
        ({"username": "   "}, "username"),
        ({"password": ""}, "password"),
        ({"password": "a\x00b"}, "password"),
        ({"security_token": "a\x1bb"}, "security_token"),
        ({"consumer_key": "a\x00b"}, "consumer_key"),
        ({"auth": "magic"}, "auth"),
        ({"auth": "jwt_bearer", "consumer_key": "key"}, "private_key"),
        ({"auth": "client_credentials", "consumer_key": "key"}, "consumer_secret"),
        ({"auth": "session", "access_token": "00D!x"}, "instance_url"),
        ({"login_url": "http://login.salesforce.com"}, "login_url"),
        ({"login_url": "ftp://login.salesforce.com"}, "login_url"),
        ({"login_url": "login.salesforce.com"}, "login_url"),
        ({"login_url": ""}, "login_url"),
        ({"login_url": "https://"}, "login_url"),
        ({"login_url": "https://login.salesforce.com:x"}, "login_url"),
        ({"login_url": "https://login.salesforce.com\n"}, "login_url"),
        ({"login_url": "https://login.sales\tforce.com"}, "login_url"),
        ({"login_url": " https://login.salesforce.com"}, "login_url"),
        ({"login_url": "https://evil.example"}, "login_url"),
        ({"login_url": "https://salesforce.com.evil.example"}, "login_url"),
        ({"login_url": "https://evilsalesforce.com"}, "login_url"),
        ({"login_url": "https://me:Canary-Pass-1@login.salesforce.com"}, "login_url"),
        ({"login_url": "http://me:Canary-Pass-1@login.salesforce.com"}, "login_url"),
        ({"login_url": "https://login.salesforce.com@evil.example"}, "login_url"),
        ({"login_url": "https://evil.example\\.salesforce.com"}, "login_url"),
        ({"access_token": "00D!Canary-Pass-1\n"}, "access_token"),
        ({"access_token": "00D!Canary-Pass-1 \u00e9"}, "access_token"),
        ({"login_url": "https://login.salesforce.com?x=1"}, "login_url"),
        ({"instance_url": "https://evil.example"}, "instance_url"),
        ({"allowed_hosts": ("https://x.example",)}, "allowed_hosts"),
        ({"allowed_hosts": ("*",)}, "allowed_hosts"),
        ({"allowed_hosts": ("x.example/path",)}, "allowed_hosts"),
        ({"api_version": "v64"}, "api_version"),
        ({"api_version": "64"}, "api_version"),
        ({"timeout": 0.0}, "timeout"),
        ({"source_address": "eth0"}, "source_address"),
        ({"audience": "acme.my.salesforce.com"}, "audience"),
    ],
)
def test_a_bad_option_is_named_and_no_secret_is_told(changes: dict[str, Any], option: str) -> None:
    with pytest.raises(OptionError) as caught:
        Connection(**{**GOOD, **changes}).checked()
    assert caught.value.option == option
    assert "Canary" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://login.salesforce.com",
        "https://test.salesforce.com/",
        "https://acme.my.salesforce.com",
        "https://acme--dev.sandbox.my.salesforce.com",
        "https://acme.my.salesforce.mil",
        "https://ACME.My.Salesforce.com",
        "https://acme.force.com/partners",
    ],
)
def test_salesforces_own_hosts_need_no_permission(url: str) -> None:
    assert Connection(**GOOD, login_url=url).checked().login_url == url


def test_other_hosts_are_allowed_by_name_pattern_or_address() -> None:
    assert is_allowed("sim.example", ("sim.example",))
    assert is_allowed("a.sim.example", ("*.sim.example",))
    assert is_allowed("127.0.0.1", ("127.0.0.1",))
    assert not is_allowed("sim.example", ("*.sim.example",))
    assert not is_allowed("notsim.example", ("sim.example",))
    assert is_allowed("::1", ("::1",))
    url = "https://[::1]:8443"
    assert Connection(**GOOD, login_url=url, allowed_hosts=("::1",)).checked().login_url == url


@pytest.mark.parametrize(
    "host",
    [
        "evil.example;SpyAttributes=x.salesforce.com",
        "evil.example,a.salesforce.com",
        "a..salesforce.com",
        ".salesforce.com",
        "a.salesforce.com.",
        "-a.salesforce.com",
        "a_b.salesforce.com",
        "a b.salesforce.com",
        "\u0661.salesforce.com",
        f"{'a' * 64}.salesforce.com",
        f"{'a.' * 130}salesforce.com",
        "%61.salesforce.com",
        "*.salesforce.com",
        "[fe80::1%25lo]",
    ],
)
def test_what_is_no_host_name_is_not_sent_a_secret(host: str) -> None:
    """It could mean another host to whoever reads a file in which it is written."""
    for option in ("login_url", "instance_url"):
        with pytest.raises(OptionError) as caught:
            Connection(**{**GOOD, option: f"https://{host}", "allowed_hosts": ("fe80::1",)}).checked()
        assert caught.value.option == option
    assert not is_allowed(host, ())


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("https://acme.lightning.force.com", "https://acme.my.salesforce.com"),
        ("https://acme.lightning.force.com/lightning/page/home", "https://acme.my.salesforce.com"),
        ("https://acme--dev.sandbox.lightning.force.com/", "https://acme--dev.sandbox.my.salesforce.com"),
        ("https://acme.my.salesforce-setup.com/lightning/setup/SetupOneHome/home", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com/home/home.jsp", "https://acme.my.salesforce.com"),
        ("https://ACME.Lightning.Force.com", "https://acme.my.salesforce.com"),
    ],
)
def test_an_address_from_the_browser_is_answered_with_the_right_one(url: str, right: str) -> None:
    with pytest.raises(OptionError, match="^login_url: ") as caught:
        Connection(**GOOD, login_url=url).checked()
    assert str(caught.value).endswith(right)


@pytest.mark.parametrize("option", ["password", "security_token", "consumer_key", "consumer_secret", "access_token"])
@pytest.mark.parametrize("value", ["Canary-1\n", "Canary-1 ", " Canary-1", "\tCanary-1", "Canary-1\r\n", "Can\nary-1"])
def test_blanks_and_line_ends_around_a_secret_are_refused_before_a_login(option: str, value: str) -> None:
    with pytest.raises(OptionError) as caught:
        Connection(**{**GOOD, option: value}).checked()
    assert caught.value.option == option
    assert "Canary" not in str(caught.value)


def test_a_user_name_is_trimmed() -> None:
    assert Connection(**{**GOOD, "username": " int@example.com\n"}).username == "int@example.com"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example;SpyAttributes=x.salesforce.com",
        "evil.example,x.salesforce.com",
        "evil.example%2f.salesforce.com",
        "a..salesforce.com",
        ".salesforce.com",
        "-a.salesforce.com",
        f"{'a' * 64}.salesforce.com",
        f"{'a.' * 120}salesforce.com",
        "\u0661.salesforce.com",
        "a b.salesforce.com",
        "a\n.salesforce.com",
        "$(id).salesforce.com",
        "{a}.salesforce.com",
    ],
)
def test_what_is_no_host_name_is_not_allowed_whatever_it_ends_with(host: str) -> None:
    assert not is_allowed(host, ())
    assert not is_allowed(host, ("*.salesforce.com", "*.example"))


def test_an_address_of_ipv6_is_allowed_by_its_name() -> None:
    assert is_allowed("::1", ("::1",)) and not is_allowed("::1", ())


def test_the_repr_of_a_connection_holds_no_secret() -> None:
    secret = "Canary-Secret"
    connection = Connection(
        username="u",
        password=secret,
        security_token=secret,
        consumer_secret=secret,
        private_key=secret,
        access_token=secret,
    )
    assert secret not in repr(connection)


def test_the_login_password_is_the_password_immediately_followed_by_the_token() -> None:
    assert Connection(**GOOD, security_token="Token1").login_password == "Canary-Pass-1Token1"
    assert Connection(**GOOD).login_password == "Canary-Pass-1"


@pytest.mark.parametrize(
    ("of_the_host", "of_the_credential", "is_same"),
    [
        ("https://acme.my.salesforce.com", "https://ACME.my.salesforce.com/", True),
        ("https://login.salesforce.com", "https://acme.my.salesforce.com", True),
        ("https://test.salesforce.com/", "https://acme--dev.sandbox.my.salesforce.com", True),
        ("https://test.salesforce.com", "https://acme.my.salesforce.com", False),
        ("https://login.salesforce.com", "https://acme--dev.sandbox.my.salesforce.com", False),
        ("https://acme.my.salesforce.com", "https://globex.my.salesforce.com", False),
        ("https://acme.my.salesforce.com", "https://login.salesforce.com", False),
        ("https://login.salesforce.com", "https://test.salesforce.com", False),
    ],
)
def test_a_login_url_leads_to_the_org_that_it_names_or_that_logs_in_there(
    of_the_host: str, of_the_credential: str, is_same: bool
) -> None:
    assert leads_to(of_the_host, of_the_credential) is is_same
