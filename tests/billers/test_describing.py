"""Bills behind a movement, described for people: what was ordered, and never the token."""

import io

import pytest
from django.core.management import call_command

from billers.describing import describe_late_delivery, describe_payment
from tests.billers import bench
from tests.sandbox.actors import Merchant

pytestmark = pytest.mark.usefixtures("committed_db")


def show(named: object) -> str:
    """Run ``show_transaction`` in this process and return what it printed."""
    out = io.StringIO()
    call_command("show_transaction", str(named), stdout=out)
    return out.getvalue()


def test_the_document_and_its_orders_stand_under_the_movement(vendor: Merchant) -> None:
    payment = bench.work(bench.new_payment())
    attempt = bench.attempt_of(payment)
    told = show(payment.transaction_id)
    assert f"Document: Bill payment {payment.reference}" in told
    assert f"attempt 1: vtpass {attempt.vendor_reference}" in told
    assert str(payment.token) not in told
    assert payment.customer_id not in told


def test_a_late_delivery_leads_to_its_payment_and_nothing_to_none(vendor: Merchant) -> None:
    payment = bench.work(bench.new_payment())
    assert describe_late_delivery(bench.attempt_of(payment).pk) == describe_payment(payment.pk)
    assert describe_payment(payment.transaction_id) is None
    assert describe_late_delivery(payment.pk) is None


def test_a_reward_is_described_with_what_earned_it(vendor: Merchant) -> None:
    payment = bench.work(bench.new_payment())
    told = show(payment.user.rewards.get().transaction_id)
    assert "Document: Reward" in told
    assert f"bill_payment {payment.pk}" in told
