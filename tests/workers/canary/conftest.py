"""A database for every test, and networks for all of them."""

from __future__ import annotations

import pytest
import torch

from gallery.database import Database
from pipeline.clock import ManualClock
from tests.workers.canary.faces import START_NS, Toy
from workers.canary.runs import RunStore
from workers.canary.store import CanaryStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_NS)


@pytest.fixture
def store(database: Database, clock: ManualClock) -> CanaryStore:
    return CanaryStore(database, clock.now_ns)


@pytest.fixture
def runs(database: Database, clock: ManualClock) -> RunStore:
    return RunStore(database, clock.now_ns)


@pytest.fixture(scope="session")
def toy() -> Toy:
    torch.set_num_threads(1)  # as the shadow lane
    return Toy.make()
