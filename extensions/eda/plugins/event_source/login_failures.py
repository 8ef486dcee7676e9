# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch an org's login history for refused logins of stored users."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

DOCUMENTATION = r"""
---
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
short_description: Read from an org's login history that it refuses logins of stored users
description:
  - An event for each stored user whom the org has refused since the last look, and for each reason, with C(cause) as in
    the module C(gatehouse.salesforce.login_check), such as V(stale_token), V(token_required_here), V(user_locked),
    V(ip_denied) or V(flow_blocked), and what to do.
  - C(failures) counts the refusals since the last look, C(failed_in_a_row) those since the last success. Salesforce
    locks a user after ten by default.
  - A look is one request, and one more for each refused user, 20 at most. So a source without refusals asks 3600 /
    O(interval) requests an hour.
  - Refusals before the very first start are not looked at.
version_added: '0.1.0'
options:
  credential:
    description:
      - Required, also from E(SALESFORCE_CREDENTIAL). A stored credential whose user has the permission C(Manage Users)
        or C(Monitor Login History); Salesforce shows others their own logins only.
    type: str
  names:
    description:
      - The stored credentials whose users to look for. Without this option, all whose users are in this org.
    type: list
    elements: str
  interval:
    description:
      - Seconds between two looks.
    type: float
    default: 60.0
  name:
    description:
      - Under which name the store keeps what this source has seen. Of two sources that run at the same time, each needs
        its own; one that starts ends another one of its name.
    type: str
    default: login_failures
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
- gatehouse.salesforce.login_failures:
    credential: production-admin
"""


async def main(queue: asyncio.Queue[Any], args: dict[str, Any]) -> None:
    """Hand over events until ansible-rulebook ends."""
    # ansible-rulebook runs this file by its path, and knows nothing of Ansible's imports.
    sys.path.append(str(Path(__file__).absolute().parents[7]))
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.login_failures import (
        LOGIN_FAILURES,
    )
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.source import run_source

    await run_source(LOGIN_FAILURES, queue, args)
