# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notice a variable of this collection whose name is misspelt, and which nothing would read. Pure.

An underscore before a prefix is for what the tasks of a playbook or role hand on to each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.near_names import did_you_mean
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.options import VARIABLE_PREFIX

_OPTIONS = """
access_token addresses adopt allowed_hosts api_version apps audience auth backup ca_path certificate
certificate_key common_name consumer_key consumer_secret contact_email credential credentials days declared
description dest diagnose_with encrypt encrypt_name failed_topics flows force format format_options group guard
guard_days hosts instance_url ip_relaxation label lint login_url mail_timeout mailbox mark max_age max_logins
method mode name names new_token orgs owner password path pending permission_set planned policy private_key
problem profile profiles ranges refresh_token refused run_as scopes security_token selevel serole setype seuser
sfdx_auth_url shared_ranges source_address src standby state step store store_as store_ca_path store_key_file
store_namespace store_role_id store_secret_id store_token target tasks timeout title undo_move username users
valid_days validate verify wait warn_days written
"""
# The names of options by the prefix of their variables. A test compares them with the argument specs.
SUFFIXES: dict[str, tuple[str, ...]] = {
    VARIABLE_PREFIX: tuple(_OPTIONS.split()),
    "app_credentials_": ("entry", "item", "refused", "targets", "version"),
    "awx_setup_": ("credentials", "folder", "image", "inventory", "organization", "project"),
    "copy_": ("target",),
    "credentials_": ("declared",),
    "deliver_": ("check", "handlers", "max_failed", "serial"),
    "drift_": ("file",),
    "export_": ("folder", "profiles"),
    "init_": ("folder", "login_url", "org", "password", "security_token", "username", "vault_password_file"),
    "move_": ("close", "contact_email", "credentials", "wait"),
    "network_access_": ("login_ip_ranges", "state", "trusted_ip_ranges"),
    "permission_sets_": ("administrators", "integrations", "state", "token_logins"),
    "raise_ticket_": ("event", "url"),
    "report_": ("days", "dest", "fail_on", "folder", "max_logins", "policy", "shared_ranges", "title"),
    "rotate_": ("credentials", "force", "keys", "mail_timeout", "max_age", "method", "verify"),
    "temporary_access_": ("address", "description", "expires", "tasks"),
}
PREFIXES = tuple(SUFFIXES)
# Groups add to the list of the role under names of their own.
ANY = "app_credentials_targets_"
# No other collection has variables that begin so. With the rest, some may: those are strict in their playbook only,
# which lists them under this name.
STRICT = (VARIABLE_PREFIX, "app_credentials_", "network_access_", "temporary_access_")
STRICT_HERE = "_gatehouse_prefixes"


def require_known_names(variables: Mapping[str, Any]) -> None:
    """Raise OptionError for a variable that has a prefix of this collection, and no option's name after it."""
    for name in variables:
        if not name.startswith(PREFIXES) or name.startswith(ANY):
            continue
        prefix = next(prefix for prefix in PREFIXES if name.startswith(prefix))
        suffix, suffixes = name.removeprefix(prefix), SUFFIXES[prefix]
        if suffix in suffixes or _is_registered(variables[name]):
            continue
        near = did_you_mean(suffix, suffixes, prefix)
        if near:
            raise OptionError(name, f"there is no such variable{near}")
        if prefix in (*STRICT, *variables.get(STRICT_HERE, ())):
            known = ", ".join(f"{prefix}{known}" for known in suffixes)
            raise OptionError(name, f"there is no such variable, but {known}; rename it if it is for something else")


def _is_registered(value: Any) -> bool:
    """Whether it is what a task has returned, and no setting."""
    return isinstance(value, Mapping) and "changed" in value
