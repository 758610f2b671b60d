"""What the end-to-end tests stand on: real programs, started and looked at from outside.

`proxy` runs reveille, `postgres` runs real servers, `certs` makes certificates for both,
`tls` is a client that speaks TLS as libpq would not, `fakeplane` is a labelled stand-in for a control plane that misbehaves on demand, `gate` is a TCP
forwarder that can hold connections, `wire` and `crowd` speak the protocol in raw bytes, and
`procs` reads /proc.
"""
