"""One evaluation from names to records: opens what is named, attacks it, writes, checks the harness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from pipeline.embed.load import load_network
from pipeline.errors import UsageError
from pipeline.models import Catalogue, ModelKind
from pipeline.purify.load import load_purifier, sampling
from pipeline.robustness.controls import CONTROLS, SURROGATES, Controls
from pipeline.robustness.defence import Defence
from pipeline.robustness.evaluate import Evaluated, Evaluation
from pipeline.robustness.examples import ExampleStore
from pipeline.robustness.faces import load_faces
from pipeline.robustness.gates import Gate, adaptive_without_defence, check, check_results
from pipeline.robustness.plan import PLANS
from pipeline.robustness.protocol import Split
from pipeline.robustness.results import Result, add_results, read_results
from pipeline.robustness.threat import Goal
from pipeline.robustness.trial import Trial

SAMPLED = "+sampled"


@dataclass(frozen=True, slots=True)
class Request:
    """What to evaluate.

    Attributes:
        faces: File of crops and pairs.
        models: Folders of cards and model files.
        embedder: Card of the network that is attacked.
        defences: Controls (`pipeline.robustness.controls`) or purifiers' cards; ``NAME+sampled`` is a
            purifier of the kind `paper` that samples its masks.
        transfer: Cards of the embedders that T1 attacks through.
        surrogates: Controls that T2b attacks through; none named takes the usual ones.
        plan: Name of a plan.
        split: Who is attacked.
        out: File of records, added to.
        work: Folder of examples.
        device: Where networks run.
    """

    faces: Path
    models: tuple[Path, ...]
    embedder: str
    defences: tuple[str, ...]
    transfer: tuple[str, ...]
    surrogates: tuple[str, ...]
    plan: str
    split: Split
    out: Path
    work: Path
    device: str = "cpu"

    @property
    def command(self) -> str:
        """What repeats this, without the folders of one machine."""
        parts = [f"--embedder {self.embedder}"]
        parts += [f"--defence {name}" for name in self.defences]
        parts += [f"--transfer {name}" for name in self.transfer]
        parts += [f"--surrogate {name}" for name in self.surrogates]
        return " ".join(["pinwatch robustness run", *parts, f"--plan {self.plan}", f"--split {self.split}"])


def run(request: Request, tell: Callable[[str], None] = lambda message: None) -> list[Gate]:
    """Evaluate, add the records to `request.out` defence by defence, and check the harness.

    Returns:
        The sanity gates; results of which one did not hold are not to be believed.

    Raises:
        PinwatchError: a card, a file or a control is missing, or something cannot be written.
    """
    device = torch.device(request.device)
    catalogue = Catalogue.load(list(request.models))
    pack = load_faces(request.faces)
    controls = Controls(pack, request.work / "controls")

    def embedder(name: str) -> nn.Module:
        return load_network(catalogue.open(name, ModelKind.EMBEDDER)).to(device)

    def purifier(name: str) -> nn.Module:
        if name.endswith(SAMPLED):
            return sampling(purifier(name.removesuffix(SAMPLED)), PLANS[request.plan].seed)
        if name in CONTROLS:
            return controls.get(name).to(device)
        if name not in {card.name for card in catalogue.cards(ModelKind.PURIFIER)}:
            raise UsageError(
                f"there is no defence {name!r}: neither a purifier's card nor one of the controls "
                f"{', '.join(CONTROLS)}"
            )
        return load_purifier(catalogue.open(name, ModelKind.PURIFIER)).to(device)

    network = embedder(request.embedder)
    evaluation = Evaluation(
        plan=PLANS[request.plan],
        pack=pack,
        surrogates={name: purifier(name) for name in request.surrogates or SURROGATES},
        others={name: embedder(name) for name in request.transfer},
        store=ExampleStore(request.work),
        device=device,
        command=request.command,
        split=request.split,
        tell=tell,
    )
    defences = [Defence(name, request.embedder, purifier(name), network) for name in request.defences]
    gates: list[Gate] = []
    dodging = next(trial for trial in evaluation.trials() if trial.goal is Goal.DODGE)
    for evaluated in evaluation.run(defences):
        add_results(request.out, evaluated.results)
        gates += _gates(evaluation, evaluated, dodging)
    return [*gates, *_read_gates(request, read_results(request.out))]


def _gates(evaluation: Evaluation, evaluated: Evaluated, trial: Trial) -> list[Gate]:
    defence, plan = evaluated.defence, evaluation.plan
    evaluation.tell(f"{defence.embedder}+{defence.name}: sanity gates")
    steps, seed, device = plan.adaptive_steps, plan.seed, evaluation.device
    found = check(defence, trial, evaluated.threshold, steps=steps, seed=seed, device=device)
    return [Gate(f"{defence.name}: {gate.name}", gate.held, gate.detail) for gate in found]


def _read_gates(request: Request, results: Sequence[Result]) -> list[Gate]:
    mine = [result for result in results if result.embedder == request.embedder]
    gates = list(adaptive_without_defence(mine))
    for name in request.defences:
        gates += check_results([result for result in mine if result.defence == name])
    return gates
