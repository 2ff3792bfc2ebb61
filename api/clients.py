"""Who is asking: the address that limits count by."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import Request

Network = IPv4Network | IPv6Network
_UNKNOWN = "unknown"
# A provider gives a household a /64; counting single addresses of it would count nothing.
_HOUSEHOLD, _SITE, _NEIGHBOURHOOD = 64, 48, 24


def client_of(request: Request, trusted: Sequence[Network]) -> str:
    """The client's address, or its /64 where it is IPv6.

    X-Forwarded-For counts only as far as proxies of our own have written it: read from its end, the first
    address that is none of theirs is the client. What stands before it the client may have invented.
    """
    address = _address(request.client.host if request.client else "")
    # Several headers of one name are one list, in their order.
    hops = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    while address is not None and hops and _is_trusted(address, trusted):
        told = _address(hops.pop().strip())
        if told is None:
            # Nobody of ours writes that, so the proxy itself is all that is known.
            break
        address = told
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address.packed, _HOUSEHOLD), strict=False))
    return _UNKNOWN if address is None else str(address)


def network_of(who: str) -> str:
    """The neighbourhood of a client, in which one person can often choose addresses at will."""
    if who == _UNKNOWN:
        return who
    known = ip_network(who)
    wide = _NEIGHBOURHOOD if isinstance(known, IPv4Network) else _SITE
    return str(known.supernet(new_prefix=wide))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _is_trusted(address: IPv4Address | IPv6Address, trusted: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in trusted)
