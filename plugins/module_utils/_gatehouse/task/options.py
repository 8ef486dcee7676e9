# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that several plugins share, and what becomes of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.parameters import AnsibleFallbackNotFound

from ..auth.connection import AUTH_FLOWS, DEFAULT_API_VERSION, DEFAULT_LOGIN_URL, SECRET_FIELDS, Connection
from ..errors import OptionError

Spec = dict[str, dict[str, Any]]
VARIABLE_PREFIX = "gatehouse_salesforce_"
DEFAULT_STORE = "~/.local/share/gatehouse/salesforce"


def from_environment(variable: str) -> str:
    """Return an environment variable as an option's fallback; an empty one, as AWX sets them, counts as unset."""
    value = os.environ.get(variable)
    if not value:
        raise AnsibleFallbackNotFound
    return value


def _option(variable: str, **rest: Any) -> dict[str, Any]:
    """Return an option that the environment may set."""
    return {"type": "str", "fallback": (from_environment, [variable]), **rest}


def _login_options() -> Spec:
    return {
        "auth": _option("SALESFORCE_AUTH", choices=list(AUTH_FLOWS), default="security_token"),
        "login_url": _option("SALESFORCE_LOGIN_URL", default=DEFAULT_LOGIN_URL),
        "username": _option("SALESFORCE_USERNAME"),
        "password": _option("SALESFORCE_PASSWORD", no_log=True),
        "security_token": _option("SALESFORCE_SECURITY_TOKEN", no_log=True),
        "consumer_key": _option("SALESFORCE_CONSUMER_KEY", no_log=False),
        "consumer_secret": _option("SALESFORCE_CONSUMER_SECRET", no_log=True),
        "private_key": _option("SALESFORCE_PRIVATE_KEY", no_log=True),
        "refresh_token": _option("SALESFORCE_REFRESH_TOKEN", no_log=True),
        "access_token": _option("SALESFORCE_ACCESS_TOKEN", no_log=True),
        "instance_url": _option("SALESFORCE_INSTANCE_URL"),
        "audience": _option("SALESFORCE_AUDIENCE"),
        "api_version": _option("SALESFORCE_API_VERSION", default=DEFAULT_API_VERSION),
        "ca_path": _option("SALESFORCE_CA_PATH", type="path"),
        "allowed_hosts": _option("SALESFORCE_ALLOWED_HOSTS", type="list", elements="str", default=[]),
        "timeout": _option("SALESFORCE_TIMEOUT", type="float", default=30.0),
        "source_address": _option("SALESFORCE_SOURCE_ADDRESS"),
    }


STORE: Spec = {
    "store": _option("GATEHOUSE_STORE", default=DEFAULT_STORE),
    "store_key_file": _option("GATEHOUSE_STORE_KEY_FILE", type="path", no_log=False),
    "store_token": _option("GATEHOUSE_STORE_TOKEN", no_log=True),
    "store_role_id": _option("GATEHOUSE_STORE_ROLE_ID"),
    "store_secret_id": _option("GATEHOUSE_STORE_SECRET_ID", no_log=True),
    "store_namespace": _option("GATEHOUSE_STORE_NAMESPACE"),
    "store_ca_path": _option("GATEHOUSE_STORE_CA_PATH", type="path"),
}
STORE_SECRETS = tuple(name for name, option in STORE.items() if option.get("no_log"))
LOGIN: Spec = _login_options()
# What makes up one login: a stored credential has all of it.
OF_THE_LOGIN = tuple(name for name in LOGIN if name not in ("timeout", "source_address"))
# What says who logs in: with one of these a task describes a login of its own.
WHO_LOGS_IN = ("auth", "username", "consumer_key", "instance_url", *SECRET_FIELDS)
# What a store in a folder has no use for.
OF_A_SERVER = tuple(name for name in STORE if name not in ("store", "store_key_file"))
CONNECTION: Spec = {"credential": _option("SALESFORCE_CREDENTIAL"), **LOGIN, **STORE}


def connection_from(options: Mapping[str, Any]) -> Connection:
    """Return the connection that inline options describe; not checked, as a stored one may supply the rest."""
    given = {name: options[name] for name in LOGIN if options.get(name) is not None}
    given["allowed_hosts"] = tuple(given.get("allowed_hosts", ()))
    return Connection(**given)


def secrets_of(options: Mapping[str, Any]) -> list[str]:
    """Return the secret values among the options and in those of options, for masking, and what they compose.

    No deeper: in O(format_options) a dictionary has names of fields as its values.
    """
    inner = [value for value in options.values() if isinstance(value, Mapping)]
    return [secret for given in (options, *inner) for secret in _secrets_in(given)]


def _secrets_in(options: Mapping[str, Any]) -> list[str]:
    values = [str(options[name]) for name in (*SECRET_FIELDS, *STORE_SECRETS) if options.get(name)]
    return [*values, f"{options.get('password') or ''}{options.get('security_token') or ''}"]


def require_one_login(spec: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Raise OptionError when a task names a stored credential and describes a login, too."""
    if "credential" in spec and arguments.get("credential"):
        for name in OF_THE_LOGIN:
            if name in spec and arguments.get(name):
                raise OptionError(name, "cannot be given together with credential, which is stored with its own")


def require_text(spec: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Raise OptionError for what YAML made a number, a date or a truth value where text is meant."""
    for name, value in arguments.items():
        option = spec.get(name, {})
        if option.get("type") == "str" and not (isinstance(value, bool) and option.get("choices")):
            # Of a choice, ansible-core reads an unquoted off as the text, and names the choices otherwise.
            _require_text(name, value)
        elif option.get("elements") == "str" and isinstance(value, list):
            for number, item in enumerate(value):
                _require_text(f"{name}[{number}]", item)
        elif option.get("type") == "dict" and value is not None and not isinstance(value, (Mapping, str)):
            raise OptionError(name, "must be a dictionary")
        elif option.get("options") and isinstance(value, Mapping):
            try:
                require_text(option["options"], value)
            except OptionError as exc:
                raise exc.within(name) from None


# A truth value is a number to Python, so it comes first.
_YAML_KINDS: tuple[tuple[Any, str], ...] = (
    (bool, "truth value"),
    ((int, float), "number"),
    (Mapping, "mapping"),
    ((list, tuple), "list"),
)


def _require_text(name: str, value: Any) -> None:
    if value is None or isinstance(value, str):
        return
    kind = next((kind for type_, kind in _YAML_KINDS if isinstance(value, type_)), "date")
    raise OptionError(name, f"must be text, but YAML made it a {kind}; quote it")
