# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch an org for changes of its IP ranges by hand."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

DOCUMENTATION = r"""
---
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
short_description: Read from an org that somebody has changed its trusted or login IP ranges
description:
  - An event for each list of IP ranges that others than the users of the store have changed, with C(ranges), which is
    V(trusted) or V(login), C(profile), C(added), C(removed), C(who) and C(when).
  - The Setup Audit Trail shows who has changed something. What changed is seen by a comparison of the lists themselves,
    which needs none of its texts. It is made when the trail shows a change, and every 15 minutes.
  - A change that was taken back between two looks is an event too, with what the trail says and without C(ranges).
  - Where the trail cannot be read, changes by this collection are events too, and C(who) is empty.
  - A look is one request. A comparison is three more, and one for each ten profiles.
version_added: '0.1.0'
options:
  credential:
    description:
      - Required, also from E(SALESFORCE_CREDENTIAL). A stored credential that may read IP ranges and, to see who has
        changed them, the Setup Audit Trail.
    type: str
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
    default: access_changes
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
- gatehouse.salesforce.access_changes:
    credential: production-admin
"""


async def main(queue: asyncio.Queue[Any], args: dict[str, Any]) -> None:
    """Hand over events until ansible-rulebook ends."""
    # ansible-rulebook runs this file by its path, and knows nothing of Ansible's imports.
    sys.path.append(str(Path(__file__).absolute().parents[7]))
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.access_changes import (
        ACCESS_CHANGES,
    )
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.source import run_source

    await run_source(ACCESS_CHANGES, queue, args)
