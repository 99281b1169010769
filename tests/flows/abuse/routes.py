"""Every route of the API, read from the URL map, so that a new one is attacked from its first day."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

PREFIX = "api/v1/"


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path below ``/api/v1``; ``{pk}`` stands where the id does."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def has_id(self) -> bool:
        """Whether the path names an object."""
        return "{pk}" in self.path


@cache
def routes() -> tuple[Route, ...]:
    """Return every route of the API by path and method."""
    found = {
        Route(method.upper(), f"/{path.removeprefix(PREFIX)}")
        for path, callback in _walk(get_resolver().url_patterns)
        if path.startswith(PREFIX)
        for method in getattr(callback, "actions", {}) or {}
        if method != "head"
    }
    return tuple(sorted(found, key=str))


@cache
def money_posts() -> frozenset[str]:
    """Return the paths below ``/api/v1`` by which money moves."""
    return frozenset(
        f"/{path.removeprefix(PREFIX)}"
        for path, callback in _walk(get_resolver().url_patterns)
        if path.startswith(PREFIX)
        for method, action in (getattr(callback, "actions", {}) or {}).items()
        if method == "post" and action in getattr(callback.cls, "money_actions", ())
    )


def _walk(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for entry in patterns:
        path = prefix + _template(str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, path)
        elif isinstance(entry, URLPattern):
            yield path, entry.callback


def _template(pattern: str) -> str:
    """Write ``<uuid:pk>`` and a router's ``(?P<pk>…)`` as ``{pk}``."""
    text = pattern.removeprefix("^").removesuffix(r"\Z").removesuffix("$")
    while "(?P<" in text:
        before, _, rest = text.partition("(?P<")
        name, _, after = rest.partition(">")
        text = f"{before}{{{name}}}{after[_end_of_group(after) :]}"
    while "<" in text:
        before, _, rest = text.partition("<")
        name, _, after = rest.partition(">")
        text = f"{before}{{{name.rpartition(':')[2]}}}{after}"
    return text


def _end_of_group(text: str) -> int:
    """Return where the group ends that was opened before the text begins."""
    depth = 1
    for index, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return index + 1
    raise ValueError(f"an open group: {text!r}")
