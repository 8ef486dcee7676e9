#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what credentials are stored, and when they will stop working."""

from __future__ import annotations

DOCUMENTATION = r"""
module: credential_info
short_description: List stored Salesforce credentials with their age, consumers and retirement dates
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Lists each stored credential with the result of its last login. Of its secrets only the names are returned.
  - For each, returns when and why Salesforce will stop accepting it, how certain that is, and what to change, and warns
    if that is near.
  - Lists which files on which hosts contain a credential, if M(gatehouse.salesforce.app_credential) has written them,
    and warns of those that do not contain the current version.
  - No credential is decrypted, and O(store_key_file) need not exist. So a change made by hand is not detected here, but
    when the credential is used.
  - It never logs in.
notes:
  - Runs on the controller, whatever host the task is for.
extends_documentation_fragment:
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
attributes:
  diff_mode:
    support: N/A
    details: This module changes nothing.
options:
  names:
    description:
      - The names of the credentials to return. Without this option, all.
      - The module warns of names that the store does not have, and returns them as RV(missing).
    type: list
    elements: str
  max_age:
    description:
      - Return as RV(due) which credentials have a token, key or app's secret that is older, such as V(90d) or V(1d12h).
    type: str
  warn_days:
    description: Warn of credentials that will stop working within this many days.
    type: int
    default: 90
seealso:
  - module: gatehouse.salesforce.credential
  - module: gatehouse.salesforce.login_check
  - module: gatehouse.salesforce.app_credential
"""

EXAMPLES = r"""
- name: List all credentials, with a warning for those that will stop working within half a year
  gatehouse.salesforce.credential_info:
    warn_days: 180
  register: stored

- name: List the credentials whose last login was refused
  ansible.builtin.debug:
    msg: "{{ stored.credentials | selectattr('verification.result', 'eq', 'failed') | map(attribute='name') }}"

- name: Show what to change, and by when
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.retirement[0].change }}, by {{ item.retirement[0].date }}"
  loop: "{{ stored.credentials | selectattr('retirement') }}"
  loop_control:
    label: "{{ item.name }}"

- name: List the files that contain an earlier version
  ansible.builtin.debug:
    msg: "{{ stored.outdated }}"

- name: Read two credentials
  gatehouse.salesforce.credential_info:
    names: [billing, production-admin]
  register: stored
  failed_when: stored.missing | length > 0
"""

RETURN = r"""
credentials:
  description: The credentials, sorted by name or in the order of O(names).
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The name in the store.
      type: str
      sample: billing
    auth:
      description: How it logs in.
      type: str
      sample: security_token
    login_url:
      description: Where it logs in.
      type: str
      sample: https://login.salesforce.com
    username:
      description: The user name, or V(none).
      type: str
      sample: billing@acme.example
    consumer_key:
      description: The consumer key of the app, or V(none).
      type: str
    instance_url:
      description: The address of the instance, or V(none).
      type: str
    audience:
      description: Whom an assertion is for, or V(none).
      type: str
    api_version:
      description: The version of the API.
      type: str
      sample: "64.0"
    ca_path:
      description: A file of PEM certificates to trust, or V(none).
      type: str
    allowed_hosts:
      description: Hosts trusted beside Salesforce's own.
      type: list
      elements: str
      sample: []
    version:
      description: The version of the credential, one more at each change.
      type: int
      sample: 2
    created:
      description: When it was first stored, UTC.
      type: str
      sample: "2026-10-01T08:00:00Z"
    updated:
      description: When this version was stored, UTC.
      type: str
      sample: "2026-11-20T08:00:00Z"
    verified:
      description: When this version last passed a login, UTC, or V(none).
      type: str
      sample: "2026-11-20T08:00:00Z"
    secret_since:
      description: Since when it has its security token, key or app's secret, UTC, as far as is known here, or V(none).
      type: str
      sample: "2026-11-20T08:00:00Z"
    ages:
      description: How many whole days ago each of these times was, or V(none).
      type: dict
      sample: {created: 54, updated: 4, verified: 4}
    standby:
      description: Of a pair, the user name of the user that is not in use now; otherwise V(none).
      type: str
      sample: billing-green@acme.example
    rotation:
      description: A rotation that has not been finished, or V(none).
      type: dict
      contains:
        method:
          description: How the new token was requested, as V(reset), V(password), or V(found) if somebody else did.
          type: str
          sample: reset
        step:
          description:
            - V(requesting) before it is known whether a new token was created, V(requested) until its mail arrives,
              V(stored) when only the mail is left to be dealt with.
          type: str
          sample: requested
        username:
          description: Whose token it is.
          type: str
          sample: billing-green@acme.example
        started:
          description: Since when, UTC.
          type: str
          sample: "2026-11-24T02:00:00Z"
    secrets:
      description: The names of its secrets.
      type: list
      elements: str
      sample: [password, security_token]
    verification:
      description:
        - The result of the last login with this version, as RV(gatehouse.salesforce.credential#module:verification).
      type: dict
      sample: {result: ok, cause: ok, detail: logged in}
    days_left:
      description: Days until the next end in RV(credentials[].retirement), or V(none). Negative when it has passed.
      type: int
      sample: 7
    retirement:
      description: The ends that Salesforce has announced for this way to log in, the next one first.
      type: list
      elements: dict
      contains:
        what:
          description: One of V(use_any_api_auth), V(username_password_flow) and V(soap_login).
          type: str
          sample: soap_login
        when:
          description: When, as it was announced.
          type: str
          sample: Summer '27
        grade:
          description: V(confirmed) if Salesforce's own documents announce it, or V(reported) if others do.
          type: str
          sample: confirmed
        date:
          description: The day that is counted to.
          type: str
          sample: "2027-05-01"
        date_grade:
          description:
            - How certain the day is. V(reported) by others, or V(assumed) if Salesforce names a release but no day; it
              is then this collection's cautious guess.
          type: str
          sample: assumed
        days_left:
          description: Days until then, negative when it has passed.
          type: int
          sample: 158
        why:
          description: What will end.
          type: str
          sample: the SOAP login of API versions 31.0 to 64.0 ends, and later versions have none
        change:
          description: What to do about it.
          type: str
          sample: move the credential to jwt_bearer or client_credentials
    consumers:
      description: The files that contain it, sorted.
      type: list
      elements: dict
      contains:
        consumer:
          description: The name of the host and the file.
          type: str
          sample: billing1:/etc/billing/salesforce.env
        host:
          description: The name of the host in the inventory.
          type: str
          sample: billing1
        target:
          description: V(file), or the service that it is in, such as V(kv).
          type: str
          sample: file
        dest:
          description: The file, or the place in the service.
          type: str
          sample: /etc/billing/salesforce.env
        format:
          description: The form in which it was written.
          type: str
          sample: env
        version:
          description: The version that was last delivered to it.
          type: int
          sample: 1
        delivered:
          description: When, UTC.
          type: str
          sample: "2026-10-01T08:00:00Z"
        standby:
          description: Whether it contains the user on standby of a pair.
          type: bool
          sample: false
        restarted:
          description:
            - Whether the application was restarted since the file was written. V(true) where it needs no restart.
          type: bool
          sample: true
        outdated:
          description:
            - Whether another version than the current one may be in use there, or the user on standby of a pair.
          type: bool
          sample: true
missing:
  description: Those of O(names) that the store does not have.
  type: list
  elements: str
  returned: success
  sample: []
deleted:
  description:
    - Credentials that are no longer stored, but still in a file somewhere. Each has RV(deleted[].name) and
      RV(deleted[].consumers), as in RV(credentials). The role P(gatehouse.salesforce.app_credentials#role) removes
      their files with C(state=absent).
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The name that it had.
      type: str
      sample: shipping
    consumers:
      description: As in RV(credentials[].consumers).
      type: list
      elements: dict
outdated:
  description: The consumers that do not have the current version of their credential, or have one that was deleted.
  type: list
  elements: str
  returned: success
  sample: [billing1:/etc/billing/salesforce.env]
unreadable:
  description: Credentials that are there but cannot be read, and why.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The name.
      type: str
      sample: billing
    problem:
      description: Why it cannot be read.
      type: str
due:
  description:
    - The names of the credentials whose token, key or app's secret is older than O(max_age), or whose rotation has
      begun and is not finished. Empty without O(max_age).
  type: list
  elements: str
  returned: success
  sample: []
retiring:
  description: The names of the credentials with an end within O(warn_days), or in the past.
  type: list
  elements: str
  returned: success
  sample: [billing]
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.credential_info import SPEC, run
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module  # noqa: E402

# noqa: E402


def main() -> None:
    """Run the module."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
