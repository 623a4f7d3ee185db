"""The first start of an installed program: builds and keeps its private environment.

What an installer carries runs this with nothing but a Python and a small part of Qt; only
``window`` and ``__main__`` know Qt. Standard library, filelock and platformdirs apart from that.
"""
