"""Order of a network's computation, its loops and its buffers, derived from the graph alone.

Values are either kept whole, or streamed: made tile by tile inside a loop, and gone with it.
`access` declares which rows each operation needs, `loops` makes loops from the kept values, `walk`
simulates one loop, `memory` places what is alive, and `search` chooses.
"""
