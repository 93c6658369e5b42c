"""The queues that are measured: a small program each, in an environment of its own.

A program speaks the lines of `protocol.py` with the harness and implements the operations of
`adapter.py`. It may import the standard library, its queue, and this package's `adapter`,
`ledger`, `protocol` and `serving`, because nothing else is installed beside it.
"""
