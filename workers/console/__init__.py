"""The console: pages and an API for the operators on shift, the auditors and the administrators.

::

    app.py         puts it together            server.py    listens until told to stop
    access/        who may do what             web/         frame of pages, errors, headers, guarded routes
    people/        who is enrolled             sightings/   what was decided, and why
    users/         who may use the console     account/     logging in, one's own password and tokens

Each of the last four has a service that pages and API share, ``pages.py`` and ``api.py``.
"""
