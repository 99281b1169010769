"""Paystack's bank list and the account-name check."""

import hashlib
import re
from typing import Final

from sandbox.exchange import Answer, Request
from sandbox.paystack.replies import failed, succeeded

_BANKS: Final = (
    (1, "Access Bank", "access-bank", "044"),
    (9, "First Bank of Nigeria", "first-bank-of-nigeria", "011"),
    (14, "Guaranty Trust Bank", "guaranty-trust-bank", "058"),
    (67, "Moniepoint MFB", "moniepoint-mfb-ng", "50515"),
    (171, "OPay Digital Services Limited (OPay)", "paycom", "999992"),
    (18, "Stanbic IBTC Bank", "stanbic-ibtc-bank", "221"),
    (17, "Union Bank of Nigeria", "union-bank-of-nigeria", "032"),
    (19, "United Bank For Africa", "united-bank-for-africa", "033"),
    (20, "Wema Bank", "wema-bank", "035"),
    (21, "Zenith Bank", "zenith-bank", "057"),
    (22, "Test Bank", "test-bank", "001"),
)
_NAMES: Final = ("ADA OBI", "CHIDI OKAFOR", "BOLA ADEYEMI", "NGOZI EZE", "MUSA BELLO", "FUNKE ALABI")
_ACCOUNT = re.compile(r"[0-9]{10}")
_UNKNOWN_PREFIX: Final = "999"


def list_banks(request: Request) -> Answer:
    """GET /bank; only Nigeria's banks are known."""
    country = request.query.get("country", "nigeria").lower()
    currency = request.query.get("currency", "NGN")
    known = _BANKS if country == "nigeria" and currency == "NGN" else ()
    return succeeded("Banks retrieved", [_bank(*bank) for bank in known])


def resolve(request: Request) -> Answer:
    """GET /bank/resolve: a name for any ten digits, except those beginning with 999."""
    number = request.query.get("account_number", "")
    bank_code = request.query.get("bank_code", "")
    bank = next((bank for bank in _BANKS if bank[3] == bank_code), None)
    if bank is None:
        return failed(400, "Unknown bank code: " + bank_code, "unknown_bank_code")
    if not _ACCOUNT.fullmatch(number) or number.startswith(_UNKNOWN_PREFIX):
        return failed(
            422, "Could not resolve account name. Check parameters or try again.", "invalid_account"
        )
    choice = hashlib.sha256(number.encode()).digest()[0] % len(_NAMES)
    data = {"account_number": number, "account_name": _NAMES[choice], "bank_id": bank[0]}
    return succeeded("Account number resolved", data)


def _bank(bank_id: int, name: str, slug: str, code: str) -> dict[str, object]:
    return {
        "name": name,
        "slug": slug,
        "code": code,
        "longcode": "",
        "gateway": None,
        "pay_with_bank": False,
        "active": True,
        "is_deleted": False,
        "country": "Nigeria",
        "currency": "NGN",
        "type": "nuban",
        "id": bank_id,
        "createdAt": "2020-12-07T16:19:09.000Z",
        "updatedAt": "2020-12-07T16:19:19.000Z",
    }
