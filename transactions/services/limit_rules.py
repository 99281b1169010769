"""Adding a limit: a dated row, never an edit of one that is in force."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from fintech_core import audit
from fintech_core.audit import Actor
from transactions.errors import LimitRuleRefused
from transactions.models import LimitRule

# Processes remember the table for half as long, so they all change over at the same instant.
NOTICE = timedelta(seconds=60)


@transaction.atomic
def add_limit_rule(
    *,
    tier: int,
    currency: str,
    single: Decimal | None,
    daily: Decimal | None,
    monthly: Decimal | None,
    max_balance: Decimal | None,
    effective_from: datetime,
    note: str,
    actor: Actor,
    now: datetime,
) -> LimitRule:
    """Add what a tier may move in a currency from an instant on; None means no limit. Amounts in major units.

    Raises LimitRuleRefused when the instant is nearer than a minute or has a rule already, and for a negative limit.
    """
    figures = {"single": single, "daily": daily, "monthly": monthly, "max_balance": max_balance}
    if any(figure is not None and figure < 0 for figure in figures.values()):
        raise LimitRuleRefused("A limit is not negative.")
    if effective_from < now + NOTICE:
        raise LimitRuleRefused("A limit takes effect a minute after it is saved, or later.")
    if LimitRule.objects.filter(tier=tier, currency=currency, effective_from=effective_from).exists():
        raise LimitRuleRefused("There is a limit of this tier and currency from this instant on already.")
    rule = LimitRule.objects.create(
        tier=tier,
        currency=currency,
        single=single,
        daily=daily,
        monthly=monthly,
        max_balance=max_balance,
        note=note,
        saved_at=now,
        effective_from=effective_from,
    )
    changes = {name: [None, None if figure is None else str(figure)] for name, figure in figures.items()}
    audit.record(actor=actor, action="limit_rule.added", target=rule, reason=note, changes=changes)
    return rule
