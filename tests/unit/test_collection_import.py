# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests import the collection as Ansible does, with pytest-ansible and without it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.processes import ROOT

pytestmark = [pytest.mark.ansible, pytest.mark.every_core]

PROGRAM = """
import sys
{before}
from tests.support.collection import enable_collection_imports
enable_collection_imports()
from ansible_collections.gatehouse.salesforce.plugins.lookup import credential
print(type(credential.__spec__.loader).__name__, "pytest_ansible.units" in sys.modules)
"""


@pytest.mark.parametrize(
    ("before", "used"), [("", True), ("sys.modules['pytest_ansible'] = None", False)], ids=["with it", "without it"]
)
def test_ansibles_importer_loads_the_collection(before: str, used: bool) -> None:
    if used:
        pytest.importorskip("pytest_ansible")
    command = [sys.executable, "-c", PROGRAM.format(before=before)]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert printed == ["_AnsibleCollectionLoader", str(used)]
