"""Bad days from seeds: the whole guard against the venue in process, under virtual time.

A case is drawn, played to its end, and watched by a referee that shares no code with the guard's
judgement. `case` draws, `rulebook` writes the rules, `watch` and `fuse` stand between the guard and
the world, `trader` fights it, `referee`, `model` and `ending` judge, `play` runs one case.
"""
