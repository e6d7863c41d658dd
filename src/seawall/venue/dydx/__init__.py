"""The real wires of dYdX v4: node over gRPC, indexer over REST, feed over websocket."""
