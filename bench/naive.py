"""The usual Django way: lock, check, change, save each model; on copies of the tables without our triggers."""

import random
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from bench.people import PLAIN, user_id, wallet_id
from bench.worker import Step
from fintech_core import clock
from fintech_core.ids import new_reference
from transactions import limits
from transactions.accounts import account_id
from transactions.limits import Spent
from transactions.models import LedgerEntry, Transaction
from wallet.models import Wallet

ONE = Decimal(1)


def _copy_of(model: type[models.Model], table: str) -> Any:
    """Make a model of the same columns over a table of the schema ``bench``."""
    columns = {column.name: column.clone() for column in model._meta.local_fields}
    for column in columns.values():
        if column.remote_field is not None:
            column.remote_field.related_name = "+"
    meta = type("Meta", (), {"app_label": "bench", "managed": False, "db_table": f'"bench"."{table}"'})
    attributes = {**columns, "Meta": meta, "__module__": __name__}
    return type(table.capitalize(), (models.Model,), attributes)


Purse, Movement, Entry = (
    _copy_of(Wallet, "wallet"),
    _copy_of(Transaction, "movement"),
    _copy_of(LedgerEntry, "entry"),
)


def spread(number: int) -> Step:
    """Send between two people of 10,000."""
    draw = random.Random(number)
    return lambda: _send(*draw.sample(range(1, PLAIN + 1), 2))


@transaction.atomic
def _send(payer: int, payee: int) -> int:
    wanted = sorted([wallet_id(payer), wallet_id(payee)])
    purses = {
        row.pk: row for row in Purse._default_manager.select_for_update().filter(pk__in=wanted).order_by("pk")
    }
    source, target, now = purses[wallet_id(payer)], purses[wallet_id(payee)], timezone.now()
    if source.status != "active" or source.balance - source.held < ONE or target.status != "active":
        raise RuntimeError("this transfer is refused")
    _count(source, now)
    for purse, amount in ((source, -ONE), (target, ONE)):
        purse.balance += amount
        purse.version += 1
        purse.last_entry_at = now
        purse.save()
    movement = Movement._default_manager.create(
        reference=new_reference("TRX"), type="transfer", status="completed", currency="NGN", amount=ONE, fee=0,
        from_wallet_id=source.pk, to_wallet_id=target.pk, from_user_id=user_id(payer), to_user_id=user_id(payee),
        initiated_by_id=user_id(payer), created_at=now, completed_at=now,
    )  # fmt: skip
    for purse, direction in ((source, "debit"), (target, "credit")):
        Entry._default_manager.create(
            transaction_id=movement.pk, account_id=account_id("customer_wallets", "NGN"), wallet_id=purse.pk,
            direction=direction, amount=ONE, currency="NGN", wallet_balance_after=purse.balance,
            wallet_version=purse.version, created_at=now,
        )  # fmt: skip
    return 1


def _count(purse: Any, now: datetime) -> None:
    """Count the amount against the limits of the owner's tier, which the process knows."""
    spent = Spent(purse.spent_today, purse.spent_this_month, purse.spent_on).as_of(clock.business_day(now))
    limits.check_spend(limits.limits_for(tier=purse.owner.kyc_tier, currency="NGN", at=now), spent, ONE, now)
    counted = spent.plus(ONE)
    purse.spent_today, purse.spent_this_month, purse.spent_on = counted.today, counted.this_month, counted.on
