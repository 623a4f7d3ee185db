"""The window of Magi Desktop comes here: PySide6 on top of the engine, which never imports it."""
