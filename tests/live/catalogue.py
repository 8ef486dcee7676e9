# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All questions in the order in which they are asked, and those that no program may ask."""

from __future__ import annotations

from collections.abc import Mapping

# Importing them registers them. What changes least comes first.
from .questions import QUESTIONS, Question, app_logins, app_metadata, logins, ranges, tokens

__all__ = ["ALL", "UNANSWERABLE", "Question"]
ALL: Mapping[str, Question] = {
    name: one
    for module in (logins, ranges, app_metadata, app_logins, tokens)
    for name, one in QUESTIONS.items()
    if one.ask.__module__ == module.__name__
}
_LOCKS = "it would lock a user, which this suite never does"
_CONNECTED_APP = "it takes a connected app with the password flow, which cannot be made any more"
_BROWSER = "it takes a refresh token, which a person gets by the web server flow in a browser"
# Switches of the simulated org without a question: why.
UNANSWERABLE: Mapping[str, str] = {
    "lockout_code": _LOCKS,
    "missing_token_counts": f"{_LOCKS}: only a lockout shows what counted",
    "login_rate": "it takes thousands of logins within an hour, and blocks the user then",
    "rate_limit_code": "it takes thousands of logins within an hour, and blocks the user then",
    "oauth_expired_password": _CONNECTED_APP,
    "relaxed_app_needs_token": _CONNECTED_APP,
    "refresh_recorded": _BROWSER,
    "exchanged_refresh_token": _BROWSER,
}
