"""The append-only record of what was decided, changed and looked at.

::

    <data>/ledger/
      ledger.json            its id and format
      public.pem             Ed25519 public key: all that a verifier needs
      private.pem            signs checkpoints; only its owner may read it
      chains/<writer>.chain  one file a process: frames, each hashed onto the one before
      checkpoints.chain      signed heads of the chains, hashed onto each other likewise
      keys.db                keys of the sealed contents; erasing destroys them

Every process that writes has a chain of its own, so none waits for another. A chain by itself cannot show
that its end was cut off; checkpoints can, up to the last one, and whoever holds a copy of a checkpoint
elsewhere can show that checkpoints were not cut off either.
"""
