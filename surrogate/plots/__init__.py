"""Show me: functions that draw what was computed elsewhere, ``(result, ..., ax=None) -> Axes``."""
