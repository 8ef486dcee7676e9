# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of SOQL that clients of access control use: a grammar, and its evaluation over rows of any kind."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import LarkError

from . import clock
from .errors import ApiError

# Keywords end at a word boundary, so that `CountryIso` is a name although it begins like COUNT.
GRAMMAR = r"""
start: _SELECT selection _FROM NAME where? order? limit? offset?
selection: _COUNT "(" ")" -> count
    | NAME ("," NAME)* -> fields
where: _WHERE condition
?condition: conjunction | conjunction (_OR conjunction)+ -> any_of
?conjunction: term | term (_AND term)+ -> all_of
?term: comparison | _NOT term -> negation | "(" condition ")"
comparison: NAME OPERATOR value -> compare
    | NAME _LIKE value -> like
    | NAME _IN list -> within
    | NAME _NOT _IN list -> outside
list: "(" value ("," value)* ")"
?value: STRING -> string | DATETIME -> moment | DATE -> date | NUMBER -> number
    | _NULL -> null | _TRUE -> true | _FALSE -> false | RELATIVE -> relative
order: _ORDER _BY ordering ("," ordering)*
ordering: NAME DIRECTION? (_NULLS PLACE)?
limit: _LIMIT NUMBER
offset: _OFFSET NUMBER
_SELECT.3: /select\b/i
_FROM.3: /from\b/i
_COUNT.3: /count\b/i
_WHERE.3: /where\b/i
_AND.3: /and\b/i
_OR.3: /or\b/i
_NOT.3: /not\b/i
_IN.3: /in\b/i
_LIKE.3: /like\b/i
_ORDER.3: /order\b/i
_BY.3: /by\b/i
_NULLS.3: /nulls\b/i
_NULL.3: /null\b/i
_TRUE.3: /true\b/i
_FALSE.3: /false\b/i
_LIMIT.3: /limit\b/i
_OFFSET.3: /offset\b/i
DIRECTION.3: /(asc|desc)\b/i
PLACE.3: /(first|last)\b/i
OPERATOR: "!=" | "<>" | "<=" | ">=" | "=" | "<" | ">"
STRING: /'(?:[^'\\]|\\.)*'/
DATETIME.5: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)/i
DATE.4: /\d{4}-\d\d-\d\d/
RELATIVE.4: /(today|yesterday|(last|next)_n_days:\d+)\b/i
NUMBER: /-?\d+(\.\d+)?/
NAME: /[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*/
%ignore /\s+/
"""

Getter = Callable[[Any], Any]


@dataclass(frozen=True)
class Field:
    """One field of a table: its value in a row, and what queries may do with it."""

    get: Getter
    filterable: bool = True
    like: bool = True


@dataclass(frozen=True)
class Table:
    """A queryable type; names of related fields have dots."""

    name: str
    fields: Mapping[str, Field]
    id_of: Getter

    def field(self, name: str) -> tuple[str, Field]:
        folded = name.lower()
        for known, field in self.fields.items():
            if known.lower() == folded:
                return known, field
        raise ApiError("INVALID_FIELD", f"No such column '{name}' on entity '{self.name}'.")


Predicate = Callable[[Any], bool]


@dataclass(frozen=True)
class Literal:
    """A literal: a value, or the half-open span that a date stands for."""

    value: Any
    span: tuple[datetime.datetime, datetime.datetime] | None = None


@dataclass(frozen=True)
class Comparison:
    """One condition on one field."""

    name: str
    operator: str
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Group:
    """`all`, `any` or `not` over conditions."""

    kind: str
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Ordering:
    """One term of ORDER BY."""

    name: str
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True)
class Query:
    """A parsed query; no fields means COUNT()."""

    table: str
    fields: tuple[str, ...] = ()
    condition: Comparison | Group | None = None
    orderings: tuple[Ordering, ...] = ()
    limit: int | None = None
    offset: int = 0


@v_args(inline=True)
class _Builder(Transformer[Token, Query]):
    def __init__(self, now: datetime.datetime) -> None:
        super().__init__()
        self._now = now

    def start(self, fields: tuple[str, ...], table: Token, *clauses: tuple[str, Any]) -> Query:
        return Query(str(table), fields, **dict(clauses))

    def count(self) -> tuple[str, ...]:
        return ()

    def fields(self, *names: Token) -> tuple[str, ...]:
        return tuple(map(str, names))

    def where(self, condition: Comparison | Group) -> tuple[str, Any]:
        return "condition", condition

    def any_of(self, *parts: Any) -> Group:
        return Group("any", parts)

    def all_of(self, *parts: Any) -> Group:
        return Group("all", parts)

    def negation(self, part: Any) -> Group:
        return Group("not", (part,))

    def compare(self, name: Token, operator: Token, value: Literal) -> Comparison:
        return Comparison(str(name), "!=" if operator == "<>" else str(operator), (value,))

    def like(self, name: Token, value: Literal) -> Comparison:
        return Comparison(str(name), "LIKE", (value,))

    def within(self, name: Token, values: tuple[Literal, ...]) -> Comparison:
        return Comparison(str(name), "IN", values)

    def outside(self, name: Token, values: tuple[Literal, ...]) -> Group:
        return Group("not", (Comparison(str(name), "IN", values),))

    def list(self, *values: Literal) -> tuple[Literal, ...]:
        return values

    def string(self, token: Token) -> Literal:
        return Literal(re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), token[1:-1]))

    def moment(self, token: Token) -> Literal:
        return Literal(clock.parse(str(token)))

    def date(self, token: Token) -> Literal:
        return self._days(clock.parse(str(token)), 1)

    def relative(self, token: Token) -> Literal:
        word, _unused, count = token.upper().partition(":")
        today = self._now.astimezone(clock.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        day = datetime.timedelta(days=1)
        if word == "TODAY":
            return self._days(today, 1)
        if word == "YESTERDAY":
            return self._days(today - day, 1)
        if word == "LAST_N_DAYS":
            return self._days(today - day * int(count), int(count) + 1)
        return self._days(today + day, int(count))

    @staticmethod
    def _days(start: datetime.datetime, count: int) -> Literal:
        return Literal(start, (start, start + datetime.timedelta(days=count)))

    def number(self, token: Token) -> Literal:
        return Literal(float(token))

    def null(self) -> Literal:
        return Literal(None)

    def true(self) -> Literal:
        return Literal(True)

    def false(self) -> Literal:
        return Literal(False)

    def order(self, *orderings: Ordering) -> tuple[str, Any]:
        return "orderings", orderings

    def ordering(self, name: Token, *words: Token) -> Ordering:
        upper = {word.upper() for word in words}
        return Ordering(str(name), "DESC" in upper, "LAST" in upper)

    def limit(self, number: Token) -> tuple[str, Any]:
        return "limit", int(number)

    def offset(self, number: Token) -> tuple[str, Any]:
        return "offset", int(number)


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


@functools.lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", lexer="contextual")


def parse(text: str, now: datetime.datetime) -> Query:
    """Parse a query; relative dates are taken from `now`."""
    try:
        return _Builder(now).transform(_parser().parse(text))
    except LarkError as exc:
        raise ApiError("MALFORMED_QUERY", f"unexpected token: {str(exc).splitlines()[0]}") from None
    except ValueError as exc:
        raise ApiError("INVALID_QUERY_FILTER_OPERATOR", str(exc)) from None


def _like(pattern: str) -> re.Pattern[str]:
    # `%` is any text, `_` any one character; no case.
    parts = ({"%": ".*", "_": "."}.get(char, re.escape(char)) for char in pattern)
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _comparable(left: Any, right: Any) -> bool:
    return type(left) is type(right) or all(isinstance(one, (int, float)) for one in (left, right))


def _equal(left: Any, literal: Literal) -> bool:
    if literal.span and isinstance(left, datetime.datetime):
        return literal.span[0] <= left < literal.span[1]
    if isinstance(left, str) and isinstance(literal.value, str):
        return left.lower() == literal.value.lower()
    return bool(left == literal.value)


def _ordered(left: Any, operator: str, literal: Literal) -> bool:
    start, end = literal.span or (literal.value, literal.value)
    if not _comparable(left, start):
        return False
    if operator == "<":
        return bool(left < start)
    if operator == ">=":
        return bool(left >= start)
    if operator == "<=":
        return bool(left < end if literal.span else left <= end)
    return bool(left >= end if literal.span else left > end)


def _comparison(table: Table, part: Comparison) -> Predicate:
    name, field = table.field(part.name)
    if not field.filterable:
        raise ApiError("INVALID_FIELD", f"field '{name}' can not be filtered in a query call")
    literal = part.values[0]
    get = field.get
    if part.operator == "IN":
        return lambda row: any(_equal(get(row), one) for one in part.values)
    if part.operator == "LIKE":
        if not field.like or not isinstance(literal.value, str):
            raise ApiError("INVALID_QUERY_FILTER_OPERATOR", f"invalid operator on field '{name}'")
        pattern = _like(literal.value)
        return lambda row: bool(pattern.fullmatch(str(get(row) or "")))
    if part.operator == "=":
        return lambda row: _equal(get(row), literal)
    if part.operator == "!=":
        return lambda row: not _equal(get(row), literal)
    return lambda row: _ordered(get(row), part.operator, literal)


def predicate(table: Table, part: Comparison | Group | None) -> Predicate:
    """A condition as a function of a row."""
    if part is None:
        return lambda row: True
    if isinstance(part, Comparison):
        return _comparison(table, part)
    parts = [predicate(table, one) for one in part.parts]
    if part.kind == "not":
        return lambda row: not parts[0](row)
    if part.kind == "any":
        return lambda row: any(one(row) for one in parts)
    return lambda row: all(one(row) for one in parts)


def select(table: Table, query: Query, rows: Iterable[Any]) -> list[Any]:
    """The rows that the query names, in its order."""
    matches = predicate(table, query.condition)
    found = [row for row in rows if matches(row)]
    for ordering in reversed(query.orderings):
        found = _sorted(found, table.field(ordering.name)[1].get, ordering)
    return found[query.offset :][: query.limit]


def _sorted(rows: list[Any], get: Getter, ordering: Ordering) -> list[Any]:
    empty = [row for row in rows if get(row) is None]
    full = sorted((row for row in rows if get(row) is not None), key=get, reverse=ordering.descending)
    return full + empty if ordering.nulls_last else empty + full


def project(table: Table, names: Sequence[str], version: str) -> Callable[[Any], dict[str, Any]]:
    """A function that renders a row as the REST API does; unset fields of `names` are null."""
    getters = [(known.split("."), field.get) for known, field in (table.field(name) for name in names)]

    def render(row: Any) -> dict[str, Any]:
        record: dict[str, Any] = {"attributes": _attributes(table.name, table.id_of(row), version)}
        for path, get in getters:
            value = get(row)
            if isinstance(value, datetime.datetime):
                value = clock.stamp(value)
            target = record
            for step in path[:-1]:
                target = target.setdefault(step, {"attributes": {"type": _RELATED_TYPE.get(step, step)}})
            target[path[-1]] = value
        return record

    return render


_RELATED_TYPE = {"CreatedBy": "User", "User": "User"}


def _attributes(kind: str, row_id: str, version: str) -> dict[str, str]:
    return {"type": kind, "url": f"/services/data/v{version}/sobjects/{kind}/{row_id}"}
