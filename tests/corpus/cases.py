"""The whole corpus."""

from tests.corpus import bombs, colours, footage, hostile, shapes, tracks

CASES = [*colours.CASES, *shapes.CASES, *tracks.CASES, *hostile.CASES, *bombs.CASES, *footage.CASES]
