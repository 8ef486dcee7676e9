# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orgs as hosts of an inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
name: orgs
short_description: List Salesforce orgs from the store of credentials or the Salesforce CLI
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Makes a host of each org to which a stored credential leads, or in which the Salesforce CLI is logged in. The roles
    and playbooks of this collection work on the group C(salesforce_orgs).
  - Nothing is decrypted, no key is needed and nothing connects to an org. No secret becomes a variable.
  - The file of this inventory ends in C(.orgs.yml) or C(.orgs.yaml), or is called C(orgs.yml) or C(orgs.yaml).
  - "Each host belongs to C(salesforce_orgs), and by what is known of it to: C(salesforce_production), which includes
    Developer Edition orgs as they log in at the same address, or C(salesforce_sandbox), which includes scratch orgs;
    C(salesforce_auth_AUTH) for each way in which a user of it logs in, such as C(salesforce_auth_jwt_bearer);
    C(salesforce_ending) if Salesforce has announced the end of one of them, and C(salesforce_ending_WHAT) for each such
    end, such as C(salesforce_ending_soap_login)."
  - "Variables of each host:
    C(salesforce_logins), a list of C(name), C(username), C(auth), C(login_url), C(instance_url), C(sandbox) and
    C(ends), which is what M(gatehouse.salesforce.credential_info) returns as C(retirement), without the days left. From
    the store also C(version), C(verified), C(secret_since) and C(standby); from the CLI also C(aliases), C(org_id) and
    C(expires).
    C(salesforce_sandbox), a boolean, or null where no address says it.
    C(salesforce_org_id), where it is known.
    C(gatehouse_salesforce_login_url), where all users log in at the same address, by which modules refuse a credential
    of another org."
  - Which of several credentials manages an org cannot be known. C(gatehouse_salesforce_credential) is therefore left
    to O(compose), to C(host_vars) and to C(group_vars).
  - What is readable in a store without its key is not authenticated. Modules check it when they open the credential.
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [gatehouse.salesforce.orgs]
  cli_folder:
    description:
      - The folder in which the Salesforce CLI keeps one file for each user, C(~/.sfdx). Then the store is not read.
      - Its C(alias.json) names the users.
    type: path
  hostname:
    description:
      - A Jinja expression for the name of an org, of the variables of one of C(salesforce_logins). Logins of the same
        name are of one org.
      - By default it is the My Domain, such as V(acme) or V(acme--uat). A user who logs in at an address of all orgs,
        such as C(https://login.salesforce.com), becomes a host of the login's name, since nothing says whose org it is.
    type: str
extends_documentation_fragment:
  - gatehouse.salesforce.store
  - gatehouse.salesforce.store.environment
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
seealso:
  - module: gatehouse.salesforce.credential_info
"""

EXAMPLES = r"""
---
# production.orgs.yml: from the store that ansible.cfg or the environment names.
plugin: gatehouse.salesforce.orgs

---
# The part of a credential's name before the first dash names the org, and NAME-admin manages it.
plugin: gatehouse.salesforce.orgs
hostname: name.split('-')[0]
compose:
  gatehouse_salesforce_credential: inventory_hostname ~ '-admin'

---
# Orgs in which the Salesforce CLI is logged in, grouped by alias and kept for an hour.
plugin: gatehouse.salesforce.orgs
cli_folder: ~/.sfdx
keyed_groups:
  - key: salesforce_logins | map(attribute='aliases') | flatten
    prefix: alias
groups:
  temporary: salesforce_logins | selectattr('expires') | length > 0
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/salesforce-orgs
cache_timeout: 3600
"""

import contextlib
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.cli_files import read_cli_folder
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.orgs import (
    Login,
    Org,
    cli_login,
    group_logins,
    stored_login,
    usual_name,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.serialisation import (
    refuse_malformed,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    GatehouseError,
    OptionError,
    StoreError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import StoreOptions


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Adds orgs to the inventory."""

    NAME = "gatehouse.salesforce.orgs"

    def verify_file(self, path: str) -> bool:
        """Return whether a file is named as one of this plugin's."""
        return super().verify_file(path) and f".{Path(path).name}".endswith((".orgs.yml", ".orgs.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add the orgs; raises AnsibleParserError."""
        super().parse(inventory, loader, path)
        self._read_config_data(path)
        try:
            orgs = group_logins(self._logins(self.get_cache_key(path), cache), self._name)
        except GatehouseError as exc:
            raise AnsibleParserError(f"{path}: {exc}") from exc
        self.inventory.add_group("salesforce_orgs")
        for org in orgs:
            self._add(org)

    def _logins(self, key: str, cache: bool) -> list[dict[str, Any]]:
        """Return the logins, from the cache where that is wanted and has them."""
        caches = self.get_option("cache")
        if caches and cache:
            with contextlib.suppress(KeyError):  # not there, or too old
                cached: list[dict[str, Any]] = self._cache[key]
                return cached
        logins = self._read_logins()
        if caches:
            self._cache[key] = logins
        return logins

    def _read_logins(self) -> list[dict[str, Any]]:
        folder = self.get_option("cli_folder")
        if folder:
            found, problems = read_cli_folder(Path(folder))
            for problem in problems:
                self.display.warning(problem)
            return [cli_login(login) for login in found]
        store = StoreOptions.read(self.get_option).open_without_keys()
        logins = []
        for name in store.names():
            try:
                with refuse_malformed(name):
                    logins.append(stored_login(store.read_public(name)))
            except StoreError as exc:
                self.display.warning(str(exc))
        return logins

    def _name(self, login: Login) -> str:
        """Return the name of the org of a login; raises OptionError."""
        expression = self.get_option("hostname")
        if not expression:
            return usual_name(login)
        try:
            name = self._compose(expression, dict(login))
        except AnsibleError as exc:
            raise OptionError("hostname", f"cannot be evaluated for {login['name']!r}: {exc}") from exc
        if not isinstance(name, str) or not name.strip():
            raise OptionError("hostname", f"gives no text for {login['name']!r}")
        return name

    def _add(self, org: Org) -> None:
        self.inventory.add_host(org.name)
        for group in org.groups:
            self.inventory.add_host(org.name, self.inventory.add_group(self._sanitize_group_name(group)))
        variables: dict[str, Any] = {"salesforce_logins": list(org.logins), "salesforce_sandbox": org.sandbox}
        if org.org_id:
            variables["salesforce_org_id"] = org.org_id
        if org.login_url:
            variables["gatehouse_salesforce_login_url"] = org.login_url
        for name, value in variables.items():
            self.inventory.set_variable(org.name, name, value)
        strict = self.get_option("strict")
        known = {**variables, "inventory_hostname": org.name}
        self._set_composite_vars(self.get_option("compose"), known, org.name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), known, org.name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), known, org.name, strict=strict)
