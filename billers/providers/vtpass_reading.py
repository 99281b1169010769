"""Reading VTpass: naira, tokens, units and customers out of answers whose fields change their type.

The same field is a string in one answer and a number in the next, "N/A" means nothing, each distribution company
names its token differently, and a wrong customer number comes under code 000.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from billers.providers.base import Customer
from fintech_core import outcomes

KOBO: Final = Decimal("0.01")
MAX_NAIRA: Final = Decimal(10**12)
_NAIRA = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?")
# Groups of four or five digits belong to the token; what else follows it, for example its units, does not.
_LABELLED = re.compile(
    r"(?:token|pin)\s*:\s*([0-9]{4,}(?:[ \-][0-9]{4,5})*)(?![0-9A-Za-z]|\.[0-9])", re.IGNORECASE
)
_LONG_NUMBER = re.compile(r"[0-9](?:[ \-]?[0-9]){5,}")
_TOKEN = re.compile(r"[0-9]{8,60}")
_PLAIN = re.compile(r"[^\w .,;:'()/&+@-]+")
_TOKEN_FIELDS: Final = ("token", "mainToken", "Token")
_UNIT_FIELDS: Final = ("units", "Units", "mainTokenUnits", "PurchasedUnits")
_NOTHING: Final = frozenset({"", "N/A", "n/a", "NA", "null"})
_HIDDEN: Final = frozenset(
    {
        "token", "mainToken", "Token", "tokens", "cards", "purchased_code", "Pin", "bonusToken", "kct1", "kct2",
        "resetToken", "configureToken", "phone", "email", "name", "unique_element", "billersCode", "customerName",
        "customerAddress", "meterNumber", "Customer_Name", "Customer_Number", "Address", "Meter_Number",
        "Smartcard_Number",
    }
)  # fmt: skip


def write_naira(amount: Decimal) -> str:
    """Write an amount as VTpass takes it: naira, whole where it is whole."""
    if amount <= 0 or amount != amount.quantize(KOBO):
        raise ValueError(f"{amount} is no payable amount of naira")
    return f"{amount:.0f}" if amount == amount.to_integral_value() else f"{amount:.2f}"


def read_naira(value: object) -> Decimal | None:
    """Read naira from a string or a number, rounded to kobo; None when it is neither, or nothing."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    if isinstance(value, str) and _NAIRA.fullmatch(value) is None:
        return None
    amount = Decimal(value)
    return amount.quantize(KOBO) if amount.is_finite() and 0 <= amount < MAX_NAIRA else None


def read_text(value: object, limit: int = 120) -> str:
    """Read a foreign text before it is stored or shown: plain characters, cut; "N/A" is nothing."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return ""
    text = _PLAIN.sub(" ", str(value)[:1000]).strip()
    return "" if text in _NOTHING else text[:limit].strip()


def mask_numbers(value: object) -> str:
    """Read a foreign sentence with every long number in it masked: it may be a token or somebody's number."""
    return _LONG_NUMBER.sub("*", read_text(value))


def read_token(body: Mapping[str, Any]) -> str | None:
    """Find the token wherever the disco put it, as digits in a string; None when there is none."""
    tokens, cards = body.get("tokens"), body.get("cards")
    found: list[object] = [body.get(name) for name in _TOKEN_FIELDS]
    found += tokens if isinstance(tokens, list) else []
    found += [card.get("Pin") for card in cards if isinstance(card, dict)] if isinstance(cards, list) else []
    found.append(body.get("purchased_code"))
    return next((token for value in found if (token := _token(value)) is not None), None)


def _token(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    labelled = _LABELLED.search(value)
    digits = re.sub(r"[ \-]", "", labelled[1] if labelled else value.strip())
    return digits if _TOKEN.fullmatch(digits) else None


def read_units(body: Mapping[str, Any]) -> str:
    """Find what the token is worth, for example ``79.9 kWh``; an empty text when nobody says."""
    return next((units for name in _UNIT_FIELDS if (units := read_text(body.get(name), 40))), "")


def read_customer(content: object) -> Customer:
    """Read who the customer is. Raises ``declined`` for a wrong number, which comes under code 000 too."""
    if not isinstance(content, dict):
        raise outcomes.unknown("no_content", "The answer has no content.", alarm=True)
    if content.get("error") or content.get("WrongBillersCode") not in (None, False):
        raise outcomes.declined("customer_not_found", "The vendor does not know this number.")
    name = read_text(content.get("Customer_Name"))
    if not name:
        raise outcomes.declined("customer_not_found", "The vendor has no name for this number.")
    if str(content.get("Can_Vend", "yes")).strip().lower() == "no":
        raise outcomes.declined("cannot_vend", "The vendor does not sell to this customer.")
    return Customer(
        name=name,
        address=read_text(content.get("Address"), 200),
        min_amount=_first_amount(content, "Min_Purchase_Amount", "Minimum_Amount"),
        max_amount=_first_amount(content, "Maximum_Amount"),
        current_product=read_text(content.get("Current_Bouquet")),
        renewal_amount=_first_amount(content, "Renewal_Amount"),
        due_on=_day(content.get("Due_Date") or content.get("DUE_DATE")),
    )


def _first_amount(content: Mapping[str, Any], *names: str) -> Decimal | None:
    return next((amount for name in names if (amount := read_naira(content.get(name)))), None)


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def redact(body: Any) -> Any:
    """Return a body without tokens and without what identifies a person, however deep they stand."""
    if isinstance(body, dict):
        return {
            key: "[redacted]" if key in _HIDDEN and value else redact(value) for key, value in body.items()
        }
    return [redact(part) for part in body] if isinstance(body, list) else body
