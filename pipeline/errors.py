"""The whole error tree.

::

    PinwatchError
    ├── UsageError                 the caller asked for something that cannot be (exit code 2)
    │   └── ConfigError            a configuration key is unknown or its value does not fit
    ├── ModelError
    │   ├── ModelNotFound          no card of that name, or its file is nowhere
    │   ├── ChecksumMismatch       the file is there, but it is not the file of the card
    │   ├── ModelFormatError       the file has the right checksum but cannot be loaded
    │   └── ModelDownloadError     fetching failed (retriable)
    ├── SourceError
    │   ├── SourceNotFound         no such file, device or camera
    │   ├── SourceUnreadable       there, but not video that can be decoded
    │   └── SourceLost             a live source stopped (retriable: reconnect)
    ├── ImageError                 a photograph cannot be read or is out of bounds
    ├── GalleryError
    │   ├── SubjectNotFound
    │   ├── SubjectExists
    │   ├── TemplateKeyMismatch    the gallery's templates were made by another model
    │   ├── GalleryBusy            another process holds the database (retriable)
    │   └── GalleryCorrupt         the database cannot be opened or breaks its own rules
    ├── AuditError
    │   ├── LedgerCorrupt          the ledger, or a part of it, is not what was written
    │   └── Erased                 what is asked for was erased; the record that it was there remains
    ├── StorageError               writing failed (disk full, no permission)
    └── CodecError
        ├── UnknownSchema          a message of a kind or major version that we do not know
        └── MalformedMessage       a message whose bytes do not decode or break a bound

Every message names the thing at fault and the way out. ``retriable`` says whether the same call
may succeed later with nothing else changed.
"""

from __future__ import annotations


class PinwatchError(Exception):
    """Base of every error that Pinwatch raises on purpose; its text is meant for the user."""

    retriable = False
    exit_code = 1


class UsageError(PinwatchError):
    """The request itself cannot be carried out."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration key is unknown, or its value does not fit."""


class ModelError(PinwatchError):
    """A model cannot be used."""


class ModelNotFound(ModelError):
    """No card of that name, or the card's file is in none of the folders searched."""


class ChecksumMismatch(ModelError):
    """A model file's SHA-256 is not the one on its card."""


class ModelFormatError(ModelError):
    """A model file cannot be loaded as what its card says it is."""


class ModelDownloadError(ModelError):
    """Fetching a model file failed."""

    retriable = True


class SourceError(PinwatchError):
    """A video source cannot be read."""


class SourceNotFound(SourceError):
    """No such file, folder, device or camera."""


class SourceUnreadable(SourceError):
    """The source exists but holds nothing that can be decoded."""


class SourceLost(SourceError):
    """A live source ended or stalled."""

    retriable = True


class ImageError(PinwatchError):
    """A photograph cannot be read, or is outside the sizes that we take."""


class GalleryError(PinwatchError):
    """The gallery refuses an operation."""


class SubjectNotFound(GalleryError):
    """No subject of that name or id."""


class SubjectExists(GalleryError):
    """The name is taken."""


class TemplateKeyMismatch(GalleryError):
    """Probe and gallery templates were made by different models, purifiers or alignments."""


class GalleryBusy(GalleryError):
    """Another process holds the database longer than we wait."""

    retriable = True


class GalleryCorrupt(GalleryError):
    """The database cannot be opened, or its contents break its own rules."""


class AuditError(PinwatchError):
    """What is to be proved cannot be."""


class LedgerCorrupt(AuditError):
    """The ledger, or a part of it, is not what was written."""


class Erased(AuditError):
    """What is asked for was erased; the record that it was there remains."""


class StorageError(PinwatchError):
    """Writing to disk failed."""


class CodecError(PinwatchError):
    """A message cannot be decoded."""


class UnknownSchema(CodecError):
    """A message of a kind or major version that this program does not know."""


class MalformedMessage(CodecError):
    """A message whose bytes do not decode, or whose values break a bound."""
