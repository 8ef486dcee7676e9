# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/formats.md from the table of formats: C(python -m tools.formats_page)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "formats.md"

# Their readers cannot be installed freely; the tests read them by the published grammar.
GRAMMAR_ONLY = ("logstash", "datadirect_jdbc", "datadirect_odbc", "cdata_jdbc", "devart")

INTRODUCTION = f"""# Formats

<!-- Written by tools/formats_page.py from plugins/module_utils/formats; change that and run it again. -->

The filter `app_config` and the role `app_credentials` write a credential in one of these formats. A format that has no
place for what a credential logs in with, or whose reader would take some character for something else, is an error that
names it.

In the tests each is read back by the program or the library that parses it in the application: python-dotenv, node's
dotenv, sh, systemd, docker, kubectl, `java.util.Properties`, Ant, Spring, Airflow, dlt, Django, the Salesforce CLI and
parsers of JSON, YAML, TOML and XML. Airflow, django-salesforce and jsforce also log in to the simulated org. These are
read by their published grammar instead: {", ".join(f"`{name}`" for name in GRAMMAR_ONLY)}.
What the keys are called is proven only where the application itself was the reader; else the last column says where it
is taken from.

*apart* means that password and security token are two values, *joined* that they are one. *flows* are the values of
`auth` whose credentials a format can hold. Any text can be put into something else by a play: into one key of a
Kubernetes Secret, into a secret of Docker or into a key-value server.

"""

DATA_LOADER = """
## Data Loader and its key

Data Loader decrypts the password with a key file on its own machine. The filter gets the content of that file in
Base64, as `ansible.builtin.slurp` returns it. The same credential and key always give the same text, so that nothing
is written when nothing changed.

```yaml
- name: Give Data Loader its credential
  hosts: salesforce_applications
  gather_facts: false
  vars:
    data_loader_key: "{{ lookup('ansible.builtin.password', example_folder ~ '/data-loader-key length=16') }}"
  tasks:
    - name: Write the key
      ansible.builtin.copy:
        content: "{{ data_loader_key }}"
        dest: "{{ example_folder }}/dataLoader.key"
        mode: "0400"
      no_log: true

    - name: Write the configuration that it opens
      ansible.builtin.copy:
        content: "{{ lookup('gatehouse.salesforce.credential', 'billing')
          | gatehouse.salesforce.app_config('dataloader_properties',
            encryption_key=data_loader_key | b64encode,
            encryption_key_file=example_folder ~ '/dataLoader.key') }}"
        dest: "{{ example_folder }}/config.properties"
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
            dest: "{{ example_folder }}/billing-secret.json"
            format: kubernetes
            format_options:
              name: billing-salesforce
```
"""


def page(formats: dict[str, Any]) -> str:
    """The whole page."""
    rows = [
        ("format", "what reads it", "file", "password and token", "flows", "options", "defined by"),
        ("---",) * 7,
        *(
            (
                f"`{known.name}`",
                known.description,
                known.file,
                {True: "joined", False: "apart", None: "none"}[known.composed],
                ", ".join(f"`{flow}`" for flow in known.flows),
                ", ".join(f"`{option}`" for option in known.options),
                known.source,
            )
            for known in formats.values()
        ),
    ]
    return INTRODUCTION + "".join(f"| {' | '.join(row)} |\n" for row in rows) + DATA_LOADER


def main() -> None:
    """Write it."""
    from tests.check import COLLECTIONS, link_collection

    link_collection()
    sys.path.insert(0, str(COLLECTIONS))
    from ansible_collections.gatehouse.salesforce.plugins.module_utils.formats import FORMATS

    PAGE.write_text(page(FORMATS))


if __name__ == "__main__":
    main()
