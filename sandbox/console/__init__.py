"""The console: one page in front of the embedded AWS, at `/_sandbox/` of its own port.

The page calls the deployed APIs as any browser does. What it asks this package for is what no
public API tells: what is deployed, the state of alarms, and faults to watch them by.
"""

from sandbox.console.application import PREFIX, wrap

__all__ = ["PREFIX", "wrap"]
