"""The error of click-pkg's own check for each signed form: 0 where it finds nothing."""

import json
import sys

from clickup_fastapi.schemas.request import ClickShopApiRequest
from clickup_fastapi.utils.auth import check_auth
from clickup_fastapi.utils.exceptions import BaseClickException


def error(form, service_id, secret):
    try:
        request = ClickShopApiRequest(**form)
        check_auth(request, service_id, secret)
        request.is_valid()
    except BaseClickException as refusal:
        return refusal.detail["error"]["error"]
    return 0


given = json.load(sys.stdin)
print(json.dumps([error(form, given["service_id"], given["secret"]) for form in given["forms"]]))
