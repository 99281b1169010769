"""What is declared in one place is whole in the other: migrations, OpenAPI, the admin, settings, jobs."""

import ast
import re
from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

from fintech_core import logs, wiring
from fintech_core.celery import app
from tests.architecture.sources import APPS, ROOT, sources

API = "api/v1/"
# Read by the programs themselves, not by settings.
NOT_IN_SETTINGS = {"SANDBOX_PORT", "SANDBOX_HOLD_S"}


def routes(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    """Yield every route of the project as it is written."""
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, path)
        elif isinstance(entry, URLPattern):
            yield path


def api_routes() -> set[str]:
    """Return every route of the API as OpenAPI writes it."""
    found = (route for route in routes(get_resolver()) if route.startswith(API))
    plain = (route.replace("^", "").replace("\\Z", "").removesuffix("$") for route in found)
    converted = (re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", route) for route in plain)
    return {"/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route) for route in converted}


def test_migrations_say_what_the_models_say() -> None:
    loader = MigrationLoader(None)
    changes = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps)).changes(
        loader.graph
    )
    assert {name: found for name, found in changes.items() if name in APPS} == {}
    assert loader.detect_conflicts() == {}


def test_every_route_is_in_the_openapi_document() -> None:
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    documented = set(generator.get_schema(request=None, public=True)["paths"])
    described = {re.sub(r"\{\w+\}", "{}", path) for path in documented}
    assert {path for path in api_routes() if re.sub(r"\{\w+\}", "{}", path) not in described} == set()
    assert {path for path in documented if path.endswith("/")} == set()


def test_every_movement_that_happens_once_by_its_key_documents_the_key() -> None:
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    named = {
        path: {parameter["name"] for parameter in item["post"].get("parameters", ())}
        for path, item in generator.get_schema(request=None, public=True)["paths"].items()
        if "post" in item
    }
    movements = {path: names for path, names in named.items() if "dry_run" in names}
    assert len(movements) > 10
    by_their_state = {"/api/v1/admin/approvals/{id}/approve"}
    assert {path for path, names in movements.items() if "Idempotency-Key" not in names} == by_their_state


def test_every_model_is_registered_in_the_admin() -> None:
    ours = {model for model in apps.get_models() if model._meta.app_label in APPS}
    assert {model._meta.label for model in ours - set(admin.site._registry)} == set()


def test_every_name_of_a_job_is_a_task() -> None:
    app.loader.import_default_modules()
    named = {
        *(entry["task"] for entry in wiring.CELERY_BEAT_SCHEDULE.values()),
        *wiring.CELERY_TASK_ROUTES,
        *wiring.WEBHOOK_JOBS.values(),
        *(job for jobs in wiring.EVENT_REACTIONS.values() for job in jobs),
    }
    assert named - set(app.tasks) == set()


def test_every_name_that_is_enqueued_is_a_task() -> None:
    app.loader.import_default_modules()
    named = {
        node.args[0].value
        for source in sources(*APPS)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"jobs.enqueue", "jobs.ring"}
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert named - set(app.tasks) == set()


def test_every_setting_stands_in_the_example() -> None:
    settings_file = (ROOT / "fintech_core" / "settings.py").read_text()
    read = set(
        re.findall(r"\b(?:env(?:\.\w+)?|secret|required)\(\s*[\"']([A-Z][A-Z0-9_]+)[\"']", settings_file)
    )
    example = set(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert read - example == set()
    assert example - read - NOT_IN_SETTINGS == set()


def test_vendors_are_registered_by_a_path_that_exists() -> None:
    from django.utils.module_loading import import_string

    paths = [path for kind in settings.VENDORS.values() for path in kind.values()]
    assert all(callable(import_string(path)) for path in paths)


def test_what_a_log_line_tells_has_a_name_that_is_not_cut_out() -> None:
    told = {
        (source.path, node.lineno, keyword.arg)
        for source in sources(*APPS)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "log"
        for keyword in node.keywords
    }
    assert len(told) > 20
    assert {line for line in told if logs.redact("x", line[2] or "") == logs.REDACTED} == set()
