"""What is compared with what: the contenders of a round, and the figures made of their rates."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.ground import HORDAK_SETTINGS, Ground
from bench.growth import Ledgers
from bench.people import MERCHANT
from bench.pools import Contender, PgBench, Pool

CLIENTS = 4
OTHER_CLIENT_COUNTS = (1, 2, 8, 16)
SCRIPTS = {f"sql x{count}": count for count in (CLIENTS, *OTHER_CLIENT_COUNTS)}
Rates = Mapping[str, Sequence[float]]
TEN_MILLION = 10_000_000
# What is done on a small and on a large ledger: name, contender, processes, which small ledger. A page is compared with
# one of as many lines.
GROWING = (
    ("transfers", "transfers:spread", CLIENTS, "small"),
    ("balance at", "reading:balances_at", 1, "small"),
    ("first page", "reading:first_pages", 1, "pages"),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table: a key of ``results.json``, what it says, and what it should be."""

    key: str
    what: str
    goal: float
    at_most: bool = False

    def is_met(self, value: float) -> bool:
        """Say whether a value reaches the goal."""
        return value <= self.goal if self.at_most else value >= self.goal


FIGURES = (
    Figure("transfer_vs_sql", "a transfer by the service ÷ by hand-written SQL, 4 connections each", 0.5),
    Figure("transfer_vs_hordak", "÷ django-hordak 2.x, 4 processes each", 1.3),
    Figure("transfer_vs_naive", "÷ saving each model, 4 processes each", 3.0),
    Figure("hot_vs_uniform", "all fees into one account ÷ an account for each of the 4 processes", 0.9),
    Figure("one_receiver_vs_uniform", "everybody pays one wallet ÷ spread over 10,000, 4 processes", 0.5),
    Figure(
        "bulk_vs_single",
        "post_many(1000) ÷ one by one, 1 process; the worse of a fresh and a used session",
        8.0,
    ),
    Figure("http_transfer_vs_noop", "POST of a transfer ÷ GET of nothing, 16 connections", 0.35),
    Figure("growth_10m", "10,000,000 entries ÷ 10,000: the worst of transfers, balance-at, first page", 0.9),
    Figure("verify_vs_copy", "verify_entries_per_s: a full verification ÷ a raw COPY of the entries", 0.2),
    Figure("queries_transfer", "statements between BEGIN and COMMIT of a transfer", 4, at_most=True),
)


def ledger_contenders(main: Ground, hordak: Ground) -> list[Contender]:
    """Return everything that races on the ledger, without the web."""
    return [
        *(PgBench(name, main, "sql.pgbench", count) for name, count in SCRIPTS.items()),
        PgBench("fn", main, "fn.pgbench", CLIENTS),
        PgBench("sql, one receiver", main, "sql.pgbench", CLIENTS, MERCHANT),
        PgBench("fn, one receiver", main, "fn.pgbench", CLIENTS, MERCHANT),
        PgBench("bare", main, "bare.pgbench", CLIENTS),
        Pool("naive", main, "naive:spread"),
        Pool("hordak", hordak, "hordak:covered", settings=HORDAK_SETTINGS),
        Pool("hordak, posting alone", hordak, "hordak:posted", settings=HORDAK_SETTINGS),
        Pool("transfer", main, "transfers:spread"),
        Pool("one fee account", main, "transfers:one_fee_account"),
        Pool("own fee accounts", main, "transfers:own_fee_account"),
        Pool("one receiver", main, "transfers:to_one_merchant"),
        Pool("single, new sessions", main, "transfers:spread_over_new_sessions", processes=1),
        Pool("single after batches", main, "transfers:after_a_batch", processes=1),
        Pool("batches", main, "transfers:in_batches", processes=1),
        Pool("batches, new sessions", main, "transfers:in_batches_of_new_sessions", processes=1),
    ]


def web_contenders(main: Ground, program: str) -> list[Contender]:
    """Return what races on a web server."""
    return [
        Pool(f"http transfer, {program}", main, "web:transfers", processes=1),
        Pool(f"http one receiver, {program}", main, "web:to_one_merchant", processes=1),
        Pool(f"http noop, {program}", main, "web:nothings", processes=1),
    ]


def growth_contenders(ledgers: Ledgers) -> list[Contender]:
    """Return what races on a small ledger and on a large one."""
    return [
        Pool(f"{name}, {size}", where, contender, processes)
        for name, contender, processes, smaller in GROWING
        for size, where in (("small", getattr(ledgers, smaller)), ("large", ledgers.large))
    ]


def figures_of_the_ledger(rates: Rates) -> dict[str, float]:
    """Compare the ledger's contenders."""
    best_sql = max(SCRIPTS, key=lambda name: statistics.median(rates[name]))
    fresh = ratio(rates, "batches, new sessions", "single, new sessions")
    used = ratio(rates, "batches", "single after batches")
    return {
        "transfer_vs_sql": ratio(rates, "transfer", f"sql x{CLIENTS}"),
        "transfer_vs_sql_at_its_best": ratio(rates, "transfer", best_sql),
        "transfer_vs_fn": ratio(rates, "transfer", "fn"),
        "transfer_vs_bare": ratio(rates, "transfer", "bare"),
        "transfer_vs_hordak": ratio(rates, "transfer", "hordak"),
        "transfer_vs_hordak_posting_alone": ratio(rates, "transfer", "hordak, posting alone"),
        "transfer_vs_naive": ratio(rates, "transfer", "naive"),
        "hot_vs_uniform": ratio(rates, "one fee account", "own fee accounts"),
        "one_receiver_vs_uniform": ratio(rates, "one receiver", "transfer"),
        "one_receiver_vs_uniform_by_sql": ratio(rates, "sql, one receiver", f"sql x{CLIENTS}"),
        "one_receiver_vs_uniform_by_fn": ratio(rates, "fn, one receiver", "fn"),
        "bulk_vs_single": min(fresh, used),
        "bulk_vs_single_fresh_session": fresh,
        "bulk_vs_single_used_session": used,
    }


def figures_of_the_web(rates: Rates) -> dict[str, float]:
    """Compare what is asked of the product's own server, and that one with the other, which ran at another time."""
    ours, other = (statistics.median(rates[f"http transfer, {name}"]) for name in ("granian", "gunicorn"))
    return {
        "http_transfer_vs_noop": ratio(rates, "http transfer, granian", "http noop, granian"),
        "http_one_receiver_vs_uniform": ratio(rates, "http one receiver, granian", "http transfer, granian"),
        "granian_vs_gunicorn": ours / other,
    }


def figures_of_growth(rates: Rates, entries: int) -> dict[str, float]:
    """Compare the large ledger with the small one; the key says how large it was."""
    key = "growth_10m" if entries == TEN_MILLION else f"growth_{entries}"
    parts = {
        f"{key}_{name.replace(' ', '_')}": ratio(rates, f"{name}, large", f"{name}, small")
        for name, *_ in GROWING
    }
    return {key: min(parts.values()), **parts}


def ratio(rates: Rates, name: str, other: str) -> float:
    """Return the median of what the rounds say: both ran in the same minute there, whatever the machine did later."""
    return statistics.median(one / two for one, two in zip(rates[name], rates[other], strict=True))
