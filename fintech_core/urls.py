"""Every route: the system pages here, the API by the apps that do the work, all below ``/api/v1/``.

Apps are included by name, since imports go downwards only. No route ends with a slash; below ``/api/`` one is
accepted and stripped by ``middleware.RequestGuard``.
"""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from fintech_core import views

handler400 = "fintech_core.views.bad_request"
handler403 = "fintech_core.views.permission_denied"
handler404 = "fintech_core.views.not_found"
handler500 = "fintech_core.views.server_error"

API_APPS = ("transactions", "users", "wallet", "payments", "billers", "cashback", "notifications")

# Routes are tried one after the other, so the way to what is asked most is short: the API first, of it the ledger.
urlpatterns = [
    path("api/v1/", include([path("", include(f"{app}.urls")) for app in API_APPS])),
    path("", RedirectView.as_view(pattern_name="docs"), name="home"),
    path("health", views.health, name="health"),
    path("health/detailed", views.health_detailed, name="health-detailed"),
    path("api/health", views.health_detailed),
    path("livez", views.livez, name="livez"),
    path("metrics", views.metrics, name="metrics"),
    path("readyz", views.readyz, name="readyz"),
    path("api/schema", views.Schema.as_view(), name="schema"),
    path("docs", views.Swagger.as_view(url_name="schema"), name="docs"),
    path("redoc", views.Redoc.as_view(url_name="schema"), name="redoc"),
    path("errors", views.error_index, name="errors"),
    path("errors/<slug:code>", views.error_page, name="error"),
    path("receipts/", include("transactions.pages")),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
]
