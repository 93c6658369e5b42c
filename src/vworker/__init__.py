"""The video transcoding worker: S3 to HLS on S3, as jobs of `vqueue`."""
