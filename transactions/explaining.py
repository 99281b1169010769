"""A movement explained to a person, as lines of text: T-accounts, history, document, vendor attempts."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

from fintech_core import clock
from fintech_core.documents import Document, describe
from fintech_core.models import AuditRecord
from fintech_core.money import for_people
from transactions.enums import Direction, TransactionStatus
from transactions.models import LedgerEntry, ParkedCredit, Transaction

SIDE: Final = 24


def explain(transaction: Transaction) -> Iterator[str]:
    """Yield the lines. Reads the rows as they are, whatever state they are in."""
    yield from _heading(transaction)
    yield ""
    yield from _accounts(transaction)
    yield ""
    yield "History"
    for at, what in sorted(_history(transaction)):
        yield f"  {clock.rfc3339(at)}  {what}"
    if transaction.source_kind and transaction.source_id:
        yield ""
        yield from _document(
            transaction.source_kind, describe(transaction.source_kind, transaction.source_id)
        )


def _heading(transaction: Transaction) -> Iterator[str]:
    amount = _text(transaction.amount, transaction.currency)
    fee = f" and fee {_text(transaction.fee, transaction.currency)}" if transaction.fee else ""
    yield f"{transaction.type} {transaction.reference}: {transaction.status}, {amount}{fee}"
    facts = {
        "id": str(transaction.pk),
        "from": "" if transaction.from_user is None else transaction.from_user.email,
        "to": "" if transaction.to_user is None else transaction.to_user.email,
        "made by": "" if transaction.initiated_by is None else transaction.initiated_by.email,
        "description": transaction.description,
        "failure": transaction.failure_code,
        "reverses": "" if transaction.reverses is None else transaction.reverses.reference,
        "refund of": "" if transaction.refund_of is None else transaction.refund_of.reference,
    }
    yield from _facts(facts)


def _accounts(transaction: Transaction) -> Iterator[str]:
    """Draw one T for each account and wallet, debits left and credits right."""
    entries = list(transaction.entries.select_related("account", "wallet__owner").order_by("id"))
    if not entries:
        held = transaction.hold_amount
        if transaction.status == TransactionStatus.PENDING and held is not None:
            yield f"No entries yet: {_text(held, transaction.currency)} is held on wallet {transaction.from_wallet_id}."
        else:
            yield "No entries: no money moved."
        return
    drawn: dict[tuple[int, object], list[LedgerEntry]] = {}
    for entry in entries:
        drawn.setdefault((entry.account_id, entry.wallet_id), []).append(entry)
    for number, lines in enumerate(drawn.values()):
        if number:
            yield ""
        yield from _t(lines)


def _t(lines: list[LedgerEntry]) -> Iterator[str]:
    first = lines[0]
    of = "" if first.wallet is None else f", {first.wallet.kind} wallet of {first.wallet.owner.email}"
    yield f"  {first.account.code} {first.currency}{of}"
    yield f"  {'debit'.rjust(SIDE)} | {'credit'.ljust(SIDE)}"
    yield f"  {'-' * SIDE}-+-{'-' * SIDE}"
    for line in lines:
        amount = _text(line.amount, line.currency)
        left, right = (amount, "") if line.direction == Direction.DEBIT else ("", amount)
        after = "" if line.wallet_balance_after is None else _text(line.wallet_balance_after, line.currency)
        told = f"  then {after} (version {line.wallet_version})" if after else ""
        yield f"  {left.rjust(SIDE)} | {right.ljust(SIDE)}{told}".rstrip()


def _history(transaction: Transaction) -> Iterator[tuple[datetime, str]]:
    """Yield what happened to it, in no order."""
    held = transaction.hold_amount
    if held is not None:
        until = f" until {clock.rfc3339(transaction.expires_at)}" if transaction.expires_at else ""
        yield transaction.created_at, f"held {_text(held, transaction.currency)}{until}"
    if transaction.completed_at is not None:
        why = f" ({transaction.failure_code})" if transaction.failure_code else ""
        yield transaction.completed_at, f"{transaction.status}{why}"
    for mirror in Transaction.objects.filter(reverses=transaction):
        yield mirror.created_at, f"reversed by {mirror.reference}"
    for refund in Transaction.objects.filter(refund_of=transaction):
        yield refund.created_at, f"refunded {_text(refund.amount, refund.currency)} by {refund.reference}"
    for parked in ParkedCredit.objects.select_related("released_by").filter(parked_by=transaction):
        yield parked.created_at, f"parked in suspense ({parked.reason})"
        if parked.released_at is not None and parked.released_by is not None:
            yield parked.released_at, f"released by {parked.released_by.reference}"
    target = AuditRecord.objects.filter(target_type="transactions.transaction", target_id=str(transaction.pk))
    for row in target:
        yield row.at, f"{row.action} by {row.actor_label}: {row.reason}"


def _document(kind: str, document: Document | None) -> Iterator[str]:
    if document is None:
        yield f"Document: {kind}, of which nothing more is known"
        return
    yield f"Document: {document.title}"
    yield from _facts(dict(document.facts))
    for number, attempt in enumerate(document.attempts, start=1):
        sent = f"sent {clock.rfc3339(attempt.sent_at)}" if attempt.sent_at else "not sent"
        outcome = f", {attempt.outcome}" if attempt.outcome else ""
        made = clock.rfc3339(attempt.created_at)
        yield (
            f"  attempt {number}: {attempt.vendor} {attempt.reference}, made {made}, {sent}:"
            f" {attempt.state}{outcome}"
        )


def _facts(facts: dict[str, str]) -> Iterator[str]:
    shown = {name: value for name, value in facts.items() if value}
    width = max((len(name) for name in shown), default=0)
    for name, value in shown.items():
        yield f"  {name.ljust(width)}  {value}"


def _text(amount: Decimal, currency: str) -> str:
    """Return the amount as a person reads it, or as it stands where a broken row does not fit its currency."""
    try:
        return for_people(amount, currency)
    except (KeyError, ValueError):
        return f"{currency} {amount:f}"
