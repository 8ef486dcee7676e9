# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a password, and change the own one, by the SOAP call changeOwnPassword.

Source: the partner WSDL. simple-salesforce has no such call.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from xml.sax.saxutils import escape

from ..errors import NoResponseError, OrgError, SessionExpired
from .login import Session
from .soap import Fault, fault_in, parse
from .transport import send_once, unexpected_response

try:
    import requests
except ImportError:  # reported by require_libraries()
    pass
NAMESPACE = "urn:partner.soap.sforce.com"
_ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    f'<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/" xmlns="{NAMESPACE}">'
    "<env:Header><SessionHeader><sessionId>%s</sessionId></SessionHeader></env:Header>"
    "<env:Body><changeOwnPassword><oldPassword>%s</oldPassword><newPassword>%s</newPassword></changeOwnPassword>"
    "</env:Body></env:Envelope>"
)
_NOT_NOW = ("SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION")
LENGTH = 50  # the longest that a policy can ask for
MAX_LENGTH = 16_000
# Special to Salesforce, and to no shell, URL, XML, connection string, or file that applications read.
SPECIAL = "-_."
KINDS = (string.ascii_lowercase, string.ascii_uppercase, string.digits, SPECIAL)


class NewPasswordRefused(OrgError):
    """The org does not take the new password; the present one still holds."""


class OldPasswordRefused(OrgError):
    """What was given as the old password is not the present one, so nothing was changed by this call."""


def generate_password(policies: Mapping[str, str]) -> str:
    """Generate a password that meets every complexity policy, at least as long as the org's policies ask.

    A profile may have policies of its own in place of the org's, which is why the strictest ones are met anyway.

    Args:
        policies: as the Metadata API names them; none of them is needed.
    """
    asked = policies.get("minimumPasswordLength") or ""
    length = min(max(LENGTH, int(asked) if asked.isdecimal() else 0), MAX_LENGTH)
    alphabet = "".join(KINDS)
    while True:
        middle = [secrets.choice(alphabet) for _unused in range(length - 2)]
        # What begins or ends with a sign is misread here and there, as by a command.
        first, last = secrets.choice(string.ascii_letters), secrets.choice(string.ascii_letters)
        password = "".join([first, *middle, last])
        if all(set(kind) & set(password) for kind in KINDS):
            return password


def change_own_password(transport: requests.Session, session: Session, version: str, *, old: str, new: str) -> None:
    """Change the password of the session's user, once. Its security token dies with the old password.

    Raises:
        NewPasswordRefused: for the org's policy, which lets nobody take the present password again, either.
        OldPasswordRefused: nothing was done by this call. After one whose answer was lost, this or the former error
            means that it may well have been carried out; which of the two the org then says is not known.
        SessionExpired: nothing was done.
        NoResponseError: whether it was done is not known.
        OrgError: the org refused, and nothing was done.
    """
    url = f"{session.instance_url}/services/Soap/u/{version}"
    body = _ENVELOPE % tuple(map(escape, (session.access_token, old, new)))
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": "changeOwnPassword"}

    def send() -> Fault | None:
        response = transport.post(url, data=body.encode(), headers=headers)
        root = parse(response)
        fault = fault_in(root)
        if fault is None and root.find(f".//{{{NAMESPACE}}}changeOwnPasswordResponse") is None:
            raise unexpected_response(response)
        return fault

    fault = send_once(url, send)
    if fault is not None:
        raise _refusal(fault.code)  # its text may repeat what was sent


def _refusal(code: str) -> OrgError:
    if code == "INVALID_SESSION_ID":
        return SessionExpired("the session has expired or was ended")
    if code == "INVALID_NEW_PASSWORD":
        problem = (
            f"the org does not take the new password ({code}): its policy may ask for another length or other "
            "characters, or for a password to last a day; see Setup > Password Policies, and the profile's own ones"
        )
        return NewPasswordRefused(problem, cause="not_approved")
    if code == "INVALID_OLD_PASSWORD":
        return OldPasswordRefused(f"the old password is not the present one ({code})", cause="bad_password")
    if code in _NOT_NOW:
        return NoResponseError(f"the org could not change the password now, as far as it tells ({code})")
    shown = code if code.isascii() and code.replace("_", "").isalnum() and len(code) < 80 else "no code"
    return OrgError(f"the org refused to change the password ({shown})", cause="not_approved")
