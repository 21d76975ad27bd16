"""A claimed run is done, in whichever process: measured, kept, or given up with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import PinwatchError
from pipeline.redact import redact
from workers.canary.runs import RunStore
from workers.canary.store import CanaryStore

if TYPE_CHECKING:
    from workers.build import Context


def do_run(program: Context, run_id: str) -> None:
    """Measure, and keep what was found.

    Args:
        program: With its settings; networks are loaded now.
        run_id: Of the run that was claimed.

    Raises:
        PinwatchError: it came to nothing; the run says why as well.
    """
    began_s = program.clock.monotonic_s()
    runs = RunStore(program.database(), program.clock.now_ns)
    canaries = CanaryStore(program.database(), program.clock.now_ns)
    try:
        from workers.canary.assemble import session_of

        seed, budget_s = runs.get(run_id).seed, program.settings.canary.budget_s
        measured = session_of(program, began_s).measure(canaries.faces(), seed, budget_s)
        runs.finish(run_id, measured)
    except PinwatchError as error:
        runs.fail(run_id, redact(str(error)))
        raise
