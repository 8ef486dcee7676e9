# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What providers publish: how it is fetched, read, filtered and doubted."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges import published
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.collapse import collapse
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import IpRange, parse_range
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.published import (
    FeedError,
    Prefix,
    check_change,
    parse,
    select_prefixes,
)
from tests.simulated_org import ca


def blocks(number: int, *, start: str = "20.0.0.0", bits: int = 24, gap: int = 2) -> list[str]:
    """So many prefixes, none of which touch."""
    first, size = int(ipaddress.ip_address(start)), 2 ** ((32 if "." in start else 128) - bits)
    make: Any = ipaddress.IPv4Address if "." in start else ipaddress.IPv6Address
    return [f"{make(first + gap * size * place)}/{bits}" for place in range(number)]


V6: dict[str, Any] = {"start": "2600:1f00::", "bits": 48}
REGIONS = ["eu-central-1", "eu-west-1", "us-east-1"]


# The documents as their publishers shape them, at their real size.
def aws() -> dict[str, Any]:
    """Every prefix of EC2 appears twice, as AMAZON too."""
    prefixes, prefixes6 = blocks(4500), blocks(1500, **V6)

    def entry(key: str, text: str, place: int, service: str) -> dict[str, str]:
        region = REGIONS[place % 3]
        return {key: text, "region": region, "service": service, "network_border_group": region}

    return {
        "syncToken": "1763985600",
        "createDate": "2026-11-24-12-00-00",
        "prefixes": [
            entry("ip_prefix", text, place, service)
            for service in ("AMAZON", "EC2")
            for place, text in enumerate(prefixes)
        ],
        "ipv6_prefixes": [entry("ipv6_prefix", text, place, "AMAZON") for place, text in enumerate(prefixes6)],
    }


def google() -> dict[str, Any]:
    return {
        "syncToken": "1763985600000",
        "creationTime": "2026-11-24T12:00:00",
        "prefixes": [
            *({"ipv4Prefix": text, "service": "Google Cloud", "scope": "europe-west3"} for text in blocks(700)),
            *({"ipv6Prefix": text, "service": "Google Cloud", "scope": "us-east4"} for text in blocks(100, **V6)),
        ],
    }


def salesforce() -> dict[str, Any]:
    return {
        "syncToken": "1763985600",
        "createDate": "2026-07-06-00-00-00",
        "prefixes": [
            {"provider": "aws", "region": "eu-central-1", "ip_prefix": ["20.0.0.0/23", "20.0.4.0/24"]},
            {"provider": "gcp", "region": "us-central1", "ip_prefix": ["20.0.8.0/24"]},
        ],
        "ipv6_prefixes": [{"provider": "aws", "region": "eu-central-1", "ipv6_prefix": ["2600:1f00::/48"]}],
    }


def azure() -> dict[str, Any]:
    """The largest: 3,000 tags, 92,000 prefixes, most of them several times."""

    def tag(name: str, region: str, texts: list[str]) -> dict[str, Any]:
        properties = {"changeNumber": 1, "region": region, "regionId": 1, "platform": "Azure", "systemService": name}
        return {
            "name": name,
            "id": name,
            "properties": {**properties, "addressPrefixes": texts, "networkFeatures": None},
        }

    everywhere = blocks(3000, bits=28)
    return {
        "changeNumber": 400,
        "cloud": "Public",
        "values": [
            tag("AzureCloud", "", everywhere + blocks(20, **V6)),
            tag("AzureFrontDoor.Frontend", "", everywhere[:10]),
            tag("AzureFrontDoor.Backend", "", everywhere[10:20]),
            *(tag(f"Service{place}.WestEurope", "westeurope", everywhere[place : place + 30]) for place in range(2970)),
        ],
    }


def oracle() -> dict[str, Any]:
    return {
        "last_updated_timestamp": "2026-11-24T12:00:00.000000",
        "regions": [
            {"region": "eu-frankfurt-1", "cidrs": [{"cidr": text, "tags": ["OCI"]} for text in blocks(600)]},
            {"region": "us-ashburn-1", "cidrs": [{"cidr": "21.0.0.0/24", "tags": ["OSN", "OBJECT_STORAGE"]}]},
        ],
    }


def github() -> dict[str, Any]:
    return {
        "verifiable_password_authentication": False,
        "ssh_key_fingerprints": {"SHA256_RSA": "uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s"},
        "ssh_keys": ["ssh-ed25519 AAAA"],
        "hooks": ["192.30.252.0/22", "2606:50c0::/32"],
        "actions": blocks(6500, bits=26),
        "actions_macos": ["21.0.0.0/29"],
        "domains": {"website": ["*.github.com"], "actions_inbound": {"full_domains": ["github.com"]}},
    }


def cloudflare() -> dict[str, Any]:
    result = {"ipv4_cidrs": blocks(15), "ipv6_cidrs": ["2400:cb00::/32"], "etag": "38f79d050aa027e3be3865e495dcc9bc"}
    return {"result": result, "success": True, "errors": [], "messages": []}


def read(document: dict[str, Any], **filters: Any) -> list[str]:
    return [str(item) for item in select_prefixes(parse(json.dumps(document).encode(), "feed"), "feed", **filters)]


class TestShapes:
    """Each publisher's document, recognised by its shape."""

    @pytest.mark.parametrize(
        ("document", "number"),
        [
            (aws, 10_500),
            (google, 800),
            (salesforce, 4),
            (azure, 3000 + 20 + 20 + 2970 * 30),
            (oracle, 601),
            (github, 6503),
            (cloudflare, 16),
        ],
    )
    def test_every_prefix_of_a_document_of_real_size_is_read(self, document: Any, number: int) -> None:
        content = json.dumps(document()).encode()
        prefixes = parse(content, "feed")
        assert len(prefixes) == number
        assert select_prefixes(prefixes, "feed", family=4)

    def test_a_byte_order_mark_is_no_part_of_a_document(self) -> None:
        assert parse(b"\xef\xbb\xbf20.0.0.0/24", "ips-v4") == [Prefix("20.0.0.0/24")]

    def test_comments_and_blank_lines_of_a_plain_list_count_for_nothing(self) -> None:
        assert parse(b"# Office\n20.0.0.0/24 # first\n\n21.0.0.0/24\n", "feed") == [
            Prefix("20.0.0.0/24"),
            Prefix("21.0.0.0/24"),
        ]

    def test_an_entry_of_aws_with_both_families_is_two_prefixes(self) -> None:
        entry = {"ip_prefix": "20.0.0.0/24", "ipv6_prefix": "2a00::/48", "service": "EC2", "region": "eu-central-1"}
        found = parse(json.dumps({"prefixes": [entry]}).encode(), "aws")
        assert found == [Prefix(text, ("EC2",), "eu-central-1") for text in ("20.0.0.0/24", "2a00::/48")]

    def test_cloudflares_plain_lists(self) -> None:
        assert parse(b"173.245.48.0/20\n103.21.244.0/22\n", "ips-v4") == [
            Prefix("173.245.48.0/20"),
            Prefix("103.21.244.0/22"),
        ]

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (b"{", "is not a JSON document"),
            (b"\xff\xfe{", "is not UTF-8 but probably UTF-16; convert it: iconv -f UTF-16 -t UTF-8"),
            ('{"prefixes": []}'.encode("utf-16-be"), "is not UTF-8 but probably UTF-16"),
            (gzip.compress(b"20.0.0.0/24", mtime=0), "is compressed by gzip; decompress it first"),
            (b"\n<!DOCTYPE html><title>Log in</title>", "is an HTML or XML page"),
            (b'[{"ip_prefix": "20.0.0.0/24"}]', "is a JSON list, a part of a document such as jq writes"),
            (b'"20.0.0.0/24"\n"21.0.0.0/24"', "has prefixes in quotes, as jq writes them; write them without: jq -r"),
            (b"", "is empty"),
            (b"\xef\xbb\xbf \n", "is empty"),
            (b"\xe4{", "is not a JSON document"),
            (b'{"a":' * 100_000, "is not a JSON document"),
            (b'{"message": "API rate limit exceeded"}', "is not a document of aws, "),
            (b'{"prefixes": [{"region": "x"}]}', "has not the shape"),
            (b'{"prefixes": 5}', "has not the shape"),
            (b'{"prefixes": [{"ip_prefix": [5]}]}', "has not the shape"),
            (b'{"values": [{"name": "A"}]}', "has not the shape"),
            (b'{"result": null}', "has not the shape"),
        ],
    )
    def test_what_is_no_such_document_is_refused(self, content: bytes, problem: str) -> None:
        with pytest.raises(FeedError, match=f"^feed: {problem}"):
            parse(content, "feed")

    @pytest.mark.parametrize("text", ["20.0.0.1/24", "<!DOCTYPE", "20.0.0.0/33", "::/0"])
    def test_one_prefix_that_cannot_be_read_refuses_the_document(self, text: str) -> None:
        with pytest.raises(FeedError, match=f"feed: '{text}' is not a usable prefix"):
            select_prefixes([Prefix("21.0.0.0/24"), Prefix(text)], "feed")


class TestFilters:
    """Services, regions, families."""

    def test_a_service_in_a_region_whatever_the_case(self) -> None:
        assert len(read(aws(), services=["ec2"], regions=["EU-central-1"])) == 1500
        assert len(read(aws(), services=["EC2"], regions=["eu-central-1", "eu-west-1"])) == 3000

    def test_a_family(self) -> None:
        assert len(read(aws(), services=["AMAZON"], family=6)) == 1500
        assert read(salesforce(), family=6) == ["2600:1f00::/48"]

    def test_what_each_publisher_calls_a_service(self) -> None:
        assert read(salesforce(), services=["gcp"]) == ["20.0.8.0/24"]
        assert read(oracle(), services=["object_storage"]) == ["21.0.0.0/24"]
        assert read(github(), services=["hooks"]) == ["192.30.252.0/22", "2606:50c0::/32"]
        assert len(read(google(), services=["Google Cloud"], regions=["us-east4"])) == 100
        assert len(read(azure(), services=["AzureFrontDoor.Backend"])) == 10
        assert len(read(azure(), services=["AzureFrontDoor"])) == 20
        assert len(read(azure(), services=["Service7"], regions=["WestEurope"])) == 30

    def test_a_name_that_the_document_does_not_have_is_an_error_that_lists_those_it_has(self) -> None:
        with pytest.raises(
            OptionError, match=r"^service: 'EC3' is not in the document of feed, which has: AMAZON, EC2$"
        ):
            read(aws(), services=["EC2", "EC3"])
        with pytest.raises(OptionError, match=r"^region: 'x' is not .* none at all$"):
            read(cloudflare(), regions=["x"])

    def test_an_empty_selection_is_an_error(self) -> None:
        with pytest.raises(FeedError, match="no prefix is left"):
            read(oracle(), family=6)

    def test_descriptions_tell_where_a_range_is_from_and_survive_collapsing(self) -> None:
        prefixes = parse(json.dumps(salesforce()).encode(), "salesforce")
        found = select_prefixes(prefixes, "salesforce", services=["aws"], regions=["eu-central-1"])
        assert {item.description for item in collapse(found)} == {"salesforce: aws, eu-central-1"}


class TestDoubts:
    """A document held against what was approved."""

    PINNED = tuple(parse_range(text) for text in ("20.0.0.0/24", "20.0.2.0/24", "2600::/48"))

    def check(self, *texts: str, share: float = 0.2) -> None:
        check_change(self.PINNED, [parse_range(text) for text in texts], share, "feed")

    def test_the_same_addresses_in_other_prefixes_are_no_change(self) -> None:
        self.check("20.0.0.0/25", "20.0.0.128/25", "20.0.2.0/24", "2600::/48", "2600::/49", share=0)

    def test_a_share_up_to_the_limit_is_accepted(self) -> None:
        self.check("20.0.0.0-20.0.0.255", "20.0.2.0-20.0.2.153", "2600::/48")

    @pytest.mark.parametrize(
        ("texts", "problem"),
        [
            (("20.0.0.0/24", "20.0.2.0-20.0.2.152", "2600::/48"), "lost 20% of its IPv4 addresses"),
            (("20.0.0.0/24", "20.0.2.0/24", "21.0.0.0/8", "2600::/48"), "gained 3276800% of its IPv4"),
            (("20.0.0.0/24", "20.0.2.0/24"), "lost 100% of its IPv6"),
            (("20.0.1.0/24", "20.0.3.0/24", "2600::/48"), "gained 100% of its IPv4"),
        ],
    )
    def test_more_is_refused_and_counted_in_addresses(self, texts: tuple[str, ...], problem: str) -> None:
        with pytest.raises(FeedError, match=f"^feed: {problem}.*since the pinned copy, more than 20%"):
            self.check(*texts)

    def test_the_first_addresses_of_a_family_are_a_change(self) -> None:
        with pytest.raises(FeedError, match="gained its first IPv6 addresses"):
            check_change(self.PINNED[:2], self.PINNED, 0.2, "feed")

    @pytest.mark.parametrize("share", [-1, float("nan")])
    def test_a_share_that_is_not_zero_or_more_is_refused(self, share: float) -> None:
        with pytest.raises(OptionError, match="^max_change: "):
            self.check("20.0.0.0/24", share=share)

    def test_a_pinned_copy_is_read_with_the_same_filters(self, tmp_path: Path) -> None:
        document, pinned, current = aws(), tmp_path / "pinned.json", tmp_path / "current.json"
        pinned.write_text(json.dumps(document))
        document["prefixes"] += [{"ip_prefix": "30.0.0.0/8", "region": "us-east-1", "service": "AMAZON"}]
        current.write_text(json.dumps(document))
        assert len(published.read_published(str(current), services=["EC2"], pinned=str(pinned), max_change=0)) == 4500
        with pytest.raises(FeedError, match="current.json: gained .* IPv4 addresses"):
            published.read_published(str(current), services=["AMAZON"], pinned=str(pinned))

    def test_a_checksum_admits_one_document_only(self, tmp_path: Path) -> None:
        path = tmp_path / "ips-v4"
        path.write_bytes(b"20.0.0.0/24\n")
        checksum = hashlib.sha256(b"20.0.0.0/24\n").hexdigest()
        assert published.read_published(str(path), sha256=checksum.upper())
        path.write_bytes(b"20.0.0.0/23\n")
        with pytest.raises(FeedError, match=f"^ips-v4: its sha256 is [0-9a-f]{{64}}, not {checksum}"):
            published.read_published(str(path), sha256=checksum)


few_ranges = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda parts: IpRange(4, min(parts), max(parts))), max_size=5
)


@given(few_ranges, few_ranges, st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_a_change_is_refused_exactly_when_too_large_a_share_came_or_went(
    before: list[IpRange], after: list[IpRange], share: float
) -> None:
    old, new = (
        {number for item in ranges for number in range(item.first, item.last + 1)} for ranges in (before, after)
    )
    too_large = max(len(old - new), len(new - old)) > share * len(old)
    try:
        check_change(before, after, share, "feed")
    except FeedError:
        assert too_large
    else:
        assert not too_large


class Publisher(http.server.BaseHTTPRequestHandler):
    """Serves what a test put in."""

    pages: dict[str, tuple[int, dict[str, str], bytes]] = {}
    seen: list[dict[str, str]] = []

    def do_GET(self) -> None:
        self.seen.append(dict(self.headers))
        status, headers, body = self.pages[self.path.partition("?")[0]]
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> ca.Certificates:
    return ca.create(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def publisher(authority: ca.Certificates) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class TestFetching:
    """A real https server with a certificate of a private authority."""

    def load(self, url: str, authority: ca.Certificates, **options: Any) -> bytes:
        return published.load(url, ca_path=str(authority.ca), **options)

    def test_a_document_of_real_size_arrives_whole(self, publisher: str, authority: ca.Certificates) -> None:
        body = json.dumps(azure()).encode()
        assert len(body) > 2_000_000
        Publisher.pages["/tags.json"] = (200, {}, body)
        found = published.read_published(
            f"{publisher}/tags.json?token=1", services=["AzureFrontDoor"], ca_path=str(authority.ca), max_change=0
        )
        assert len(found) == 20
        assert found[0].description == "tags.json: AzureFrontDoor"

    def test_a_certificate_of_an_unknown_authority_is_refused(self, publisher: str) -> None:
        with pytest.raises(FeedError, match="certificate"):
            published.load(f"{publisher}/tags.json")

    @pytest.mark.parametrize("url", ["http://127.0.0.1/a", "file:///etc/hosts", "ftp://127.0.0.1/a", "https:///a"])
    def test_only_https_is_fetched(self, url: str) -> None:
        with pytest.raises(OptionError, match="only https"):
            published.load(url)

    @pytest.mark.parametrize(
        "url", ["https://user:secret@127.0.0.1/a", "http://user:secret@127.0.0.1/a", "http://127.0.0.1/a?key=secret"]
    )
    def test_a_secret_in_a_url_that_is_refused_is_not_repeated(self, url: str) -> None:
        with pytest.raises(OptionError) as caught:
            published.load(url)
        assert "secret" not in str(caught.value)

    def test_what_only_looks_like_a_url_is_refused(self) -> None:
        with pytest.raises(OptionError, match="not a URL"):
            published.read_published("https://[::1/a")

    def test_a_redirect_is_told_and_not_followed(self, publisher: str, authority: ca.Certificates) -> None:
        Publisher.pages["/old"] = (302, {"Location": f"{publisher}/new"}, b"")
        with pytest.raises(FeedError, match=f"moved to {publisher}/new; give that address"):
            self.load(f"{publisher}/old", authority)

    def test_a_refusal_is_told_by_its_status_without_body_or_query(
        self, publisher: str, authority: ca.Certificates
    ) -> None:
        Publisher.pages["/limited"] = (403, {}, b"secret body")
        with pytest.raises(FeedError) as caught:
            self.load(f"{publisher}/limited?token=secret", authority)
        assert str(caught.value) == f"{publisher}/limited: HTTP status 403"

    def test_a_document_that_is_too_large_is_not_read_to_its_end(
        self, publisher: str, authority: ca.Certificates, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(published, "MAX_BYTES", 1 << 20)
        Publisher.pages["/large"] = (200, {}, b" " * (1 << 21))
        with pytest.raises(FeedError, match="/large: is larger than 1 MiB"):
            self.load(f"{publisher}/large", authority)

    def test_a_document_that_takes_too_long_is_given_up(
        self, publisher: str, authority: ca.Certificates, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(published, "MAX_SECONDS", -1.0)
        Publisher.pages["/slow"] = (200, {}, b"20.0.0.0/24")
        with pytest.raises(FeedError, match="/slow: took longer"):
            self.load(f"{publisher}/slow", authority)

    def test_a_document_that_is_cut_short_is_refused(self, publisher: str, authority: ca.Certificates) -> None:
        # A plain list that lacks its end would otherwise pass as a shorter one.
        Publisher.pages["/short"] = (200, {"Content-Length": "23"}, b"20.0.0.0/24")
        with pytest.raises(FeedError, match="/short: was cut short, 11 of 23 bytes"):
            self.load(f"{publisher}/short", authority)

    def test_a_length_that_is_no_number_is_refused(self, publisher: str, authority: ca.Certificates) -> None:
        Publisher.pages["/odd"] = (200, {"Content-Length": "many"}, b"20.0.0.0/24")
        with pytest.raises(FeedError, match="/odd: was cut short, 11 of many bytes"):
            self.load(f"{publisher}/odd", authority)

    def test_an_address_where_nobody_listens(self) -> None:
        with pytest.raises(FeedError, match=r"^https://127\.0\.0\.1:1/a: cannot be fetched: .*refused"):
            published.load("https://127.0.0.1:1/a")

    def test_a_file_that_is_not_there_or_too_large(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(FeedError, match="none.json: cannot be read: No such file"):
            published.load(str(tmp_path / "none.json"))
        with pytest.raises(FeedError, match="^AWS: cannot be read: No such file .*; the publisher is called 'aws'$"):
            published.load("AWS")
        with pytest.raises(
            FeedError, match="^amazon: cannot be read: No such file .*; the publishers are aws, .*, sal"
        ):
            published.load("amazon")
        monkeypatch.setattr(published, "MAX_BYTES", 3)
        (tmp_path / "large").write_bytes(b"1234")
        with pytest.raises(FeedError, match="larger"):
            published.load(str(tmp_path / "large"))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b" "),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status line", "header", "body", "informational responses"],
)
def test_a_server_that_sends_a_little_now_and_then_is_given_up_in_time(
    authority: ca.Certificates, monkeypatch: pytest.MonkeyPatch, first: bytes, then: bytes
) -> None:
    monkeypatch.setattr(published, "MAX_SECONDS", 1.0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)

    def drip(listener: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as connection:
            connection.recv(4096)
            connection.sendall(first)
            while True:
                connection.sendall(then)
                time.sleep(0.1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,), daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/drips"
        with pytest.raises(
            FeedError, match=r"/drips: (took longer than 1 seconds|did not answer as a web server does)"
        ):
            published.load(url, timeout=0.5, ca_path=str(authority.ca))


def test_every_publisher_has_an_https_address_and_its_name_as_label() -> None:
    for name, url in published.PUBLISHERS.items():
        assert url.startswith("https://")
        assert published.source_name(name) == name
    assert published.source_name("https://example.com/a/ips-v4?x=1") == "ips-v4"
    assert published.source_name("https://example.com") == "https://example.com"
