"""verify_ledger finds what was planted: every column of the books, rows taken and put in, snapshots, seals, a cut tail.

The round of every push draws some of the 250 edits that the long one draws, by the same seed; ``PLANTED_SEED`` gives
another one.
"""

import os
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.transactions.planting import edits, missed, passes_find_otherwise
from tests.transactions.story import Story
from transactions.sealing import chain
from transactions.sealing.publishing import Head, publish, read
from transactions.services.snapshots import take_snapshots
from transactions.verification import verify

SEED = int(os.environ.get("PLANTED_SEED", "20260131"))


@pytest.fixture(scope="module")
def published(
    story: Story, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> list[Head]:
    """The story, sealed link by link, with snapshots and a head that is kept outside the database."""
    file: Path = tmp_path_factory.mktemp("seals") / "heads.ndjson"
    with django_db_blocker.unblock():
        take_snapshots(due_after=1)
        chain.seal(link_entries=4)
        newest = chain.head()
        assert newest is not None
        publish(newest, file)
        heads = list(read(file))
        assert verify(using="owner", with_seals=True, published=heads).findings == ()
    return heads


def undetected(count: int, published: list[Head], django_db_blocker: DjangoDbBlocker) -> list[str]:
    """Plant so many edits one after another; return those that were not found."""
    with django_db_blocker.unblock():
        return [str(edit) for edit in edits(count, SEED) if missed(edit, published)]


def hidden_by_passes(count: int, django_db_blocker: DjangoDbBlocker) -> list[str]:
    """Plant so many edits one after another; return those in which combined passes miss what a rule finds."""
    with django_db_blocker.unblock():
        return [str(edit) for edit in edits(count, SEED) if passes_find_otherwise(edit)]


@pytest.mark.timeout(170)
def test_a_combined_pass_finds_what_each_rule_finds(
    published: list[Head], django_db_blocker: DjangoDbBlocker
) -> None:
    assert hidden_by_passes(40, django_db_blocker) == []


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_of_250_planted_edits_a_combined_pass_hides_none(
    published: list[Head], django_db_blocker: DjangoDbBlocker
) -> None:
    assert hidden_by_passes(250, django_db_blocker) == []


@pytest.mark.timeout(170)
def test_a_round_of_planted_edits_is_found(published: list[Head], django_db_blocker: DjangoDbBlocker) -> None:
    assert undetected(40, published, django_db_blocker) == []


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_250_of_250_planted_edits_are_found(
    published: list[Head], django_db_blocker: DjangoDbBlocker
) -> None:
    assert undetected(250, published, django_db_blocker) == []
