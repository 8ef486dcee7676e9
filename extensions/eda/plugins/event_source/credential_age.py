# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch for what ends or grows too old in the next days."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

DOCUMENTATION = r"""
---
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
short_description: List what ends soon, such as tokens, keys, certificates and temporary access
description:
  - An event for each stored token, key or app's secret that is nearly as old as O(max_age), for each end that
    Salesforce has announced of a stored credential's way to log in, and, with O(credential), for each temporary access
    and each certificate that ends.
  - There is one event when an end is O(warn_days) away, with C(stage) V(near), and one on the day, with V(due).
  - Without O(credential) no org is asked, and no credential is decrypted.
version_added: '0.1.0'
options:
  names:
    description:
      - The stored credentials to look at. Without this option, all.
    type: list
    elements: str
  max_age:
    description:
      - How old a token, key or app's secret may be, such as V(90d), as in the playbook C(rotate). Without this option,
        their age is not looked at.
    type: str
  warn_days:
    description:
      - How many days before an end the first event comes.
    type: int
    default: 14
  credential:
    description:
      - A stored credential that may read an org's IP ranges, and its apps if O(apps) names any.
    type: str
  apps:
    description:
      - External Client Apps of that org whose certificates to look at.
    type: list
    elements: str
    default: []
  interval:
    description:
      - Seconds between two looks.
    type: float
    default: 3600.0
  name:
    description:
      - Under which name the store keeps what this source has seen. Of two sources that run at the same time, each needs
        its own; one that starts ends another one of its name.
    type: str
    default: credential_age
  replay_seconds:
    description:
      - For how long an event is handed over again if ansible-rulebook dies, with the same C(id) and C(redelivered) set.
        It should be longer than the actions of the rules take.
    type: float
    default: 300.0
  store:
    description:
      - Where the credentials are. A folder, or C(https://HOST:PORT/v1/MOUNT/PATH) for OpenBao or HashiCorp Vault.
      - The environment variable E(GATEHOUSE_STORE) may give it, and so E(GATEHOUSE_STORE_KEY_FILE),
        E(GATEHOUSE_STORE_ROLE_ID), E(GATEHOUSE_STORE_NAMESPACE) and E(GATEHOUSE_STORE_CA_PATH) the next ones.
    type: str
    default: ~/.local/share/gatehouse/salesforce
  store_key_file:
    description:
      - The keys that encrypt the store.
    type: path
  store_token:
    description:
      - For a store on a server, the token that may use it. Secrets are not taken from rulebooks, so set the environment
        variable E(GATEHOUSE_STORE_TOKEN).
    type: str
  store_role_id:
    description:
      - For a store on a server, the role of an AppRole login.
    type: str
  store_secret_id:
    description:
      - For a store on a server, the secret of an AppRole login; set the environment variable
        E(GATEHOUSE_STORE_SECRET_ID).
    type: str
  store_namespace:
    description:
      - For a store on a server, the namespace.
    type: str
  store_ca_path:
    description:
      - For a store on a server, a file of PEM certificates to trust instead of the system's.
    type: path
"""

EXAMPLES = r"""
- gatehouse.salesforce.credential_age:
    max_age: 90d
    warn_days: 7
"""


async def main(queue: asyncio.Queue[Any], args: dict[str, Any]) -> None:
    """Hand over events until ansible-rulebook ends."""
    # ansible-rulebook runs this file by its path, and knows nothing of Ansible's imports.
    sys.path.append(str(Path(__file__).absolute().parents[7]))
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.credential_age import (
        CREDENTIAL_AGE,
    )
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.source import run_source

    await run_source(CREDENTIAL_AGE, queue, args)
