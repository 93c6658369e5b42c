"""The operator's tool: one command per module of this package's `COMMANDS`."""
