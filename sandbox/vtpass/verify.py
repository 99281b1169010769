"""POST /merchant-verify: who is behind a meter, a smart card or an account.

A number that nobody has answers code 000 too; what is wrong stands inside `content`, in one of two shapes.
"""

from datetime import timedelta

from sandbox.clock import LAGOS
from sandbox.core import Sandbox
from sandbox.exchange import Answer, Request, Unreadable, json_answer
from sandbox.vtpass.catalogue import Catalogue, Service
from sandbox.vtpass.customers import ELECTRICITY, TV, is_known
from sandbox.vtpass.replies import refusal


class MerchantVerify:
    """Answers the call."""

    def __init__(self, sandbox: Sandbox, catalogue: Catalogue) -> None:
        self._sandbox = sandbox
        self._catalogue = catalogue

    def __call__(self, request: Request) -> Answer:
        """Give the customer's name, or say inside a 000 that the number is wrong."""
        try:
            fields = request.fields()
        except Unreadable:
            return refusal("011", "The body is no JSON object.")
        number = str(fields.get("billersCode") or "")
        service = self._catalogue.get(fields.get("serviceID"))
        if not number or not fields.get("serviceID"):
            return refusal("011", "The billersCode and serviceID fields are required.")
        if service is None:
            return refusal("012")
        if service.category == ELECTRICITY and fields.get("type") not in tuple(service.variations):
            return refusal("011", "The type field must be prepaid or postpaid.")
        if not is_known(number, service.category):
            return json_answer({"code": "000", "content": _wrong_number(number, service)})
        return json_answer(
            {"code": "000", "content": self._content(number, service, str(fields.get("type")))}
        )

    def _content(self, number: str, service: Service, meter_type: str) -> dict[str, object]:
        if service.category == ELECTRICITY:
            return _meter(number, service, meter_type)
        if service.category == TV:
            due = self._sandbox.clock.now().astimezone(LAGOS) + timedelta(days=12)
            return _smart_card(number, service, due.strftime("%Y-%m-%dT00:00:00"))
        return {"Customer_Name": "TEST CUSTOMER", "commission_details": _commission(service)}


def _wrong_number(number: str, service: Service) -> dict[str, object]:
    """Say it the two ways that are seen: with the flag beside the text, or with the text alone."""
    error = f"This number is not correct or is not valid for {service.name}. Please check and try again."
    if number.startswith("999"):
        return {"error": error}
    return {"error": error, "WrongBillersCode": True}


def _meter(number: str, service: Service, meter_type: str) -> dict[str, object]:
    return {
        "Customer_Name": "TESTMETER1",
        "Address": "ABULE EGBA BU ABULE",
        "Meter_Number": number,
        "Customer_Arrears": "",
        "Minimum_Amount": "",
        "Min_Purchase_Amount": str(service.minimum_kobo // 100) if meter_type == "prepaid" else "",
        "Can_Vend": "yes",
        "Business_Unit": "",
        "Customer_Account_Type": "PRIME",
        "Meter_Type": meter_type.upper(),
        "WrongBillersCode": False,
        "commission_details": _commission(service),
    }


def _smart_card(number: str, service: Service, due_date: str) -> dict[str, object]:
    current = next(iter(service.variations.values()))
    name: dict[str, object] = {"Customer_Name": "TEST CUSTOMER"}
    if service.service_id == "startimes":
        balance = {"Balance": 0, "Smartcard_Number": number, "WrongBillersCode": False}
        return name | balance | {"commission_details": _commission(service)}
    return name | {
        "Status": "ACTIVE",
        "Due_Date": due_date,
        "Customer_Number": int(number[-9:]),
        "Customer_Type": service.service_id.upper(),
        "Current_Bouquet": current.name,
        "Current_Bouquet_Code": current.code,
        "Renewal_Amount": current.amount_kobo / 100,
        "commission_details": _commission(service),
    }


def _commission(service: Service) -> dict[str, object]:
    return {"amount": None, "rate": service.rate, "rate_type": "percent", "computation_type": "default"}
