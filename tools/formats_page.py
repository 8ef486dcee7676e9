# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what lists the formats, out of their table, into docs and role: C(python -m tools.formats_page)."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "formats.md"
SPECS = ROOT / "roles" / "app_credentials" / "meta" / "argument_specs.yml"

INTRODUCTION = """# Formats

<!-- Written by tools/formats_page.py from plugins/module_utils/_gatehouse/formats; change that and run it again. -->

The filter `app_config` and the role `app_credentials` write a credential in one of these formats. If a format has no
field for a secret, or its reader would misread a character, rendering fails and the error names the field or the
character.

## By application

FAMILIES
## All formats

The tests read each format back, with passwords of every printable character and many others, by the program or library
in the column *read by*. If that is the application or a part of it, this proves the names of its keys too; otherwise
they follow the source in the last column. If no reader can be installed freely, a parser in the tests reads it, which
follows the published *grammar*. Airflow, django-salesforce, jsforce and simple-salesforce also log in to the simulated
org.

*apart* means that password and security token are two values, *joined* that they are one. *flows* are the values of
`auth` whose credentials a format can express. A playbook can store the rendered text anywhere: in a key of a Kubernetes
Secret, a Docker secret or a key-value server.

"""

DATA_LOADER = """
## Data Loader and its key

Data Loader decrypts the password with a key file on its own machine. Pass the content of that file to the
filter in Base64, as `ansible.builtin.slurp` returns it. The same credential and key always give the same text, so that
nothing is written when nothing changed. Characters beyond ASCII in a password are UTF-8, as Data Loader reads them on
any system with Java 18 or newer; with an older Java on Windows, use ASCII only.

```yaml
- name: Deliver a credential to Data Loader
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

In the role, options of the format are `format_options`:

```yaml
- name: Write a manifest for a cluster
  hosts: salesforce_applications
  gather_facts: false
  roles:
    - role: gatehouse.salesforce.app_credentials
      vars:
        app_credentials_targets:
          - credential: billing
            dest: /etc/billing/secret.json
            format: kubernetes
            format_options:
              name: billing-salesforce
```
"""


MAPPING = """
## Names of your own

If there is no format for your application, `mapping` writes its own names: `fields` maps each name to a field of the
credential, `encoder` selects the notation, and `constants` adds names with the same value for every credential.

```yaml
- name: Write the names that an application reads
  hosts: salesforce_applications
  gather_facts: false
  roles:
    - role: gatehouse.salesforce.app_credentials
      vars:
        app_credentials_targets:
          - credential: billing
            dest: /etc/billing/salesforce.env
            format: mapping
            format_options:
              encoder: env
              fields:
                SF_USER: username
                SF_PASS: login_password
              constants:
                SF_TIMEOUT: 30
```

A value that the reader would misread is an error, and a secret that the credential does not log in with is not written.
Fields of the credential:

"""


def password(known: Any) -> str:
    """Say whether password and security token are apart in a format, or joined."""
    used = {field for fields in known.by_flow.values() for field in fields.values()}
    if not used:
        return "as named"
    return "apart" if "password" in used else "joined" if "login_password" in used else "none"


def table(*rows: tuple[str, ...]) -> str:
    """Write a table in Markdown; the first row is its head."""
    head, *body = rows
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ("---",) * len(head), *body))


def page(formats: Any, readers: Iterable[tuple[str, str]]) -> str:
    """Return the whole page.

    Args:
        formats: the package.
        readers: pairs of a format and of what reads it in the tests.
    """
    readers = sorted(readers, key=lambda pair: pair[1].lower())
    rows = [("format", "what it is for", "file", "password and token", "flows", "options", "read by", "defined by")]
    for name, known in formats.FORMATS.items():
        purpose, file, source = known.about.split(" | ")
        programs = ", ".join(program for read, program in readers if read == name)
        rows.append(
            (
                f"`{name}`",
                purpose,
                file,
                password(known),
                _listed(known.flows),
                _listed(known.options),
                programs,
                source,
            )
        )
    fields = [("field", "what it is"), *((f"`{field}`", what) for field, what in formats.MAPPABLE_FIELDS.items())]
    encoders = f"\nEncoders, which quote as the format of the same name: {_listed(formats.ENCODERS)}.\n"
    families = [("for", "formats"), *((purpose, _listed(family)) for purpose, family in formats.FAMILIES.items())]
    return (
        INTRODUCTION.replace("FAMILIES", table(*families))
        + table(*rows)
        + MAPPING
        + table(*fields)
        + encoders
        + DATA_LOADER
    )


def specs(formats: Any, text: str) -> str:
    """Return the argument specs of the role with its list of formats."""
    choices = "".join(f"              - {name}\n" for name in formats.FORMATS)
    start = "#filter).\n            type: str\n            choices:\n"
    return _between(text, start, choices, "            default: env\n")


def _between(text: str, start: str, middle: str, end: str) -> str:
    """Replace what stands between two texts."""
    before, _start, rest = text.partition(start)
    _old, _end, after = rest.partition(end)
    return before + start + middle + end + after


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main() -> None:
    """Write both."""
    from tests.support.processes import COLLECTIONS, link_collection

    link_collection()
    sys.path.insert(0, str(COLLECTIONS))
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse import formats
    from tests.format_readers.test_readers import BY_COMMAND, PARSERS
    from tests.unit.test_formats_light_readers import READERS

    PAGE.write_text(page(formats, {*READERS, *PARSERS, *BY_COMMAND}))
    SPECS.write_text(specs(formats, SPECS.read_text()))


if __name__ == "__main__":
    main()
