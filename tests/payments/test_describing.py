"""Payments behind a movement, described for people: the intent and its checkouts."""

import io
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.utils import timezone

from payments.describing import describe_payment
from payments.models import Payment
from payments.services import checking
from tests.payments.gateways import newest_attempt, pay, started_intent
from tests.sandbox.actors import Merchant

pytestmark = pytest.mark.usefixtures("committed_db")


def test_the_payment_and_its_checkouts_stand_under_the_movement(vendor: Merchant) -> None:
    intent = started_intent()
    pay(vendor, intent)
    checking.verify_intent(user=intent.user, intent_id=intent.pk, deadline_s=5, now=timezone.now())
    payment = Payment.objects.get()
    out = io.StringIO()
    call_command("show_transaction", str(payment.transaction_id), stdout=out)
    assert f"Document: Payment {payment}" in out.getvalue()
    assert f"attempt 1: paystack {newest_attempt(intent).reference}" in out.getvalue()


def test_one_that_is_not_there_is_none(vendor: Merchant) -> None:
    assert describe_payment(uuid4()) is None
