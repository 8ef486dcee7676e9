# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application as one finds them: simple-salesforce, and its credential in the environment."""

from __future__ import annotations

import os

from simple_salesforce import Salesforce, SalesforceLogin, format_soql

username = os.environ["SALESFORCE_USERNAME"]
session_id, instance = SalesforceLogin(
    username=username,
    password=os.environ["SALESFORCE_PASSWORD"],
    security_token=os.environ.get("SALESFORCE_SECURITY_TOKEN", ""),
    scratch_url=f"https://{os.environ['SALESFORCE_HOST']}",
    sf_version=os.environ["SALESFORCE_API_VERSION"],
)
org = Salesforce(session_id=session_id, instance=instance)
user = org.query(format_soql("SELECT Name FROM User WHERE Username = {}", username))["records"][0]
company = org.query("SELECT Name FROM Organization")["records"][0]
print(f"logged in as {user['Name']} <{username}> to the org {company['Name']}")
