"""Jobs of bills; each makes one domain call and takes ids only."""

from uuid import UUID

from celery import shared_task

from billers import services
from fintech_core import clock
from fintech_core.jobs import run_record


@shared_task(name="billers.send")
def send(payment_id: str) -> None:
    """Send one payment to its vendor, or ask about it when it may have been sent."""
    services.process_payment(payment_id=UUID(payment_id))


@shared_task(name="billers.check")
def check(payment_id: str) -> None:
    """Ask the vendor about one payment."""
    services.process_payment(payment_id=UUID(payment_id))


@shared_task(name="billers.process_vendor_hint")
def process_vendor_hint(event_id: str) -> None:
    """Ask about the order that a stored webhook names."""
    services.process_vendor_hint(event_id=UUID(event_id))


@shared_task(name="billers.sweep_bill_payments")
def sweep_bill_payments() -> None:
    """Ring for every payment that is due."""
    with run_record("billers.sweep_bill_payments") as detail:
        detail["rung"] = services.sweep(now=clock.now())


@shared_task(name="billers.mark_reversed_payments")
def mark_reversed_payments(user_id: str) -> None:
    """Mark a user's bills whose money went back."""
    services.follow_ledger_for(user_id=UUID(user_id))


@shared_task(name="billers.sweep_reversed_payments")
def sweep_reversed_payments() -> None:
    """Mark anybody's bills whose money went back."""
    with run_record("billers.sweep_reversed_payments") as detail:
        detail["marked"] = services.sweep_given_back()
