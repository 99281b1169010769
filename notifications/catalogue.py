"""Every event type there is: what it means, what it carries, whom it tells and how.

A payload is a flat snapshot of facts: ids, amounts as decimal strings, names of things. It never carries a
secret or a personal number (PIN, token, phone, document, account or meter number), because events are kept,
shown to people and sent to subscribers. The field names are checked when this module is imported, the
payloads when they are published.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from notifications.enums import Category, Channel

BOTH = (Channel.IN_APP, Channel.EMAIL)
IN_APP = (Channel.IN_APP,)

FORBIDDEN_FIELD = re.compile(
    r"pin|password|secret|token|otp|code$|key|signature|email|phone|msisdn|bvn|nin$|birth|address|document|"
    r"account_number|card|customer_id|meter|smartcard|(first|last|full)_name|ip$",
)


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event.

    ``fields`` must all be in a payload, ``optional`` ones may be. ``channels`` says how the user is told.
    ``template`` names the texts in ``templates/notifications/`` (``TEMPLATE.subject`` and ``TEMPLATE.txt``).
    An ``internal`` type is not listed by the API.
    """

    name: str
    description: str
    category: Category
    fields: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    channels: tuple[Channel, ...] = ()
    internal: bool = False

    def __post_init__(self) -> None:
        """Refuse a field whose name says that it is a secret or a personal number."""
        bad = [name for name in (*self.fields, *self.optional) if FORBIDDEN_FIELD.search(name)]
        if bad:
            raise ValueError(f"{self.name}: a payload never carries {', '.join(bad)}")

    @property
    def template(self) -> str:
        """Return the name of the texts, or an empty string where nobody is told."""
        return self.name if self.channels else ""


_TRANSFER = ("transaction_id", "reference", "amount", "currency", "counterparty")
_FUNDING = ("intent_id", "reference", "amount", "currency")
_BILL = ("payment_id", "reference", "biller", "product", "amount", "currency")


def _catalogue(types: Iterable[EventType]) -> dict[str, EventType]:
    """Index the types by name; raises ValueError when a name stands twice."""
    index: dict[str, EventType] = {}
    for event_type in types:
        if index.setdefault(event_type.name, event_type) is not event_type:
            raise ValueError(f"{event_type.name} stands twice in the catalogue")
    return index


CATALOGUE: dict[str, EventType] = _catalogue(
    [
        EventType("user.registered", "Somebody signed up.", Category.ACCOUNT, channels=BOTH),
        EventType(
            "session.revoked",
            "A session ended before its time: signed out elsewhere, or its refresh token was used twice.",
            Category.SECURITY,
            fields=("session_id", "reason"),
            channels=BOTH,
        ),
        EventType("pin.set", "The transaction PIN was set or changed.", Category.SECURITY, channels=BOTH),
        EventType("pin.reset", "Staff removed the transaction PIN.", Category.SECURITY, channels=BOTH),
        EventType(
            "pin.locked", "The PIN was locked after too many wrong tries.", Category.SECURITY, channels=BOTH
        ),
        EventType(
            "kyc.submitted",
            "Somebody handed in an identity check.",
            Category.ACCOUNT,
            fields=("case_id", "tier"),
            channels=IN_APP,
        ),
        EventType(
            "kyc.approved",
            "An identity check was approved; the tier applies from now on.",
            Category.ACCOUNT,
            fields=("case_id", "tier"),
            channels=BOTH,
        ),
        EventType(
            "kyc.rejected",
            "An identity check was rejected.",
            Category.ACCOUNT,
            fields=("case_id", "tier", "reason"),
            channels=BOTH,
        ),
        EventType(
            "wallet.opened",
            "A wallet was opened.",
            Category.ACCOUNT,
            fields=("wallet_id", "currency"),
            channels=IN_APP,
        ),
        EventType(
            "wallet.frozen",
            "Staff froze a wallet: in and out (frozen), or only out (no_debit).",
            Category.SECURITY,
            fields=("wallet_id", "status"),
            optional=("currency",),
            channels=BOTH,
        ),
        EventType(
            "wallet.unfrozen",
            "Staff unfroze a wallet.",
            Category.SECURITY,
            fields=("wallet_id", "status"),
            optional=("currency",),
            channels=BOTH,
        ),
        EventType(
            "transfer.sent",
            "Money was sent to somebody.",
            Category.MONEY,
            fields=_TRANSFER,
            optional=("fee",),
            channels=BOTH,
        ),
        EventType(
            "transfer.received", "Money came from somebody.", Category.MONEY, fields=_TRANSFER, channels=BOTH
        ),
        EventType(
            "bulk_transfer.completed",
            "Many transfers of one request are done; some may have failed.",
            Category.MONEY,
            fields=("bulk_transfer_id", "amount", "currency", "succeeded", "failed"),
            channels=BOTH,
        ),
        EventType(
            "funding.succeeded",
            "Money came in through a gateway.",
            Category.MONEY,
            fields=(*_FUNDING, "transaction_id"),
            optional=("fee", "gateway"),
            channels=BOTH,
        ),
        EventType(
            "funding.failed",
            "A payment through a gateway failed; a late one would still be credited.",
            Category.MONEY,
            fields=_FUNDING,
            optional=("gateway", "reason"),
            channels=BOTH,
        ),
        EventType(
            "credit.parked",
            "A credit could not land in its wallet and is kept safe until it can.",
            Category.MONEY,
            fields=("parked_credit_id", "amount", "currency", "reason"),
            optional=("transaction_id", "reference"),
            channels=BOTH,
        ),
        EventType(
            "credit.released",
            "A parked credit has landed in its wallet.",
            Category.MONEY,
            fields=("parked_credit_id", "amount", "currency"),
            optional=("transaction_id", "reference"),
            channels=BOTH,
        ),
        EventType(
            "bill_payment.completed",
            "A bill was paid.",
            Category.MONEY,
            fields=(*_BILL, "transaction_id"),
            optional=("fee",),
            channels=BOTH,
        ),
        EventType(
            "bill_payment.failed",
            "A bill was not paid; nothing was taken.",
            Category.MONEY,
            fields=_BILL,
            optional=("transaction_id", "fee", "reason"),
            channels=BOTH,
        ),
        EventType(
            "bill_payment.reversed",
            "A bill that was paid has been given back.",
            Category.MONEY,
            fields=(*_BILL, "transaction_id"),
            optional=("fee", "reason"),
            # The movement that gave the money back sends its own e-mail.
            channels=IN_APP,
        ),
        EventType(
            "cashback.earned",
            "Cashback was earned.",
            Category.REWARDS,
            fields=("amount", "currency"),
            optional=("reward_id", "transaction_id", "reference", "campaign"),
            channels=IN_APP,
        ),
        EventType(
            "cashback.redeemed",
            "Cashback was moved to the main wallet.",
            Category.REWARDS,
            fields=("amount", "currency", "transaction_id"),
            optional=("reference",),
            channels=IN_APP,
        ),
        EventType(
            "transaction.reversed",
            "Staff reversed a transaction.",
            Category.MONEY,
            fields=("transaction_id", "reversal_id", "reference", "amount", "currency"),
            optional=("reason",),
            channels=BOTH,
        ),
        EventType(
            "conversion.completed",
            "Money was converted into another currency.",
            Category.MONEY,
            fields=("transaction_id", "reference", "amount", "currency", "amount_to", "currency_to"),
            channels=BOTH,
        ),
        EventType(
            "transaction.refunded",
            "A part of a transaction, or all of it, was given back to its payer.",
            Category.MONEY,
            fields=("transaction_id", "refund_id", "reference", "amount", "currency"),
            channels=BOTH,
        ),
        EventType(
            "wallet.adjusted",
            "Staff corrected a wallet: money in or out that nobody had asked for.",
            Category.MONEY,
            fields=("transaction_id", "reference", "direction", "amount", "currency"),
            channels=BOTH,
        ),
        EventType(
            "hold.expired",
            "A hold ended at its time; its money is available again.",
            Category.MONEY,
            fields=("transaction_id", "reference", "amount", "currency"),
            channels=IN_APP,
        ),
        EventType(
            "float.crossed",
            "A float went below its floor or above its ceiling, or came back: state after before.",
            Category.SYSTEM,
            fields=("account", "currency", "balance", "bound", "state", "before"),
            internal=True,
        ),
        EventType(
            "ledger.invariant_broken",
            "A check of the ledger found something wrong; money out is switched off.",
            Category.SYSTEM,
            fields=("check", "detail"),
            internal=True,
        ),
    ]
)
