"""Whether a Ray answers at an address, and in one line why it cannot be joined. Knows nothing of Ray but its words."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
from collections.abc import Iterator

from ..errors import HostError, UsageError

ANSWER = 5.0  # seconds in which an address must answer
SETTINGS = 4  # a kind of frame of HTTP/2


def knock(address: str) -> None:
    """Raises HostError when no Ray answers at host:port, where Ray itself would wait for minutes."""
    words = address.removeprefix("ray://")
    name, colon, port = words.rpartition(":")
    if words == "auto":
        return
    if not (colon and name and port.isdigit()):
        raise UsageError(f"--ray {address}: host:port was expected, for example 10.0.0.5:6379")
    try:
        with socket.create_connection((name.strip("[]"), int(port)), timeout=ANSWER) as knocking:
            if os.environ.get("RAY_USE_TLS", "0") == "0":
                # Ray speaks gRPC, which is HTTP/2: a server of that answers every client's first words with its own.
                knocking.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, SETTINGS, 0, 0, 0, 0, 0)))
                said = knocking.recv(9)
                if said[3:4] != bytes((SETTINGS,)):
                    raise HostError(f"what answers at {address} is no Ray: give the port that `ray start --head` told")
    except TimeoutError as error:
        raise HostError(f"nobody answers at {address} within {ANSWER:g} s") from error
    except OSError as error:
        raise HostError(f"nobody answers at {address}: {error}") from error


def why(said: str) -> str:
    """What Ray says of a cluster that it cannot join, in one line."""
    versions = re.findall(r"Ray: (\S+)\s+Python: (\S+)", said)
    if len(versions) == 2:
        there, here = (f"Ray {ray} on Python {python}" for ray, python in versions)
        return f"it is {there}, this is {here}; install the same here, or there"
    if "find any running" in said:
        return "there is none on this machine; start one (ray start --head), or use --ray alone"
    hint = "; a cluster that wants a token needs it here, too: RAY_AUTH_TOKEN" if "connect" in said else ""
    return first_line(said) + hint


def first_line(error: BaseException | str) -> str:
    """The first line of an error of Ray, which are long, with the last one where that is the cause."""
    text = re.sub(r"\x1b\[[\d;]*m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    return lines[0] if len(lines) == 1 else f"{lines[0]} ... {lines[-1]}"


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Nothing reaches the standard error for a ``with`` block: what libraries write there themselves, too."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
