"""The simulated venue on real wires: a node's gRPC, an indexer's REST and websocket, on loopback.

| module | what |
|---|---|
| launch | traders on a price path, served until told to stop |
| server | one process: ports, start, stop |
| node | the running venue behind its wires |
| pace | who makes the next block, and when |
| rpc, failing | the node's gRPC services, pinned reads, broadcasts; how they fail |
| queries | answers of the node's query services from one committed state |
| relay, indexer, condition | who sees which block when; what an indexer holds; what ails it |
| records, positions, profits, chronicle, ids | what an indexer remembers |
| shapes, history_shapes, feed_shapes | the indexer's JSON from state and records |
| asking, rest, accounts | the indexer's REST: how it is asked, of no account, of accounts |
| limiter, outages | what stands before REST |
| feed | the news of each block by topic |
| websocket, connection | the websocket endpoint and one client of it |
| stage, score | the venue's own calls: step, start, state |
"""
