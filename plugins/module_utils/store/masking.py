# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell Ansible which texts are secret, where it can be told. Private to gatehouse.salesforce."""

from __future__ import annotations

from ..connection import Connection

try:
    from ansible.module_utils.secrets import register_secrets
except ImportError:  # before ansible-core 2.22, where no_log is all there is
    register_secrets = None

SHORTEST = 6  # a shorter one would mask half of what Ansible prints


def hide_from_output(connection: Connection, *others: str) -> None:
    """Have Ansible mask the connection's secrets, and others, in whatever it prints from now on."""
    if register_secrets is not None:
        secrets = {*connection.secrets.values(), connection.login_password, *others}
        register_secrets(sorted(secret for secret in secrets if len(secret) >= SHORTEST))
