"""The codes of payme-pkg and click-pkg, by the names of their exceptions."""

import json

from clickup_fastapi.utils import exceptions as click
from payme.exceptions import general, webhook

payme = {refusal.__name__: refusal.error_code for refusal in webhook.exception_whitelist}
payme.update((refusal.__name__, code) for code, refusal in general.errors_map.items())
# click-pkg keeps its codes in the constructors.
clicks = {refusal.__name__: refusal().detail["error"]["error"] for refusal in click.errors_whitelist}
print(json.dumps({"payme": payme, "click": clicks}))
