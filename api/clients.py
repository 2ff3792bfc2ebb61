"""The client behind a request: the address that limits count by."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import Request

Network = IPv4Network | IPv6Network
_UNKNOWN = "unknown"
_WITH_PORT = re.compile(r"\[(?P<v6>[^\[\]]+)\](?::\d{1,5})?|(?P<v4>[\d.]+):\d{1,5}", re.ASCII)
# A provider gives a household a /64; counting single addresses of it would count nothing.
_HOUSEHOLD, _SITE, _NEIGHBOURHOOD = 64, 48, 24


def client_of(request: Request, trusted: Sequence[Network]) -> str:
    """Find the client's address, or its /64 where it is IPv6.

    X-Forwarded-For counts only as far as trusted proxies wrote it: read from its end, the first address that
    is no trusted proxy is the client. The client may have invented everything before it.
    """
    address = _address(request.client.host if request.client else "")
    # Several headers of one name are one list, in their order.
    hops = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    while address is not None and hops and any(address in network for network in trusted):
        hop = _address(hops.pop().strip())
        if hop is None:
            # No trusted proxy writes that, so only the proxy itself is known.
            break
        address = hop
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address.packed, _HOUSEHOLD), strict=False))
    return _UNKNOWN if address is None else str(address)


def network_of(client: str) -> str:
    """Find the network around a client: one person can often choose addresses in it."""
    if client == _UNKNOWN:
        return client
    known = ip_network(client)
    wide = _NEIGHBOURHOOD if isinstance(known, IPv4Network) else _SITE
    return str(known.supernet(new_prefix=wide))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    # Some proxies add the port; IPv6 then stands in brackets.
    with_port = _WITH_PORT.fullmatch(text)
    bare = (with_port["v6"] or with_port["v4"]) if with_port else text
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
