"""TLS under the echo, and the certificates that it shows."""
