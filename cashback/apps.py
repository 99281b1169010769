"""App configuration."""

from django.apps import AppConfig


class CashbackConfig(AppConfig):
    """What customers get back: campaigns, the rewards they gave, and redeeming them."""

    name = "cashback"
    verbose_name = "Cashback"
