"""However two operations overlap, what comes of it is what would have come of one after the other."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import combinations_with_replacement, islice
from math import comb
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from tests.concurrency.documents import DOCUMENT_OPERATIONS, Documents
from tests.concurrency.interleaving import Conductor, games
from tests.concurrency.overlapping import Operation, overlap
from tests.concurrency.racing import credit
from tests.concurrency.scenes import OPERATIONS, Scene
from tests.databases import Databases
from tests.factories import UserFactory
from tests.transactions.model import stops
from tests.transactions.money import main_wallet

SAMPLE = [
    ("Ada sends 100", "Chidi sends 110"),
    ("Ada sends 100", "a hold of 90"),
    ("a payment of 50", "a payment of 50"),
    ("a capture", "an expiry"),
    ("a reversal", "a refund of 20"),
    ("Ada sends 100", "a freeze"),
    ("a request under a key", "a request under a key"),
    ("a redemption", "a taking back"),
    ("a send in a group", "Chidi sends 110"),
]
DOCUMENT_SAMPLE = [
    ("a delivery", "a refusal"),
    ("a delivery", "Ada sends 1,300"),
    ("the same bill", "the same bill"),
    ("money", "money"),
    ("money", "the end of its time"),
]
Pair = tuple[str, str]
# What two operations come to, whichever goes first.
STATED: dict[Pair, set[Pair]] = {
    ("Ada sends 100", "an unfreezing"): {("done", "done"), ("wallet_frozen", "done")},
    ("a freeze", "an unfreezing"): {("done", "done"), ("wallet_state_conflict", "done")},
    ("a release", "an unfreezing"): {("done", "done")},
    ("a release", "a reversal of what was parked"): {("done", "done")},
    ("Ada sends 100", "a reversal of what was parked"): {("done", "done")},
    ("a reversal of what was parked", "a reversal of what was parked"): {
        ("done", "already_reversed"),
        ("already_reversed", "done"),
    },
    ("Ada sends 100", "a stop of debits"): {("done", "done"), ("wallet_frozen", "done")},
    ("a payment of 50", "a stop of debits"): {("done", "done")},
    ("an unfreezing", "a stop of debits"): {("done", "done")},
    ("a stop of debits", "a stop of debits"): {
        ("done", "wallet_state_conflict"),
        ("wallet_state_conflict", "done"),
    },
    ("Chidi sends 110", "a refund that may be owed"): {("done", "done"), ("insufficient_funds", "done")},
    ("a reversal", "a refund that may be owed"): {("done", "already_reversed"), ("not_reversible", "done")},
    ("a reversal", "an approved reversal"): {("done", "already_reversed"), ("already_reversed", "done")},
    ("an approved reversal", "an approved reversal"): {
        ("done", "approval_decided"),
        ("approval_decided", "done"),
    },
    ("a correction of the past", "a closing of the month"): {
        ("done", "done"),
        ("effective_time_refused", "done"),
    },
    ("a closing of the month", "a closing of the month"): {
        ("done", "month_not_closable"),
        ("month_not_closable", "done"),
    },
}
# Every pair is played whole: a bulk beside a taking back has the most, 1,282 games.
MOST_GAMES = 1_500


def params(
    made: Callable[[], Any], operations: Mapping[str, Operation[Any]], pairs: Iterable[Pair]
) -> list[Any]:
    """Return pairs of operations, and the scene for them, as parameters of a test."""
    return [
        pytest.param(made, [operations[name] for name in names], id=" beside ".join(names)) for names in pairs
    ]


def each_with_each(made: Callable[[], Any], operations: Mapping[str, Operation[Any]]) -> list[Any]:
    """Return each operation with each other and with itself as parameters of a test."""
    return params(made, operations, combinations_with_replacement(operations, 2))


@pytest.fixture(scope="module", autouse=True)
def stage(racing_db: None) -> Iterator[Conductor]:
    """Two threads that stop before each of their statements."""
    with stops.installed(), Conductor() as conductor:
        yield conductor


def deadlocks(databases: Databases) -> int:
    """Return how many deadlocks this module's database has seen."""
    return databases.deadlocks_of(str(connection.settings_dict["NAME"]))


class TestEveryPair:
    @pytest.mark.parametrize(
        ("made", "pair"),
        [*params(Scene, OPERATIONS, SAMPLE), *params(Documents, DOCUMENT_OPERATIONS, DOCUMENT_SAMPLE)],
    )
    def test_with_one_preemption(
        self, stage: Conductor, made: Callable[[], Any], pair: list[Operation[Any]], databases: Databases
    ) -> None:
        assert sum(1 for _ in overlap(stage, made, pair, preemptions=1)) > 2
        assert deadlocks(databases) == 0

    @pytest.mark.parametrize(("names", "stated"), STATED.items(), ids=map(" beside ".join, STATED))
    def test_comes_to_what_is_stated(
        self, stage: Conductor, names: Pair, stated: set[Pair], databases: Databases
    ) -> None:
        pair = [OPERATIONS[name] for name in names]
        assert {game.outcomes for game in overlap(stage, Scene, pair, preemptions=1)} == stated
        assert deadlocks(databases) == 0

    @pytest.mark.long
    @pytest.mark.timeout(1_800)
    @pytest.mark.parametrize(
        ("made", "pair"),
        [*each_with_each(Scene, OPERATIONS), *each_with_each(Documents, DOCUMENT_OPERATIONS)],
    )
    def test_in_every_way(
        self, stage: Conductor, made: Callable[[], Any], pair: list[Operation[Any]], databases: Databases,
        request: pytest.FixtureRequest, tell: Callable[[str], None],
    ) -> None:  # fmt: skip
        played = Counter(game.preemptions for game in islice(overlap(stage, made, pair), MOST_GAMES + 1))
        tell(f"{request.node.callspec.id}: {played.total()} games, by preemptions {dict(played)}")
        assert played.total() <= MOST_GAMES, "there are games that nobody has played"
        assert deadlocks(databases) == 0


class TestGames:
    @pytest.mark.parametrize("preemptions", [1, None])
    def test_a_decision_before_the_lock_is_found(self, stage: Conductor, preemptions: int | None) -> None:
        """Who reads a balance, then locks and spends what was read, is caught by the first payment in between."""
        pair = [lambda scene: scene.send_all_carelessly, OPERATIONS["a payment of 50"]]
        with pytest.raises(AssertionError):
            list(overlap(stage, Scene, pair, preemptions=preemptions))

    def test_every_game_is_played_once(self, stage: Conductor) -> None:
        """Two operations of three stops overlap in twenty ways when neither waits for the other."""

        def apart() -> list[Callable[[], object]]:
            wallets = [main_wallet(person) for person in (UserFactory(), UserFactory())]
            return [lambda: credit(wallets[0], "1.00", uuid4()), lambda: credit(wallets[1], "1.00", uuid4())]

        for work in apart():
            work()  # what a process remembers is read by now
        moves = [tuple(game.moves) for game in games(stage, apart)]
        assert len(moves[0]) == 6
        assert len(moves) == len(set(moves)) == comb(6, 3)
        few = [tuple(game.moves) for game in games(stage, apart, preemptions=1)]
        assert set(few) < set(moves)

    def test_what_is_not_played_would_have_shown_nothing_new(self, stage: Conductor) -> None:
        """Somebody looks twice while money comes twice: whatever can be seen is seen in fewer games."""
        seen: list[Decimal] = []

        def scene() -> list[Callable[[], object]]:
            seen.clear()
            owner = UserFactory()
            wallet = main_wallet(owner)

            @transaction.atomic
            def look_twice() -> None:
                seen.extend(main_wallet(owner).balance for _ in range(2))

            return [look_twice, lambda: [credit(wallet, "1.00", uuid4()) for _ in range(2)]]

        all_of_them = [tuple(seen) for _ in games(stage, scene, preemptions=9)]
        fewer = [tuple(seen) for _ in games(stage, scene)]
        assert set(fewer) == set(all_of_them) == {(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)}
        assert len(all_of_them) == comb(9, 3)
        assert len(fewer) < comb(9, 3) / 2
