"""All cards there are, and the only way from a name to a file that may be loaded."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ChecksumMismatch, ConfigError, ModelNotFound
from pipeline.models.card import ModelCard, ModelFile, ModelKind
from pipeline.models.checksum import verify_file
from pipeline.models.reading import CARD_SUFFIX, bundled_cards, bundled_folder, package_folder, read_card


class FileState(enum.StrEnum):
    """What became of looking for a model's file."""

    OK = "ok"
    MISSING = "missing"
    WRONG_CHECKSUM = "wrong checksum"


@dataclass(frozen=True, slots=True)
class FileStatus:
    """One file of a card: where it is (the first folder that has it) and whether it is the right one."""

    file: ModelFile
    state: FileState
    path: Path | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class VerifiedModel:
    """A card and where its files are; every file's checksum was right when this was made.

    Attributes:
        card: The model's card.
        paths: File name to path, for each file of the card, in the card's order.
    """

    card: ModelCard
    paths: Mapping[str, Path]

    @property
    def main_path(self) -> Path:
        """The card's first file."""
        return self.paths[self.card.files[0].name]


class Catalogue:
    """The bundled cards and those found in the model folders.

    Args:
        cards: Cards with the place that each came from, in order of precedence.
        folders: Where model files are looked for, first come first served; then the bundled ones, and
            the installed package that a card names.
    """

    def __init__(self, cards: Iterable[tuple[ModelCard, str]], folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._cards: dict[tuple[ModelKind, str], ModelCard] = {}
        origins: dict[tuple[ModelKind, str], str] = {}
        for card, origin in cards:
            key = (card.kind, card.name)
            if self._cards.setdefault(key, card) != card:
                raise ConfigError(
                    f"{origin}: {card.kind} {card.name!r} is already defined, differently, "
                    f"in {origins[key]}: rename one of the two"
                )
            origins.setdefault(key, origin)

    @classmethod
    def load(cls, folders: Sequence[Path]) -> Catalogue:
        """The bundled cards and every ``*.card.yaml`` of `folders` (folders that do not exist are skipped).

        Raises:
            ConfigError: a card has an unknown key or a wrong value, or two cards share kind and name.
        """
        cards = [(card, "what comes with the program") for card in bundled_cards()]
        for folder in folders:
            paths = sorted(folder.glob(f"*{CARD_SUFFIX}")) if folder.is_dir() else []
            cards += [(read_card(path), str(path)) for path in paths]
        return cls(cards, folders)

    @property
    def folders(self) -> tuple[Path, ...]:
        return self._folders

    def cards(self, kind: ModelKind | None = None) -> list[ModelCard]:
        """All cards, or those of one kind, in the order of the catalogue."""
        return [card for card in self._cards.values() if kind is None or card.kind is kind]

    def card(self, name: str, kind: ModelKind) -> ModelCard:
        """The card of that kind and name.

        Raises:
            ModelNotFound: there is none; lists those that exist and the nearest name.
        """
        card = self._cards.get((kind, name))
        if card is None:
            raise ModelNotFound(_no_such(name, [known.name for known in self.cards(kind)], kind.value))
        return card

    def named(self, name: str) -> ModelCard:
        """The card of that name, whatever its kind (for commands that take just a name).

        Raises:
            ModelNotFound: there is none, or two kinds have one.
        """
        found = [card for card in self.cards() if card.name == name]
        if not found:
            raise ModelNotFound(_no_such(name, [known.name for known in self.cards()], "model"))
        if len(found) > 1:
            kinds = " and ".join(card.kind for card in found)
            raise ModelNotFound(f"{name!r} is the name of a {kinds}: rename one card")
        return found[0]

    def status(self, card: ModelCard) -> list[FileStatus]:
        """Where each of the card's files is and whether it is right; raises nothing for a bad file."""
        return [self._status(file) for file in card.files]

    def open(self, name: str, kind: ModelKind) -> VerifiedModel:
        """Find and check the files of a card; nothing has been loaded when this returns.

        Raises:
            ModelNotFound: no such card, or one of its files is in none of the folders.
            ChecksumMismatch: a file is there and is not the card's.
        """
        card = self.card(name, kind)
        return VerifiedModel(card, {file.name: self._verified(card, file) for file in card.files})

    def installed(self, card: ModelCard) -> bool:
        """Whether its files came with the program or with a package, so that there is nothing to fetch."""
        return all(_first_with(file.name, _installed_folders(file)) for file in card.files)

    def _locate(self, file: ModelFile) -> Path | None:
        return _first_with(file.name, [*self._folders, *_installed_folders(file)])

    def _verified(self, card: ModelCard, file: ModelFile) -> Path:
        path = self._locate(file)
        if path is None:
            raise ModelNotFound(self._nowhere(card, file))
        verify_file(file, path)
        return path

    def _status(self, file: ModelFile) -> FileStatus:
        path = self._locate(file)
        if path is None:
            return FileStatus(file, FileState.MISSING, None)
        try:
            verify_file(file, path)
        except (ChecksumMismatch, ModelNotFound) as error:
            return FileStatus(file, FileState.WRONG_CHECKSUM, path, str(error))
        return FileStatus(file, FileState.OK, path)

    def _nowhere(self, card: ModelCard, file: ModelFile) -> str:
        looked = ", ".join(str(folder) for folder in self._folders) or "no folder"
        download = f"run `pinwatch models pull {card.name}`, " if file.url else ""
        if file.package:
            download = f"install the package `{file.package}`, "
        return (
            f"{card.kind} {card.name}: {file.name} is not here (looked in {looked}). To get it, {download}"
            f"copy it from a folder with `pinwatch models pull {card.name} --from DIR`, "
            "or set PINWATCH_MODELS to the folder that holds it"
        )


def _installed_folders(file: ModelFile) -> list[Path]:
    of_package = package_folder(file.package) if file.package else None
    return [bundled_folder(), *([of_package] if of_package else [])]


def _first_with(name: str, folders: Sequence[Path]) -> Path | None:
    return next((path for path in (folder / name for folder in folders) if path.is_file()), None)


def _no_such(name: str, known: Sequence[str], what: str) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    return f"there is no {what} called {name!r}.{hint} There are: {', '.join(known) or 'none'}"
