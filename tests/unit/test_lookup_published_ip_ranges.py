# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What plays get of published ranges: by the plugin's own loader, and by the examples of its documentation."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar, trust_as_template

from ansible_collections.gatehouse.salesforce.plugins.lookup import published_ip_ranges as module
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges import published
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import parse_entries

pytestmark = [pytest.mark.ansible, pytest.mark.every_core]

AWS = {
    "prefixes": [
        {"ip_prefix": "20.0.0.0/25", "region": "eu-central-1", "service": "EC2"},
        {"ip_prefix": "20.0.0.128/25", "region": "eu-central-1", "service": "EC2"},
        {"ip_prefix": "20.0.1.0/24", "region": "us-east-1", "service": "EC2"},
    ],
    "ipv6_prefixes": [{"ipv6_prefix": "2600::/48", "region": "eu-central-1", "service": "EC2"}],
}
GITHUB = {"ssh_keys": ["ssh-ed25519 AAAA"], "hooks": ["2606:50c0::/32"], "actions": ["20.0.2.0/24"]}
AZURE = {
    "values": [
        {"name": "LogicApps.WestEurope", "properties": {"region": "westeurope", "addressPrefixes": ["20.9.0.0/28"]}},
    ]
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A play with documents in its files folder, and publishers that serve AWS and GITHUB."""
    served = {published.PUBLISHERS["aws"]: AWS, published.PUBLISHERS["github"]: GITHUB}
    monkeypatch.setattr(published, "_fetch", lambda url, timeout, ca_path: json.dumps(served[url]).encode())
    (tmp_path / "files").mkdir()
    for name, document in {"github-meta.json": GITHUB, "ServiceTags_Public.json": AZURE}.items():
        (tmp_path / "files" / name).write_text(json.dumps(document))
    return tmp_path


def loader(folder: Path) -> DataLoader:
    data = DataLoader()
    data.set_basedir(str(folder))
    return data


def look_up(folder: Path, *terms: str, **options: Any) -> list[dict[str, str]]:
    """What the lookup gives in a play of that folder, loaded as Ansible does."""
    plugin = lookup_loader.get("gatehouse.salesforce.published_ip_ranges", loader=loader(folder))
    found: list[dict[str, str]] = plugin.run(list(terms), {}, **options)
    return found


def test_ranges_come_collapsed_and_described_in_the_form_that_modules_take(folder: Path) -> None:
    found = look_up(folder, "aws", service="EC2", region="eu-central-1")
    assert found == [
        {"range": "20.0.0.0/24", "description": "aws: EC2, eu-central-1"},
        {"range": "2600::/48", "description": "aws: EC2, eu-central-1"},
    ]
    assert len(parse_entries(found)) == 2


def test_several_documents_are_one_list(folder: Path) -> None:
    assert look_up(folder, "aws", "github-meta.json", family=4) == [
        {"range": "20.0.0.0-20.0.2.255", "description": "aws; github-meta.json"}
    ]


def test_a_file_is_found_in_the_plays_folder_or_by_its_path(folder: Path) -> None:
    expected = [{"range": "20.0.2.0/24", "description": "github-meta.json: actions"}]
    assert look_up(folder, "github-meta.json", service=["actions"]) == expected
    assert look_up(folder, str(folder / "files" / "github-meta.json"), service=["actions"]) == expected


def test_a_document_that_differs_too_much_from_the_pinned_copy_is_refused(folder: Path) -> None:
    assert look_up(folder, "github", pinned="github-meta.json", max_change=0)
    (folder / "files" / "github-meta.json").write_text(json.dumps(GITHUB | {"actions": ["20.0.2.0/25"]}))
    with pytest.raises(AnsibleLookupError, match="published_ip_ranges: github: gained 100% of its IPv4 addresses"):
        look_up(folder, "github", pinned="github-meta.json")
    assert look_up(folder, "github", service="hooks", pinned="github-meta.json")


@pytest.mark.parametrize("name", ["none.json", "github", "https://api.github.com/meta"])
def test_a_pinned_copy_is_a_file_and_must_be_there(folder: Path, name: str) -> None:
    with pytest.raises(AnsibleLookupError, match=f"{name}: cannot be read"):
        look_up(folder, "github", pinned=name)


@pytest.mark.parametrize("option", ["sha256", "pinned"])
def test_what_belongs_to_one_document_is_refused_for_two(folder: Path, option: str) -> None:
    with pytest.raises(AnsibleLookupError, match=f"{option}: belongs to one document, but 2 are read"):
        look_up(folder, "aws", "github", **{option: "x"})


def test_an_unknown_service_is_an_error_that_names_option_and_document(folder: Path) -> None:
    with pytest.raises(AnsibleLookupError, match="service: 'EC3' is not in the document of aws, which has: EC2"):
        look_up(folder, "aws", service="EC3")


def test_no_terms_give_an_empty_list(folder: Path) -> None:
    assert look_up(folder) == []


@pytest.mark.parametrize("task", yaml.safe_load(module.EXAMPLES), ids=lambda task: task["name"])
def test_each_example_of_the_documentation_works(folder: Path, task: dict[str, Any]) -> None:
    checksum = hashlib.sha256((folder / "files" / "ServiceTags_Public.json").read_bytes()).hexdigest()
    templar = Templar(loader=loader(folder), variables={"azure_sha256": checksum})
    (arguments,) = (value for key, value in task.items() if key != "name")
    expression = arguments.get("ranges") or arguments["msg"]
    assert templar.template(trust_as_template(expression))
