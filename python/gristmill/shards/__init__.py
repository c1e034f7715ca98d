"""The packed shards: the one place where corpus and trainer meet, and the only code that knows the
file format.

``write`` makes them, ``manifest`` says what belongs to them, ``read`` maps them, ``stream`` puts
their rows in a global order, ``verify`` holds them against the manifest.
"""
