"""DIMSE with a PACS: C-ECHO, C-STORE of encoded data sets, C-FIND, C-GET, C-MOVE, each fault turned into what it demands.

`messages` writes and reads command sets (PS3.7), `upper_layer` carries them over TCP (PS3.8), `negotiation` agrees on what may
be sent, `services` says what is asked and what the answers mean; `asking` and `retrieval` empty a PACS with them, `receiver` is
what it may send to. Sockets block and every wait ends; nothing is logged, since what goes by here carries identifiers.
"""

from tasks.network.negotiation import Context, Peer, associate
from tasks.network.services import Found, GetResult, Received, echo, find, find_some, get, store
from tasks.network.upper_layer import Association

__all__ = [
    "Association",
    "Context",
    "Found",
    "GetResult",
    "Peer",
    "Received",
    "associate",
    "echo",
    "find",
    "find_some",
    "get",
    "store",
]
