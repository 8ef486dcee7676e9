# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The site of guides and reference: how a guide becomes a page, and that a dead link is noticed."""

from __future__ import annotations

import re
from pathlib import Path

from tools.reference import REPOSITORY, ROOT, as_page, broken_links

MODULES = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}


def test_a_guide_leads_to_the_reference_and_what_is_no_guide_to_the_repository() -> None:
    guide = "Use `login_check`, not `nothing`. [All](../README.md)\n\n```sh\nansible `login_check`\n```\n"
    assert as_page(guide, MODULES) == (
        "Use [`login_check`](../reference/login_check_module.rst), not `nothing`. "
        f"[All]({REPOSITORY}README.md)\n\n```sh\nansible `login_check`\n```\n"
    )


def test_the_whole_name_of_a_module_leads_there_and_a_link_stays_as_it_is() -> None:
    assert "(../reference/login_check_module.rst)" in as_page("`gatehouse.salesforce.login_check`", MODULES)
    assert as_page("[`login_check`](diagnose.md)", MODULES) == "[`login_check`](diagnose.md)"


def test_a_drawing_that_github_draws_stays_text() -> None:
    assert as_page("```mermaid\na --> b\n```\n", set()) == "```text\na --> b\n```\n"


def test_links_that_lead_nowhere_are_listed_and_those_to_other_sites_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "guides").mkdir()
    (tmp_path / "index.html").write_text(
        '<h1 id="top">x</h1><a href="#top">1</a><a href="guides/a.html#here">2</a><a href="https://nowhere.invalid/">3</a>'
        '<a href="#gone">4</a><a href="guides/b.html">5</a><img src="gone.png">'
    )
    (tmp_path / "guides" / "a.html").write_text('<h2 id="here">y</h2><a href="../index.html#gone">6</a>')
    found = [(page.name, link) for page, link in broken_links(tmp_path)]
    assert found == [
        ("a.html", "../index.html#gone"),
        ("index.html", "#gone"),
        ("index.html", "guides/b.html"),
        ("index.html", "gone.png"),
    ]


def test_the_words_of_the_field_lead_to_a_page() -> None:
    rows = re.findall(r"^\| (.*?) \| .* \| (.*) \|$", (ROOT / "docs" / "words.md").read_text(), re.MULTILINE)
    assert all("](" in page for _word, page in rows[2:])
    words = " ".join(word for word, _page in rows)
    for word in (
        "expiry",
        "purge",
        "prune",
        "blue-green",
        "just-in-time",
        "rotation",
        "drift",
        "allow-list",
        "JWT",
        "ECA",
    ):
        assert word in words
