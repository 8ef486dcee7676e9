# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the OAuth endpoints of an org know."""

from __future__ import annotations

from ..errors import OrgError, SessionExpired
from .client import Org
from .retry import ReadRetry
from .transport import translate_errors, unexpected_response

try:
    import requests
except ImportError:  # reported by require_libraries()
    pass
RETRY_SECONDS = 60.0
# REPORTED, each as the answer while an app is too new.
_NOT_YET = ("client identifier invalid", "app_not_found", "is not installed", "invalid assertion", "hasn't approved")


def knows_app(org: Org, consumer_key: str) -> bool:
    """Return whether the token endpoint knows the app of a consumer key, asked without a user: no login is counted.

    Raises OrgError.
    """
    # A refresh token that nobody has: an app that is known is refused for the token, one that is not for its key.
    form = {"grant_type": "refresh_token", "client_id": consumer_key, "refresh_token": "none"}

    def ask(transport: requests.Session, url: str) -> bool:
        with translate_errors(url):
            response = transport.post(url, data=form)
        try:
            answer = response.json()
            error, text = str(answer["error"]), str(answer.get("error_description") or "").lower()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise unexpected_response(response) from None
        if response.ok:
            raise OrgError("the token endpoint took a refresh token that nobody has")
        return error != "invalid_client_id" and not any(part in text for part in _NOT_YET)

    retry = ReadRetry(RETRY_SECONDS)
    return org.with_session(
        lambda transport, session, _version: retry(
            lambda: ask(transport, f"{session.instance_url.rstrip('/')}/services/oauth2/token")
        )
    )


def read_own_user_id(org: Org) -> str:
    """Return the id of the user that is logged in; raises OrgError."""

    def ask(transport: requests.Session, token: str, url: str) -> str:
        with translate_errors(url):
            response = transport.get(url, headers={"Authorization": f"Bearer {token}"})
        if response.status_code == 401:
            raise SessionExpired("the session has expired or was ended")
        try:
            user_id = str(response.json()["user_id"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise unexpected_response(response) from None
        if not user_id.isalnum():
            raise unexpected_response(response)
        return user_id

    retry = ReadRetry(RETRY_SECONDS)
    return org.with_session(
        lambda transport, session, _version: retry(
            lambda: ask(transport, session.access_token, f"{session.instance_url.rstrip('/')}/services/oauth2/userinfo")
        )
    )
