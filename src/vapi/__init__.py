"""vapi: a Starlette app that takes videos and serves their status, live progress and playback."""
