"""``python -m bench``: build the ground, run the rounds, write the results."""

import argparse
import os
import time

from bench import ground, growth, plan, proof, report
from bench.ground import HORDAK_SETTINGS, Ground
from bench.growth import Ledgers
from bench.pools import Contender, Pool
from bench.report import Outcome
from bench.rounds import medians, race
from bench.web import SERVERS, WebServer

VERIFICATIONS = 3


def main() -> None:
    """Run everything that was asked for, one thing after the other."""
    asked = _arguments()
    outcome = Outcome(asked.rounds, asked.seconds)
    began = time.monotonic()
    print("making people …", flush=True)
    ledgers = growth.prepare(asked.growth) if asked.growth else None
    made_at = time.monotonic()
    main_ground = _main_ground()
    _ledger(outcome, main_ground)
    _web(outcome, main_ground)
    _counted(outcome, main_ground)
    if ledgers is not None:
        time.sleep(max(0.0, made_at + growth.SETTLED_AFTER_S - time.monotonic()))
        _growth(outcome, ledgers, asked.growth)
    print(report.write(outcome))
    print(
        f"took {time.monotonic() - began:,.0f} s; written: "
        f"{report.RESULTS.name}, {report.PAGE.name}, {report.PLOT.name}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="How fast the ledger is.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each contender in each round")
    asked = parser.parse_args()
    wanted = os.environ.get("BENCH_GROWTH", "")
    asked.growth = 0 if wanted == "off" else int(wanted or plan.TEN_MILLION)
    return asked


def _main_ground() -> Ground:
    made = ground.make("bench_main")
    made.inside("people:make_everybody")
    made.inside("web:sign_in_senders")
    made.execute("tables.sql")
    made.settle()
    return made


def _ledger(outcome: Outcome, main_ground: Ground) -> None:
    hordak = ground.make("bench_hordak", settings=HORDAK_SETTINGS)
    hordak.inside("hordak:open_accounts", settings=HORDAK_SETTINGS)
    hordak.settle()
    contenders = plan.ledger_contenders(main_ground, hordak)
    print(f"racing {len(contenders)} contenders …", flush=True)
    _race(outcome, contenders)
    outcome.figures |= plan.figures_of_the_ledger(outcome.rates)


def _web(outcome: Outcome, main_ground: Ground) -> None:
    for program in SERVERS:
        print(f"serving by {program} …", flush=True)
        server = WebServer(main_ground, program)
        server.start()
        try:
            _race(outcome, plan.web_contenders(main_ground, program))
            outcome.figures[f"{program}_worker_peak_memory_mb"] = server.peak_memory_mb()
        finally:
            server.stop()
    outcome.figures |= plan.figures_of_the_web(outcome.rates)


def _counted(outcome: Outcome, main_ground: Ground) -> None:
    print("counting …", flush=True)
    meter = proof.Meter(main_ground)
    race(
        [Pool("transfers to be weighed", main_ground, "transfers:spread")],
        rounds=1,
        seconds=outcome.seconds,
    )
    wal, disk = meter.per_transfer()
    verified, copied, entries = proof.verify_against_copy(main_ground, min(VERIFICATIONS, outcome.rounds))
    outcome.figures |= {
        "queries_transfer": float(main_ground.inside("proof:queries_of_a_transfer")),
        "verify_entries_per_s": verified,
        "copy_entries_per_s": copied,
        "verify_vs_copy": verified / copied,
        "verified_entries": float(entries),
        "wal_bytes_per_transfer": wal,
        "disk_bytes_per_transfer": disk,
    }


def _growth(outcome: Outcome, ledgers: Ledgers, entries: int) -> None:
    print(f"reading {entries:,} entries …", flush=True)
    growth.warm(ledgers.large)
    print(f"racing on 10,000 and on {entries:,} entries …", flush=True)
    _race(outcome, plan.growth_contenders(ledgers))
    outcome.figures |= plan.figures_of_growth(outcome.rates, entries)


def _race(outcome: Outcome, contenders: list[Contender]) -> None:
    rates = race(contenders, rounds=outcome.rounds, seconds=outcome.seconds)
    outcome.rates |= rates
    outcome.medians |= medians(rates)


if __name__ == "__main__":
    main()
