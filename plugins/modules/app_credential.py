#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a stored credential into the file of an application."""

from __future__ import annotations

DOCUMENTATION = r"""
module: app_credential
short_description: Write a stored Salesforce credential into an application's configuration file
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Writes one stored credential into one file on the host, for its owner only, whole or not at all, and only when the
    file does not contain it yet.
  - The store records which version each file contains, with an encrypted fingerprint of it, so that
    M(gatehouse.salesforce.credential_info) tells which files do not have the current one.
  - Nothing that it returns or shows is secret, so tasks need no C(no_log). The diff shows versions.
  - The role P(gatehouse.salesforce.app_credentials#role) does this for many files, and restarts only the applications
    whose file has changed.
notes:
  - The credential is read on the controller. The host first gets a fingerprint, and the secret only when its file
    differs, through the standard input of Python, so that nothing but the file itself is ever written. For this
    the task turns on pipelining, so it does not work over a connection without it, nor with
    E(ANSIBLE_KEEP_REMOTE_FILES).
  - A link in place of the file is replaced by a file, never followed. A link in the path of its folder is followed if
    it belongs to root, to the user of the task, or to the owner of the folder that it leads to.
  - The folder may belong to the user of the application. Owner, group, mode, access control list and SELinux context
    are read and set by descriptor, so that nobody can exchange the file while it is written.
extends_documentation_fragment:
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
options:
  credential:
    description: The name of a stored credential.
    type: str
    required: true
  dest:
    description: The absolute path of the file on the host. Its folder must exist.
    type: path
    required: true
  state:
    description:
      - With V(absent) the file is removed, if it still contains what was delivered to it. If somebody else has written
        or changed it, the task fails and leaves it. The credential need not be stored any more.
      - With V(forgotten) nothing is done on the host. The store forgets what was delivered to it, as a host that was
        removed for good would be listed as outdated for ever, and a pair of users not be rotated. Delegate the task to
        the name of the host; it need not be in the inventory any more. O(dest) may then be a target in a service, too,
        such as V(kv://secret/billing).
    type: str
    choices: [present, absent, forgotten]
    default: present
  format:
    description: The format that the application reads, as in P(gatehouse.salesforce.app_config#filter).
    type: str
    default: env
  format_options:
    description:
      - Options of the format, such as C(name), or C(fields) and C(encoder) with O(format=mapping), as in
        P(gatehouse.salesforce.app_config#filter).
    type: dict
    default: {}
  standby:
    description: Whether to write the user on standby of a pair instead of the one in use.
    type: bool
    default: false
  owner:
    description:
      - Who owns the file. By default it stays as it is, and a new one belongs to who runs the task. Where it cannot
        stay, the task fails, as the application could not read the new file.
      - In a folder that others may write, only its owner, root and the user of the task stay owners by default.
    type: str
  group:
    description:
      - The group of the file. By default it stays as it is, as for O(owner).
      - Where somebody else may have put the file into its folder, the task fails instead.
    type: str
  mode:
    description:
      - The permissions of the file, a quoted octal number. Those that would open it to everybody are refused, unless
        it is encrypted.
    type: raw
    default: "0600"
  seuser:
    description: The user of the SELinux context; by default, as for O(setype), that of the old file or the policy's.
    type: str
  serole:
    description: The role of the SELinux context.
    type: str
  setype:
    description: The type of the SELinux context.
    type: str
  selevel:
    description: The level of the SELinux context.
    type: str
  validate:
    description:
      - A command that checks the new file, in place of C(%s), before it replaces the old one. If it fails, so does the
        task, and the old file stays. It is not run by a shell.
      - It must not replace the file. If the folder or one above it can be changed by others, it is given a path below
        C(/proc), which users other than that of the task cannot use.
    type: str
  backup:
    description: Whether to keep the old file beside the new one. It contains a secret that may still work.
    type: bool
    default: false
  encrypt:
    description:
      - Whether the host encrypts the content with C(systemd-creds encrypt), for C(LoadCredentialEncrypted=) of a unit.
        The host needs systemd 250 or newer, and the task C(become).
    type: bool
    default: false
  encrypt_name:
    description: The name of the encrypted credential, which the unit must use. By default, that of the file.
    type: str
  _payload:
    description: What the action on the controller sends to the host. Internal; a task cannot set it.
    type: dict
seealso:
  - plugin: gatehouse.salesforce.app_config
    plugin_type: filter
  - module: gatehouse.salesforce.credential_info
"""

EXAMPLES = r"""
- name: Give the billing application its credential
  gatehouse.salesforce.app_credential:
    credential: billing
    dest: /etc/billing/salesforce.env

- name: Write it for simple-salesforce, and check it before it is used
  gatehouse.salesforce.app_credential:
    credential: billing
    dest: /etc/billing/salesforce.json
    format: json
    validate: "{{ ansible_playbook_python }} -m json.tool %s /dev/null"

- name: Write the names that an application of your own reads
  gatehouse.salesforce.app_credential:
    credential: billing
    dest: /etc/billing/application.env
    format: mapping
    format_options:
      encoder: systemd_env
      fields:
        SF_USER: username
        SF_PASS: login_password

- name: Forget a host that was removed for good
  gatehouse.salesforce.app_credential:
    credential: billing
    dest: /etc/billing/salesforce.env
    state: forgotten
  delegate_to: old-host

- name: Take the first one away again
  gatehouse.salesforce.app_credential:
    credential: billing
    dest: /etc/billing/salesforce.env
    state: absent
"""

RETURN = r"""
consumer:
  description: The name of the host and the file, as in M(gatehouse.salesforce.credential_info).
  type: str
  returned: success
  sample: billing1:/etc/billing/salesforce.env
credential:
  description: The name of the credential.
  type: str
  returned: success
  sample: billing
target:
  description: V(file). The role P(gatehouse.salesforce.app_credentials#role) has other targets, too.
  type: str
  returned: success
  sample: file
dest:
  description: The file.
  type: str
  returned: success
  sample: /etc/billing/salesforce.env
version_before:
  description: The version that the file contained before. V(none) when there was no file, or none that was delivered.
  type: int
  returned: success
  sample: 2
standby:
  description: Whether the file contains the user on standby of a pair.
  type: bool
  returned: success with O(state=present)
  sample: false
fallback:
  description: Whether the credential is one of two users, and the one on standby could be written in place of this one.
  type: bool
  returned: success with O(state=present)
  sample: false
restarted:
  description:
    - V(false) when the application is still to be restarted. For this module it never is, as it restarts nothing; the
      role P(gatehouse.salesforce.app_credentials#role) makes and records restarts.
  type: bool
  returned: success with O(state=present)
  sample: true
version:
  description: The version that the file contains. V(none) with O(state=absent).
  type: int
  returned: success
  sample: 3
backup_file:
  description: Where the old file is kept.
  type: str
  returned: when O(backup) kept one
  sample: /etc/billing/salesforce.env.4711.2026-11-20@08:00:00~
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.host.app_file import (
    FILE,
    PAYLOAD,
    AppFile,
    refusal,
)

# Read on the controller. A host may have a Python that cannot import what describes them there.
STORE = {
    "store": {"type": "str", "default": "~/.local/share/gatehouse/salesforce"},
    "store_key_file": {"type": "path", "no_log": False},
    "store_token": {"type": "str", "no_log": True},
    "store_role_id": {"type": "str"},
    "store_secret_id": {"type": "str", "no_log": True},
    "store_namespace": {"type": "str"},
    "store_ca_path": {"type": "path"},
}


def main() -> None:
    """Run the module."""
    # What the action tells this module. It is no option for users.
    spec = {**FILE, **STORE, PAYLOAD: {"type": "dict", "no_log": True}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    file = AppFile(module)
    try:
        result = file.ensure()
    except OSError as exc:
        module.fail_json(msg=f"{file.dest}: {refusal(exc)}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
