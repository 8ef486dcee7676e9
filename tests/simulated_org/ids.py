# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record ids and session ids in Salesforce's forms."""

from __future__ import annotations

import base64
import itertools
import json
import secrets
import string
import threading

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SUFFIX = string.ascii_uppercase + "012345"
_SESSION = string.ascii_letters + string.digits + "._"

ORGANIZATION = "00D"
USER = "005"
PROFILE = "00e"
LOGIN_HISTORY = "0Ya"
SETUP_AUDIT_TRAIL = "0Ym"
USER_LOGIN = "0Yw"
ASSIGNMENT = "0Pa"
QUERY = "01g"
PERMISSION_SET = "0PS"
SETUP_ENTITY_ACCESS = "0J0"
DEPLOY = "0Af"
RETRIEVE = "09S"
EXTERNAL_CLIENT_APP = "0xI"
CONSUMER = "888"
# INVENTED: prefixes of what belongs to an External Client App.
APP_PART = "0xJ"
STAGED_CREDENTIALS = "889"


def checksum(short: str) -> str:
    """The three characters that make a case-sensitive 15-character id safe without case."""
    parts = (short[index : index + 5] for index in (0, 5, 10))
    return "".join(_SUFFIX[sum(1 << bit for bit, char in enumerate(part) if char.isupper())] for part in parts)


def long_id(short: str) -> str:
    """The 18-character form of a 15- or 18-character id."""
    return short[:15] + checksum(short[:15])


def base62(number: int, width: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return digits.rjust(width, "0")


class IdFactory:
    """Hands out ids; the serial numbers grow, so that ids sort by age within a type."""

    def __init__(self) -> None:
        self._serial = itertools.count(1)
        self._lock = threading.Lock()

    def new(self, prefix: str) -> str:
        with self._lock:
            number = next(self._serial)
        return long_id(f"{prefix}Sm0{base62(number, 9)}")


def session_id(organization_id: str) -> str:
    """`00D…!AQ…`: the part before the exclamation mark names the org."""
    return f"{organization_id[:15]}!AQ{''.join(secrets.choice(_SESSION) for _unused in range(94))}"


def jwt_session_id(organization_id: str, user_id: str) -> str:
    """An access token in the form of a JWT. What is in it is INVENTED: nobody but the org reads it."""
    claims = {"sub": f"uid:{user_id}", "tnk": f"core/{organization_id}", "jti": secrets.token_hex(16)}
    parts = [json.dumps(one).encode() for one in ({"alg": "RS256", "typ": "JWT", "tty": "sfdc-core-token"}, claims)]
    parts.append(secrets.token_bytes(64))
    return ".".join(base64.urlsafe_b64encode(one).decode().rstrip("=") for one in parts)


def consumer_key() -> str:
    """`3MVG9…`, as generated keys begin (REPORTED)."""
    return f"3MVG9{''.join(secrets.choice(string.ascii_letters + string.digits + '._') for _unused in range(80))}"


def token() -> str:
    """A security token: 25 letters and digits (length REPORTED from samples)."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _unused in range(25))
