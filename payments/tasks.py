"""Jobs of funding and of the inbox; each makes one domain call and takes ids only."""

from uuid import UUID

from celery import shared_task

from fintech_core import clock
from fintech_core.jobs import run_record
from payments.services import checking, checkouts, inbox, intents, webhooks


@shared_task(name="payments.start_checkout")
def start_checkout(intent_id: str) -> None:
    """Start the checkout of one intent."""
    checkouts.start(intent_id=UUID(intent_id))


@shared_task(name="payments.check_intent")
def check_intent(intent_id: str) -> None:
    """Ask the gateway about one intent."""
    checking.check(intent_id=UUID(intent_id))


@shared_task(name="payments.process_webhook_async")
def process_webhook_async(event_id: str) -> None:
    """Act on one stored webhook of a gateway."""
    webhooks.process_payment_webhook(event_id=UUID(event_id))


@shared_task(name="payments.sweep_intents")
def sweep_intents() -> None:
    """Expire what is over and ring for every intent that is due."""
    with run_record("payments.sweep_intents") as detail:
        now = clock.now()
        detail["expired"] = intents.expire_due(now=now)
        detail["rung"] = checking.sweep(now=now)


@shared_task(name="payments.sweep_webhook_events")
def sweep_webhook_events() -> None:
    """Ring for every stored webhook that is due."""
    with run_record("payments.sweep_webhook_events") as detail:
        detail["rung"] = inbox.sweep(now=clock.now())


@shared_task(name="payments.cleanup_old_webhook_events")
def cleanup_old_webhook_events() -> None:
    """Delete finished webhooks that nobody needs any more."""
    with run_record("payments.cleanup_old_webhook_events") as detail:
        detail["deleted"] = inbox.clean_up(now=clock.now())
