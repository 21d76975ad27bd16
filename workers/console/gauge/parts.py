"""What the gauge's pages need of the program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from workers.config import CanarySettings


@dataclass(frozen=True, slots=True)
class GaugeParts:
    """How it is set up.

    Attributes:
        settings: How often, how strong, and when there is an alarm.
        ask: Has it measure soon, told who asks; ``None`` where nothing measures beside this console.
    """

    settings: CanarySettings = field(default_factory=CanarySettings)
    ask: Callable[[str], None] | None = None
