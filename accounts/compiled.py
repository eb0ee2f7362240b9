"""Queries that are asked on every page, built into SQL once.

Django builds a statement anew each time it is asked. For a wide row with its relations that costs more than
the database takes to answer; of the member's home it was a third (`make bench`). What these ask and give is
what the queryset says: only its building is kept.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from django.db import connection, models
from django.db.models.query import ModelIterable, get_related_populators

Row = TypeVar("Row")
Value: TypeAlias = str | int | uuid.UUID

# Stand for the values while the statement is built; nobody's email, token or number is like them.
_MARKS: dict[type, Callable[[int], Any]] = {
    str: lambda place: f"\x7fmark {place}\x7f",
    int: lambda place: 7_314_159_265_358_979_000 + place,
    uuid.UUID: lambda place: uuid.UUID(int=(7_314_159_265_358_979_000 << 64) + place),
}


class Compiled(Generic[Row]):
    """`queryset_of` takes values of `types` (str, int or UUID) and gives a queryset; calling this with such
    values gives a list of the queryset's rows: instances with what select_related fetched, or what
    values_list gives, as a tuple each. Where a value stands may not decide what the statement looks like.
    """

    def __init__(self, queryset_of: Callable[..., models.QuerySet[Any, Row]], *types: type) -> None:
        self.queryset_of = queryset_of
        self.marks = [_MARKS[each](place) for place, each in enumerate(types)]
        self.built: dict[str, _Built] = {}

    def __call__(self, *values: Value) -> list[Row]:
        built = self.built.get(connection.vendor)
        if built is None:
            built = self.built[connection.vendor] = _Built(
                self.queryset_of(*self.marks), self.marks
            )
        return built.rows(values)


def _as_param(value: Value) -> Value:
    """As UUIDField hands it to the database."""
    if isinstance(value, uuid.UUID) and not connection.features.has_native_uuid_field:
        return value.hex
    return value


class _Built:
    def __init__(self, queryset: models.QuerySet[Any, Any], marks: Sequence[Any]) -> None:
        compiler = queryset.query.get_compiler(connection=connection)
        self.sql, params = compiler.as_sql()
        marks = [_as_param(mark) for mark in marks]
        # A value's place among `marks` where the statement wants it, else what it says itself.
        self.params = [
            (marks.index(param), None) if param in marks else (None, param) for param in params
        ]
        assert {place for place, _param in self.params} >= set(range(len(marks)))
        select, info = compiler.select, compiler.klass_info
        self.converters = [
            (place, converters, expression)
            for place, (converters, expression) in compiler.get_converters(
                [column[0] for column in select]
            ).items()
        ]
        wants_tuples = not issubclass(queryset._iterable_class, ModelIterable)
        self.model: type[models.Model] | None = None if wants_tuples else info["model"]
        if self.model:
            assert not compiler.annotation_col_map
            own = info["select_fields"]
            self.first, self.last = own[0], own[-1] + 1
            columns = [column[0] for column in select[self.first : self.last]]
            self.names = [column.target.attname for column in columns]
            self.related = get_related_populators(info, select, connection.alias)  # type: ignore[call-arg] # of Django 6.1

    def rows(self, values: Sequence[Value]) -> list[Any]:
        params = [
            param if place is None else _as_param(values[place]) for place, param in self.params
        ]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, params)
            return [self._row(list(row)) for row in cursor.fetchall()]

    def _row(self, row: list[Any]) -> Any:
        for place, converters, expression in self.converters:
            for convert in converters:
                row[place] = convert(row[place], expression, connection)
        if self.model is None:
            return tuple(row)
        found = self.model.from_db(connection.alias, self.names, row[self.first : self.last])
        for related in self.related:
            related.populate(row, found)
        return found
