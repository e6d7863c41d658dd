"""The simulated venue on real wires: a node's gRPC, an indexer's REST and websocket, on loopback.

| module | what |
|---|---|
| launch | traders on a price path, served until told to stop |
| server | one process: ports, start, stop |
| node | the running venue behind its wires |
| pace | who makes the next block, and when |
| rpc | the node's gRPC services, pinned reads, broadcasts |
| queries | answers of the node's query services from one committed state |
| records | what an indexer remembers: positions, orders, fills, transfers |
| shapes | the indexer's JSON from state and records |
| rest | the indexer's REST |
| feed | the news of each block by topic |
| websocket, connection | the websocket endpoint and one client of it |
| stage, score | the venue's own calls: step, start, state |
"""
