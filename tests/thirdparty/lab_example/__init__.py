"""An example for authors: a topology, an overlay and an experiment in a distribution of their own.

`pyproject.toml` beside this package registers them. Once it is installed in the lab's environment
(``pip install --no-deps .``) every command knows them: ``lab list``, ``lab show corner``,
``sudo lab run roundtrip --overlay hub``.
"""
