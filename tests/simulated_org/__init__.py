# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated Salesforce: several orgs behind one HTTPS server, for tests, the demo and benchmarks."""

from __future__ import annotations

from .clock import Clock
from .control import Control, ControlError
from .org import Login, SimulatedOrg

__all__ = ["Clock", "Control", "ControlError", "Login", "SimulatedOrg"]
