"""The device of a login in plain words, just enough for its owner."""

UNKNOWN_DEVICE = "Dispositivo o programa sin identificar"

# The first that fits counts: most browsers also claim to be those further down.
_BROWSERS = (
    (("edg/", "edga/", "edgios/"), "Edge"),
    (("opr/", "opera"), "Opera"),
    (("samsungbrowser/",), "Samsung Internet"),
    (("firefox/", "fxios/"), "Firefox"),
    (("chrome/", "crios/", "chromium/"), "Chrome"),
    (("safari/",), "Safari"),
)
_SYSTEMS = (
    (("iphone",), "iPhone"),
    (("ipad",), "iPad"),
    (("android",), "Android"),
    (("windows",), "Windows"),
    (("mac os x", "macintosh"), "Mac"),
    (("cros",), "Chromebook"),
    (("linux",), "Linux"),
)


def device_of(user_agent: str) -> str:
    """`Chrome en Windows`, and nothing else of what the browser sent."""
    sent = user_agent.lower()
    browser, system = _first(_BROWSERS, sent), _first(_SYSTEMS, sent)
    if browser and system:
        return f"{browser} en {system}"
    return browser or system or UNKNOWN_DEVICE


def _first(known: tuple[tuple[tuple[str, ...], str], ...], sent: str) -> str | None:
    return next((name for marks, name in known if any(mark in sent for mark in marks)), None)
