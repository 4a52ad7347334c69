"""Datagrams by the batch: recvmmsg(2) and sendmmsg(2)."""
