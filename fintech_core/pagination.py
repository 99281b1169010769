"""Cursor pagination: stable while rows are added, no counting, no page numbers."""

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError as NotOfThisField
from django.db.models import QuerySet
from rest_framework import exceptions
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

PAGE_SIZE = 25
MAX_PAGE_SIZE = 100


class NewestFirst(CursorPagination):
    """Newest first by ``(created_at, id)``; ``page_size`` from 1 to 100, more is refused."""

    page_size = PAGE_SIZE
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE_SIZE
    ordering: Any = ("-created_at", "-id")

    def get_page_size(self, request: Request) -> int | None:
        """Read ``page_size``; raises ValidationError outside 1 … 100."""
        text = request.query_params.get("page_size")
        if text is None:
            return self.page_size
        if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_PAGE_SIZE):
            detail = f"page_size is a whole number from 1 to {MAX_PAGE_SIZE}."
            raise exceptions.ValidationError({"page_size": [exceptions.ErrorDetail(detail, code="invalid")]})
        return int(text)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page as OpenAPI 3.1 has it: a link that leads nowhere is null."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "properties": {"next": link, "previous": link, "results": schema},
            "required": ["next", "previous", "results"],
        }

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """Return one page; raises ValidationError for a cursor that was not made here."""
        cursor = self.decode_cursor(request)
        if cursor is not None and cursor.position is not None:
            first = self.get_ordering(request, queryset, view)[0].removeprefix("-")
            try:
                position = queryset.model._meta.get_field(first).to_python(cursor.position)
            except NotOfThisField:
                raise _unknown_cursor() from None
            if isinstance(position, datetime) and position.utcoffset() != timedelta(0):
                raise _unknown_cursor()  # ours are in UTC, and PostgreSQL knows fewer offsets than Python
        return super().paginate_queryset(queryset, request, view)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Read ``cursor``; raises ValidationError for what cannot be one."""
        try:
            cursor: Cursor | None = super().decode_cursor(request)
        except exceptions.NotFound:
            raise _unknown_cursor() from None
        if cursor is not None and "\x00" in str(cursor.position):
            raise _unknown_cursor()
        return cursor


class Either:
    """The rows of any of several query sets as one list, for a paginator.

    ``a OR b`` on two columns makes PostgreSQL read every row of both before it sorts them. Here each part gives no more
    than a page needs, from the end of its own index, and ``whole`` (all rows, with what is read along) is asked for
    those alone. A row that several parts have is one row.
    """

    def __init__(self, whole: "QuerySet[Any]", *parts: "QuerySet[Any]") -> None:
        self.model = whole.model
        self._whole = whole
        self._parts = parts

    def order_by(self, *fields: str) -> "Either":
        """Order by fields that the parts have indexes for."""
        return Either(self._whole.order_by(*fields), *(part.order_by(*fields) for part in self._parts))

    def filter(self, *conditions: Any, **values: Any) -> "Either":
        """Narrow every part."""
        return Either(self._whole, *(part.filter(*conditions, **values) for part in self._parts))

    def __getitem__(self, page: slice) -> "QuerySet[Any]":
        """Read a page that has an end."""
        first, *others = (part.values("pk")[: page.stop] for part in self._parts)
        return self._whole.filter(pk__in=first.union(*others))[page]


class ByName(NewestFirst):
    """Catalogues: by name, then id."""

    ordering = ("name", "id")


class InMemory(NewestFirst):
    """Catalogues that are no table: rows in the order of a list. A cursor says how many come before its page."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return one page; raises ValidationError for a cursor that was not made here."""
        cursor = self.decode_cursor(request)
        if cursor is not None and (cursor.reverse or cursor.position is not None):
            raise _unknown_cursor()
        self.base_url = request.build_absolute_uri()
        self._size = self.get_page_size(request) or PAGE_SIZE
        self._start = cursor.offset if cursor else 0
        self._total = len(queryset)
        return list(queryset[self._start : self._start + self._size])

    def get_next_link(self) -> str | None:
        """Return the address of the next page, or None after the last row."""
        end = self._start + self._size
        return self._link_to(end) if end < self._total else None

    def get_previous_link(self) -> str | None:
        """Return the address of the previous page, or None before the first row."""
        return self._link_to(max(self._start - self._size, 0)) if self._start else None

    def _link_to(self, offset: int) -> str:
        return str(self.encode_cursor(Cursor(offset=offset, reverse=False, position=None)))


def _unknown_cursor() -> exceptions.ValidationError:
    detail = "Send the cursor of a next or previous link, unchanged."
    return exceptions.ValidationError({"cursor": [exceptions.ErrorDetail(detail, code="invalid")]})
