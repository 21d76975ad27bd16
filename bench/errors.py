"""How a measurement ends that cannot be made."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

from pipeline.errors import PinwatchError


def in_one_line(main: Callable[[], None]) -> Callable[[], None]:
    """`main`, whose errors of input end in one line and an exit code, as those of the program do."""

    @functools.wraps(main)
    def run() -> None:
        try:
            main()
        except (PinwatchError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            sys.exit(error.exit_code if isinstance(error, PinwatchError) else 1)

    return run
