"""App configuration."""

from django.apps import AppConfig
from django.contrib import admin


class BackofficeConfig(AppConfig):
    """What staff see first: the sidebar, the dashboard; and the demonstration."""

    name = "backoffice"
    verbose_name = "Back office"

    def ready(self) -> None:
        """Put the dashboard on the admin's front page."""
        admin.site.index_title = "Dashboard"
        admin.site.index_template = "backoffice/dashboard.html"
