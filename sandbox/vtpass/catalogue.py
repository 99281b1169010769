"""What VTpass sells, read once from `catalogue.json`. Prices are samples."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources

from sandbox.core import Sandbox
from sandbox.exchange import Answer, Request, json_answer
from sandbox.vtpass.replies import refusal


@dataclass(frozen=True)
class Variation:
    """One plan. `amount_kobo` 0 means that the customer names the amount."""

    code: str
    name: str
    amount_kobo: int


@dataclass(frozen=True)
class Service:
    """One thing to buy. Amounts in kobo, the commission rate in percent as VTpass prints it."""

    service_id: str
    category: str
    name: str
    type_name: str
    minimum_kobo: int
    maximum_kobo: int
    rate: str
    variations: Mapping[str, Variation]

    def commission_kobo(self, amount_kobo: int) -> int:
        """Compute the merchant's margin on an amount, rounded down to a whole kobo."""
        return int(Decimal(amount_kobo) * Decimal(self.rate) / 100)


class Catalogue:
    """All services by id, and the calls that list them."""

    def __init__(self) -> None:
        text = resources.files("sandbox.vtpass").joinpath("catalogue.json").read_text("utf-8")
        document = json.loads(text)
        self._categories: dict[str, str] = document["categories"]
        self._services = {
            service_id: _service(service_id, category, entry)
            for category, services in document["services"].items()
            for service_id, entry in services.items()
        }

    def get(self, service_id: object) -> Service | None:
        """Find a service by its id."""
        return self._services.get(service_id) if isinstance(service_id, str) else None

    def show_categories(self, _request: Request) -> Answer:
        """GET /service-categories."""
        content = [{"identifier": key, "name": name} for key, name in self._categories.items()]
        return json_answer({"response_description": "000", "content": content})

    def show_services(self, request: Request) -> Answer:
        """GET /services?identifier=…; the limits are a string here and a number there, as on the wire."""
        identifier = request.query.get("identifier", "")
        if identifier not in self._categories:
            return refusal("011", "The identifier field is required and must name a category.")
        chosen = [service for service in self._services.values() if service.category == identifier]
        content = [
            {
                "serviceID": service.service_id,
                "name": service.name,
                "minimium_amount": str(service.minimum_kobo // 100),
                "maximum_amount": service.maximum_kobo // 100,
                "convinience_fee": "0 %",
                "product_type": "fix" if _is_fixed(service) else "flexible",
                "image": "",
            }
            for service in chosen
        ]
        return json_answer({"response_description": "000", "content": content})

    def show_variations(self, request: Request) -> Answer:
        """GET /service-variations?serviceID=…; the list comes under its right and its wrong spelling."""
        service = self.get(request.query.get("serviceID"))
        if service is None:
            return refusal("012")
        listed = [
            {
                "variation_code": variation.code,
                "name": variation.name,
                "variation_amount": f"{variation.amount_kobo // 100}.{variation.amount_kobo % 100:02d}",
                "fixedPrice": "Yes" if variation.amount_kobo else "No",
            }
            for variation in service.variations.values()
        ]
        content = {
            "ServiceName": service.name,
            "serviceID": service.service_id,
            "convinience_fee": "N0",
            "variations": listed,
            "varations": listed,
        }
        return json_answer({"response_description": "000", "content": content})


class Balance:
    """GET /balance: the merchant's prepaid float."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def __call__(self, _request: Request) -> Answer:
        """Answer in naira."""
        kobo = self._sandbox.knobs.vtpass_float_kobo
        return json_answer({"code": 1, "contents": {"balance": kobo / 100}})


def _is_fixed(service: Service) -> bool:
    return any(variation.amount_kobo for variation in service.variations.values())


def _service(service_id: str, category: str, entry: Mapping[str, object]) -> Service:
    variations = entry.get("variations", {})
    if not isinstance(variations, dict):
        raise TypeError(f"variations of {service_id} must be an object")
    return Service(
        service_id=service_id,
        category=category,
        name=str(entry["name"]),
        type_name=str(entry["type"]),
        minimum_kobo=int(str(entry["minimum"])) * 100,
        maximum_kobo=int(str(entry["maximum"])) * 100,
        rate=str(entry["rate"]),
        variations={
            code: Variation(code=code, name=name, amount_kobo=int(Decimal(price) * 100))
            for code, (name, price) in variations.items()
        },
    )
