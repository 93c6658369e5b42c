"""The checker: whether a published video keeps the rules of HLS, told rule by rule.

`presentation.py` reads playlists (with a parser that is not ours) and segments; each other module
tests one group of rules on what was read; `rules.py` holds the rules as data. It is run on every
job before its master playlist is published, and by `python -m vworker check`.
"""
