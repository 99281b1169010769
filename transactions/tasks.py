"""Jobs of the ledger; each makes one domain call and takes ids only."""

from uuid import UUID

from celery import shared_task

from fintech_core import clock
from fintech_core.jobs import last_detail, run_record
from transactions.sealing import chain
from transactions.services import bulk, conversions, expiry, floats, releasing, snapshots
from transactions.verification import incremental_run


@shared_task(name="transactions.release_parked_credits")
def release_parked_credits(owner_id: str) -> None:
    """Land what is parked for a user whose tier or wallet has changed."""
    releasing.release_for(owner_id=UUID(owner_id))


@shared_task(name="transactions.sweep_parked_credits")
def sweep_parked_credits() -> None:
    """Land whatever parked credit can land by now, some hundred in a run; the next one goes on after them."""
    name = "transactions.sweep_parked_credits"
    last = last_detail(name).get("last")
    with run_record(name) as detail:
        detail["last"] = last
        swept = releasing.sweep(after=UUID(last) if last else None)
        detail |= {"released": swept.released, "last": str(swept.last) if swept.last else None}


@shared_task(name="transactions.expire_holds")
def expire_holds() -> None:
    """Void holds whose time is over, going on after the last run's; raise an alarm for those that wait for somebody."""
    name = "transactions.expire_holds"
    last = last_detail(name).get("last")
    with run_record(name) as detail:
        detail["last"] = last
        swept = expiry.expire_holds(now=clock.now(), after=UUID(last) if last else None)
        detail |= {"expired": swept.count, "last": str(swept.last) if swept.last else None}
        detail["overdue"] = expiry.raise_alarm(now=clock.now())


@shared_task(name="transactions.take_balance_snapshots")
def take_balance_snapshots() -> None:
    """Write down what each account has, behind the watermark; a transaction left open fails the run, and says so."""
    with run_record("transactions.take_balance_snapshots") as detail:
        detail["taken"] = snapshots.take_snapshots()


@shared_task(name="transactions.check_floats")
def check_floats() -> None:
    """Tell each float that has crossed a bound, once."""
    with run_record("transactions.check_floats") as detail:
        detail["crossed"] = floats.check_floats(now=clock.now())


@shared_task(name="transactions.seal_ledger")
def seal_ledger() -> None:
    """Seal what is complete and not sealed yet, behind the watermark."""
    with run_record("transactions.seal_ledger") as detail:
        detail["sealed"] = len(chain.seal())


@shared_task(name="transactions.verify_ledger")
def verify_ledger() -> None:
    """Prove what is new; what is broken, and was not at the last run, stops outgoing money.

    A finding is known once money out has been stopped for it: a run that fails before knows what the last one knew.
    """
    name = "transactions.verify_ledger"
    known = last_detail(name).get("broken", {})
    with run_record(name) as detail:
        detail["broken"] = known
        report = incremental_run.verify_incrementally()
        if found := incremental_run.worse(report.broken, known):
            incremental_run.stop_money_out(found)
        detail |= {"entries": report.totals.entries, "broken": dict(report.broken)}


@shared_task(name="transactions.finish_bulk_transfer")
def finish_bulk_transfer(bulk_id: str) -> None:
    """Finish a bulk of transfers that was interrupted."""
    bulk.finish(bulk_id=UUID(bulk_id))


@shared_task(name="transactions.sweep_bulk_transfers")
def sweep_bulk_transfers() -> None:
    """Ring for every bulk of transfers that nobody works on."""
    with run_record("transactions.sweep_bulk_transfers") as detail:
        detail["rung"] = bulk.sweep(now=clock.now())


@shared_task(name="transactions.forget_quotes")
def forget_quotes() -> None:
    """Delete quotes of conversions that nobody took."""
    with run_record("transactions.forget_quotes") as detail:
        detail["forgotten"] = conversions.forget_quotes(now=clock.now())
