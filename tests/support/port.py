"""A port of 127.0.0.1 for a server that starts later. Not one of those that the
kernel hands out, or a connection somewhere on the host may take it meanwhile."""
import random
import socket


def free_port():
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
