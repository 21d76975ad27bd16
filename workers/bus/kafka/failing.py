"""What errors of the client mean to whoever runs a worker."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka import errors

from workers.bus.base import BusError, BusUnavailable
from workers.bus.kafka.options import KafkaOptions

_CONNECT_S, _AGAIN_S = 2.0, 0.5
_DEFAULT_PORT = 9092

_DENIED = (
    errors.SaslAuthenticationFailedError,
    errors.AuthorizationError,
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
)


def connected(client: Callable[..., Any], options: KafkaOptions, **more: Any) -> Any:
    """A client of kafka-python that has found its broker.

    Args:
        client: Its class.
        options: The broker.
        more: Options of this client alone.

    Raises:
        BusUnavailable: nobody answers.
        BusError: the broker refuses us.
    """
    _await_broker(options)
    with reaching(options.servers):
        return client(**options.client_options(), **more)


def _await_broker(options: KafkaOptions) -> None:
    """Return as soon as somebody listens at one of the addresses.

    Clients would find out as well, but only after half a minute, and without saying where they tried.

    Raises:
        BusUnavailable: nobody does within :attr:`KafkaOptions.start_s`.
    """
    deadline = time.monotonic() + options.start_s
    while not any(_listens(server.strip()) for server in options.servers.split(",")):
        if time.monotonic() > deadline:
            raise BusUnavailable(
                f"no Kafka broker answers at {options.servers}: is it running, and is kafka.servers right?"
            )
        time.sleep(_AGAIN_S)


def _listens(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        address = (host, int(port)) if host else (server, _DEFAULT_PORT)
        with socket.create_connection(address, _CONNECT_S):
            return True
    except (OSError, ValueError):
        return False


@contextmanager
def reaching(servers: str) -> Iterator[None]:
    """Within, errors of the client become :class:`~workers.bus.base.BusError`."""
    try:
        yield
    except _DENIED as error:
        raise BusError(
            f"Kafka at {servers} refuses us ({error}): check kafka.security and what this user may do"
        ) from error
    except (errors.KafkaTimeoutError, errors.KafkaConnectionError) as error:
        raise BusUnavailable(
            f"no Kafka broker answers at {servers} ({error}): is it running, and is kafka.servers right? "
            "With TLS or passwords also check kafka.security"
        ) from error
    except errors.KafkaError as error:
        raise BusError(f"Kafka at {servers}: {error}") from error
