"""What a delivered electricity order carries. Each distribution company names token and units its own way."""

import hashlib
from decimal import Decimal
from typing import Final

_VAT = Decimal("1.075")
_TARIFF_NAIRA_PER_KWH = Decimal("68.00")
_FIRST_DIGITS: Final = "2636"

_NOT_APPLICABLE: Final = {
    "customerName": "N/A",
    "customerAddress": "N/A",
    "meterNumber": "N/A",
    "resetToken": "N/A",
    "configureToken": "N/A",
    "kct1": "N/A",
    "kct2": "N/A",
    "announcement": "N/A",
}
_ZEROS: Final = (
    "fixChargeAmount",
    "taxAmount",
    "debtAmount",
    "penalty",
    "costOfUnit",
    "meterCost",
    "currentCharge",
    "lossOfRevenue",
    "tariffBaseRate",
    "installationFee",
    "reconnectionFee",
    "meterServiceCharge",
    "administrativeCharge",
)


def electricity_fields(
    service_id: str, variation_code: str, request_id: str, amount_kobo: int
) -> dict[str, object]:
    """Give token and units for a prepaid meter, the receipt fields for a postpaid one."""
    reference = str(int(_fingerprint(request_id)[:7], 16))
    if variation_code == "postpaid":
        return {
            "purchased_code": "",
            "customerName": "TESTMETER1",
            "customerAddress": "ABULE EGBA BU ABULE",
            "meterNumber": None,
            "utilityName": service_id,
            "exchangeReference": reference,
            "balance": None,
        }
    token = token_for(request_id)
    bought = (Decimal(amount_kobo) / 100 / _VAT).quantize(Decimal("0.01"))
    units = (bought / _TARIFF_NAIRA_PER_KWH).quantize(Decimal("0.1"))
    common = {"purchased_code": f"Token : {token}", "exchangeReference": reference}
    return common | _worded(service_id, token, bought, units)


def token_for(request_id: str) -> str:
    """Make the twenty digits of a token out of the request id, so that a requery repeats them."""
    return f"{_FIRST_DIGITS}{int(_fingerprint(request_id), 16) % 10**16:016d}"


def _worded(service_id: str, token: str, bought: Decimal, units: Decimal) -> dict[str, object]:
    if service_id == "eko-electric":
        return {
            "mainToken": token,
            "mainTokenDescription": "Normal Sale",
            "mainTokenUnits": float(units),
            "mainTokenTax": 0,
            "mainsTokenAmount": float(bought),
            "bonusToken": "",
            "bonusTokenUnits": "",
        }
    if service_id == "abuja-electric":
        return {"Token": token, "PurchasedUnits": str(units), "Tariff": "R2"}
    if service_id == "ibadan-electric":
        return {"Token": f"Token : {token}", "Units": str(units), "TariffRate": "R2"}
    return {
        **_NOT_APPLICABLE,
        **dict.fromkeys(_ZEROS, 0),
        "token": f"Token : {token}",
        "tokenAmount": float(bought),
        "units": f"{units} kWh",
        "tariff": "R2 SINGLE PHASE RESIDENTIAL",
    }


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
