"""`python -m secondread`, the same as the console script."""

from secondread.cli import main

if __name__ == "__main__":
    main()
