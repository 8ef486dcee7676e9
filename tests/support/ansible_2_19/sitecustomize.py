# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have ansible-core 2.19 accept the keyword validate_argspec of plays, which it does not know, and ignore it.

Python imports this file at its start, where it is on the path: see ansible_environment().
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from typing import Any


class _Finder(importlib.abc.MetaPathFinder):
    """Adds the keyword once Ansible has defined what a play is."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """Let the next finder load the module of plays, and change it then."""
        if name != "ansible.playbook.play":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            load = spec.loader.exec_module

            def load_and_add(module: Any) -> None:
                load(module)
                keyword = module.NonInheritableFieldAttribute(isa="string")
                keyword.__set_name__(module.Play, "validate_argspec")
                module.Play.validate_argspec = keyword

            spec.loader.exec_module = load_and_add  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, _Finder())
