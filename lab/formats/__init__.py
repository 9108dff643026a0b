"""Topologies from files, and into files: our own YAML, node-link JSON, GraphML, GML, GTS DSL."""
