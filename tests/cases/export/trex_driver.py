"""Loads a profile as TRex's console does, by all ways of its tunables, and prints its streams as JSON."""

import importlib.util
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
spec = importlib.util.spec_from_file_location("profile", sys.argv[1])
profile = importlib.util.module_from_spec(spec)
spec.loader.exec_module(profile)


def streams(**arguments):
    found = profile.register().get_streams(direction=0, port_id=0, **arguments)
    names = [stream.shown["name"] for stream in found]
    assert len(set(names)) == len(names), names
    return [stream.shown for stream in found]


json.dump(
    {
        "plain": streams(tunables=[]),
        "latency_by_tunable": streams(tunables=["--latency"]),
        "latency_by_argument": streams(latency=1),
    },
    sys.stdout,
)
