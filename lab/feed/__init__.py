"""The feed: one stream of objects about labs and runs, for pages, other programs and recordings."""
