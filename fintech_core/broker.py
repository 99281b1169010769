"""Redis as Celery's broker, where a connection that is gone is a connection error.

A message that a worker holds when the broker goes away is put back, or acknowledged, through the channel that brought
it. Kombu 5.7 has taken that channel's connection away by then and raises AttributeError, which nobody expects: the
worker ends, with every task that it runs. Told as what it is, the error is expected everywhere: the worker connects
again, and the message comes back by its visibility time-out, if its row is not done by then.
"""

from typing import Any

from kombu.transport import redis as kombu_redis
from redis.exceptions import ConnectionError as RedisConnectionError


class Channel(kombu_redis.Channel):
    """A channel that says so when its connection was taken away."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """Return how to connect; raises ConnectionError when there is nothing left to connect for."""
        if self.connection.client is None:
            raise RedisConnectionError("The broker's connection was given up.")
        params: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]  # not in the stubs
        return params


class Transport(kombu_redis.Transport):
    """Kombu's transport with that channel."""

    Channel = Channel
