"""`python -m seawall.cli` is `seawall`."""

from seawall.cli import main

main()
