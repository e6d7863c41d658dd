"""What goes wrong on a bad day, on purpose: of the node, the indexer, prices, books and the chain.

A schedule is a value (`schedule.Faults`), written by hand, read from a file or drawn from a seed.
`play.FaultyPlayer` carries out what happens to the chain; `local.FaultyVenue` and the served wires
carry out what happens between the chain and whoever looks at it.
"""
