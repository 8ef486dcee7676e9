# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Import the collection under its real name, as Ansible does."""

from __future__ import annotations

import os
import sys

from tests.support.processes import COLLECTIONS, ROOT, link_collection


def enable_collection_imports() -> None:
    """Let this process, and its child processes, import the collection by Ansible's own importer.

    pytest-ansible does that, which reaches the end of its life in December 2026; without it the same is done here.
    """
    link_collection()
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)
    sys.path.insert(0, str(COLLECTIONS))
    sys.path.insert(0, str(ROOT))
    try:
        from pytest_ansible.units import acf_inject
    except ImportError:
        from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

        _AnsibleCollectionFinder(paths=[str(COLLECTIONS)])._install()
    else:
        acf_inject(paths=[str(COLLECTIONS)])
