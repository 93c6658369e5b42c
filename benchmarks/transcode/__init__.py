"""What the worker adds to FFmpeg: whole jobs beside the bare command, and memory over many jobs.

python -m benchmarks.transcode [--seconds 60] [--rounds 5] [--jobs 200] [--minutes 45]
"""
