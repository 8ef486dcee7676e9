# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the README work as they stand."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest
import yaml

from tests import simulated_org
from tests.simulated_org import SimulatedOrg
from tests.simulated_org.commands import Commands
from tests.simulated_org.switches import Switches

from .wire import Wire

README = Path(simulated_org.__file__).with_name("README.md").read_text(encoding="utf-8")


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_seed(wire: Wire) -> None:
    (seed,) = map(yaml.safe_load, examples("yaml"))
    wire.commands.reset(seed)
    assert len(wire.commands.org("alpha")["trusted_ranges"]) == 2
    assert wire.login("Alpha-Pass1", username="int@alpha.example", peer="127.0.0.1").ok


def test_the_python_examples(simulated_org_server: SimulatedOrg) -> None:
    for example in examples("python"):
        exec(example, {"control": simulated_org_server.control})
    simulated_org_server.commands.reset()


def test_every_command_that_is_named_exists() -> None:
    table = README.partition("| to | commands |")[2].partition("\n\n")[0]
    (disturb,) = (line for line in table.splitlines() if line.startswith("| disturb"))
    named = set(re.findall(r"`([a-z_]+[a-z])`", table.replace(disturb, ""))) - {"trusted_ranges", "login_ip_ranges"}
    named -= {"trusted_range", "login_ip_range"}
    missing = {name for name in named if not hasattr(Commands, name)}
    assert missing == set()
    assert {"add_org", "advance", "requests"} <= named


def test_the_page_names_switches_and_values_that_there_are() -> None:
    page = Path(simulated_org.__file__).parents[2] / "docs" / "simulated-org.md"
    named = re.findall(
        r"`([a-z_0-9]+)`(?:: ([^|;]+))?", page.read_text(encoding="utf-8").partition("## What is not")[2]
    )
    hints, shown = typing.get_type_hints(Switches), set()
    for name, text in named:
        if name not in hints:
            continue
        shown.add(name)
        allowed = {str(value) for value in typing.get_args(hints[name])}
        values = re.findall(r"`([^`]+)`", text)
        assert not allowed or set(values) <= allowed, name
        if values and text.startswith("`"):
            assert values[0] == str(getattr(Switches(), name)), f"{name}: the default comes first"
    missing = {name for name in re.findall(r"`(eca_[a-z_]+)`", page.read_text(encoding="utf-8")) if name not in hints}
    assert (missing, len(shown) > 30) == (set(), True)


@pytest.mark.parametrize("name", sorted(Switches.__dataclass_fields__))
def test_every_switch_is_read_somewhere(name: str) -> None:
    """A switch that nothing asks would promise an answer that is never played."""
    folder = Path(simulated_org.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py") if path.name != "switches.py")
    assert re.search(rf"(switches|org\.switches)\.{name}\b", code)
