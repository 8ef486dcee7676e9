# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/formats.md from the table of formats: C(python -m tools.formats_page)."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "formats.md"

INTRODUCTION = """# Formats

<!-- Written by tools/formats_page.py from plugins/module_utils/formats; change that and run it again. -->

The filter `app_config` and the role `app_credentials` write a credential in one of these formats. A format that has no
place for what a credential logs in with, or whose reader would take some character for something else, is an error that
names it.

The tests read each back, with passwords of every printable character and many others, by the program or library in the
column *read by*. Where that is the application, or a part of it, the names of its keys are proven too; else they are as
the last column says. Where no reader can be installed freely, only a parser in the tests, which follows the published
*grammar*, has read it. Airflow, django-salesforce, jsforce and simple-salesforce also log in to the simulated org.

*apart* means that password and security token are two values, *joined* that they are one. *flows* are the values of
`auth` whose credentials a format can hold. Any text can be put into something else by a play: into one key of a
Kubernetes Secret, into a secret of Docker or into a key-value server.

"""

DATA_LOADER = """
## Data Loader and its key

Data Loader decrypts the password with a key file on its own machine. The filter gets the content of that file in
Base64, as `ansible.builtin.slurp` returns it. The same credential and key always give the same text, so that nothing
is written when nothing changed. What is beyond ASCII in a password is UTF-8, as Data Loader reads it on any system with
Java 18 or newer; with an older Java on Windows, keep the password to ASCII.

```yaml
- name: Give Data Loader its credential
  hosts: salesforce_applications
  gather_facts: false
  vars:
    data_loader_key: "{{ lookup('ansible.builtin.password', '/etc/reports/data-loader-key length=16') }}"
  tasks:
    - name: Write the key
      ansible.builtin.copy:
        content: "{{ data_loader_key }}"
        dest: /etc/reports/dataLoader.key
        mode: "0400"
      no_log: true

    - name: Write the configuration that it opens
      ansible.builtin.copy:
        content: "{{ lookup('gatehouse.salesforce.credential', 'billing')
          | gatehouse.salesforce.app_config('dataloader_properties',
            encryption_key=data_loader_key | b64encode,
            encryption_key_file='/etc/reports/dataLoader.key') }}"
        dest: /etc/reports/config.properties
        mode: "0600"
      no_log: true
```

## Options in the role

The role takes what the format needs as `format_options`:

```yaml
- name: Give a cluster the credential
  hosts: salesforce_applications
  gather_facts: false
  roles:
    - role: gatehouse.salesforce.app_credentials
      vars:
        app_credentials_files:
          - credential: billing
            dest: /etc/billing/secret.json
            format: kubernetes
            format_options:
              name: billing-salesforce
```
"""


def page(formats: dict[str, Any], readers: Iterable[tuple[str, str]]) -> str:
    """The whole page.

    Args:
        readers: pairs of a format and of what reads it in the tests.
    """
    rows = [
        ("format", "what it is for", "file", "password and token", "flows", "options", "read by", "defined by"),
        ("---",) * 8,
        *(
            (
                f"`{known.name}`",
                known.description,
                known.file,
                {True: "joined", False: "apart", None: "none"}[known.composed],
                ", ".join(f"`{flow}`" for flow in known.flows),
                ", ".join(f"`{option}`" for option in known.options),
                ", ".join(sorted((program for name, program in readers if name == known.name), key=str.lower)),
                known.source,
            )
            for known in formats.values()
        ),
    ]
    return INTRODUCTION + "".join(f"| {' | '.join(row)} |\n" for row in rows) + DATA_LOADER


def main() -> None:
    """Write it."""
    from tests.support.processes import COLLECTIONS, link_collection

    link_collection()
    sys.path.insert(0, str(COLLECTIONS))
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.formats import FORMATS
    from tests.format_readers.test_readers import BY_COMMAND, PARSERS
    from tests.unit.test_formats_light_readers import READERS

    PAGE.write_text(page(FORMATS, {*READERS, *PARSERS, *BY_COMMAND}))


if __name__ == "__main__":
    main()
