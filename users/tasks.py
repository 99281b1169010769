"""Jobs of this app."""

from uuid import UUID

from celery import shared_task

from fintech_core import clock, jobs
from users.services import sessions, verification


@shared_task(name="users.verify_kyc")
def verify_kyc(case_id: str) -> None:
    """Ask the verifier about one identity case."""
    verification.verify_case(case_id=UUID(case_id))


@shared_task(name="users.sweep_kyc")
def sweep_kyc() -> None:
    """Ring for every identity case that is due."""
    with jobs.run_record("users.sweep_kyc") as detail:
        detail["rung"] = verification.sweep(now=clock.now())


@shared_task(name="users.forget_ended_sessions")
def forget_ended_sessions() -> None:
    """Delete sessions that ended long ago."""
    with jobs.run_record("users.forget_ended_sessions") as detail:
        detail["forgotten"] = sessions.forget_ended(now=clock.now())
