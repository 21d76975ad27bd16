"""Video in, decisions out: the parts that know no broker, no index, no database and no web.

Layers point down only: ``workers`` -> ``audit`` -> ``gallery`` -> ``pipeline``.
Read :mod:`pipeline.types` for the values, :mod:`pipeline.seams` for what can be swapped.
"""
