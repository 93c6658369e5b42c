"""What the worker knows of FFmpeg, HLS and pictures; nothing here knows of S3 or the queue."""
