"""What plans promised in every played crash, against what the venue made of it.

    python bench/claims.py [--windows N] [--json]

Plays the worst hours of each event in the folder of crashes, in process, with the demo's rules and
book. Costs are against the oracle at the decision; the error is realised less claimed cost in bps
of what was exchanged: prices move on between a decision and its fills.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.simulation.duel import candles_of, demo_policy, duel, event_names, side_of, window
from tests.simulation.promises import Carried, spread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=4, help="of four hours, of each event")
    parser.add_argument("--json", action="store_true", help="one line of JSON at the end")
    arguments = parser.parse_args()
    carried: list[Carried] = []
    nothing = 0
    for event in event_names():
        candles = candles_of(event)
        for index in range(arguments.windows):
            played = duel(window(candles, index), side=side_of(event), policy=demo_policy())
            told = played.promises
            carried, nothing = carried + told.carried, nothing + told.nothing
            print(
                f"{event} {index}: {len(told.carried)} plans, cost error bps {spread(told.carried)}"
            )
    claims = [claim for one in carried for claim in one.claims]
    figures = {
        "plans": len(carried),
        "filled_whole": sum(one.is_whole for one in carried),
        "nothing_filled": nothing,
        "claims": len(claims),
        "beyond_their_bound": sum(not claim.holds for claim in claims),
        "claimed_cost": round(sum(one.claimed_cost for one in carried) / 1e6, 2),
        "realised_cost": round(sum(one.cost for one in carried) / 1e6, 2),
        "cost_error_bps": spread(carried),
    }
    print(json.dumps(figures) if arguments.json else figures)


if __name__ == "__main__":
    main()
