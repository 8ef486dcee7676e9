# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a move to OAuth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app.moves import plan_moves

DOCUMENTATION = r"""
name: oauth_moves
short_description: List which Salesforce credentials move to OAuth, and why others do not
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - The plan of the playbook C(gatehouse.salesforce.move_to_oauth). It reads no secret and changes nothing.
positional: stored, files
options:
  _input:
    description:
      - The credentials that are to move. Each is a name, or a dictionary with C(name) and, if they are not the usual
        ones, C(auth) (V(jwt_bearer) or V(client_credentials)), C(app) and, where the store does not have the
        credential yet, C(username).
    type: list
    elements: raw
    required: true
  stored:
    description: RV(gatehouse.salesforce.credential_info#module:credentials).
    type: list
    elements: dict
    required: true
  files:
    description: RV(gatehouse.salesforce.app_credentials#module:targets) of its step V(list).
    type: dict
    required: true
  last:
    description: The credential that moves last, because the apps are made with it.
    type: str
  failed:
    description: Why moves have failed, by the name of the credential.
    type: dict
    default: {}
seealso:
  - module: gatehouse.salesforce.external_client_app
  - module: gatehouse.salesforce.credential_info
"""

EXAMPLES = r"""
- name: List the credentials
  gatehouse.salesforce.credential_info:
  register: stored

- name: Show which of them can move, apart from what applications can read
  ansible.builtin.debug:
    msg: "{{ stored.credentials | map(attribute='name')
      | gatehouse.salesforce.oauth_moves(stored.credentials, {}) | map(attribute='text') }}"
"""

RETURN = r"""
_value:
  description:
    - What becomes of each credential. C(decision) is V(move), V(moved) or V(stays); C(why) says why it stays, and
      C(text) is the whole in words. C(left) says whether the store still has C(new_name) after a move that was killed.
  type: list
  elements: dict
  sample:
    - name: billing
      decision: move
      why:
      text: "billing: from security_token to jwt_bearer by the app billing, then to web1:/etc/billing/salesforce.env"
      auth: jwt_bearer
      app: billing
      username: billing@acme.example
      new_name: billing.oauth
      hosts: [web1]
      left: false
"""


def oauth_moves(
    credentials: Sequence[Any],
    stored: Sequence[Mapping[str, Any]],
    files: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    last: str | None = None,
    failed: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Return the plan; raises AnsibleFilterError."""
    if isinstance(credentials, (str, Mapping)) or not isinstance(credentials, Sequence):
        raise AnsibleFilterError("oauth_moves: the credentials must be a list")
    try:
        return plan_moves(credentials, stored, files, last=last, failed=failed or {})
    except GatehouseError as exc:
        raise AnsibleFilterError(f"oauth_moves: {exc}") from exc


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., list[dict[str, Any]]]]:
        """Return the filters by name."""
        return {"oauth_moves": oauth_moves}
