"""Who uses the program, for records of what they did."""

from __future__ import annotations

import getpass
import os


def user_name() -> str:
    """The user of the system; their number where they have no name, as in a container."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"


def on_the_command_line() -> str:
    """The same, as whom records name."""
    return f"{user_name()} (command line)"
