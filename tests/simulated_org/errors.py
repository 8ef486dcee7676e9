# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One exception for every refusal; SOAP and REST each give it their own form."""

from __future__ import annotations

LOGIN_FAULT = "LoginFault"
UNEXPECTED_ERROR_FAULT = "UnexpectedErrorFault"

# HTTP statuses of REST answers; SOAP faults are always 500 (CONFIRMED).
REST_STATUS = {
    "INVALID_SESSION_ID": 401,
    "INVALID_OPERATION_WITH_EXPIRED_PASSWORD": 403,
    "INSUFFICIENT_ACCESS": 403,
    "API_DISABLED_FOR_ORG": 403,
    "FUNCTIONALITY_NOT_ENABLED": 403,
    "REQUEST_LIMIT_EXCEEDED": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
}


class ApiError(Exception):
    """A refusal with Salesforce's exception code and text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fault = UNEXPECTED_ERROR_FAULT

    @property
    def rest_status(self) -> int:
        return REST_STATUS.get(self.code, 400)


class ClientFault(Exception):
    """A request whose XML the server cannot take: `soapenv:Client`, no Salesforce code."""
