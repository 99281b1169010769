"""Filters of the admin's lists that ask the database nothing to draw themselves."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest


class CurrencyFilter(admin.SimpleListFilter):
    """Rows of one enabled currency; Django's own filter would read the whole table for its choices."""

    title = "currency"
    parameter_name = "currency"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer every enabled currency."""
        return [(code, code) for code in settings.CURRENCIES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows of the chosen currency."""
        return queryset.filter(currency=self.value()) if self.value() else queryset
