"""The same scenarios on vqueue and on BullMQ itself: `make conformance`."""
