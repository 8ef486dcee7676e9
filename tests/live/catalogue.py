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
# Switches of the simulated org without a question: what it would be, and why no program asks it.
_LOCKS = "it would lock a user, which this suite never does"
_CONNECTED_APP = "it takes a connected app with the password flow, which cannot be made any more"
_BROWSER = "it takes a refresh token, which a person gets by the web server flow in a browser"
_BLOCKS = "it takes thousands of logins within an hour, and blocks the user then"
UNANSWERABLE: Mapping[str, tuple[str, str]] = {
    "lockout_code": ("Which code does a user get who is locked out?", _LOCKS),
    "missing_token_counts": ("Does a login without a token count as a wrong one?", f"{_LOCKS}: only that shows it"),
    "login_rate": ("How many logins may a user make in an hour?", _BLOCKS),
    "rate_limit_code": ("Which code does a login get beyond that?", _BLOCKS),
    "oauth_expired_password": ("What does the password flow do with an expired password?", _CONNECTED_APP),
    "relaxed_app_needs_token": ("Does an app with relaxed IP restrictions need a token?", _CONNECTED_APP),
    "refresh_recorded": ("Does a refresh leave a row in the login history?", _BROWSER),
    "exchanged_refresh_token": ("What becomes of a refresh token that was exchanged?", _BROWSER),
}
