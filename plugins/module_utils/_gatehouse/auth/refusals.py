# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn a refused login into the error that says why, and what to do. Pure, for refusals seen from anywhere."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..errors import LoginError
from .causes import Cause, cause_of_code, cause_of_oauth_error
from .connection import DEFAULT_LOGIN_URL, Connection
from .protocol import Refused, UnreadableAnswer, is_code

_BY_CODE = ("security_token", "session")  # the others ask the token endpoint


def login_error(connection: Connection, refused: Refused) -> LoginError:
    """Return the error for a refused login; a code that is not known is a refusal, too.

    Raises:
        UnreadableAnswer: what came as a code is none of Salesforce's.
    """
    if not is_code(refused.code):
        raise UnreadableAnswer
    if connection.auth in _BY_CODE:
        known = cause_of_code(refused.code, refused.description)
    else:
        token_sent = bool(connection.security_token)
        known = cause_of_oauth_error(refused.code, refused.description, token_sent=token_sent)
    if known is None:
        known = Cause("invalid_credentials", f"the org refused it as {refused.code}")
    else:
        known = Cause(known.code, f"{known.advice} ({refused.code})")
    return LoginError(sentence(connection, known), cause=known.code)


def sentence(connection: Connection, known: Cause) -> str:
    """Return who could not log in where, why, and what to do."""
    who, url = connection.username or f"the app {connection.consumer_key}", connection.login_url
    if connection.auth == "session":
        who, url = "the session", connection.instance_url or ""
    hint = ""
    if known.code == "invalid_credentials" and url.rstrip("/").lower() == DEFAULT_LOGIN_URL:
        hint = ". A user of a sandbox logs in at https://test.salesforce.com (login_url)"
    return f"{who} could not log in at {urlsplit(url).hostname}: {known.advice}{hint}"
