"""The worker beside Shaka Streamer: time, and quality at the same bitrates.

python -m benchmarks.shaka [--seconds 20] [--rounds 3] [--minutes 60]
"""
