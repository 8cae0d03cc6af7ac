"""`python -m duograph`."""

from .cli import main

main()
