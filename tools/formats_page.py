# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what lists the formats, out of their table, into docs, README and role: C(python -m tools.formats_page)."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "formats.md"
README = ROOT / "README.md"
SPECS = ROOT / "roles" / "app_credentials" / "meta" / "argument_specs.yml"

INTRODUCTION = """# Formats

<!-- Written by tools/formats_page.py from plugins/module_utils/_gatehouse/formats; change that and run it again. -->

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


MAPPING = """
## Names of your own

If no format knows your application, `mapping` writes its names: `fields` says what stands under each, `encoder` how
they are written, and `constants` adds names whose values are the same for every credential.

```yaml
- name: Give an application the names that it reads
  hosts: salesforce_applications
  gather_facts: false
  roles:
    - role: gatehouse.salesforce.app_credentials
      vars:
        app_credentials_files:
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

Nothing is written that the reader would take for something else, and no secret that the credential does not log in
with. Fields of the credential:

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
    return INTRODUCTION + table(*rows) + MAPPING + table(*fields) + encoders + DATA_LOADER


def readme(formats: Any, text: str) -> str:
    """Return the README with its table of formats."""
    rows = [("for", "formats"), *((purpose, _listed(family)) for purpose, family in formats.FAMILIES.items())]
    return _between(text, "## Formats\n\n", table(*rows).replace("| --- | --- |", "|---|---|"), "\n[What each")


def specs(formats: Any, text: str) -> str:
    """Return the argument specs of the role with its list of formats."""
    choices = "".join(f"              - {name}\n" for name in formats.FORMATS)
    return _between(text, "            choices:\n", choices, "            default: env\n")


def _between(text: str, start: str, middle: str, end: str) -> str:
    """Replace what stands between two texts."""
    before, _start, rest = text.partition(start)
    _old, _end, after = rest.partition(end)
    return before + start + middle + end + after


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main() -> None:
    """Write all three."""
    from tests.support.processes import COLLECTIONS, link_collection

    link_collection()
    sys.path.insert(0, str(COLLECTIONS))
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse import formats
    from tests.format_readers.test_readers import BY_COMMAND, PARSERS
    from tests.unit.test_formats_light_readers import READERS

    PAGE.write_text(page(formats, {*READERS, *PARSERS, *BY_COMMAND}))
    README.write_text(readme(formats, README.read_text()))
    SPECS.write_text(specs(formats, SPECS.read_text()))


if __name__ == "__main__":
    main()
