"""Bytes and text to values and back, with no clock, no socket and no reactor."""
