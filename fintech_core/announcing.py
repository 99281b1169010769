"""Announcing: as soon as a request comes that may be done in a group, that group knows of it.

Between there and the group lies most of the work on a request: headers, routing, sign-in, its body. A leader of the
group meanwhile waits a moment for it (``combining``).
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver

from fintech_core.combining import Announcement
from fintech_core.idempotency import Group
from fintech_core.middleware import Handler


class Announce:
    """Announce a request to the group that its view names for its action, until it came there or is answered."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request, announced if its route has a group."""
        group = self._groups.get((request.method, request.path_info))
        if group is None:
            return self.get_response(request)
        announcement = group.announce()
        request.announcement = announcement  # type: ignore[attr-defined]  # read by announcement_of()
        try:
            return self.get_response(request)
        finally:
            announcement.withdraw()

    @cached_property
    def _groups(self) -> Mapping[tuple[str | None, str], Group[Any]]:
        """The groups by method and path; a path that names an object is nobody's."""
        return dict(_groups_of(get_resolver().url_patterns, "/"))


def announcement_of(request: Any) -> Announcement | None:
    """Return what a request was announced by, if it was."""
    announcement: Announcement | None = getattr(request, "announcement", None)
    return announcement


def _groups_of(
    patterns: "list[URLPattern | URLResolver]", prefix: str
) -> Iterator[tuple[tuple[str, str], Group[Any]]]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _groups_of(pattern.url_patterns, path)
            continue
        groups = getattr(getattr(pattern.callback, "cls", None), "groups", {})
        for method, action in getattr(pattern.callback, "actions", {}).items():
            if action in groups:
                yield (method.upper(), path), groups[action]
