# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which characters a text may have. Pure."""

from __future__ import annotations

import re

# What XML 1.0 has no way to write.
NOT_XML_CHAR = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A token as a header takes it; Salesforce's own are letters, digits, ! . and _.
HEADER_VALUE = re.compile(r"[!-~]+")
