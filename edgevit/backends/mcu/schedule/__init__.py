"""In which order a network is computed, in which pieces, and where the pieces lie: derived from the graph alone.

Values are either kept whole, or streamed: made tile by tile inside a loop, and gone with it. `access` says what each
operation needs, `loops` makes loops of what is kept, `walk` runs through one on paper, `memory` places what is alive,
`search` chooses.
"""
