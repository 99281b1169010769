"""An order as VTpass writes it: the same field is a string in one answer and a number in the next."""

import hashlib
from typing import Final

from sandbox.book import Row
from sandbox.vtpass.catalogue import Service
from sandbox.vtpass.customers import ELECTRICITY
from sandbox.vtpass.electricity import electricity_fields
from sandbox.vtpass.replies import DESCRIPTIONS

PENDING_DESCRIPTION: Final = "TRANSACTION PROCESSING - PENDING"
_CODES: Final = {"delivered": "000", "pending": "000", "failed": "016", "reversed": "040"}


def paid(row: Row, service: Service) -> dict[str, object]:
    """Shape the answer to /pay: amounts inside `content` are strings for meters."""
    as_text = service.category == ELECTRICITY
    return {**_answer(row, service, as_text=as_text), **_product_fields(row, service)}


def requeried(row: Row, service: Service, *, is_processing: bool) -> dict[str, object]:
    """Shape the answer to /requery: amounts are numbers and two fields are added.

    `is_processing` says it with the code 099 instead of with the inner status alone.
    """
    transaction = {**_transaction(row, service, as_text=False), "product_id": None, "extras": None}
    answer = {
        **_answer(row, service, as_text=False),
        **_product_fields(row, service),
        "content": {"transactions": transaction},
    }
    if is_processing:
        answer |= {"code": "099", "response_description": DESCRIPTIONS["099"]}
    return answer


def transaction_update(row: Row, service: Service) -> dict[str, object]:
    """Shape the webhook: a thinner answer without token, with no date."""
    data = _answer(row, service, as_text=False) | {"transaction_date": None, "purchased_code": ""}
    if row["status"] == "delivered":
        data["response_description"] = "TRANSACTION DELIVERED"
    if row["status"] == "reversed":
        data["amount"] = naira(row["amount_kobo"] - row["commission_kobo"])
        data["content"] = {
            "transactions": {
                **_transaction(row, service, as_text=False),
                "wallet_credit_id": _digits(row["request_id"] + "credit", 26),
            }
        }
    return {"type": "transaction-update", "data": data}


def naira(kobo: int) -> int | float:
    """Write kobo as naira, a whole number where it is one."""
    return kobo // 100 if kobo % 100 == 0 else kobo / 100


def _answer(row: Row, service: Service, *, as_text: bool) -> dict[str, object]:
    code = _CODES[row["status"]]
    description = PENDING_DESCRIPTION if row["status"] == "pending" else DESCRIPTIONS[code]
    return {
        "code": code,
        "content": {"transactions": _transaction(row, service, as_text=as_text)},
        "response_description": description,
        "requestId": row["request_id"],
        "amount": naira(row["amount_kobo"]),
        "transaction_date": row["created_at"],
        "purchased_code": "",
    }


def _transaction(row: Row, service: Service, *, as_text: bool) -> dict[str, object]:
    amount = naira(row["amount_kobo"])
    commission = naira(row["commission_kobo"])
    return {
        "status": row["status"],
        "product_name": service.name,
        "unique_element": row["billers_code"],
        "unit_price": str(amount) if as_text else amount,
        "quantity": 1,
        "service_verification": None,
        "channel": "api",
        "commission": commission,
        "total_amount": naira(row["amount_kobo"] - row["commission_kobo"]),
        "discount": None,
        "type": service.type_name,
        "email": "sandbox@sandbox.vtpass.com",
        "phone": row["phone"],
        "name": None,
        "convinience_fee": 0,
        "amount": str(amount) if as_text else amount,
        "platform": "api",
        "method": "api",
        "transactionId": row["transaction_id"],
        "commission_details": {
            "amount": commission,
            "rate": service.rate,
            "rate_type": "percent",
            "computation_type": "default",
        },
    }


def _product_fields(row: Row, service: Service) -> dict[str, object]:
    if service.category == ELECTRICITY and row["status"] == "delivered":
        return electricity_fields(
            row["service_id"], row["variation_code"], row["request_id"], row["amount_kobo"]
        )
    return {}


def _digits(text: str, count: int) -> str:
    return f"{int(hashlib.sha256(text.encode()).hexdigest(), 16) % 10**count:0{count}d}"
