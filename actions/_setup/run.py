"""Start deploy-actions from the checkout that this file lies in, whatever the caller's folder holds.

Run with ``python -I``: the caller's PYTHONPATH and working directory are not on the path then, and a
``ci_lib`` of the caller's own cannot take the place of ours.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ci_lib.cli.main import main

main()
