"""One circuit per vendor, shared by web and workers through Redis.

It opens when, of the last 20 calls, more than half failed (no connection, time-out, broken exchange, 5xx).
While it is open new orders are refused before anything is debited; after 30 s one call is let through as a
probe, and a success closes it. When Redis is down every circuit counts as closed: the vendor itself then
answers.
"""

from dataclasses import dataclass
from typing import Final, Literal

from fintech_core import dry_run, lua

WINDOW_CALLS: Final = 20
WINDOW_LIFE_S: Final = 600
PROBE_AFTER_S: Final = 30
SLOW_SAMPLE_CALLS: Final = 5
SLOW_MEAN_S: Final = 5.0

Status = Literal["operational", "slow", "down"]

# KEYS: window, state. ARGV: ok (0 or 1), milliseconds, window size, seconds to a probe, seconds to live.
_RECORD = lua.Script("""
local now = tonumber(redis.call('TIME')[1])
local opened = tonumber(redis.call('HGET', KEYS[2], 'opened_at') or '')
if opened then
  if now - opened < tonumber(ARGV[4]) then return 1 end
  if ARGV[1] == '1' then redis.call('DEL', KEYS[1], KEYS[2]) return 0 end
  redis.call('HSET', KEYS[2], 'opened_at', now)
  redis.call('HDEL', KEYS[2], 'probe_at')
  redis.call('EXPIRE', KEYS[2], ARGV[5])
  return 1
end
redis.call('LPUSH', KEYS[1], ARGV[1] .. ':' .. ARGV[2])
redis.call('LTRIM', KEYS[1], 0, ARGV[3] - 1)
redis.call('EXPIRE', KEYS[1], ARGV[5])
local calls = redis.call('LRANGE', KEYS[1], 0, -1)
if #calls < tonumber(ARGV[3]) then return 0 end
local failed = 0
for _, call in ipairs(calls) do
  if string.sub(call, 1, 1) == '0' then failed = failed + 1 end
end
if failed * 2 <= #calls then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[2], 'opened_at', now)
redis.call('EXPIRE', KEYS[2], ARGV[5])
return 1
""")

# KEYS: state. ARGV: seconds to a probe, whether to take it (0 or 1). One caller in that time gets the probe.
_ALLOWS = lua.Script("""
local now = tonumber(redis.call('TIME')[1])
local opened = tonumber(redis.call('HGET', KEYS[1], 'opened_at') or '')
if not opened then return 1 end
if now - opened < tonumber(ARGV[1]) then return 0 end
local probe = tonumber(redis.call('HGET', KEYS[1], 'probe_at') or '')
if probe and now - probe < tonumber(ARGV[1]) then return 0 end
if ARGV[2] == '1' then redis.call('HSET', KEYS[1], 'probe_at', now) end
return 1
""")

_LOOK = lua.Script("""
return {redis.call('EXISTS', KEYS[2]), redis.call('LRANGE', KEYS[1], 0, -1)}
""")


_vendors: set[str] = set()


@dataclass(frozen=True, slots=True)
class Seen:
    """One call as the window remembers it."""

    ok: bool
    took_s: float


def register(*vendors: str) -> None:
    """Add vendors to those that health and metrics tell of."""
    _vendors.update(vendors)


def allows(vendor: str) -> bool:
    """Say whether a new order may be sent to the vendor; an open circuit lets one in 30 s through.

    A dry run is told the same and does not use that one up.
    """
    try:
        return bool(_ALLOWS([_state(vendor)], [PROBE_AFTER_S, int(not dry_run.is_running())]))
    except lua.RedisDown:
        return True


def record(vendor: str, ok: bool, took_s: float = 0.0) -> None:
    """Count one finished call; ``http.send`` does it for every call, so adapters need not."""
    milliseconds = max(0, round(took_s * 1000))
    try:
        _RECORD(
            [_window(vendor), _state(vendor)],
            [int(ok), milliseconds, WINDOW_CALLS, PROBE_AFTER_S, WINDOW_LIFE_S],
        )
    except lua.RedisDown:
        return


def status(vendor: str) -> Status:
    """Say how the vendor does: ``down`` while the circuit is open, ``slow`` when calls fail or take long."""
    try:
        return look(vendor)
    except lua.RedisDown:
        return "operational"


def look(vendor: str) -> Status:
    """Say the same as ``status``, but raise lua.RedisDown where nobody knows."""
    is_open, window = _LOOK([_window(vendor), _state(vendor)], [])
    if is_open:
        return "down"
    return judge([_parse(entry) for entry in window])


def look_at_all() -> dict[str, Status]:
    """Say of every registered vendor how it does; raises lua.RedisDown where nobody knows."""
    return {vendor: look(vendor) for vendor in sorted(_vendors)}


def judge(window: list[Seen]) -> Status:
    """Tell ``slow`` from ``operational`` by the recent calls of a closed circuit; slow needs five of them."""
    if len(window) < SLOW_SAMPLE_CALLS:
        return "operational"
    failed = sum(not seen.ok for seen in window)
    mean_s = sum(seen.took_s for seen in window) / len(window)
    return "slow" if failed * 4 >= len(window) or mean_s >= SLOW_MEAN_S else "operational"


def _parse(entry: bytes | str) -> Seen:
    ok, _, milliseconds = (entry.decode() if isinstance(entry, bytes) else entry).partition(":")
    return Seen(ok == "1", int(milliseconds) / 1000)


def _window(vendor: str) -> str:
    return lua.key("circuit", f"{{{vendor}}}", "window")


def _state(vendor: str) -> str:
    return lua.key("circuit", f"{{{vendor}}}", "state")
