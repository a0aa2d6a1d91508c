"""``python -m minicloud.cli``: cloudctl where its script is not on the path."""

from minicloud.cli.main import main

main()
