# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions that secrets have in the secret managers of AWS and Google."""

from __future__ import annotations

DOCUMENTATION = r"""
name: secret_version
short_description: Read which version of a secret AWS or Google has, without the secret
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Returns the version that applications are given now, in one request that returns no value. The modules of
    C(community.aws) and C(google.cloud) tell the version only after they have read the value.
  - The role P(gatehouse.salesforce.app_credentials#role) reads by it whether somebody else has changed a secret.
options:
  _terms:
    description: The names of the secrets.
    type: list
    elements: str
    required: true
  manager:
    description: Which secret manager.
    type: str
    choices: [aws_secrets_manager, google_secret_manager]
    required: true
  options:
    description:
      - How to reach it, by the names that the options of the modules have. Others are ignored.
      - For AWS C(region), C(profile), C(access_key), C(secret_key), C(session_token), C(endpoint_url),
        C(validate_certs) and C(aws_ca_bundle). What is left out, boto3 takes from the environment and from the files of
        the AWS CLI.
      - For Google C(project), C(location), and how to log in with C(auth_kind) and what it needs,
        C(service_account_file), C(service_account_contents), C(service_account_email) or C(access_token), or with
        variables such as E(GCP_PROJECT) in the environment.
    type: dict
    default: {}
  resource_policy:
    description:
      - Whether to read the resource policy of AWS too, in a second request. M(community.aws.secretsmanager_secret)
        removes the one that it is not given.
    type: bool
    default: false
notes:
  - The library is needed by the Python that runs Ansible.
requirements:
  - boto3, for AWS
  - google-auth and requests, for Google
seealso:
  - module: community.aws.secretsmanager_secret
  - module: google.cloud.gcp_secret_manager
"""

EXAMPLES = r"""
- name: Show which version the application has
  ansible.builtin.debug:
    msg: "{{ lookup('gatehouse.salesforce.secret_version', 'billing/salesforce', manager='aws_secrets_manager',
      options={'region': 'eu-central-1'}).version }}"
"""

RETURN = r"""
_raw:
  description: What is there, in the order of the names.
  type: list
  elements: dict
  contains:
    version:
      description:
        - The version, as the service names it. It is empty where there is no such secret, it is to be deleted, or its
          newest version is disabled.
      type: str
      sample: 6b0f1c0e-8f7f-4f4e-9b53-4ad0a5c3e7c1
    resource_policy:
      description: The resource policy, as JSON; empty where there is none, or it was not asked for.
      type: str
      sample: ""
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.lookup import LookupBase

TIMEOUT = 20
OF_GOOGLE = (
    "project",
    "location",
    "auth_kind",
    "service_account_file",
    "service_account_contents",
    "service_account_email",
    "access_token",
)
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


class LookupModule(LookupBase):
    """Reads which version secrets have."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, str]]:
        """Return what each secret has; raises AnsibleLookupError."""
        self.set_options(var_options=variables, direct=kwargs)
        found = []
        for name in terms:
            try:
                if self.get_option("manager") == "aws_secrets_manager":
                    found.append(_on_aws(name, self.get_option("options"), policy=self.get_option("resource_policy")))
                else:
                    found.append(_on_google(name, self.get_option("options")))
            except ImportError as exc:
                raise AnsibleLookupError(
                    f"secret_version: {to_text(exc)}; the documentation says what to install"
                ) from exc
        return found


def _on_aws(name: str, options: Mapping[str, Any], *, policy: bool) -> dict[str, str]:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    session = boto3.session.Session(
        profile_name=options.get("profile"),
        region_name=options.get("region"),
        aws_access_key_id=options.get("access_key"),
        aws_secret_access_key=options.get("secret_key"),
        aws_session_token=options.get("session_token"),
    )
    try:
        client = session.client(
            "secretsmanager",
            endpoint_url=options.get("endpoint_url"),
            verify=options.get("aws_ca_bundle") if options.get("validate_certs", True) else False,
            config=Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"total_max_attempts": 2}),
        )
        described = client.describe_secret(SecretId=name)
        if described.get("RotationEnabled"):
            raise AnsibleLookupError(f"{name} is rotated by AWS itself, which would replace what is written to it")
        attached = client.get_resource_policy(SecretId=name).get("ResourcePolicy") if policy else None
    except ClientError as exc:
        if exc.response["Error"]["Code"] == "ResourceNotFoundException":
            return {"version": "", "resource_policy": ""}
        raise AnsibleLookupError(f"AWS does not say which version {name} has: {to_text(exc)}") from exc
    except BotoCoreError as exc:
        raise AnsibleLookupError(f"AWS does not say which version {name} has: {to_text(exc)}") from exc
    stages = {} if described.get("DeletedDate") else described.get("VersionIdsToStages", {})
    current = [version for version, names in stages.items() if "AWSCURRENT" in names]
    return {"version": current[0] if current else "", "resource_policy": attached or ""}


def _on_google(name: str, given: Mapping[str, Any]) -> dict[str, str]:
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession
    from requests import RequestException

    # As the modules do, from options and then from the environment.
    options = {option: given.get(option) or os.environ.get(f"GCP_{option.upper()}") for option in OF_GOOGLE}
    location, project = options["location"], options["project"]
    host = f"secretmanager.{location}.rep.googleapis.com" if location else "secretmanager.googleapis.com"
    place = f"projects/{project}/locations/{location}" if location else f"projects/{project}"
    try:
        with AuthorizedSession(_google_login(options)) as session:
            url = f"https://{host}/v1/{place}/secrets/{name}/versions/latest"
            answer = session.get(url, timeout=TIMEOUT, allow_redirects=False)
        if answer.status_code == 404:
            return {"version": "", "resource_policy": ""}
        answer.raise_for_status()
        latest = answer.json()
        version = latest["name"].rpartition("/")[2] if latest["state"] == "ENABLED" else ""
    except (GoogleAuthError, RequestException, OSError, KeyError, TypeError, ValueError) as exc:
        raise AnsibleLookupError(f"Google does not say which version {name} has: {to_text(exc)}") from exc
    return {"version": version, "resource_policy": ""}


def _google_login(options: Mapping[str, Any]) -> Any:
    """Return the credentials that the modules of google.cloud would use."""
    import google.auth
    from google.auth import compute_engine
    from google.oauth2 import credentials, service_account

    kind = options["auth_kind"]
    if kind == "accesstoken":
        return credentials.Credentials(options["access_token"])
    if kind == "machineaccount":
        return compute_engine.Credentials(options["service_account_email"] or "default")
    if kind != "serviceaccount":
        return google.auth.default(scopes=_SCOPES)[0]
    contents = options["service_account_contents"]
    if contents:
        given = json.loads(contents) if isinstance(contents, str) else dict(contents)
        return service_account.Credentials.from_service_account_info(given, scopes=_SCOPES)
    return service_account.Credentials.from_service_account_file(options["service_account_file"], scopes=_SCOPES)
