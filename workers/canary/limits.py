"""What the settings want of the gauge, apart from networks."""

from __future__ import annotations

from workers.canary.alarm import AlarmLimits
from workers.config import CanarySettings

_LOADING_S = 120.0
_PATIENCE = 5.0


def limits_of(settings: CanarySettings) -> AlarmLimits:
    """From where on there is an alarm."""
    return AlarmLimits(settings.alarm_attacked, settings.alarm_clean)


def longest_s(settings: CanarySettings) -> float:
    """After so long a run is given up: with what loading and a busy machine may take."""
    return _LOADING_S + _PATIENCE * settings.budget_s
