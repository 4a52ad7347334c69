"""The header of the PROXY protocol, with which a balancer names the real peer."""
