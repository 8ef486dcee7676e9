# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the reference of modules, plugins and roles from their sources, as HTML: C(make docs).

It is built where it is read and never committed, because all of it is in the sources already and a second copy goes
stale. Anything that antsibull-docs or Sphinx warns of is an error, such as a link that leads nowhere.
"""

from __future__ import annotations

import shutil
import subprocess
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "reference"
COLLECTION = "gatehouse.salesforce"

# The pages of Ansible's own documentation that ours may name. A list, so that no build waits for the network.
ANSIBLE = "https://docs.ansible.com/projects/ansible/latest/"
OUTSIDE = {
    "std:label ansible_collections.ansible.builtin.slurp_module": "collections/ansible/builtin/slurp_module.html",
    "std:label ansible_collections.ansible.builtin.uri_module": "collections/ansible/builtin/uri_module.html",
    "std:label action_plugins": "plugins/action.html#action-plugins",
    "std:label ansible_configuration_settings": "reference_appendices/config.html#ansible-configuration-settings",
    "std:label common_return_values": "reference_appendices/common_return_values.html#common-return-values",
    "std:envvar ANSIBLE_KEEP_REMOTE_FILES": "reference_appendices/config.html#envvar-ANSIBLE_KEEP_REMOTE_FILES",
}

SPHINX = f"""
project = {COLLECTION!r}
html_title = {COLLECTION!r}
extensions = ["sphinx_antsibull_ext", "sphinx.ext.intersphinx"]
intersphinx_mapping = {{"ansible": ({ANSIBLE!r}, "ansible.inv")}}
html_theme = "alabaster"
html_show_sourcelink = False
html_show_copyright = False
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
nitpicky = True
"""
ANTSIBULL = "add_antsibull_docs_version = false\n"


def build() -> Path:
    """Build it, and give its first page; raises CalledProcessError when something is amiss."""
    from tests.check import run
    from tests.support.processes import link_collection

    link_collection()
    shutil.rmtree(FOLDER, ignore_errors=True)
    pages = FOLDER / "rst"
    pages.mkdir(parents=True, mode=0o755)
    (FOLDER / "conf.py").write_text(SPHINX)
    (FOLDER / "antsibull-docs.cfg").write_text(ANTSIBULL)
    (pages / "ansible.inv").write_bytes(inventory())
    generate = ("antsibull-docs", "--config-file", FOLDER / "antsibull-docs.cfg", "collection", "--use-current")
    run(*generate, "--fail-on-error", "--squash-hierarchy", "--dest-dir", pages, COLLECTION)
    run("sphinx-build", "-M", "html", pages, FOLDER, "-c", FOLDER, "-q", "-W", "--keep-going")
    return FOLDER / "html" / "index.html"


def inventory() -> bytes:
    """OUTSIDE as Sphinx reads the labels of other sites."""
    lines = "".join(f"{name.split()[1]} {name.split()[0]} -1 {page} -\n" for name, page in OUTSIDE.items())
    head = ("Sphinx inventory version 2", "Project: ansible", "Version:", "The remainder is compressed using zlib.")
    return "".join(f"# {line}\n" for line in head).encode() + zlib.compress(lines.encode())


def main() -> None:
    """Build it and say where it is."""
    try:
        print(build())
    except subprocess.CalledProcessError as exc:
        raise SystemExit(exc.returncode) from None


if __name__ == "__main__":
    main()
