# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The format whose names the user gives, for applications that no other format knows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..auth.connection import AUTH_FLOWS, SECRET_FIELDS, Connection
from ..errors import OptionError
from .encoders import ENCODERS, json_text
from .fields import NotRepresentable
from .model import Format

# What can be named, and what it is.
MAPPABLE_FIELDS = {
    "username": "the user's name",
    "password": "the password",
    "security_token": "the security token, empty where none is needed",
    "login_password": "the password immediately followed by the security token",
    "consumer_key": "the consumer key, or client id, of the OAuth application",
    "consumer_secret": "its consumer secret, or client secret",
    "private_key": "the private key that signs assertions, in PEM",
    "refresh_token": "the refresh token",
    "access_token": "the access token, or session id",
    "instance_url": "the org's own address",
    "login_url": "where to log in, with `https://`",
    "host": "the same without `https://`",
    "domain": "the same as simple-salesforce has it: `login`, `test` or `acme.my`",
    "soap_url": "where the SOAP login is called",
    "is_sandbox": "whether the org is a sandbox",
    "api_version": "the version of the API, such as `64.0`",
}
_SECRETS = {
    "security_token": ("password", "security_token", "login_password"),
    "username_password": ("password", "security_token", "login_password", "consumer_secret"),
    "jwt_bearer": ("private_key",),
    "client_credentials": ("consumer_secret",),
    "refresh_token": ("refresh_token", "consumer_secret"),
    "session": ("access_token",),
}


class MappingFormat(Format):
    """The format C(mapping), whose fields and encoder are options."""

    flows = AUTH_FLOWS
    options = ("fields", "encoder", "constants")

    def render(self, connection: Connection, options: Mapping[str, Any]) -> str:
        """Return the text of a file; raises OptionError and NotRepresentable.

        What stands in the place of a field's name is never shown: it may be a secret that is there by mistake.
        """
        encoder = options.get("encoder", "env")
        if encoder not in ENCODERS:
            raise OptionError("encoder", f"must be one of {', '.join(ENCODERS)}")
        fields, constants = (_dictionary(options, option, encoder) for option in ("fields", "constants"))
        if not fields:
            raise OptionError("fields", "must name what to write, such as {SF_USER: username, SF_PASS: login_password}")
        for name, field in fields.items():
            _require_field(name, field, connection.auth)
        for name, value in constants.items():
            if name in fields:
                raise OptionError("constants", f"{name!r} is one of fields, too")
            if not isinstance(value, str | int):
                raise OptionError("constants", f"{name!r} must be text, a whole number or a boolean")
        token = {name: "token_or_empty" for name, field in fields.items() if field == "security_token"}
        values = self.read(connection, {**fields, **token})
        for name in fields:
            if name not in values:
                raise OptionError("fields", f"{name!r} asks for {fields[name]}, which the credential does not have")
        try:
            return ENCODERS[encoder].encode({**values, **constants})
        except NotRepresentable as exc:
            raise OptionError(exc.option, f"encoder {encoder} cannot hold {exc}") from None


def _dictionary(options: Mapping[str, Any], option: str, encoder: str) -> Mapping[str, Any]:
    given = options.get(option, {})
    if not isinstance(given, Mapping):
        raise OptionError(option, "must be a dictionary")
    for name in given:
        if not isinstance(name, str) or not ENCODERS[encoder].takes(name):
            raise OptionError(option, f"{name!r} is not a name that encoder {encoder} takes")
    return given


def _require_field(name: str, field: object, auth: str) -> None:
    if not isinstance(field, str) or field not in MAPPABLE_FIELDS:
        raise OptionError("fields", f"{name!r} must be one of {', '.join(MAPPABLE_FIELDS)}")
    if field in (*SECRET_FIELDS, "login_password") and field not in _SECRETS[auth]:
        raise OptionError("fields", f"{name!r} asks for {field}, which a credential with auth {auth} logs in without")


FORMAT = MappingFormat(
    "an application that reads its own names: `fields` says what stands under each, `encoder` how it is written "
    "| any | your playbook",
    "",
    json_text,
)
