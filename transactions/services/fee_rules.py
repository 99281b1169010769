"""Adding a fee: a dated row, never an edit of one that is in force."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from fintech_core import audit, money
from fintech_core.audit import Actor
from transactions import fees
from transactions.errors import FeeRuleRefused
from transactions.models import FeeRule
from transactions.services.limit_rules import NOTICE

ALL = 10_000


@transaction.atomic
def add_fee_rule(
    *,
    kind: str,
    currency: str,
    tier: int | None,
    flat: Decimal,
    basis_points: int,
    minimum: Decimal,
    cap: Decimal | None,
    effective_from: datetime,
    note: str,
    actor: Actor,
    now: datetime,
) -> FeeRule:
    """Add what a type of movement costs from an instant on; no tier means every tier. Amounts in major units.

    Raises FeeRuleRefused when the instant is nearer than a minute or has a rule already, when this type is not
    charged by rule, or when the figures do not go together.
    """
    if effective_from < now + NOTICE:
        raise FeeRuleRefused("A fee takes effect a minute after it is saved, or later.")
    if kind not in fees.EARNED_ON:
        raise FeeRuleRefused(f"A {kind} is not charged by a rule.")
    if not money.is_enabled(currency):
        raise FeeRuleRefused(f"{currency} is not kept here.")
    if any(figure is not None and figure % money.quantum(currency) for figure in (flat, minimum, cap)):
        raise FeeRuleRefused(f"Amounts in {currency} have {money.decimals(currency)} decimals.")
    if flat < 0 or minimum < 0 or not 0 <= basis_points <= ALL or (cap is not None and cap < minimum):
        raise FeeRuleRefused("A fee is not negative, a percentage at most 100, a cap not below the minimum.")
    twins = FeeRule.objects.filter(type=kind, currency=currency, effective_from=effective_from)
    if twins.filter(tier__isnull=True).exists() if tier is None else twins.filter(tier=tier).exists():
        raise FeeRuleRefused("There is a fee of this type, currency and tier from this instant on already.")
    figures = {"flat": flat, "basis_points": basis_points, "minimum": minimum, "cap": cap}
    rule = FeeRule.objects.create(
        type=kind,
        currency=currency,
        tier=tier,
        flat=flat,
        basis_points=basis_points,
        minimum=minimum,
        cap=cap,
        note=note,
        saved_at=now,
        effective_from=effective_from,
    )
    changes = {name: [None, None if figure is None else str(figure)] for name, figure in figures.items()}
    audit.record(actor=actor, action="fee_rule.added", target=rule, reason=note, changes=changes)
    return rule
