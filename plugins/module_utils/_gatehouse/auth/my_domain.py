# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell from the address of a login which org it may lead to. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

PRODUCTION, SANDBOX = "login.salesforce.com", "test.salesforce.com"
MY_DOMAIN = ".my.salesforce.com"


def is_sandbox_host(host: str) -> bool:
    """Return whether a host at My Domain is that of a sandbox or a scratch org, whose common address is the same."""
    return ".sandbox." in host or ".scratch." in host


def leads_to(common: str, own: str) -> bool:
    """Return whether a login URL may lead to the org of another one, which is more precise if they differ."""
    one, other = common.rstrip("/").lower(), own.rstrip("/").lower()
    if one == other:
        return True
    host = urlsplit(other).hostname or ""
    usual = SANDBOX if is_sandbox_host(host) else PRODUCTION
    return host.endswith(MY_DOMAIN) and one == f"https://{usual}"
