"""Questions that schemathesis makes from the OpenAPI document, right and wrong ones: no fault, all as described.

`PARETAIL_FUZZ=60` asks for so many of each endpoint, and for the corner cases of each field too: over 2,000 in all.
"""

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from paretail.data.stores.embedded import EmbeddedStore
from paretail.serve.endpoints import ENDPOINTS

from ..trained import DemoShop
from .client import serving

#: Not asked: whether all that fits the document is accepted. Filters have a grammar, rows are judged against the shop,
#: and 5.0 is an integer to JSON Schema alone.
LEFT_OUT = "positive_data_acceptance"


#: A batch with one wrong row among right ones is answered row by row.
SETTINGS = "".join(
    f'[[operations]]\ninclude-path = "{path}"\nchecks.negative_data_rejection.enabled = false\n'
    for path in sorted({endpoint.path for endpoint in ENDPOINTS if endpoint.rows})
)


def test_no_question_makes_it_fail(shop: DemoShop, tmp_path: Path) -> None:
    many = int(os.environ.get("PARETAIL_FUZZ", "0"))
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    with serving(shop.bundle, tmp_path / "store") as service:
        command = [
            str(Path(sys.executable).with_name("st")), "run", f"{service.address}/openapi.json", "--no-color",
            "--phases", "examples,coverage,fuzzing" if many else "examples,fuzzing", "-n", str(many or 15),
            "--seed", "1", "--exclude-checks", LEFT_OUT, "--continue-on-failure", "--suppress-health-check", "all",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=600)
        assert done.returncode == 0, done.stdout[-8000:]
        cases = re.search(r"([\d,]+) generated", done.stdout)
        assert cases
        assert int(cases[1].replace(",", "")) >= (2_000 if many >= 60 else 200)
        assert service.recommend(k=5).status == 200
        service.process.terminate()
        _, log = service.process.communicate(timeout=60)
    assert log == ""  # nothing failed
    with closing(EmbeddedStore.open(tmp_path / "store", create=False)) as store:
        assert store.counts()
