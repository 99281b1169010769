"""Staff read and type times of the business day's zone, not UTC."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from fintech_core import clock


class BusinessTime:
    """Shows the admin's times in the zone in which the business day is counted; the API stays in UTC."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request, below ``/admin/`` in business time."""
        if not request.path.startswith(reverse("admin:index")):
            return self._get_response(request)
        with timezone.override(clock.business_zone()):
            return self._get_response(request)
