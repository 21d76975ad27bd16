from __future__ import annotations

import gc
import threading
import weakref

import pytest

from pipeline.sources.channel import Channel, DropCounter


def test_items_come_out_in_the_order_in_which_they_went_in() -> None:
    channel: Channel[int] = Channel(3)

    def produce() -> None:
        for number in range(50):
            channel.put(number)
        channel.finish()

    producer = threading.Thread(target=produce)
    producer.start()
    assert list(channel) == list(range(50))
    producer.join()


def test_put_waits_for_room() -> None:
    channel: Channel[int] = Channel(2)
    assert channel.put(0)
    assert channel.put(1)
    done = threading.Event()

    def produce() -> None:
        channel.put(2)
        done.set()

    producer = threading.Thread(target=produce)
    producer.start()
    assert not done.wait(0.05)
    assert next(iter(channel)) == 0
    assert done.wait(2)
    producer.join()


def test_put_newest_pushes_out_the_oldest_and_says_so() -> None:
    channel: Channel[int] = Channel(2)
    assert [channel.put_newest(n) for n in range(5)] == [0, 0, 1, 1, 1]
    channel.finish()
    assert list(channel) == [3, 4]


def test_an_error_comes_after_the_items_before_it() -> None:
    channel: Channel[int] = Channel(4)
    channel.put(1)
    channel.finish(ValueError("broken"))
    items = iter(channel)
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_closing_releases_both_sides_and_drops_what_waits() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(1)
    results: list[bool] = []
    producer = threading.Thread(target=lambda: results.append(channel.put(2)))
    producer.start()
    channel.close()
    producer.join(2)
    assert results == [False]
    assert list(channel) == []
    assert not channel.put(3)
    assert channel.put_newest(4) == 0


def test_an_item_that_was_taken_is_not_kept_alive() -> None:
    class Picture:
        pass

    channel: Channel[Picture] = Channel(1)
    channel.put(Picture())
    channel.finish()
    items = iter(channel)
    picture = next(items)
    gone = weakref.ref(picture)
    del picture
    assert list(items) == []
    gc.collect()
    assert gone() is None


def test_a_channel_needs_room() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Channel(0)


def test_counts_add_up_from_many_threads_and_zero_leaves_no_trace() -> None:
    drops = DropCounter()

    def count() -> None:
        for _ in range(1000):
            drops.add("a")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drops.add("b", 0)
    drops.add("c", 3)
    assert drops.as_dict() == {"a": 4000, "c": 3}
