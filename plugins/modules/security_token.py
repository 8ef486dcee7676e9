#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renew the security token of a stored credential."""

from __future__ import annotations

DOCUMENTATION = r"""
module: security_token
short_description: Rotate the security token of a stored Salesforce credential unattended
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Requests a new security token when the stored one is older than O(max_age), reads it from the mail that Salesforce
    sends, logs in with it once, and stores it. Before that time it does nothing, so it may run every night.
  - Each step that cannot be undone is written to the record before it is taken. A run that is killed, or whose mail is
    late, is finished by the next run. If two runs overlap, one does the work; the other waits and then has nothing
    to do.
  - The old token is dead as soon as Salesforce creates a new one. Whatever uses it fails until it has the new one. A
    pair of users avoids this gap, see the option O(gatehouse.salesforce.credential#module:standby) of
    M(gatehouse.salesforce.credential). Then the token of the user that is not in use is renewed, and the two users swap
    roles.
  - If the stored token was refused because somebody else has reset it, and O(mailbox) contains a newer one for this
    user, that one is stored.
extends_documentation_fragment:
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
requirements:
  - simple-salesforce
  - IMAPClient
notes:
  - Runs on the controller, whatever host the task is for, so secrets are never sent to a managed host.
  - Salesforce has no API to reset a token. O(method=reset) sends the form of the page Reset My Security Token in Setup,
    which is not documented; if it changes, the module reports that it does not understand it.
  - A token cannot be reset for a user whose profile has login IP ranges, who may only use the API, or who must use
    multi-factor authentication for API logins. The module says so before it does anything.
  - The mail is in the user's language. English and Japanese are known; keep the user's language one of them.
  - In check mode nothing is requested. Where a token is due it logs in, looks for obstacles, connects to O(mailbox) and
    looks at the headers of its latest mails.
  - The option O(timeout) and the options of the store are also taken from variables with the prefix
    C(gatehouse_salesforce_), as O(mailbox) is from C(gatehouse_salesforce_mailbox).
options:
  name:
    description: The name of the stored credential.
    type: str
    required: true
  max_age:
    description:
      - How old the token may be, such as C(90d) or C(1d12h). One that is older is renewed.
      - The age counts from when the token was stored here, as Salesforce does not show it.
      - Without it, a token of any age is kept, unless O(force) or O(new_token) is given.
    type: str
  force:
    description:
      - Renew the token whatever its age. This is not idempotent.
      - Also tries again what was refused before, for example because the user was locked. This applies to the tokens
        from mails that a rotation waits for, and to the stored token. After two failed logins it does so only where
        the org shows how many are left, to this user or to O(diagnose_with), and never makes the last one.
    type: bool
    default: false
  verify:
    description:
      - Also log in with a token that is not due, to find out whether somebody else has reset it.
    type: bool
    default: false
  method:
    description:
      - How to get a new token. V(reset) resets it over a live session, as the user can in Setup.
      - V(password) changes the password of the user to a generated one. Salesforce then creates a new token, and mails
        it if the user has reset the token at least once before. A credential without a token, for trusted addresses,
        only gets the new password.
    type: str
    choices: [reset, password]
    default: reset
  new_token:
    description:
      - A new token that someone has received. It is verified by one login and stored, and ends a rotation that waits
        for its mail. No other one is requested then.
      - A token that is stored already, or that a rotation has replaced, is ignored.
      - In a pair it belongs to the user in use, or to the one whose rotation waits.
    type: str
  mailbox:
    description:
      - The mailbox that receives the mails of the user, by IMAP over verified TLS.
      - The search runs on the server. It neither changes a mail nor marks it as read.
      - A mail counts when it came after the reset, from one of O(mailbox.allowed_senders), and names the user. At most
        two are ever tried by a login, the likeliest first. If none counts, the error says when mails with a token for
        this user came, and why they did not count.
    type: dict
    suboptions:
      host:
        description: The mail server. Also from E(GATEHOUSE_MAILBOX_HOST).
        type: str
      port:
        description: Its port; by default 993, or 143 for O(mailbox.tls=starttls).
        type: int
      username:
        description: The user name of the mailbox. Also from E(GATEHOUSE_MAILBOX_USERNAME).
        type: str
      password:
        description:
          - The password. Exactly one of this, O(mailbox.access_token) and O(mailbox.oauth) is needed. Also from
            E(GATEHOUSE_MAILBOX_PASSWORD).
        type: str
      access_token:
        description:
          - An OAuth access token, which some providers require instead of a password. Also from
            E(GATEHOUSE_MAILBOX_ACCESS_TOKEN).
        type: str
      oauth:
        description:
          - How to ask the provider for an access token, which is kept in the store, sealed, while it lives.
          - With O(mailbox.oauth.refresh_token) it is asked for by that; with O(mailbox.oauth.private_key) and
            O(mailbox.oauth.certificate), or O(mailbox.oauth.client_secret), by client credentials; with a private key
            alone by a JWT bearer assertion for O(mailbox.username).
          - Its secrets are also taken from E(GATEHOUSE_MAILBOX_CLIENT_SECRET), E(GATEHOUSE_MAILBOX_REFRESH_TOKEN) and
            E(GATEHOUSE_MAILBOX_PRIVATE_KEY).
        type: dict
        suboptions:
          token_url:
            description: The token endpoint of the provider, by https. Redirects are not followed.
            type: str
            required: true
          client_id:
            description: The client's id; of a service account, its e-mail address.
            type: str
            required: true
          client_secret:
            description: The client's secret.
            type: str
          refresh_token:
            description:
              - A refresh token. If the provider replaces it, the new one is stored before it is used, and is used from
                then on, until another one is declared here.
            type: str
          private_key:
            description: An RSA key in PEM form without a passphrase.
            type: str
          certificate:
            description: The certificate in PEM form that the provider has for the key.
            type: str
          scope:
            description: What to ask for.
            type: str
      tls:
        description: TLS from the start, or by STARTTLS. Nothing is sent without TLS.
        type: str
        choices: [implicit, starttls]
        default: implicit
      ca_path:
        description: A file of PEM certificates to trust instead of the system's authorities.
        type: path
      folder:
        description: The folder where the mails arrive.
        type: str
        default: INBOX
      allowed_senders:
        description:
          - Domains that the sender of the mail must belong to. Where a group sends mails on under its own address, add
            the domain of the group. This trusts all its senders, also with what they forward inline.
          - A mail that is attached to another one counts only where both are from these domains, it is dated after the
            reset, and O(mailbox.authserv_id) has verified who attached it, at another domain than C(salesforce.com).
        type: list
        elements: str
        default: [salesforce.com]
      authserv_id:
        description:
          - The name under which your mail server writes C(Authentication-Results), its first word. When it is given,
            only a mail counts whose sender's domain the server has verified by DMARC or DKIM, so that a forged mail
            is never tried.
          - The server must remove such fields when they come from outside, as RFC 8601 requires. If it writes them
            without a name of its own, they cannot be distinguished from others; then omit this option.
          - Without it these fields prove nothing. A forged mail can then cost two failed logins and stop the rotation
            while the old token is dead, so a warning says so. The run then waits until no mail has come for ten
            seconds, and tries first the mail for which Return-Path, Received and these fields speak. A token that
            does not log in is never stored.
        type: str
      timeout:
        description:
          - After how many seconds without a response to give up. Connecting, and each command, may take four times as
            long in all.
        type: float
        default: 30.0
      on_success:
        description: What to do with the mail once its token is stored.
        type: str
        choices: [keep, flag, move, delete]
        default: keep
      move_to:
        description: The folder for O(mailbox.on_success=move).
        type: str
  mail_timeout:
    description: Seconds to wait for the mail, a day at most. A later one is found by the next run.
    type: float
    default: 300.0
  diagnose_with:
    description:
      - The name of another stored credential of the same org, of a user with the permission Manage Users or Monitor
        Login History, which reads from the org why a login is refused, and whether one more failed login would lock
        the user.
    type: str
  timeout:
    description: After how many seconds without a response to give up a request.
    type: float
    default: 30.0
  source_address:
    description: The local address to connect from.
    type: str
seealso:
  - module: gatehouse.salesforce.credential
  - module: gatehouse.salesforce.login_check
"""

EXAMPLES = r"""
- name: Rotate the token of the billing integration when it is older than three months
  gatehouse.salesforce.security_token:
    name: billing
    max_age: 90d
    mailbox:
      host: imap.acme.example
      username: salesforce@acme.example
      password: "{{ vault_mailbox_password }}"
      authserv_id: mx.acme.example
      on_success: delete

- name: Store a token that someone has received by mail
  gatehouse.salesforce.security_token:
    name: billing
    new_token: "{{ new_security_token }}"

- name: Change the password together with the token, now
  gatehouse.salesforce.security_token:
    name: billing
    method: password
    force: true
    mailbox: "{{ salesforce_mailbox }}"
"""

RETURN = r"""
rotated:
  description: Whether the credential has another token than before; in check mode, whether it would have.
  type: bool
  returned: success
  sample: true
resumed:
  description: Whether an earlier run had left something to be finished.
  type: bool
  returned: success
  sample: false
mailbox:
  description:
    - What was seen in the mailbox, the folder, how many of its latest mails were looked at, and under which names the
      server that received them writes C(Authentication-Results).
    - V(null) where it was not looked at.
  type: dict
  returned: success
  sample: {folder: INBOX, mails: 20, authserv_ids: [mx.acme.example]}
version:
  description: The version of the credential afterwards.
  type: int
  returned: success
  sample: 3
credential:
  description: The credential without its secrets, as M(gatehouse.salesforce.credential) returns it.
  type: dict
  returned: success
  sample:
    name: billing
    auth: security_token
    login_url: https://login.salesforce.com
    username: billing@acme.example
    consumer_key: null
    instance_url: null
    audience: null
    api_version: "64.0"
    ca_path: null
    allowed_hosts: []
    version: 3
    created: "2026-08-20T21:34:05Z"
    updated: "2026-11-25T02:00:12Z"
    verified: "2026-11-25T02:00:12Z"
    secret_since: "2026-11-25T02:00:12Z"
    standby: null
    rotation: null
    secrets: [password, security_token]
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.security_token import SPEC, run
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module

# noqa: E402


def main() -> None:
    """Run the module."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
