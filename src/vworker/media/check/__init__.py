"""The checker: whether a published video keeps the rules of HLS, told rule by rule.

`loader.py` reads playlists (with a parser that is not ours) and segments into the records of
`presentation.py`; each `…_rules.py` tests one group of rules on them; `rules.py` holds the rules as
data. It is run on every job before its master playlist is published, and by
`python -m vworker check`.
"""
