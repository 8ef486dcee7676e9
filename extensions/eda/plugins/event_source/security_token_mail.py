# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch a mailbox for security tokens that no rotation here asked for."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

DOCUMENTATION = r"""
---
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
short_description: Read from a mailbox that somebody has reset a user's security token
description:
  - An event for each mail that brings a stored user a security token which the store does not know. So somebody has
    reset the token or changed the password, and applications with the old one cannot log in; or a rotation has died.
    While a rotation works on the credential, the mail may be the one that it asked for, so it is judged afterwards.
  - The event names C(credential), C(username), C(received) and C(sender_verified), never the token.
  - A mail is announced by the server (IDLE); where a server does not, the mailbox is looked at every three seconds.
    Nothing in it is changed.
  - Mails that came before the very first start are not looked at.
version_added: '0.1.0'
options:
  names:
    description:
      - The stored credentials whose users to look for. Without this option, all.
    type: list
    elements: str
  mailbox:
    description:
      - The mailbox, with the suboptions of O(mailbox) of the module C(gatehouse.salesforce.security_token).
      - Its secrets are taken from the environment variables E(GATEHOUSE_MAILBOX_PASSWORD),
        E(GATEHOUSE_MAILBOX_ACCESS_TOKEN), E(GATEHOUSE_MAILBOX_CLIENT_SECRET), E(GATEHOUSE_MAILBOX_REFRESH_TOKEN) and
        E(GATEHOUSE_MAILBOX_PRIVATE_KEY); E(GATEHOUSE_MAILBOX_HOST) and E(GATEHOUSE_MAILBOX_USERNAME) may give the rest.
    type: dict
  interval:
    description:
      - Seconds after which the mailbox is looked at even if the server has announced nothing.
    type: float
    default: 60.0
  name:
    description:
      - Under which name the store keeps what this source has seen. Of two sources that run at the same time, each needs
        its own; one that starts ends another one of its name.
    type: str
    default: security_token_mail
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
- gatehouse.salesforce.security_token_mail:
    mailbox:
      host: imap.acme.example
      username: salesforce@acme.example
      authserv_id: mx.acme.example
"""


async def main(queue: asyncio.Queue[Any], args: dict[str, Any]) -> None:
    """Hand over events until ansible-rulebook ends."""
    # ansible-rulebook runs this file by its path, and knows nothing of Ansible's imports.
    sys.path.append(str(Path(__file__).absolute().parents[7]))
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.security_token_mail import (
        SECURITY_TOKEN_MAIL,
    )
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.source import run_source

    await run_source(SECURITY_TOKEN_MAIL, queue, args)
