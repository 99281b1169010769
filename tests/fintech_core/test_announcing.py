"""Announcing: a request that may be done in a group is told to its group from its first moment to its last."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from fintech_core.announcing import Announce, announcement_of
from transactions.views.transfers import TRANSFERS

TRANSFER = "/api/v1/transactions/transfer"


def announced() -> int:
    """Return how many transfers are on their way."""
    return len(TRANSFERS._combiner._announced)


def test_a_transfer_is_announced_until_it_is_answered() -> None:
    def serve(request: HttpRequest) -> HttpResponse:
        assert announcement_of(request) is not None
        return HttpResponse(str(announced()))

    assert Announce(serve)(RequestFactory().post(TRANSFER)).content == b"1"
    assert announced() == 0


def test_it_is_withdrawn_when_serving_it_breaks() -> None:
    def serve(_request: HttpRequest) -> HttpResponse:
        assert announced() == 1
        raise LookupError

    with pytest.raises(LookupError):
        Announce(serve)(RequestFactory().post(TRANSFER))
    assert announced() == 0


def test_it_comes_once_however_often_it_is_withdrawn() -> None:
    def serve(request: HttpRequest) -> HttpResponse:
        announcement = announcement_of(request)
        assert announcement is not None
        announcement.withdraw()
        return HttpResponse(str(announced()))

    assert Announce(serve)(RequestFactory().post(TRANSFER)).content == b"0"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", TRANSFER),
        ("POST", f"{TRANSFER}/lookup"),
        ("POST", f"{TRANSFER}/bulk"),
        ("POST", "/api/v1/bills/pay"),
        ("GET", "/health"),
        ("POST", "/nowhere"),
    ],
)
def test_nothing_else_is(method: str, path: str) -> None:
    def serve(request: HttpRequest) -> HttpResponse:
        assert announcement_of(request) is None
        return HttpResponse(str(announced()))

    assert Announce(serve)(RequestFactory().generic(method, path)).content == b"0"
