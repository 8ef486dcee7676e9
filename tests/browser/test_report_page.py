# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a report in a real browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.report.document import Report, make_report
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.report.model import read_org
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.report.policy import read_policy
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.report.render import to_html
from tests.browser.chromium import Browser, Page, chromium
from tests.format_readers.install import FOLDER, Absent, once, require
from tests.support.reports import NOW, invent_org, invent_report

HERE = Path(__file__).parent
Open = Callable[..., Page]
HOSTILE = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{7*7}}${7*7}",
    "\u202egnp.exe",
    "__proto__",
)
ROW = "#table tbody tr"


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser; skips the tests where there is none to be had."""
    try:
        with chromium(tmp_path_factory.mktemp("chromium")) as started:
            yield started
    except Absent as exc:
        pytest.skip(f"no browser, NOT TESTED: {exc}")


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that finds what keeps people out."""
    wanted, folder = HERE / "node" / "package.json", FOLDER / "axe"
    try:
        require("npm")
        with once(folder, wanted) as missing:
            if missing:
                shutil.copy2(wanted, folder)
                command = ("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder))
                subprocess.run(command, check=True, capture_output=True)
    except (Absent, subprocess.CalledProcessError) as exc:
        pytest.skip(f"axe cannot be installed, NOT TESTED: {exc}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open a report in the browser."""
    pages: list[Page] = []

    def open_report(report: Report | None = None, *, dark: bool = False) -> Page:
        file = tmp_path / "report.html"
        file.write_text(to_html(report or invent_report(3, 40)))
        pages.append(browser.open(file, dark=dark))
        return pages[-1]

    yield open_report
    for page in pages:
        page.close()


def column(page: Page, number: int) -> list[str]:
    return list(page.texts(f"{ROW} td:nth-child({number})"))


def test_it_opens_without_an_error_and_asks_for_nothing(show: Open) -> None:
    page = show()
    assert page.problems == []
    assert page.texts("h1") == ["Access report"]
    assert len(page.texts(ROW)) > 3 and page.texts("#timeline text") and page.texts("#days rect title, #days g title")
    assert page.run("document.querySelectorAll('#ranges svg').length") == 3


def test_it_may_run_no_script_but_its_own(show: Open) -> None:
    page = show()
    page.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))")
    page.run("document.body.append(Object.assign(new Image(), {src: 'https://acme.example/x.png'}))")
    assert page.run("window.ran") is None
    assert any("Content Security Policy" in problem for problem in page.problems)


def test_rows_are_found_by_org_and_words_and_sorted_by_any_column(show: Open) -> None:
    page = show()
    page.click("#tab-logins")
    assert page.texts("#shown") == ["120 rows, 1 to 100 shown"]
    page.click("#after")
    assert page.texts("#shown") == ["120 rows, 101 to 120 shown"]
    page.fill("#org", "org001")
    assert set(column(page, 1)) == {"org001"} and len(page.texts(ROW)) == 40
    page.fill("#words", "SOAP user3@")
    assert set(zip(column(page, 2), column(page, 5), strict=True)) == {("user3@org001.example", "soap_login")}
    page.fill("#words", "")
    page.click("#table th:nth-child(9) button")
    counts = [int(text) for text in column(page, 9)]
    assert counts == sorted(counts)
    assert page.run("document.querySelector('#table th:nth-child(9)').getAttribute('aria-sort')") == "ascending"
    page.click("#table th:nth-child(9) button")
    assert [int(text) for text in column(page, 9)] == sorted(counts, reverse=True)
    page.click("#table th:nth-child(7) button")
    assert [tuple(map(int, text.split("."))) for text in column(page, 7)] == sorted(
        tuple(map(int, text.split("."))) for text in column(page, 7)
    )
    page.fill("#words", "nothing has this")
    assert page.texts(ROW) == [] and page.texts("#shown") == ["No rows"]
    assert page.problems == []


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_stays_text_wherever_it_is(show: Open, text: str) -> None:
    org = invent_org(text, 0, 3)
    for row in org["access"]["logins"]:
        row.update(username=text, application=text, profile=text)
    org["access"]["trusted_ip_ranges"][0]["description"] = text
    org["access"]["profiles"][0]["profile"] = text
    org["access"]["omitted"] = [{"what": text, "problem": text, "permission": text}]
    org["access"]["range_changes"][0].update(who=text, text=text)
    page = show(make_report(text, [read_org(org, "orgs")], [], read_policy({}), now=NOW))
    assert page.texts("h1") == [text]
    page.fill("#org", text)
    for table in ("findings", "orgs", "ranges", "profiles", "logins", "changes"):
        page.click(f"#tab-{table}")
        assert any(text in cell for cell in page.texts(f"{ROW} td")), table
    assert page.run("document.querySelectorAll('img, script').length") == 2  # its data and its own script
    assert page.problems == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_that_keeps_people_out(show: Open, axe: str, dark: bool) -> None:
    page = show(dark=dark)
    page.run(axe + "; 0")
    tables = page.run("DATA.tables.map((table) => table.name)")
    for table in tables:
        page.click(f"#tab-{table}")
        where = "document" if table == tables[0] else "'#panel'"
        found = json.loads(page.run(f"axe.run({where}).then((done) => JSON.stringify(done.violations))"))
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == [], table


def test_keys_reach_tables_and_what_is_drawn(show: Open) -> None:
    page = show()
    page.run("document.querySelector('#tab-findings').focus()")
    page.press("ArrowRight")
    assert page.run("document.activeElement.id") == "tab-endings"
    assert page.texts("[role=tab][aria-selected=true]")[0].startswith("What breaks when")
    page.run("document.querySelector('#words').focus()")
    page.press("Tab")
    label = page.run("document.activeElement.getAttribute('aria-label')")
    assert label.startswith("20.0.0.0/16; trusted IP ranges: 20.0.0.0/24 (Site 0);") and " logins, " in label
    page.run("document.querySelector('#table th button').focus()")
    page.press("Enter")
    assert page.run("document.querySelector('#table th').getAttribute('aria-sort')") == "ascending"


def test_all_rows_that_are_found_are_printed(show: Open) -> None:
    page = show()
    page.click("#tab-logins")
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert len(page.texts(ROW)) == 120
    page.run("dispatchEvent(new Event('afterprint'))")
    assert len(page.texts(ROW)) == 100
    assert page.printed().startswith(b"%PDF")


def test_500_orgs_and_50000_logins_can_be_used(show: Open) -> None:
    page = show(invent_report(499, 101))
    page.click("#tab-logins")
    assert page.texts("#shown") == ["50,399 rows, 1 to 100 shown"]
    page.fill("#words", "org217 soap_login")
    assert set(column(page, 1)) == {"org217"}
    page.fill("#words", "")
    page.click("#table th:nth-child(2) button")
    assert len(page.texts(ROW)) == 100
    page.fill("#org", "org400")
    assert page.texts("#ranges h3") == ["org400"]
    assert page.problems == []
