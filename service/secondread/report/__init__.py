"""The result objects of a reading, built in memory, and reports read back.

`compose` decides which objects a destination gets. `sr` builds structured reports, `pages` draws
captures and presentation states, `check` examines a CAD SR before it leaves, and `readback` reads
CAD SRs, other makers' too.
"""
