"""Reads of this app: the catalogue, and payments scoped by their owner."""

import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from billers.enums import BillStatus
from billers.models import Biller, BillPayment, Product, ProductRoute, Quote
from billers.providers import registry
from fintech_core import circuit
from fintech_core.exceptions import NotFound
from users.models import User

POLL_INTERVAL_S = 0.05
_RANK = ("operational", "slow", "down")


def list_billers(*, category: str | None = None) -> QuerySet[Biller]:
    """Return the billers on offer with their products."""
    on_offer = Prefetch(
        "products", Product.objects.filter(is_active=True).prefetch_related("routes").order_by("name", "id")
    )
    billers = Biller.objects.filter(is_active=True).prefetch_related(on_offer).order_by("name", "id")
    return billers.filter(category=category) if category else billers


def get_biller(*, code: str) -> Biller:
    """Return one biller on offer; raises NotFound."""
    biller = list_billers().filter(code=code).first()
    if biller is None:
        raise NotFound(f"There is no biller {code!r}." if code.isprintable() and len(code) < 60 else "")
    return biller


def get_product(*, biller: str, product: str) -> Product:
    """Return one product on offer with its biller and routes; raises NotFound."""
    found = (
        Product.objects.filter(biller__code=biller, code=product, is_active=True, biller__is_active=True)
        .select_related("biller")
        .prefetch_related("routes")
        .first()
    )
    if found is None:
        raise NotFound("There is no such product of this biller.")
    return found


def route_of(product: Product) -> ProductRoute:
    """Return the route by which a product is bought now; raises NotFound when it has none.

    A vendor that settings do not name, or that is paid in another currency, is none.
    """
    open_routes = [
        route for route in product.routes.all() if registry.sells_in(route.vendor, product.currency)
    ]
    routes = sorted(open_routes, key=lambda route: route.priority)
    if not routes:
        raise NotFound("This product cannot be bought at the moment.")
    return routes[0]


def route_at(product: Product, *, vendor: str) -> ProductRoute:
    """Return under which name a vendor sells a product; raises NotFound when it does not."""
    route = ProductRoute.objects.filter(product=product, vendor=vendor).first()
    if route is None:
        raise NotFound(f"{vendor} does not sell this product.")
    return route


def vendor_statuses() -> dict[str, str]:
    """Return how each configured vendor does: ``operational``, ``slow`` or ``down``."""
    return {vendor: circuit.status(vendor) for vendor in registry.vendors()}


def status_of(biller: Biller, statuses: Mapping[str, str]) -> str:
    """Return how a biller does: as well as the best vendor that sells it."""
    vendors = {route.vendor for product in biller.products.all() for route in product.routes.all()}
    return min((statuses.get(vendor, "down") for vendor in vendors), key=_RANK.index, default="down")


def get_quote_for(*, user: User, quote_id: UUID) -> Quote:
    """Return the user's quote; raises NotFound."""
    quote = Quote.objects.filter(user=user, pk=quote_id).first()
    if quote is None:
        raise NotFound("There is no such quote.")
    return quote


def list_payments_for(*, user: User, **filters: Any) -> QuerySet[BillPayment]:
    """Return the user's payments, narrowed by the filters of the list."""
    lookups = {
        "status": "status",
        "biller": "product__biller__code",
        "currency": "currency",
        "reference": "reference",
        "created_after": "created_at__gte",
        "created_before": "created_at__lt",
        "amount_min": "amount__gte",
        "amount_max": "amount__lte",
    }
    wanted = {lookups[name]: value for name, value in filters.items()}
    return BillPayment.objects.filter(user=user, **wanted).select_related("product__biller")


def get_payment_for(*, user: User, payment_id: UUID) -> BillPayment:
    """Return the user's payment; raises NotFound."""
    payment = list_payments_for(user=user).filter(pk=payment_id).first()
    if payment is None:
        raise NotFound
    return payment


def is_open(payment_id: UUID) -> bool:
    """Say whether a vendor may still deliver for this payment; one that does not exist is not waited for."""
    return BillPayment.objects.filter(pk=payment_id, status=BillStatus.PROCESSING).exists()


def wait_for_end(*, user: User, payment_id: UUID, wait_s: float) -> BillPayment:
    """Return the user's payment, giving it at most ``wait_s`` seconds to become final; raises NotFound."""
    deadline = time.monotonic() + wait_s
    payment = get_payment_for(user=user, payment_id=payment_id)
    while payment.status == BillStatus.PROCESSING and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(POLL_INTERVAL_S, left))
        payment = get_payment_for(user=user, payment_id=payment_id)
    return payment
