# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign the assertion of auth jwt_bearer. On the controller only: a private key has no business on a managed host."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from .connection import Connection
from .private_key import signing_key

try:
    import jwt
except ImportError:  # reported by require_libraries()
    pass
ASSERTION_SECONDS = 180  # the longest that every org is known to take


def sign_assertion(connection: Connection) -> str:
    """Return an assertion that is good for ASSERTION_SECONDS, for the audience or the host of the login URL.

    Raises:
        OptionError: the private key cannot sign.
    """
    claims = {
        "iss": connection.consumer_key,
        "sub": connection.username,
        "aud": connection.audience or f"https://{urlsplit(connection.login_url).netloc.lower().removesuffix(':443')}",
        "exp": int(time.time()) + ASSERTION_SECONDS,
    }
    return str(jwt.encode(claims, signing_key(connection.private_key or ""), algorithm="RS256"))
