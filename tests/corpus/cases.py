"""The whole corpus."""

from tests.corpus import colours, hostile, shapes, tracks

CASES = [*colours.CASES, *shapes.CASES, *tracks.CASES, *hostile.CASES]
