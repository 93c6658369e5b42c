"""The whole corpus."""

from tests.corpus import colours, footage, hostile, shapes, tracks

CASES = [*colours.CASES, *shapes.CASES, *tracks.CASES, *hostile.CASES, *footage.CASES]
