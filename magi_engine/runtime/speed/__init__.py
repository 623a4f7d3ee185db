"""How fast this machine is, tried out without any model's files."""
