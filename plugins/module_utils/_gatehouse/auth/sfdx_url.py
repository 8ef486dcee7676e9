# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the auth URL of the Salesforce CLI. Source: sfdx-core, AuthInfo.parseSfdxAuthUrl."""

from __future__ import annotations

import re
from urllib.parse import unquote

from ..errors import OptionError

OPTION = "sfdx_auth_url"
_FORM = re.compile(r"force://([^:/@]+):([^:/@]*):([^:/@]+)@([A-Za-z0-9.:-]+)/?")


def read_sfdx_url(url: str) -> dict[str, str | None]:
    """Return the fields of a connection that an auth URL has; raises OptionError, which does not repeat it."""
    match = _FORM.fullmatch(url.strip())
    if match is None:
        raise OptionError(
            OPTION,
            "is not of the form force://clientId:clientSecret:refreshToken@host; sf org display --verbose --json shows "
            "it as sfdxAuthUrl, for an org that was authorised in a browser",
        )
    key, secret, token = map(unquote, match.groups()[:3])
    return {
        "auth": "refresh_token",
        "login_url": f"https://{match[4]}",
        "consumer_key": key,
        "consumer_secret": secret or None,
        "refresh_token": token,
    }
