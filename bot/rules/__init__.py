"""What is missing: pure functions from facts to actions. Nothing here reads, writes or waits."""
