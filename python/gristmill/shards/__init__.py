"""The packed shards, where corpus and trainer meet: the only code that knows the file format.

``write`` makes them, ``manifest`` says what belongs to them, ``read`` maps them, ``stream`` puts
their rows in a global order, ``verify`` holds them against the manifest.
"""
