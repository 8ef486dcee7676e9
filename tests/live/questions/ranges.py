# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IP ranges and metadata: notation, lists that are replaced, limits, permissions, the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .. import undo
from ..apps import session
from ..calls import Caller, Refusal, children, leaves
from ..packages import Part, deploy
from ..scene import DOCUMENTATION, Scene, Unanswered, login_range, once
from ..undo import PREFIX
from . import one_of, question

_FIRST = ("192.0.2.10", "192.0.2.19")
_SECOND = ("198.51.100.10", "198.51.100.19")
_V6 = ("2001:db8::ab:0", "2001:db8::ab:ff")


def _range(bounds: tuple[str, str], description: str = "") -> tuple[str, str, str]:
    return (*bounds, f"{PREFIX} {description}".strip())


@once
def shown(scene: Scene) -> list[dict[str, str]]:
    """Trusted ranges as they are shown, in an order that is neither the alphabet's nor a sorted one's."""
    rows = [
        _range(_SECOND, "b"),
        _range(_V6, "c"),
        _range(_FIRST, "a"),
        *(_range((f"203.0.113.{n}",) * 2, f"d{n}") for n in (5, 2, 9)),
    ]
    with scene.own_ranges(*rows) as listed:
        if len(listed) != len(rows):
            raise Unanswered(f"of {len(rows)} ranges the org shows {len(listed)}")
        again = scene.read_ranges()
        scene.seen["order"] = ([one["description"] for one in again], [row[2] for row in rows])
        return listed


@question("notation of addresses on read", "ranges")
def ipv4_notation(scene: Scene) -> str:
    """How are IPv4 addresses of trusted ranges shown?"""
    start = next(one["start"] for one in shown(scene) if one["description"].endswith(" a")).lower()
    forms = {"192.0.2.10": "dotted", "::ffff:192.0.2.10": "mapped", "::ffff:c000:20a": "mapped_hex"}
    return forms[one_of(start, *forms)]


@question("notation of addresses on read", "ranges")
def ipv6_notation(scene: Scene) -> str:
    """How are IPv6 addresses of trusted ranges shown?"""
    start = next(one["start"] for one in shown(scene) if one["description"].endswith(" c"))
    forms = {
        "2001:db8::ab:0": "compressed",
        "2001:DB8::AB:0": "upper",
        "2001:0db8:0000:0000:0000:0000:00ab:0000": "expanded",
    }
    return forms[one_of(start, *forms)]


@question("notation of addresses on read", "ranges")
def range_order(scene: Scene) -> str:
    """In which order are trusted ranges shown?"""
    first = [one["description"] for one in shown(scene)]
    again, stored = scene.seen["order"]
    if first != again:
        return "shuffled"
    if first in (stored, stored[::-1]):
        return "stored" if first == stored else "reversed"
    raise Unanswered("in an order that is neither as stored nor its reverse, and always the same")


@question("lists of ranges with duplicates", "ranges")
def duplicate_ranges(scene: Scene) -> str:
    """What becomes of a trusted range that is sent twice?"""
    with scene.own_ranges(_range(_FIRST)):
        problem = scene.write_ranges([_range(_FIRST), _range(_FIRST)])
        count = len(scene.read_ranges())
    return "refused" if problem else {1: "dropped", 2: "kept"}[count]


@question("limits of ranges", "ranges")
def range_limits(scene: Scene) -> str:
    """Do the limits of addresses count for each range, or for all of a list, and which are they?"""
    # Within 3fff::/20, for documentation as 2001:db8::/32 is, but larger (RFC 9637). A /32 has 2^96 addresses: the
    # limit of old for one range, and an eighth of the limit of today.
    blocks = [_range((f"3fff:{n:x}::", f"3fff:{n:x}:ffff:ffff:ffff:ffff:ffff:ffff")) for n in range(9)]
    if scene.write_ranges(blocks[:8]):
        scene.write_ranges(())
        raise Unanswered("not even 2^99 IPv6 addresses are taken, in eight ranges")
    problem = scene.write_ranges(blocks)
    scene.write_ranges(())
    if problem:
        return "total"
    problem = scene.write_ranges([_range(("3fff::", "3fff:7:ffff:ffff:ffff:ffff:ffff:ffff"))])
    scene.write_ranges(())
    return "old" if problem else "entry"


@question("descriptions of ranges", "ranges")
def description_cap(scene: Scene) -> int:
    """How long may the description of a trusted range be (0: no limit up to 4,000 characters)?"""

    def takes(length: int) -> bool:
        problem = scene.write_ranges([(*_FIRST, f"{PREFIX}-".ljust(length, "x"))])
        return not problem and [len(one["description"]) for one in scene.read_ranges()] == [length]

    low, high = len(PREFIX) + 1, 4000
    try:
        if not takes(low):
            raise Unanswered("no description is kept as it was sent")
        if takes(high):
            return 0
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if takes(middle) else (low, middle)
    finally:
        scene.write_ranges(())
    return low


@once
def bad_ranges(scene: Scene) -> dict[str, str]:
    """What the org says of ranges that it cannot take."""
    cases = {
        "start above end": ("192.0.2.9", "192.0.2.1"),
        "no address": ("192.0.2.300", "192.0.2.301"),
        "two families": ("192.0.2.1", "2001:db8::1"),
    }
    said = {}
    for case, bounds in cases.items():
        said[case] = scene.write_ranges([_range(bounds)])
        scene.write_ranges(())
    return said


@question("error codes of ranges", "ranges")
def range_error_code(scene: Scene) -> str:
    """Which code does a range get that cannot be?"""
    codes = {said.partition(":")[0] for said in bad_ranges(scene).values()}
    code = one_of(" ".join(sorted(codes)), "FIELD_INTEGRITY_EXCEPTION", "INVALID_INET_ADDRESS")
    return code if code == "FIELD_INTEGRITY_EXCEPTION" else "specific"


@question("error texts of ranges", "ranges")
def range_error_texts(scene: Scene) -> dict[str, str]:
    """What does the org say of ranges that cannot be?"""
    return bad_ranges(scene)


# -- profiles ----------------------------------------------------------------------------------------------------------


def _login_ranges(scene: Scene, profile: str) -> list[dict[str, str]]:
    return children(scene.admin.read("Profile", profile), "loginIpRanges")


@question("empty `loginIpRanges`", "user")
def empty_login_ip_ranges(scene: Scene) -> str:
    """What does an empty `loginIpRanges` element do?"""
    profile = scene.new_profile(ranges=[DOCUMENTATION])
    if not scene.admin.write("update", "Profile", profile, "<loginIpRanges/>"):
        return "refused"
    return "ignored" if _login_ranges(scene, profile) else "removes"


@question("subset of the login ranges of a profile", "user")
def profile_ranges_write(scene: Scene) -> str:
    """Does a list of login ranges replace those that are there, by a deployment and by updateMetadata?"""
    found = set()
    for by_package in (True, False):
        profile = scene.new_profile(ranges=[DOCUMENTATION, _SECOND])
        body = login_range(*DOCUMENTATION)
        done: object
        if by_package:
            done = deploy(scene.admin, scene.wait, [Part("Profile", profile, nested=body)])
        else:
            done = scene.admin.write("update", "Profile", profile, body)
        if not done:
            raise Unanswered("the org refuses a list of login ranges that is shorter")
        found.add({1: "replace", 2: "merge"}[len(_login_ranges(scene, profile))])
    if len(found) > 1:
        raise Unanswered("a deployment and updateMetadata differ: one replaces the list, the other merges")
    return found.pop()


# -- metadata ----------------------------------------------------------------------------------------------------------


@question("records of components that are missing")
def missing_component(scene: Scene) -> str:
    """How does readMetadata show a component that does not exist?"""
    record = scene.admin.read("Profile", scene.new_name())
    if record is None:
        raise Unanswered("it shows no record at all")
    if any(name.endswith("}nil") and value == "true" for name, value in record.attrib.items()):
        return "nil"
    return "full_name" if set(leaves(record)) == {"fullName"} else one_of("a record with more than its name")


@question("form of answers")
def prefixed_types(scene: Scene) -> bool:
    """Does `xsi:type` come with a prefix?"""
    record = scene.admin.read("SecuritySettings", "Security")
    kinds = [value for name, value in record.attrib.items() if name.endswith("}type")] if record is not None else []
    if not kinds:
        raise Unanswered("readMetadata gives no xsi:type")
    return ":" in kinds[0]


@question("permissions that are missing", "user", "app")
def insufficient_access(scene: Scene) -> str:
    """Is a write of metadata without permission refused by a fault, or by a status?"""
    try:
        result = session(scene).write("update", "Profile", scene.new_profile(), login_range(*DOCUMENTATION))
    except Refusal as exc:
        one_of(exc.code, "INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY")
        return "fault"
    if result:
        raise Unanswered("the org lets a user write metadata who has API Enabled alone")
    return "status"


@question("permissions for ranges", "user", "app", "ranges")
def manage_ip_addresses_checked(scene: Scene) -> bool:
    """Does a write of trusted ranges by metadata need Manage IP Addresses, too?"""
    # Without a range of its own: the list stays as it is, even where the write is accepted.
    scene.write_ranges(())

    def write(who: Caller) -> str:
        return undo.write_own_ranges(scene.admin, (), writer=who)

    return _needs_more(scene, write, "ManageIpAddresses")


@question("permissions for ranges", "user", "app")
def manage_profiles_checked(scene: Scene) -> bool:
    """Does a write of login ranges by metadata need Manage Profiles and Permission Sets, too?"""
    profile, ranges = scene.new_profile(), login_range(*DOCUMENTATION)

    def write(who: Caller) -> str:
        result = who.write("update", "Profile", profile, ranges)
        return "" if result else result.problem

    return _needs_more(scene, write, "ManageProfilesPermissionsets")


def _needs_more(scene: Scene, write: Callable[[Caller], str], permission: str) -> bool:
    """Whether a user with Modify Metadata alone is refused, and one with a permission more is not."""
    who = session(scene)

    def refused() -> bool:
        try:
            problem = write(who)
        except Refusal as exc:
            problem = str(exc)
        if problem and "INSUFFICIENT_ACCESS" not in problem:
            raise Unanswered(f"refused for another reason: {problem}")
        return bool(problem)

    with scene.granted("ModifyMetadata"):
        if not refused():
            return False
    with scene.granted("ModifyMetadata", permission):
        if refused():
            raise Unanswered(f"refused with {permission}, too: it needs something else")
    return True


def _permission_set(name: str, *permissions: str) -> Part:
    granted = (f"<userPermissions><enabled>true</enabled><name>{one}</name></userPermissions>" for one in permissions)
    return Part("PermissionSet", name, nested=f"<label>{name}</label>{''.join(granted)}")


@question("permissions of older releases")
def use_any_api_auth_exists(scene: Scene) -> bool:
    """Is there a permission Use Any API Auth?"""
    try:
        scene.admin.query("SELECT PermissionsUseAnyApiAuth FROM PermissionSet LIMIT 1")
    except Refusal as exc:
        return one_of(exc.code, "INVALID_FIELD") != "INVALID_FIELD"
    return True


@question("permission sets by deployment", "user")
def permission_dependencies(scene: Scene) -> str:
    """Is a permission set refused that has Modify Metadata without View Setup?"""
    name = scene.new_name()
    done = deploy(scene.admin, scene.wait, [_permission_set(name, "ModifyMetadata")], check_only=True)
    if not done and "depends on" not in done.problem:
        raise Unanswered(f"refused for another reason: {done.problem}")
    return "accepted" if done else "refused"


@question("permission sets by deployment", "user")
def permission_left_out(scene: Scene) -> str:
    """Does a permission set keep a permission that a later deployment leaves out?"""
    name = scene.new_name()
    scene.journal.begin("permission_set", name)
    for permissions in (("ApiEnabled", "ViewSetup"), ("ViewSetup",)):
        done = deploy(scene.admin, scene.wait, [_permission_set(name, *permissions)])
        if not done:
            raise Unanswered(f"the org takes no permission set: {done.problem}")
    rows = children(scene.admin.read("PermissionSet", name), "userPermissions")
    held = {row["name"] for row in rows if row["enabled"] == "true"}
    if "ViewSetup" not in held:
        raise Unanswered("the org does not show the permissions of a permission set")
    return "kept" if "ApiEnabled" in held else "removed"


@question("deletions by deployment", "app")
def deploy_missing_deletion(scene: Scene) -> str:
    """Does a deployment fail that deletes what is not there, where warnings are not ignored?"""
    part = Part("PermissionSet", scene.new_name())
    done = deploy(scene.admin, scene.wait, delete=[part], ignore_warnings=False)
    if not done and part.name not in done.problem:
        raise Unanswered(f"refused for another reason: {done.problem}")
    return "warning" if done else "error"


@question("length of a deployment", "app")
def deploy_seconds(scene: Scene) -> float:
    """How many seconds does a small deployment take, by the org's clock?"""
    part = Part("PermissionSet", scene.new_name())
    return deploy(scene.admin, scene.wait, delete=[part], check_only=True).seconds


# -- the audit trail ---------------------------------------------------------------------------------------------------


@once
def audited(scene: Scene) -> tuple[list[str], list[str]]:
    """The actions in the audit trail for a trusted range that is added, and for one of two that is replaced."""
    with scene.own_ranges(_range(_FIRST)):
        first = scene.audited(lambda: scene.write_ranges([_range(_FIRST), _range(_SECOND)]))
        second = scene.audited(lambda: scene.write_ranges([_range(_FIRST), _range(_V6)]), looks=1 + 14 * bool(first))
        return _texts(first), _texts(second)


def _texts(rows: Sequence[dict[str, str]]) -> list[str]:
    return [f"{row['Action']}: {row['Display']}" for row in rows]


@question("audit trail of trusted ranges", "ranges")
def trusted_range_audit(scene: Scene) -> str:
    """What does the audit trail say of a trusted range that is added?"""
    rows = audited(scene)[0]
    if not rows:
        return "none"
    if any(row.startswith("createIpWhiteList") for row in rows):
        return "createIpWhiteList"
    return "addresses" if any(_SECOND[0] in row for row in rows) else "no_addresses"


@question("audit trail of trusted ranges", "ranges")
def trusted_range_audit_texts(scene: Scene) -> Sequence[str]:
    """With which actions and texts does the audit trail tell of trusted ranges?"""
    return [*audited(scene)[0], *audited(scene)[1]]


@question("audit trail of trusted ranges", "ranges")
def replaced_list_audit(scene: Scene) -> str:
    """Of a list that is replaced, does the audit trail tell the difference, or all of both lists?"""
    rows = audited(scene)[1]
    if not any(_SECOND[0] in row for row in rows):
        raise Unanswered("the audit trail does not tell of trusted ranges, or not which")
    return "all" if any(_FIRST[0] in row for row in rows) else "difference"


@question("permissions for the audit trail", "user", "app")
def audit_trail_permission(scene: Scene) -> str:
    """Which permission does reading the audit trail need?"""
    who = session(scene)

    def reads() -> bool:
        try:
            who.query("SELECT Id FROM SetupAuditTrail LIMIT 1")
        except Refusal as exc:
            one_of(exc.code, "INVALID_TYPE", "INSUFFICIENT_ACCESS")
            return False
        return True

    if reads():
        return "none"
    for permission in ("ViewSetup", "ViewSetupAuditTrail"):
        with scene.granted(permission):
            if reads():
                return permission
    raise Unanswered("neither View Setup nor View Setup Audit Trail is enough")
