"""Parts that several overlays need: routes, endpoints, a key-value store, Docker's settings, iptables."""
