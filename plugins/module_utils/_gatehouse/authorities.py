# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the certificate authorities that the environment names in place of the usual ones."""

from __future__ import annotations

import os

# Where other clients look for the authorities of a company, in their order.
AUTHORITY_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def environment_authorities() -> tuple[str, str] | None:
    """Return the variable of the environment that names a file of authorities, and the file; None where none does."""
    for variable in AUTHORITY_VARIABLES:
        file = os.environ.get(variable)
        if file:
            return variable, file
    return None
