"""Bills for staff, to look at."""

from django.contrib import admin

from billers.models import BillAttempt, Biller, BillPayment, Product, ProductRoute, Quote
from fintech_core.admin import ReadOnlyModelAdmin


@admin.register(Biller)
class BillerAdmin(ReadOnlyModelAdmin):
    """Who can be paid."""

    list_display = ("code", "name", "category")


@admin.register(Product)
class ProductAdmin(ReadOnlyModelAdmin):
    """What of a biller can be paid."""

    list_display = ("code", "biller", "name", "amount_type")
    list_select_related = ("biller",)


@admin.register(ProductRoute)
class ProductRouteAdmin(ReadOnlyModelAdmin):
    """How a vendor names a product."""

    list_display = ("product", "vendor")
    list_select_related = ("product",)


@admin.register(Quote)
class QuoteAdmin(ReadOnlyModelAdmin):
    """What a customer was shown before paying."""

    list_display = ("id", "product", "expires_at")
    list_select_related = ("product",)


@admin.register(BillPayment)
class BillPaymentAdmin(ReadOnlyModelAdmin):
    """Bills that customers pay."""

    list_display = ("reference", "status", "amount", "currency", "created_at")
    search_fields = ("=reference",)


@admin.register(BillAttempt)
class BillAttemptAdmin(ReadOnlyModelAdmin):
    """What a vendor was asked, and what it answered."""

    list_display = ("payment", "number", "vendor", "vendor_reference")
    list_select_related = ("payment",)
