"""The canonical bytes of a fact: what is hashed, and what a line of an exported copy is. Made in this place alone.

A fact is one JSON object on one line, in UTF-8, without spaces, its members in the order of the columns below. An
amount is a string without an exponent or trailing zeros, so that 1.10 and 1.1 are one number; an instant is UTC with
six digits of microseconds; a UUID is lower case; metadata is the database's own text of it, which is canonical for
jsonb. A change of any of this, or of a column, is a new ``FORMAT``: old seals keep theirs.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from json.encoder import encode_basestring as quoted
from typing import Any, Final
from uuid import UUID

FORMAT: Final = 1

ENTRY: Final = (
    "id", "transaction_id", "account", "wallet_id", "direction", "amount", "currency", "wallet_balance_after",
    "wallet_version", "created_at", "effective_at",
)  # fmt: skip
TRANSACTION: Final = (
    "id", "reference", "type", "status", "currency", "amount", "fee", "hold_amount", "expires_at", "from_wallet_id",
    "to_wallet_id", "from_user_id", "to_user_id", "initiated_by_id", "description", "metadata", "reverses_id",
    "refund_of_id", "source_kind", "source_id", "converted_amount", "converted_currency", "conversion_rate",
    "failure_code", "created_at", "completed_at", "effective_at", "hold_number", "end_number",
)  # fmt: skip
# What a capture or a void may set is no fact of a hold yet; it is one of the entries, or of the end.
SETTLED: Final = frozenset({"status", "amount", "fee", "failure_code", "completed_at", "end_number"})
HOLD: Final = tuple(column for column in TRANSACTION if column not in SETTLED)
WALLET: Final = ("id", "owner_id", "kind", "currency", "created_at")
# Lines of their own, since older wallets and holds have none: a range that was sealed before them reads as it did.
OPENING: Final = (*WALLET, "opening_number")
SPLIT: Final = ("id", "hold_fee")
SEAL: Final = (
    "number", "format", "after_entry", "through_entry", "after_hold", "through_hold", "entries", "holds", "digest",
    "previous", "key_id", "sealed_at",
)  # fmt: skip
MARK: Final = ("through_entry", "through_hold", "seal_number", "seal_chain", "checked_at", "key_id")
COLUMNS: Final[dict[str, Sequence[str]]] = {
    "transaction": TRANSACTION, "entry": ENTRY, "wallet": WALLET, "hold": HOLD, "split": SPLIT, "end": TRANSACTION,
    "opening": OPENING, "seal": SEAL, "mark": MARK,
}  # fmt: skip

# Written out by hand: an encoder is made anew for each object, and knows more than the three types that occur here.
_NAMES: Final = {kind: [f',"{name}":' for name in columns] for kind, columns in COLUMNS.items()}


def line(kind: str, values: Sequence[Any]) -> bytes:
    """Return the canonical bytes of a fact of this kind, its values in the order of ``COLUMNS[kind]``; ends in LF.

    Raises TypeError on a type that no column has, ValueError when a value is missing.
    """
    parts = [f'{{"fact":"{kind}"']
    for name, value in zip(_NAMES[kind], values, strict=True):
        if value is None:
            parts.append(f"{name}null")
        elif type(value) is int:
            parts.append(f"{name}{value}")
        else:
            parts.append(name + quoted(value if type(value) is str else _text(value)))
    parts.append("}\n")
    return "".join(parts).encode()


def _text(value: object) -> str:
    match value:
        case Decimal():
            return number(value)
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
        case UUID():
            return str(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")


def number(value: Decimal) -> str:
    """Return a finite number without exponent and without trailing zeros. Raises ValueError on NaN and infinity."""
    if not value.is_finite():
        raise ValueError(f"{value} is no amount")
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
