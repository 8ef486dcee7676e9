# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build one site of the guides and of the reference of modules, plugins and roles, as HTML: C(make docs).

It is built where it is read and never committed, because all of it is in the sources already and a second copy goes
stale. Anything that antsibull-docs or Sphinx warns of is an error, and so is a link that leads nowhere.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "site"
COLLECTION = "gatehouse.salesforce"
REPOSITORY = "https://github.com/gatehouse-collections/gatehouse.salesforce/blob/main/"

# The pages of Ansible's own documentation that ours may name. A list, so that no build waits for the network.
ANSIBLE = "https://docs.ansible.com/projects/ansible/latest/"
OUTSIDE = {
    "std:label ansible_collections.ansible.builtin.set_fact_module": "collections/ansible/builtin/set_fact_module.html",
    "std:label ansible_collections.ansible.builtin.slurp_module": "collections/ansible/builtin/slurp_module.html",
    "std:label ansible_collections.ansible.builtin.uri_module": "collections/ansible/builtin/uri_module.html",
    "std:label ansible_collections.community.aws.secretsmanager_secret_module": (
        "collections/community/aws/secretsmanager_secret_module.html"
    ),
    "std:label ansible_collections.google.cloud.gcp_secret_manager_module": (
        "collections/google/cloud/gcp_secret_manager_module.html"
    ),
    "std:label action_plugins": "plugins/action.html#action-plugins",
    "std:label ansible_configuration_settings": "reference_appendices/config.html#ansible-configuration-settings",
    "std:label common_return_values": "reference_appendices/common_return_values.html#common-return-values",
    **{
        f"std:envvar ANSIBLE_{name}": f"reference_appendices/config.html#envvar-ANSIBLE_{name}"
        for name in (
            "CACHE_PLUGIN",
            "CACHE_PLUGIN_CONNECTION",
            "CACHE_PLUGIN_PREFIX",
            "CACHE_PLUGIN_TIMEOUT",
            "KEEP_REMOTE_FILES",
        )
    },
}

SPHINX = f"""
project = {COLLECTION!r}
html_title = {COLLECTION!r}
extensions = ["sphinx_antsibull_ext", "sphinx.ext.intersphinx", "myst_parser"]
intersphinx_mapping = {{"ansible": ({ANSIBLE!r}, "ansible.inv")}}
myst_heading_anchors = 4
html_theme = "alabaster"
html_sidebars = {{"**": ["about.html", "searchbox.html", "navigation.html"]}}
html_show_sourcelink = False
html_show_copyright = False
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
nitpicky = True
suppress_warnings = ["misc.highlighting_failure"]
"""
OPTIONS = {"credential", "security_token"}  # in a guide, these words are the options more often than the modules
ANTSIBULL = "add_antsibull_docs_version = false\n"
INDEX = """# gatehouse.salesforce

Who may log in to a Salesforce org, from where, and with what, as code.

```{toctree}
:maxdepth: 1

guides/README
reference/index
guides/words
guides/upgrade
```

```{toctree}
:hidden:
:glob:

guides/*
```
"""


def build() -> Path:
    """Build it, and return its first page; raises CalledProcessError when something is amiss, ValueError for a link."""
    from tests.check import run
    from tests.support.processes import link_collection

    link_collection()
    shutil.rmtree(FOLDER, ignore_errors=True)
    pages = FOLDER / "pages"
    (pages / "reference").mkdir(parents=True, mode=0o755)
    (FOLDER / "conf.py").write_text(SPHINX)
    (FOLDER / "antsibull-docs.cfg").write_text(ANTSIBULL)
    (pages / "ansible.inv").write_bytes(inventory())
    (pages / "index.md").write_text(INDEX)
    generate = ("antsibull-docs", "--config-file", FOLDER / "antsibull-docs.cfg", "collection", "--use-current")
    run(*generate, "--fail-on-error", "--squash-hierarchy", "--dest-dir", pages / "reference", COLLECTION)
    shutil.copytree(ROOT / "docs" / "images", pages / "guides" / "images")
    documented = {path.name.removesuffix("_module.rst") for path in (pages / "reference").glob("*_module.rst")}
    for guide in (ROOT / "docs").glob("*.md"):
        (pages / "guides" / guide.name).write_text(as_page(guide.read_text(), documented))
    run("sphinx-build", "-M", "html", pages, FOLDER, "-c", FOLDER, "-q", "-W", "--keep-going")
    html = FOLDER / "html"
    broken = [f"{page.relative_to(html)}: {link}" for page, link in broken_links(html)]
    if broken:
        raise ValueError("links that lead nowhere: " + ", ".join(broken))
    return html / "index.html"


def as_page(guide: str, modules: set[str]) -> str:
    """Return a guide as a page of the site.

    What is not a guide is linked to in the repository, what is in the reference there, and a drawing that GitHub draws
    stays text.
    """
    text = re.sub(r"\]\(\.\./([^)]*)\)", rf"]({REPOSITORY}\1)", guide).replace("```mermaid", "```text")

    def linked(found: re.Match[str]) -> str:
        return f"[{found[0]}](../reference/{found[1]}_module.rst)" if found[1] in modules - OPTIONS else found[0]

    # Every second part is a block of code.
    parts = re.split(r"(^ *```.*?^ *```$)", text, flags=re.MULTILINE | re.DOTALL)
    parts[::2] = [re.sub(r"(?<!\[)`(?:gatehouse\.salesforce\.)?(\w+)`(?!\])", linked, part) for part in parts[::2]]
    return "".join(parts)


class _Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag links to, and its anchor."""
        given = dict(attrs)
        self.anchors |= {given[name] or "" for name in ("id", "name") if name in given}
        link = given.get({"a": "href", "img": "src", "script": "src", "link": "href"}.get(tag, ""))
        if link:
            self.links.append(link)


def broken_links(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each page of a folder with each of its links that leads nowhere in the folder; others are not followed."""
    pages = {page.resolve(): _Page(page) for page in sorted(folder.rglob("*.html"))}
    for page, found in pages.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            anchor = unquote(parts.fragment)
            if not target.is_file() or (anchor and target in pages and anchor not in pages[target].anchors):
                yield page, link


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
    except ValueError as exc:
        raise SystemExit(str(exc)) from None


if __name__ == "__main__":
    main()
