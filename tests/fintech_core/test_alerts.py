"""The alert rules and the documentation say nothing that the page of metrics does not."""

import re
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command

from fintech_core import metrics
from fintech_core.management.commands.show_metrics import tables
from transactions.enums import FloatState

RULES = settings.BASE_DIR / "docker" / "prometheus" / "alerts.yml"
PAGE = settings.BASE_DIR / "docs" / "how-to" / "watch-with-prometheus.md"
SELECTOR = re.compile(r"(fintech_core_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r'(\w+)="([^"]*)"')


def rules() -> list[dict[str, Any]]:
    """Return every rule of the file."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def known(metric: str) -> dict[str, set[str]]:
    """Return the values that each label of a metric may have, as far as they are known beforehand."""
    waits = [part.waits for part in metrics.parts().values() if part.waits]
    return {
        "kind": {one.kind for one in waits},
        "state": set(FloatState.values) if "float" in metric else {one.state for one in waits},
        "task": {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()},
        "part": set(metrics.parts()),
    }


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
class TestRule:
    def test_every_metric_and_label_in_it_is_on_the_page(self, rule: dict[str, Any]) -> None:
        declared = {metric.name: metric.labels for metric in metrics.declared()}
        waits = {(part.waits.kind, part.waits.state) for part in metrics.parts().values() if part.waits}
        selectors = SELECTOR.findall(rule["expr"])
        assert selectors
        for name, matchers in selectors:
            assert name in declared
            labels = dict(LABEL.findall(matchers))
            assert set(labels) <= set(declared[name])
            for label, value in labels.items():
                assert value in known(name)[label], (label, value)
            if {"kind", "state"} <= set(labels):
                assert (labels["kind"], labels["state"]) in waits

    def test_it_says_how_urgent_it_is_what_it_is_and_what_to_do(self, rule: dict[str, Any]) -> None:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "do"}
        declared = {metric.name: metric.labels for metric in metrics.declared()}
        (name, _), *_ = SELECTOR.findall(rule["expr"])
        for label in re.findall(r"\$labels\.(\w+)", "".join(rule["annotations"].values())):
            assert label in declared[name]


def test_no_two_rules_have_one_name() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)


def test_the_age_of_the_watermark_has_an_alarm() -> None:
    assert any("fintech_core_watermark_oldest_writer_seconds" in rule["expr"] for rule in rules())


def test_the_tables_in_the_documentation_are_those_of_the_code() -> None:
    assert tables() in PAGE.read_text(), "put the output of manage.py show_metrics --tables there"


def test_whatever_the_documentation_names_is_on_the_page() -> None:
    declared = {metric.name for metric in metrics.declared()}
    assert set(re.findall(r"fintech_core_[a-z_]+\b", PAGE.read_text())) <= declared


def test_a_shell_prints_the_page_as_the_web_does(
    committed_db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("show_metrics")
    assert "\nfintech_core_money_out_stopped 0.0\n" in capsys.readouterr().out


def test_somebody_is_woken_when_only_the_page_is_left() -> None:
    """Without the database parts end, and with them every alert that names one: some are about the end itself."""
    awake = [
        rule["alert"] for rule in rules() if rule["labels"]["severity"] == "page" and _speaks_alone(rule)
    ]
    assert {"DatabaseUnread", "NoHeartbeat", "VerificationOld"} <= set(awake)


def _speaks_alone(rule: dict[str, Any]) -> bool:
    return "metrics_errors{" in rule["expr"] or "absent(" in rule["expr"]
