"""`python -m paretail`: the command line."""

from paretail.cli import main

if __name__ == "__main__":
    main()
