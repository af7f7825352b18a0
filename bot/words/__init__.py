"""Everything the bot says to people: pure functions from facts to Markdown."""
