"""Jobs of cashback; each makes one domain call and takes ids only."""

from uuid import UUID

from celery import shared_task

from cashback.services import taking_back
from fintech_core import clock
from fintech_core.jobs import run_record


@shared_task(name="cashback.take_back_rewards")
def take_back_rewards(user_id: str) -> None:
    """Take back what payments that were given back had earned a user."""
    taking_back.take_back_for(user_id=UUID(user_id), now=clock.now())


@shared_task(name="cashback.sweep_reversed_payments")
def sweep_reversed_payments() -> None:
    """Take back what payments that were given back had earned anybody."""
    with run_record("cashback.sweep_reversed_payments") as detail:
        detail["taken_back"] = taking_back.sweep(now=clock.now())
        detail["waiting"] = taking_back.waiting()
