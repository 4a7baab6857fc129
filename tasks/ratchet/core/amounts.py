"""Seconds and money as people say them."""


def duration(seconds: float) -> str:
    """E.g. "0.4 s", "12 s", "12 min", "2 h 05 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def money(amount: float, currency: str) -> str:
    """E.g. "0.50 EUR", "< 0.01 EUR"."""
    return f"< 0.01 {currency}" if 0 < amount < 0.005 else f"{amount:,.2f} {currency}"
