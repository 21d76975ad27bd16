"""Footage that is kept, so that a decision can be looked at again: written, found, replayed, let go.

Writing, from what a reader sees to files:

- ``tap``: takes packets and the names of frames from the thread that captures, and never keeps it waiting.
- ``frames``: the same for sources that have pictures and no packets; encodes them.
- ``writer``: decides where a segment begins and ends; ``disk`` copes with disks that are full.
- ``segment``: one open segment: ``media`` (the file), ``muxing`` (the container), ``index`` (who is who).

Reading: ``library`` finds segments and frames, ``decoding`` makes pictures of them, ``replay`` is a source,
``exporting`` makes files for others.
Keeping: ``recovery`` closes what a crash left open, ``verifying`` checks, ``retention`` deletes, ``holds``
forbid it.

Where files lie and what is in them: ``layout``, ``index`` and ``closed``.
"""
