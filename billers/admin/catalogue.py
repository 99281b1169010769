"""The catalogue for staff: who can be paid, what for, and by which vendor. Every change asks for its reason.

What names a row in the API, in payments and in campaigns (a code, whose product it is, its currency) is chosen once;
what is sold no more is taken off sale, since payments keep their product.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from billers.enums import AmountType
from billers.models import Biller, Product, ProductRoute
from billers.providers import registry
from billers.services import catalogue
from fintech_core import money
from fintech_core.admin import ModelAdmin, ReadOnlyInline
from fintech_core.dialogs import reason_field
from users.permissions import staff_member

if TYPE_CHECKING:
    EntryModelForm = forms.ModelForm[Any]
else:
    EntryModelForm = forms.ModelForm

FIGURES = ("amount", "min_amount", "max_amount", "fee")


class EntryForm(EntryModelForm):
    """A row of the catalogue, with the reason for the audit log."""

    reason = reason_field()


class ProductForm(EntryForm):
    """A product whose figures its currency can have and that has either a price or a range."""

    code = forms.SlugField(max_length=60, widget=UnfoldAdminTextInputWidget)
    currency = forms.ChoiceField(
        choices=[(code, code) for code in settings.CURRENCIES], widget=UnfoldAdminSelectWidget
    )

    def clean(self) -> dict[str, Any]:
        """Refuse figures that the currency cannot have, and a price beside a range."""
        cleaned: dict[str, Any] = super().clean() or {}
        currency = str(cleaned.get("currency") or self.instance.currency)
        for name in FIGURES:
            self._check_figure(name, cleaned.get(name), currency)
        is_fixed = cleaned.get("amount_type") == AmountType.FIXED
        for name in ("amount", "min_amount", "max_amount"):
            is_wanted = (name == "amount") is is_fixed
            if is_wanted is (cleaned.get(name) is None) and name not in self.errors:
                self.add_error(
                    name, "This type needs it." if is_wanted else "Leave this empty for this type."
                )
        least, most = cleaned.get("min_amount"), cleaned.get("max_amount")
        if least is not None and most is not None and most < least:
            self.add_error("max_amount", "The most is not below the least.")
        return cleaned

    def _check_figure(self, name: str, figure: Decimal | None, currency: str) -> None:
        if figure is None:
            return
        if figure < 0 or (figure == 0 and name != "fee"):
            self.add_error(name, "An amount is more than nothing.")
        elif figure % money.quantum(currency):
            self.add_error(name, f"{currency} has {money.decimals(currency)} decimals.")


class RouteForm(EntryForm):
    """A route by a vendor that settings name and that is paid in the product's currency."""

    vendor = forms.ChoiceField(
        choices=lambda: [(name, name) for name in registry.vendors()], widget=UnfoldAdminSelectWidget
    )

    def clean(self) -> dict[str, Any]:
        """Refuse a vendor that is paid in another currency than the product."""
        cleaned: dict[str, Any] = super().clean() or {}
        product, vendor = cleaned.get("product"), cleaned.get("vendor")
        if product is not None and vendor and not registry.sells_in(vendor, product.currency):
            self.add_error("vendor", f"This vendor is not paid in {product.currency}.")
        return cleaned


class EntryAdmin(ModelAdmin):
    """Base of the catalogue's pages: rows are added and changed by the service, with a reason, and never deleted."""

    form = EntryForm
    named: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody delete a row; take it off sale instead."""
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Ask for the reason where something can be saved."""
        may_save = (
            self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)
        )
        return [*self.named, "reason"] if may_save else [*self.named]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Keep what names a row as it was first chosen."""
        return [] if obj is None else [*self.fixed]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save by the service, which also writes the audit row."""
        catalogue.save_entry(entry=obj, actor=staff_member(request), reason=form.cleaned_data["reason"])


class ProductInline(ReadOnlyInline):
    """What a biller sells."""

    model = Product
    fields = ("code", "name", "amount_type", "amount", "min_amount", "max_amount", "fee", "is_active")
    ordering = ("name",)


class RouteInline(ReadOnlyInline):
    """How vendors name a product."""

    model = ProductRoute
    fields = ("vendor", "service_id", "variation_code", "priority")
    ordering = ("priority",)


@admin.register(Biller)
class BillerAdmin(EntryAdmin):
    """Who can be paid."""

    named = ("code", "name", "category", "is_active")
    fixed = ("code",)
    list_display = ("name", "code", "category", "is_active")
    list_filter = ("category", "is_active")
    search_fields = ("name", "=code")
    ordering = ("name", "id")
    inlines = (ProductInline,)


@admin.register(Product)
class ProductAdmin(EntryAdmin):
    """What of a biller can be paid, and for how much."""

    form = ProductForm
    named = (
        "biller", "code", "name", "currency", "amount_type", "amount", "min_amount", "max_amount", "fee",
        "customer_id_label", "verifies_customer", "delivers_token", "is_active",
    )  # fmt: skip
    fixed = ("biller", "code", "currency")
    list_display = ("biller", "name", "code", "shown_price", "shown_fee", "is_active")
    list_display_links = ("name",)
    list_filter = ("biller__category", "amount_type", "is_active")
    list_select_related = ("biller",)
    search_fields = ("name", "=code", "biller__name")
    ordering = ("biller__name", "name", "id")
    inlines = (RouteInline,)

    @display(description="Price")
    def shown_price(self, product: Product) -> str:
        """Return the price, or the range in which the customer chooses."""
        if product.amount is not None:
            return money.for_people(product.amount, product.currency)
        ends = (product.min_amount, product.max_amount)
        return " to ".join(money.for_people(end, product.currency) for end in ends if end is not None)

    @display(description="Fee")
    def shown_fee(self, product: Product) -> str:
        """Return what the customer pays on top."""
        return money.for_people(product.fee, product.currency)


@admin.register(ProductRoute)
class ProductRouteAdmin(EntryAdmin):
    """Under which name a vendor sells a product; the lowest priority is used."""

    form = RouteForm
    named = ("product", "vendor", "service_id", "variation_code", "priority")
    fixed = ("product", "vendor")
    list_display = ("product", "vendor", "service_id", "variation_code", "priority")
    list_filter = ("vendor",)
    list_select_related = ("product__biller",)
    search_fields = ("=service_id", "=variation_code", "product__name")
    ordering = ("service_id", "variation_code", "id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProductRoute]:
        """Bring the product along, on the page of one route too."""
        rows: QuerySet[ProductRoute] = super().get_queryset(request)
        return rows.select_related("product__biller")
