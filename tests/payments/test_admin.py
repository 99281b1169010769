"""What staff see of funding: everything to look at, and nothing to edit."""

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from payments.models import WebhookEvent
from payments.services import inbox
from tests.factories import StaffFactory
from tests.payments.gateways import new_intent


@pytest.fixture
def client_of_staff(db: None) -> Client:
    client = Client()
    client.force_login(StaffFactory(is_superuser=True))
    return client


@pytest.mark.parametrize("model", ["paymentintent", "checkoutattempt", "payment", "webhookevent"])
def test_lists_are_there_and_nobody_adds(client_of_staff: Client, model: str) -> None:
    new_intent()
    assert client_of_staff.get(f"/admin/payments/{model}/").status_code == 200
    assert client_of_staff.get(f"/admin/payments/{model}/add/").status_code == 403


def test_an_events_page_does_not_show_its_body(client_of_staff: Client) -> None:
    body = b'{"type":"transaction-update","data":{"phone":"08011111111","requestId":"x1"}}'
    inbox.receive_hint(token=settings.VTPASS_WEBHOOK_TOKEN, raw=body, headers={}, now=timezone.now())
    page = client_of_staff.get(f"/admin/payments/webhookevent/{WebhookEvent.objects.get().pk}/change/")
    assert page.status_code == 200
    assert b"transaction-update" in page.content
    assert b"08011111111" not in page.content
