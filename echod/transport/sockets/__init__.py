"""Where the sockets of a service come from."""
