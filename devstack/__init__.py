"""Embedded servers."""
