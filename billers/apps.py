"""App configuration."""

from django.apps import AppConfig


class BillersConfig(AppConfig):
    """What can be paid, and the payments themselves."""

    name = "billers"
    verbose_name = "Bills"
