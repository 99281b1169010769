"""The catalogue over HTTP: who can be paid, what for, and how they do."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from billers.models import Biller, Product, ProductRoute
from fintech_core import circuit
from tests.billers.bench import close_circuit
from tests.billers.phone import faults, get, problem
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]


@pytest.fixture
def ada(api: Api, settings: Settings) -> APIClient:
    """A signed-in customer."""
    settings.RATE_LIMITS = False
    return api(UserFactory())


@pytest.fixture(autouse=True)
def _closed_circuit() -> Iterator[None]:
    close_circuit()
    yield
    close_circuit()


def take_down() -> None:
    """Let the vendor fail until its circuit opens."""
    for _ in range(circuit.WINDOW_CALLS):
        circuit.record("vtpass", ok=False)


def all_pages(client: APIClient, **query: Any) -> list[dict[str, Any]]:
    found, page = [], get(client, "/billers", **query).json()
    found += page["results"]
    while page["next"]:
        page = client.get(page["next"]).json()
        found += page["results"]
    return found


class TestList:
    def test_shows_every_biller_once_by_name_over_all_pages(self, ada: APIClient) -> None:
        names = [biller["name"] for biller in all_pages(ada, page_size=5)]
        assert len(names) == len(set(names)) == Biller.objects.count() == 25
        assert names == list(Biller.objects.order_by("name").values_list("name", flat=True))

    def test_a_biller_carries_what_it_sells(self, ada: APIClient) -> None:
        [biller] = [found for found in all_pages(ada) if found["code"] == "ikeja-electric"]
        assert (biller["category"], biller["status"]) == ("electricity", "operational")
        assert biller["products"] == [
            {
                "code": kind, "name": kind.capitalize(), "amount_type": "range", "amount": None,
                "min_amount": "500.00", "max_amount": "1000000.00", "currency": "NGN",
                "customer_id_label": "Meter number", "fee": "0.00",
            }
            for kind in ("postpaid", "prepaid")
        ]  # fmt: skip

    def test_a_fixed_product_has_a_price(self, ada: APIClient) -> None:
        [plan] = [
            found for found in get(ada, "/billers/gotv").json()["products"] if found["code"] == "gotv-max"
        ]
        assert (plan["amount_type"], plan["amount"], plan["min_amount"], plan["max_amount"]) == (
            "fixed", "8500.00", None, None,
        )  # fmt: skip

    @pytest.mark.parametrize(("category", "count"), [("electricity", 12), ("tv", 3), ("airtime", 4)])
    def test_one_category_is_kept(self, ada: APIClient, category: str, count: int) -> None:
        found = all_pages(ada, category=category)
        assert (len(found), {biller["category"] for biller in found}) == (count, {category})

    def test_what_is_not_on_offer_is_not_shown(self, ada: APIClient) -> None:
        Biller.objects.filter(code="mtn").update(is_active=False)
        Product.objects.filter(biller__code="gotv", code="gotv-max").update(is_active=False)
        shown = {biller["code"]: {p["code"] for p in biller["products"]} for biller in all_pages(ada)}
        assert "mtn" not in shown
        assert "gotv-max" not in shown["gotv"]
        assert problem(get(ada, "/billers/mtn")) == (404, "not_found")

    def test_costs_the_same_queries_for_one_and_for_many(
        self, ada: APIClient, django_assert_max_num_queries: Any
    ) -> None:
        with django_assert_max_num_queries(4):
            get(ada, "/billers", page_size=25)

    @pytest.mark.parametrize(
        ("query", "fault"),
        [
            ({"category": "water"}, ("category", "invalid_choice")),
            ({"kind": "tv"}, ("kind", "unknown_parameter")),
            ({"page_size": "0"}, ("page_size", "invalid")),
            ({"page_size": "101"}, ("page_size", "invalid")),
            ({"cursor": "nonsense"}, ("cursor", "invalid")),
        ],
    )
    def test_a_query_that_nobody_knows_is_400(
        self, ada: APIClient, query: dict[str, str], fault: tuple[str, str]
    ) -> None:
        assert faults(get(ada, "/billers", **query)) == {fault}

    def test_is_for_people_who_signed_in(self, api: Api) -> None:
        for path in ("/billers", "/billers/categories", "/billers/mtn"):
            assert problem(get(api(), path)) == (401, "not_authenticated")


class TestOne:
    def test_is_found_by_its_code(self, ada: APIClient) -> None:
        body = get(ada, "/billers/9mobile").json()
        assert (body["code"], body["name"]) == ("9mobile", "9mobile")
        assert [product["code"] for product in body["products"]] == ["airtime"]

    @pytest.mark.parametrize("code", ["nobody", "NOBODY", "x" * 80, "a_b"])
    def test_an_unknown_one_is_404(self, ada: APIClient, code: str) -> None:
        assert problem(get(ada, f"/billers/{code}")) == (404, "not_found")

    def test_the_categories_have_names(self, ada: APIClient) -> None:
        assert get(ada, "/billers/categories").json() == {
            "next": None, "previous": None,
            "results": [
                {"code": "airtime", "name": "Airtime"}, {"code": "data", "name": "Data"},
                {"code": "electricity", "name": "Electricity"}, {"code": "internet", "name": "Internet"},
                {"code": "tv", "name": "TV"},
            ],
        }  # fmt: skip

    @pytest.mark.parametrize("path", ["/billers/categories", "/billers/status"])
    def test_what_is_told_of_all_has_pages_by_name(self, ada: APIClient, path: str) -> None:
        whole = get(ada, path, page_size="100").json()
        first = get(ada, path, page_size="2").json()
        second = ada.get(first["next"]).json()
        assert first["results"] + second["results"] == whole["results"][:4]
        assert ada.get(second["previous"]).json()["results"] == first["results"]
        assert faults(get(ada, path, page_size="101")) == {("page_size", "invalid")}


class TestStatus:
    def statuses(self, client: APIClient) -> set[str]:
        results = get(client, "/billers/status").json()["results"]
        assert {frozenset(found) for found in results} == {frozenset({"code", "name", "status"})}
        return {found["status"] for found in results}

    def test_everybody_may_ask(self, api: Api) -> None:
        assert self.statuses(api()) == {"operational"}

    def test_a_vendor_that_fails_is_slow_and_then_down(self, api: Api, ada: APIClient) -> None:
        for _ in range(6):
            circuit.record("vtpass", ok=False)
        assert self.statuses(api()) == {"slow"}
        take_down()
        assert self.statuses(api()) == {"down"}
        assert get(ada, "/billers/mtn").json()["status"] == "down"

    def test_a_biller_that_no_vendor_sells_is_down(self, ada: APIClient) -> None:
        ProductRoute.objects.filter(product__biller__code="mtn").delete()
        ProductRoute.objects.filter(product__biller__code="glo").update(vendor="nobody")
        assert {get(ada, f"/billers/{code}").json()["status"] for code in ("mtn", "glo")} == {"down"}

    def test_a_route_that_settings_do_not_name_is_none(self, ada: APIClient) -> None:
        product = Product.objects.get(biller__code="glo")
        ProductRoute.objects.create(product=product, vendor="nobody", service_id="glo", priority=0)
        assert get(ada, "/billers/glo").json()["status"] == "operational"
        assert product.fee == Decimal(0)
