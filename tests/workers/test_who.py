"""Records name whoever used the program, also where the system has no name for them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from workers.who import on_the_command_line, user_name


def test_the_user_of_the_system_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "mia")
    assert user_name() == "mia"
    assert on_the_command_line() == "mia (command line)"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody without a name")
def test_a_user_without_a_name_is_a_number() -> None:
    ask = "import os; from workers.who import user_name; os.setuid(54321); print(user_name())"
    nameless = {
        name: value
        for name, value in os.environ.items()
        if name not in ("LOGNAME", "USER", "LNAME", "USERNAME")
    }
    done = subprocess.run(
        [sys.executable, "-c", ask], env=nameless, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "user 54321"
