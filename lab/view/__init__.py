"""The page that shows a lab or a run in a browser, and its server."""
