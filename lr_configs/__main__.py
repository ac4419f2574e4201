"""The command ``lr-configs`` as ``python -m lr_configs``."""

import sys

from lr_configs.commands import main

if __name__ == "__main__":
    sys.exit(main())
