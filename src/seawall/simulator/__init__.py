"""A dYdX in miniature: exchange, chain, prices and clocks, with its own arithmetic.

In process it is a venue for replay and simulation tests; `serve` puts the real wires over it.
"""
