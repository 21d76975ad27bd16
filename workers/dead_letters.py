"""Messages that a step could not take: as they came, with where they lay, who refused them, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass

from pipeline.errors import CodecError, MalformedMessage, UsageError
from workers.bus.base import Producer, Received, Topic
from workers.codec import Encoded

_PREFIX = "dead-letter-"
_ORIGIN, _GROUP, _ERROR, _ATTEMPTS = (f"{_PREFIX}{part}" for part in ("origin", "group", "error", "attempts"))
_SENT_AGAIN = f"{_PREFIX}sent-again"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A refused message.

    Attributes:
        topic: Where it lay.
        partition: In which partition of it.
        offset: At which place of that.
        group: The step that refused it.
        error: Why.
        attempts: How many times it was refused, counting this one.
        message: As it came.
    """

    topic: Topic
    partition: int
    offset: int
    group: str
    error: str
    attempts: int
    message: Encoded

    @property
    def origin(self) -> str:
        """Topic, partition and offset; with the group, what makes two reports of one refusal the same."""
        return f"{self.topic}/{self.partition}/{self.offset}"


def dead_letter(item: Received, group: str, error: CodecError) -> Encoded:
    """What goes to the topic of dead letters."""
    before = dict(item.encoded.headers).get(_ATTEMPTS, b"")
    attempts = int(before) + 1 if before.isdigit() else 1
    origin = f"{item.partition.topic}/{item.partition.number}/{item.offset}"
    headers = (
        *_without_ours(item.encoded),
        (_ORIGIN, origin.encode()),
        (_GROUP, group.encode()),
        (_ERROR, f"{type(error).__name__}: {error}".encode()),
        (_ATTEMPTS, str(attempts).encode()),
    )
    return Encoded(item.encoded.key, headers, item.encoded.value)


def read_dead_letter(encoded: Encoded) -> DeadLetter:
    """What :func:`dead_letter` wrote.

    Raises:
        MalformedMessage: something else lies on that topic.
    """
    headers = dict(encoded.headers)
    try:
        topic, partition, offset = headers[_ORIGIN].decode().rsplit("/", 2)
        return DeadLetter(
            Topic(topic),
            int(partition),
            int(offset),
            headers[_GROUP].decode(),
            headers[_ERROR].decode(errors="replace"),
            int(headers[_ATTEMPTS]),
            Encoded(encoded.key, _without_ours(encoded), encoded.value),
        )
    except (KeyError, ValueError) as error:
        raise MalformedMessage(
            f"a message among the dead letters says not where it comes from: {error}"
        ) from error


def again(letter: DeadLetter) -> Encoded:
    """The message to send to its topic once more; it remembers how many times it was refused."""
    attempts = (_ATTEMPTS, str(letter.attempts).encode())
    return Encoded(letter.message.key, (*letter.message.headers, attempts), letter.message.value)


def _without_ours(encoded: Encoded) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, value) for name, value in encoded.headers if not name.startswith(_PREFIX))


@dataclass(frozen=True, slots=True)
class Kept:
    """A dead letter where it lies.

    Attributes:
        number: Partition and offset among the dead letters.
        letter: What it says.
        sent_again: Whether somebody sent it to its topic again.
    """

    number: str
    letter: DeadLetter
    sent_again: bool


class Refusals:
    """All dead letters of a lane.

    Args:
        messages: What lies on a topic.
        connect: Makes a producer.
    """

    def __init__(
        self, messages: Callable[[Topic], Iterable[Received]], connect: Callable[[], Producer]
    ) -> None:
        self._messages, self._connect = messages, connect

    def letters(self) -> list[Kept]:
        """In the order of their numbers; one that was reported twice (work was repeated) is here once."""
        found: dict[tuple[str, str, int], tuple[str, DeadLetter]] = {}
        done: set[str] = set()
        for item in self._messages(Topic.DEAD_LETTERS):
            marker = dict(item.encoded.headers).get(_SENT_AGAIN)
            if marker is not None:
                done.add(marker.decode(errors="replace"))
                continue
            letter = read_dead_letter(item.encoded)
            number = f"{item.partition.number}/{item.offset}"
            found.setdefault((letter.origin, letter.group, letter.attempts), (number, letter))
        return [Kept(number, letter, number in done) for number, letter in found.values()]

    def letter(self, number: str) -> Kept:
        """One of them.

        Raises:
            UsageError: there is none of that number.
        """
        for each in self.letters():
            if each.number == number:
                return each
        raise UsageError(f"there is no refused message {number!r}: `pinwatch dlq list` shows them")

    def send_again(self, wanted: Iterable[Kept]) -> None:
        """To where they lay; each is marked as sent when it is there."""
        with closing(self._connect()) as producer:
            for each in wanted:
                producer.send(each.letter.topic, again(each.letter))
                producer.flush()
                marker = ((_SENT_AGAIN, each.number.encode()),)
                producer.send(Topic.DEAD_LETTERS, Encoded(each.letter.message.key, marker, b""))
            producer.flush()
