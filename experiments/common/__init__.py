"""Parts that experiments share, also those of other distributions: `traffic` and `profiles`."""
