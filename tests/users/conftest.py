"""Fixtures of people: clients that sign in with real tokens, and no throttle unless a test is about it."""

from collections.abc import Callable

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.users.people import Phone


@pytest.fixture(autouse=True)
def _no_throttle(settings: Settings) -> None:
    settings.RATE_LIMITS = False


@pytest.fixture
def phone() -> Callable[..., Phone]:
    """Make clients that speak to the API as an app on a phone does: ``phone(device_id=…)``."""

    def make(device_id: str | None = None) -> Phone:
        return Phone(APIClient(raise_request_exception=False), device_id)

    return make
