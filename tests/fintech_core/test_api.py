"""The base of the API views: how long a client wants its answer to wait."""

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from fintech_core.api import ApiViewSet


def view(prefer: str | None) -> ApiViewSet:
    """Return a view that serves a request with this ``Prefer``."""
    made = ApiViewSet()
    made.request = Request(APIRequestFactory().get("/", headers={} if prefer is None else {"Prefer": prefer}))
    return made


@pytest.mark.parametrize(
    ("prefer", "waits_s"),
    [("wait=3", 3.0), ("wait=0", 0.0), ("wait=100", 8.0), ("respond-async, wait=5", 5.0)],
)
def test_who_says_how_long_waits_so_long_and_never_past_the_limit(prefer: str, waits_s: float) -> None:
    assert view(prefer).preferred_wait_s(8.0) == waits_s
    assert view(prefer).preferred_wait_s(8.0, otherwise_s=0.0) == waits_s


@pytest.mark.parametrize("prefer", [None, "respond-async", "return=minimal", "wait=", "wait=-1", "wait=soon"])
def test_who_says_nothing_of_it_waits_as_the_route_does(prefer: str | None) -> None:
    assert view(prefer).preferred_wait_s(8.0) == 8.0
    assert view(prefer).preferred_wait_s(8.0, otherwise_s=0.0) == 0.0
