"""One evaluation from names to records: opens what is named, attacks it, writes, checks the harness."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from pipeline.embed.load import load_network
from pipeline.errors import UsageError
from pipeline.models import Catalogue, ModelKind
from pipeline.purify.load import load_purifier, sampling
from pipeline.purify.selector import SelectorKind
from pipeline.robustness.controls import CONTROLS, SURROGATES, Controls
from pipeline.robustness.defence import Defence
from pipeline.robustness.evaluate import Evaluated, Evaluation
from pipeline.robustness.examples import ExampleStore
from pipeline.robustness.faces import load_faces
from pipeline.robustness.gates import Gate, adaptive_without_defence, check, check_results
from pipeline.robustness.plan import PLANS
from pipeline.robustness.protocol import Split
from pipeline.robustness.results import Result, add_results, read_results
from pipeline.robustness.steps import steps_of
from pipeline.robustness.trial import Trial

SAMPLED = "+sampled"
_CAN_SAMPLE = f"pin_{SelectorKind.PAPER}"

Tell = Callable[[str, int, int], None]
"""Told what is done next, how many steps were done before, and how many there are."""


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


def run(request: Request, tell: Tell = lambda what, done, total: None) -> list[Gate]:
    """Evaluate, add the records to `request.out` defence by defence, and check the harness.

    Returns:
        The sanity gates; results of which one did not hold are not to be believed.

    Raises:
        PinwatchError: a card, a file or a control is missing, or something cannot be written.
    """
    device = torch.device(request.device)
    catalogue = Catalogue.load(list(request.models))
    _check_names(request, catalogue)
    pack = load_faces(request.faces)
    controls = Controls(pack, request.work / "controls")
    surrogates = request.surrogates or SURROGATES
    made = itertools.count()

    def embedder(name: str) -> nn.Module:
        return load_network(catalogue.open(name, ModelKind.EMBEDDER)).to(device)

    def purifier(name: str) -> nn.Module:
        if name.endswith(SAMPLED):
            return sampling(purifier(name.removesuffix(SAMPLED)), PLANS[request.plan].seed)
        tell(f"making {name}", next(made), len(surrogates) + len(request.defences))
        if name in CONTROLS:
            return controls.get(name).to(device)
        return load_purifier(catalogue.open(name, ModelKind.PURIFIER)).to(device)

    network = embedder(request.embedder)
    evaluation = Evaluation(
        plan=PLANS[request.plan],
        pack=pack,
        surrogates={name: purifier(name) for name in surrogates},
        others={name: embedder(name) for name in request.transfer},
        store=ExampleStore(request.work),
        device=device,
        command=request.command,
        split=request.split,
    )
    defences = [Defence(name, request.embedder, purifier(name), network) for name in request.defences]
    trials = evaluation.trials()
    transferred = evaluation.transferred(defences[0])
    total = sum(steps_of(evaluation.plan, defence, transferred) + len(trials) for defence in defences)
    told = itertools.count()
    evaluation = replace(evaluation, tell=lambda what: tell(what, next(told), total))
    gates: list[Gate] = []
    for evaluated in evaluation.run(defences):
        add_results(request.out, evaluated.results)
        for trial in trials:
            gates += _gates(evaluation, evaluated, trial)
    tell("reading the records", total, total)
    return [*gates, *_read_gates(request, read_results(request.out))]


def _check_names(request: Request, catalogue: Catalogue) -> None:
    """Whether there is everything that is named: before surrogates are fitted, which takes minutes."""
    for name in request.defences:
        _check_purifier("defence", name, catalogue)
    for name in request.surrogates:
        _check_purifier("surrogate", name, catalogue)
    for name in (request.embedder, *request.transfer):
        catalogue.open(name, ModelKind.EMBEDDER)


def _check_purifier(what: str, name: str, catalogue: Catalogue) -> None:
    cards = {card.name: card.architecture for card in catalogue.cards(ModelKind.PURIFIER)}
    plain = name.removesuffix(SAMPLED)
    if plain not in CONTROLS and plain not in cards:
        raise UsageError(
            f"there is no {what} {name!r}: neither a purifier's card nor one of the controls "
            f"{', '.join(CONTROLS)}"
        )
    if plain != name and cards.get(plain) != _CAN_SAMPLE:
        raise UsageError(f"{what} {name!r}: only purifiers of the kind paper can sample their masks")
    if plain not in CONTROLS:
        catalogue.open(plain, ModelKind.PURIFIER)


def _gates(evaluation: Evaluation, evaluated: Evaluated, trial: Trial) -> list[Gate]:
    """Those of one goal, which is part of their names."""
    defence, plan = evaluated.defence, evaluation.plan
    evaluation.tell(f"{defence.embedder}+{defence.name}: sanity gates, {trial.goal}")
    steps, seed, device = plan.adaptive_steps, plan.seed, evaluation.device
    found = check(defence, trial, evaluated.threshold, steps=steps, seed=seed, device=device)
    return [Gate(f"{defence.name}, {trial.goal}: {gate.name}", gate.held, gate.detail) for gate in found]


def _read_gates(request: Request, results: Sequence[Result]) -> list[Gate]:
    mine = [result for result in results if result.embedder == request.embedder]
    gates = list(adaptive_without_defence(mine))
    for name in request.defences:
        gates += check_results([result for result in mine if result.defence == name])
    return gates
