"""Turns a result into what people read: tables, plots, the page and the README's block."""
